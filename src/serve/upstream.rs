//! A connection to an application.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Acknowledges at once the head of an answer that comes alone, or a chunk.
///
/// A server that writes head and body one after the other, on a socket without `TCP_NODELAY`, sends
/// the body once the head is acknowledged (Nagle's algorithm, RFC 9293, section 3.7.4). The kernel
/// would put that off for 40 ms: so long took each request to uvicorn with several workers.
///
/// An application may answer before it has read all of a request, and close: 413 for a body that is
/// too large. Then no more can be sent, but its answer is still there to be read. So what cannot be
/// sent is dropped; where there is no answer, the reader gets to know.
#[derive(Debug)]
pub(super) struct Upstream {
    stream: TcpStream,
    /// Whether the application reads no more.
    is_closed: bool,
}

impl Upstream {
    pub(super) async fn connect(port: u16) -> Result<Upstream> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Upstream { stream, is_closed: false })
    }

    /// What came of writing so many bytes.
    fn written(&mut self, bytes: usize, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        let is_end = |error: &Error| {
            matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
        };
        match written {
            Poll::Ready(Err(error)) if is_end(&error) => {
                self.is_closed = true;
                Poll::Ready(Ok(bytes))
            }
            written => written,
        }
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled()[before..].ends_with(b"\r\n") {
            // What is not acknowledged now is only slower.
            let _ = set_tcp_quickack(&self.stream, true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.is_closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(bytes.len(), written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        if self.is_closed {
            return Poll::Ready(Ok(bytes));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(bytes, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn an_answer_is_read_although_the_request_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut upstream = Upstream::connect(port).await.unwrap();
            upstream.write_all(b"begins").await.unwrap();
            // Closed while something is unread, the connection is reset.
            thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.peek(&mut [0]).unwrap();
                stream.write_all(b"answer").unwrap();
            });
            let body = vec![b'x'; 1 << 16];
            for _ in 0..100 {
                upstream.write_all(&body).await.unwrap();
            }
            let mut answer = String::new();
            upstream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "answer");
        });
    }
}
