//! One side of a session, as `splice` sees it.
//!
//! A trait, so that the endings can be tested over in-memory pipes that hand out one byte at a
//! time, and so that another data plane can stand in. Sharing is by `&self`: both directions of
//! a session, and the watch for errors, use a leg at once.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use via6_core::liveness::Vitals;

use crate::socket;

/// A future that a leg hands out while it is watched.
pub type Watch<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A byte stream with a FIN and an RST.
pub trait Leg: Send + Sync {
    /// Takes what has arrived; 0 is the peer's FIN. Pending: `cx` is woken when there is more.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Hands over as much as fits. Pending: `cx` is woken when there is room.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends FIN after what was written; the other direction stays open.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Ends when the leg has failed: the way to learn of an RST while nothing is read.
    fn failed(&self) -> Watch<'_>;

    /// What the system knows of the peer; `None` where it does not say.
    fn vitals(&self) -> Option<Vitals>;

    /// Makes the coming drop of this leg an RST instead of a FIN.
    fn reset_on_close(&self);
}

impl Leg for TcpStream {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            match try_transfer(self, Interest::READABLE, buffer.len(), || {
                io::Read::read(&mut &*SockRef::from(self), buffer)
            }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match try_transfer(self, Interest::WRITABLE, bytes.len(), || {
                SockRef::from(self).send(bytes)
            }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        match SockRef::from(self).shutdown(std::net::Shutdown::Write) {
            // macOS says so when the peer has gone meanwhile; reading tells how it went.
            Err(error)
                if cfg!(target_os = "macos") && error.kind() == io::ErrorKind::NotConnected =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn failed(&self) -> Watch<'_> {
        Box::pin(async move {
            // An error of the wait itself means that the runtime is going away.
            let _ = self.ready(Interest::ERROR).await;
        })
    }

    fn vitals(&self) -> Option<Vitals> {
        socket::vitals(self)
    }

    fn reset_on_close(&self) {
        socket::reset_on_close(self);
    }
}

/// One transfer that also forgets the socket's readiness when it came out short.
///
/// A short read has emptied the queue, unless it stopped before urgent data, and a short write has
/// filled it; the next event will be a new edge, so the call that would only say `WouldBlock` is
/// saved. FIN and RST are not lost by
/// it: tokio keeps those as a state of their own. (`try_io` forgets readiness when told
/// `WouldBlock`, and only if no event has come in between.)
fn try_transfer(
    stream: &TcpStream,
    interest: Interest,
    full: usize,
    transfer: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut short = None;
    let result = stream.try_io(interest, || {
        let moved = transfer()?;
        if moved > 0 && moved < full && !socket::is_before_urgent(stream) {
            short = Some(moved);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(moved)
    });
    short.map_or(result, Ok)
}
