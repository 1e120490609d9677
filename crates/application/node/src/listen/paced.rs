//! A stream whose peer takes what is written to it at a least pace.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::places::Place;

/// A connection: slow readers are an error, and what an answer holds is given back when it has left.
pub(super) struct Paced<S> {
    stream: S,
    place: Arc<Place>,
    pace: Pace,
}

/// A least pace: so many bytes in each span in which the peer keeps us waiting.
pub(super) struct Pace {
    moved: usize,
    until: Option<Pin<Box<Sleep>>>,
    span: std::time::Duration,
    least: usize,
}

impl Pace {
    pub(super) const fn new(span: std::time::Duration, least: usize) -> Self {
        Self {
            moved: 0,
            until: None,
            span,
            least,
        }
    }

    /// The peer moved this many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= self.least {
            self.rest();
        }
    }

    /// Nobody waits for the peer.
    pub(super) fn rest(&mut self) {
        self.moved = 0;
        self.until = None;
    }

    /// The peer keeps us waiting; ready when it has done so for a span.
    pub(super) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let span = self.span;
        let until = self
            .until
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + span)));
        until.as_mut().poll(context)
    }
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, place: Arc<Place>) -> Self {
        let bounds = place.bounds();
        Self {
            stream,
            pace: Pace::new(bounds.span, bounds.pace),
            place,
        }
    }

    /// A write that did not go through yet.
    fn waits<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.pace.poll_over(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending => this.waits(context),
            Poll::Ready(written) => {
                this.pace.moved(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_flush(context) {
            Poll::Pending => this.waits(context),
            Poll::Ready(flushed) => {
                this.pace.rest();
                let seat = this.place.seat();
                if seat.is_answered() {
                    seat.set_answered(false);
                    this.place.release();
                    this.place.rests();
                }
                Poll::Ready(flushed)
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_shutdown(context) {
            Poll::Pending => this.waits(context),
            ready => ready,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write_vectored(context, slices) {
            Poll::Pending => this.waits(context),
            Poll::Ready(written) => {
                this.pace.moved(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
