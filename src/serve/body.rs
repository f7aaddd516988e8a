//! The bodies of requests and answers: passed on as they come, and never kept.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::backend::InFlight;
use super::headers;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request on its way to the application.
pub(super) enum Outgoing {
    Empty,
    Visitors(Visitors<Incoming>),
}

/// What a visitor sends, up to a limit.
pub(super) struct Visitors<B> {
    inner: B,
    limits: Limits,
    /// Runs out while nothing comes.
    patience: Option<Pin<Box<Sleep>>>,
    fault: Rc<Cell<Option<Fault>>>,
}

/// What a visitor may send.
pub(super) struct Limits {
    /// How many bytes may come.
    pub(super) size: u64,
    /// How long nothing may come.
    pub(super) silence: Duration,
}

/// Why a body does not come to its end. It is the visitor's doing, and not the application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLarge,
    /// It was broken off, or is not what HTTP has.
    Broken,
    TooSlow,
}

impl Fault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Broken => StatusCode::BAD_REQUEST,
            Fault::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub(super) fn why(self) -> &'static str {
        match self {
            Fault::TooLarge => "the body is too large",
            Fault::Broken => "the body is broken",
            Fault::TooSlow => "the body did not come in time",
        }
    }
}

impl Outgoing {
    /// What a visitor sends within limits; `fault` is set when it does not come to its end.
    pub(super) fn of(inner: Incoming, limits: Limits, fault: Rc<Cell<Option<Fault>>>) -> Outgoing {
        if inner.is_end_stream() {
            return Outgoing::Empty;
        }
        Outgoing::Visitors(Visitors { inner, limits, patience: None, fault })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Visitors<B> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut frame = match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(_))) => return self.failed(Fault::Broken),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                // Only while more is wanted: an application that reads slowly is not the visitor's
                // fault.
                let silence = self.limits.silence;
                let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(silence)));
                return match patience.as_mut().poll(context) {
                    Poll::Ready(()) => self.failed(Fault::TooSlow),
                    Poll::Pending => Poll::Pending,
                };
            }
        };
        self.patience = None;
        if let Some(data) = frame.data_ref() {
            let Some(left) = self.limits.size.checked_sub(data.len() as u64) else {
                return self.failed(Fault::TooLarge);
            };
            self.limits.size = left;
        }
        if let Some(trailers) = frame.trailers_mut() {
            headers::trailers_to_application(trailers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn failed(&self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.fault.set(Some(fault));
        Poll::Ready(Some(Err(fault)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Outgoing::Empty => Poll::Ready(None),
            Outgoing::Visitors(body) => {
                body.poll(context).map_err(|fault| Error::from(fault.why()))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Empty => true,
            Outgoing::Visitors(body) => body.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Empty => SizeHint::with_exact(0),
            Outgoing::Visitors(body) => body.inner.size_hint(),
        }
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outgoing")
    }
}

/// The body of an answer on its way to a visitor.
pub(super) enum Answer {
    /// A text of nyala's own.
    Text(Option<Bytes>),
    /// What the application sends. While it does, the request is in flight.
    Applications { body: Incoming, _in_flight: InFlight },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Answer::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Answer::Applications { body, .. } => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Text(text) => text.is_none(),
            Answer::Applications { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |it| it.len() as u64))
            }
            Answer::Applications { body, .. } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[derive(Clone, Copy)]
    enum Part {
        Data(&'static str),
        Broken,
        End,
    }

    /// Gives one part after another, and then nothing.
    struct Parts(Vec<Part>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = ();

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            let parts = &mut self.get_mut().0;
            if parts.is_empty() {
                return Poll::Pending;
            }
            Poll::Ready(match parts.remove(0) {
                Part::Data(text) => Some(Ok(Frame::data(Bytes::from(text)))),
                Part::Broken => Some(Err(())),
                Part::End => None,
            })
        }
    }

    /// The first fault of a body of at most five bytes; `None` when it comes to its end.
    async fn fault(parts: &[Part], silence: Duration) -> Option<Fault> {
        let limits = Limits { size: 5, silence };
        let inner = Parts(parts.to_vec());
        let mut body = Visitors { inner, limits, patience: None, fault: Rc::default() };
        loop {
            match poll_fn(|context| body.poll(context)).await {
                Some(Ok(_)) => {}
                Some(Err(fault)) => {
                    assert_eq!(body.fault.get(), Some(fault));
                    return Some(fault);
                }
                None => return body.fault.get(),
            }
        }
    }

    #[test]
    fn it_is_known_what_a_visitor_did_wrong() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (long, none) = (Duration::from_hours(1), Duration::ZERO);
            let (abc, de, def) = (Part::Data("abc"), Part::Data("de"), Part::Data("def"));
            assert_eq!(fault(&[abc, de, Part::End], long).await, None);
            assert_eq!(fault(&[abc, def], long).await, Some(Fault::TooLarge));
            assert_eq!(fault(&[abc, Part::Broken], long).await, Some(Fault::Broken));
            assert_eq!(fault(&[abc], none).await, Some(Fault::TooSlow));
        });
    }
}
