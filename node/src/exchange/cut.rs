//! Cutting a connection at once, whatever waits in its buffers.
//!
//! A reader that lost its right may still have frames of the time before on their way to it: in the
//! queues of gRPC, behind a window that it keeps shut. Ending the stream would let them go out.
//! **Invariant:** after [`Cut::now`] not one more byte leaves.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Cuts the connection that it was made with; clones cut the same one.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    waiting: Option<Waker>,
}

impl Cut {
    /// Cuts it.
    pub fn now(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = true;
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }

    fn check(&self) -> io::Result<()> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.is_cut {
            true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut")),
            false => Ok(()),
        }
    }

    /// As [`Cut::check`], and wakes this reader when it is cut.
    fn check_or_wait(&self, context: &Context<'_>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_cut {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut"));
        }
        state.waiting = Some(context.waker().clone());
        Ok(())
    }
}

/// A stream that can be cut.
#[derive(Debug)]
pub struct Cuttable<S> {
    stream: S,
    cut: Cut,
}

impl<S> Cuttable<S> {
    /// A stream that ends when it is cut.
    pub const fn new(stream: S, cut: Cut) -> Self {
        Self { stream, cut }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cuttable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.check_or_wait(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cuttable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn nothing_leaves_a_cut_stream_and_whoever_waits_is_woken() {
        let (near, mut far) = tokio::io::duplex(64);
        let cut = Cut::default();
        let mut stream = Cuttable::new(near, cut.clone());
        stream.write_all(b"before").await.expect("written");
        let (mut reading, mut writing) = tokio::io::split(stream);
        let waiting = tokio::spawn(async move { reading.read_u8().await });
        tokio::task::yield_now().await;
        cut.now();
        let woken = waiting.await.expect("ended").expect_err("cut");
        assert_eq!(woken.kind(), io::ErrorKind::ConnectionAborted);
        assert!(writing.write_all(b"after").await.is_err());
        drop(writing);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.expect("read");
        assert_eq!(seen, b"before");
    }
}
