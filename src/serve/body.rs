//! The bodies of requests and answers: passed on as they come, and never kept.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::backend::InFlight;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request on its way to the application.
pub(super) enum Outgoing {
    Empty,
    Visitors(Visitors),
}

/// What a visitor sends, up to a limit.
pub(super) struct Visitors {
    inner: Incoming,
    /// How many bytes may still come.
    left: u64,
    /// Set when more came.
    is_too_large: Rc<Cell<bool>>,
}

impl Outgoing {
    /// At most `largest` bytes; the flag says when there are more.
    pub(super) fn of(inner: Incoming, largest: u64) -> (Outgoing, Rc<Cell<bool>>) {
        let is_too_large = Rc::new(Cell::new(false));
        let told = Rc::clone(&is_too_large);
        if inner.is_end_stream() {
            return (Outgoing::Empty, told);
        }
        (Outgoing::Visitors(Visitors { inner, left: largest, is_too_large }), told)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Outgoing::Visitors(body) = self.get_mut() else { return Poll::Ready(None) };
        let frame = match Pin::new(&mut body.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        if let Some(data) = frame.data_ref() {
            let Some(left) = body.left.checked_sub(data.len() as u64) else {
                body.is_too_large.set(true);
                return Poll::Ready(Some(Err("the body is too large".into())));
            };
            body.left = left;
        }
        Poll::Ready(Some(Ok(frame)))
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
