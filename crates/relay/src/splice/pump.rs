//! One direction of a session: read, send at once, keep the rest, stop reading until it is gone.
//!
//! ```text
//! Open ──FIN read, everything handed over──▶ Ended
//! ```
//! Knows nothing of the other direction, of time, or of what an error means.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use via6_core::limits::COPY_TURN;

use crate::buffer::with_buffer;
use crate::leg::Leg;

/// Bytes on their way from one leg to the other.
#[derive(Debug, Default)]
pub(super) struct Pump {
    /// Read and not yet taken by the other leg; empty while that one keeps up.
    held: Vec<u8>,
    /// How much of `held` has gone.
    sent: usize,
    source_ended: bool,
    ended: bool,
}

/// A leg that failed, and how.
#[derive(Debug)]
pub(super) enum Fault {
    Source(io::Error),
    Sink(io::Error),
}

impl Pump {
    /// FIN has been passed on.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The sink has not taken everything that was read.
    pub(super) fn is_blocked(&self) -> bool {
        self.sent < self.held.len()
    }

    /// Moves what can be moved now, FIN included. Ready: this direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &impl Leg,
        sink: &impl Leg,
        count: &AtomicU64,
    ) -> Poll<Result<(), Fault>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_bytes(cx, source, sink, count))?;
        sink.shutdown_write().map_err(Fault::Sink)?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }

    /// Moves what can be moved now. Ready: the source has ended and the sink has everything.
    pub(super) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        source: &impl Leg,
        sink: &impl Leg,
        count: &AtomicU64,
    ) -> Poll<Result<(), Fault>> {
        let mut turn = 0;
        loop {
            ready!(self.poll_held(cx, sink, count))?;
            if self.source_ended {
                return Poll::Ready(Ok(()));
            }
            if turn >= COPY_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            turn += ready!(with_buffer(
                |buffer| self.poll_pass(cx, source, sink, count, buffer)
            ))?;
        }
    }

    /// One read and at most one write. Ready with the bytes read.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        source: &impl Leg,
        sink: &impl Leg,
        count: &AtomicU64,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Fault>> {
        let read = ready!(source.poll_read(cx, buffer)).map_err(Fault::Source)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            self.source_ended = true;
            return Poll::Ready(Ok(0));
        };
        let written = match sink.poll_write(cx, bytes) {
            Poll::Pending => 0,
            Poll::Ready(Ok(written)) => written,
            // What was read is lost with the sink that should have had it.
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::Sink(error))),
        };
        count.fetch_add(written as u64, Ordering::Relaxed);
        self.held
            .extend_from_slice(bytes.get(written..).unwrap_or_default());
        Poll::Ready(Ok(read))
    }

    fn poll_held(
        &mut self,
        cx: &mut Context<'_>,
        sink: &impl Leg,
        count: &AtomicU64,
    ) -> Poll<Result<(), Fault>> {
        while let Some(rest) = self.held.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = ready!(sink.poll_write(cx, rest)).map_err(Fault::Sink)?;
            if written == 0 {
                return Poll::Ready(Err(Fault::Sink(io::ErrorKind::WriteZero.into())));
            }
            count.fetch_add(written as u64, Ordering::Relaxed);
            self.sent += written;
        }
        if !self.held.is_empty() {
            // Given back, not kept: an idle session holds no buffer.
            self.held = Vec::new();
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }
}
