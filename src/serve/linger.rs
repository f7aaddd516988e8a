//! The connection of a visitor, closed so that the last answer arrives, and when nothing of an
//! answer is read any more.
//!
//! An answer may come before the whole request has: 413 for a body that is too large, 503 while
//! nothing runs. To close a connection on which more comes is to reset it, and the visitor may lose
//! the answer (RFC 9112, section 9.6). So what comes is read and dropped for a while.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long it is read after the last answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much is dropped, in bytes.
const MOST: usize = 16 << 20;

/// How long a visitor may read nothing of an answer. nginx waits for as long.
const SILENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    /// Whether it is a websocket by now, both ends of which close it as they like.
    is_upgraded: Arc<AtomicBool>,
    /// Set once no more is written.
    end: Option<Pin<Box<Sleep>>>,
    dropped: usize,
    /// Whether something came that was not answered.
    has_begun: bool,
    /// How long nothing may be read of an answer.
    silence: Duration,
    /// Runs out while nothing is.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, is_upgraded: Arc<AtomicBool>) -> Lingering<S> {
        Lingering {
            stream,
            is_upgraded,
            end: None,
            dropped: 0,
            has_begun: false,
            silence: SILENCE,
            blocked: None,
        }
    }

    /// Whether the visitor has begun a request since the last answer.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What came of writing, or the end of it when that waits for too long: whoever reads nothing
    /// keeps the application from answering others.
    fn in_time(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        self.has_begun = false;
        if written.is_ready() {
            self.blocked = None;
            return written;
        }
        let silence = self.silence;
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(silence)));
        ready!(blocked.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.has_begun |= buffer.filled().len() > before;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Lingering { stream, is_upgraded, end, dropped, .. } = self.get_mut();
        if end.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
            if is_upgraded.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let end = end.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        let mut bytes = [0; 4096];
        while *dropped < MOST {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *dropped += buffer.filled().len();
                }
                // The visitor has closed it, too.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return end.as_mut().poll(context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn who_reads_nothing_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut visitor, stream) = duplex(4);
            let mut stream = Lingering::new(stream, Arc::default());
            stream.silence = Duration::from_millis(50);
            let cause = stream.write_all(b"12345").await.unwrap_err();
            assert_eq!(cause.kind(), ErrorKind::TimedOut);
            // One who goes on reading has all the time.
            visitor.read_exact(&mut [0; 4]).await.unwrap();
            stream.write_all(b"6789").await.unwrap();
        });
    }
}
