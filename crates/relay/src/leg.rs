//! One side of a session, as `splice` sees it.
//!
//! A trait, so that the endings can be tested over in-memory pipes that hand out one byte at a
//! time. Sharing is by `&self`: both directions of a session, and the watch for errors, use a leg
//! at once.

use std::io;
use std::task::{Context, Poll};

use via6_core::liveness::Vitals;

use crate::pipe::Pipe;

/// A byte stream with a FIN and an RST.
///
/// Whatever is `Pending` will be worth another try later; `cx` is woken then, unless the leg
/// belongs to an [`Engine`](crate::Engine), which knows by itself.
pub trait Leg {
    /// Takes what has arrived; 0 is the peer's FIN.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Hands over as much as fits.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Moves what has arrived into an empty `pipe` without passing it through this process; 0 *may*
    /// be the peer's FIN, which [`Self::poll_read`] tells. [`io::ErrorKind::Unsupported`]: this leg
    /// cannot, now or ever; nothing was moved.
    fn poll_fill(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        let _ = (cx, pipe);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Hands over as much of `pipe` as fits.
    fn poll_drain(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        let _ = (cx, pipe);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Whether [`Self::poll_drain`] can be used at all.
    fn takes_pipes(&self) -> bool {
        false
    }

    /// Sends FIN after what was written; the other direction stays open.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Ready once the leg has failed: the way to learn of an RST while nothing is read.
    fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Bytes handed to the system and not yet acknowledged, a FIN counting as one; `None` where the
    /// system does not say. The part of [`Self::vitals`] that is cheap to ask.
    fn unsent(&self) -> Option<usize> {
        self.vitals().map(|vitals| vitals.unsent)
    }

    /// What the system knows of the peer; `None` where it does not say.
    fn vitals(&self) -> Option<Vitals>;

    /// Makes the coming drop of this leg an RST instead of a FIN.
    fn reset_on_close(&self);
}

impl<L: Leg> Leg for &L {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buffer)
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, bytes)
    }

    fn poll_fill(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        (**self).poll_fill(cx, pipe)
    }

    fn poll_drain(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        (**self).poll_drain(cx, pipe)
    }

    fn takes_pipes(&self) -> bool {
        (**self).takes_pipes()
    }

    fn shutdown_write(&self) -> io::Result<()> {
        (**self).shutdown_write()
    }

    fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()> {
        (**self).poll_failed(cx)
    }

    fn unsent(&self) -> Option<usize> {
        (**self).unsent()
    }

    fn vitals(&self) -> Option<Vitals> {
        (**self).vitals()
    }

    fn reset_on_close(&self) {
        (**self).reset_on_close();
    }
}
