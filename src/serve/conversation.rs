//! The connection of a visitor: one request after the other, until it ends.

use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::linger::Lingering;
use super::proxy::answer_on;
use super::served::{Connection, FAREWELL};

/// How long a visitor may take for the head of a request, or may be idle before it.
const IDLE: Duration = Duration::from_secs(75);

/// How much is read of a head, in bytes, before it is refused.
const HEAD: usize = 64 << 10;

/// How long whoever was too slow may take to read that.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Answers the requests of one visitor's connection until it ends.
pub(super) async fn converse<S>(stream: S, address: Option<IpAddr>, open: Connection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let site = Rc::clone(open.site());
    let is_upgraded = Arc::new(AtomicBool::new(false));
    let stream = Lingering::new(stream, Arc::clone(&is_upgraded));
    let text = address.and_then(|it| HeaderValue::from_str(&it.to_string()).ok());
    let address = address.zip(text);
    let service = service_fn(move |request| {
        let (site, address) = (Rc::clone(&site), address.clone());
        let is_upgraded = Arc::clone(&is_upgraded);
        async move { Ok::<_, Infallible>(answer_on(&site, address, request, &is_upgraded).await) }
    });
    if let Err(error) = serve(stream, service, IDLE, open.site().closing()).await {
        tracing::debug!("a visitor's connection ended: {error}");
    }
}

/// Gives the requests of a connection to a service, until it ends, or once more when `closing`
/// returns. A request whose head has not come within `idle` gets 408; who has sent nothing of one
/// is not to take that for the answer to the next.
async fn serve<S, T, B>(
    stream: Lingering<S>,
    service: T,
    idle: Duration,
    closing: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: HttpService<Incoming, ResBody = B, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = closing => {
            if let Ok(outcome) = timeout(FAREWELL, &mut connection).await {
                outcome
            } else {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        }
    };
    if outcome.as_ref().is_err_and(hyper::Error::is_timeout)
        && let Some(parts) = connection.into_parts()
    {
        let mut stream = parts.io.into_inner();
        if stream.has_begun() {
            let tell = async {
                let _ = stream.write_all(too_late().as_bytes()).await;
                let _ = stream.shutdown().await;
            };
            let _ = timeout(LAST_WORD, tell).await;
        }
    }
    outcome
}

/// What a visitor gets whose request did not come in time.
fn too_late() -> String {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
    let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    let text = "408 the request did not come in time\n";
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n{date}\r\n{text}",
        text.len()
    )
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Bytes;
    use hyper::{Request, Response};
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::task::LocalSet;

    use super::*;

    /// What a visitor gets who sends this and then nothing more.
    fn answers(sent: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (mut visitor, stream) = duplex(64 << 10);
            let stream = Lingering::new(stream, Arc::default());
            let service = service_fn(async |_: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("page"))))
            });
            visitor.write_all(sent.as_bytes()).await.unwrap();
            let never = std::future::pending();
            assert!(serve(stream, service, Duration::from_millis(50), never).await.is_err());
            let mut text = String::new();
            visitor.read_to_string(&mut text).await.unwrap();
            text
        })
    }

    #[test]
    fn who_begins_a_request_and_does_not_end_it_is_told() {
        let page = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(answers(""), "");
        assert!(answers(page).ends_with("\r\n\r\npage"));
        let late = answers("GET / HT");
        assert!(late.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{late}");
        assert!(late.ends_with("\r\n\r\n408 the request did not come in time\n"), "{late}");
    }
}
