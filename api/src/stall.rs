//! Clients that stop reading: a connection on which a write waits for too long fails.
//!
//! An answer is computed while the client takes it, so a client that takes nothing would hold its connection, its
//! query's memory and its snapshot for as long as it likes. Only waiting counts: every byte that leaves starts the
//! time anew, so a slow client that goes on is served.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection whose writes wait for at most `timeout`.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    stream: S,
    timeout: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(crate) fn new(stream: S, timeout: Duration) -> Self {
        Self { stream, timeout, waiting: None }
    }

    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let timeout = self.timeout;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(waiting.as_mut().poll(context));
        metrics::counter!("ovate_http_stalled_total").increment(1);
        let text = format!("the client took nothing for write_timeout_ms ({})", timeout.as_millis());
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, text)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_is_served_and_one_that_stops_is_cut_off() {
        let (server, mut client) = duplex(4);
        let mut server = Stall::new(server, Duration::from_secs(1));
        let writing = tokio::spawn(async move { server.write_all(&[1; 64]).await.unwrap_err() });
        // Each read lets the server go on; none is ever waited for long enough.
        client.read_exact(&mut [0; 32]).await.unwrap();
        let error = writing.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("write_timeout_ms (1000)"));
    }

    #[tokio::test]
    async fn a_client_that_takes_all_gets_all() {
        let (server, mut client) = duplex(4);
        let mut server = Stall::new(server, Duration::from_hours(1));
        let writing = tokio::spawn(async move { server.write_all(&[1; 64]).await });
        client.read_exact(&mut [0; 64]).await.unwrap();
        writing.await.unwrap().unwrap();
    }
}
