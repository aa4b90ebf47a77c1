//! A TCP socket of the engine, and what is known of its readiness.
//!
//! Readiness is edge-triggered: what the system said once holds until a call finds otherwise. That
//! is a call that says `WouldBlock`, or one that came out short: a short read has emptied the queue
//! and a short write has filled it, so the call that would only say so is saved.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use via6_core::liveness::Vitals;

use crate::leg::Leg;
#[cfg(target_os = "linux")]
use crate::pipe::Pipe;
use crate::socket;

/// See the module's own words. Used on the engine's thread only.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    state: Cell<u8>,
    token: Token,
    /// The system does not tell of arrivals: they are known of, and not wanted yet.
    muted: bool,
}

/// A read, or a write, is worth a try.
const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// The peer's FIN or RST has been announced. The announcement comes once, maybe together with the
/// last bytes: from then on a short read does not mean that there is nothing more.
const ENDING: u8 = 4;
/// The connection has failed.
const FAILED: u8 = 8;
/// Urgent data has come: a read stops before it and the next one goes on, so a short read says
/// nothing either, and `splice(2)` would not get past it.
const URGENT: u8 = 16;

/// The connection was reset before anybody had read from it, and that error has been told.
const RESET: u8 = 32;

/// Linux tells of urgent data apart.
#[cfg(target_os = "linux")]
const EVERYTHING: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);
#[cfg(not(target_os = "linux"))]
const EVERYTHING: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Windows tells of readiness again only after a call that said `WouldBlock`.
const SHORT_SAYS_ALL: bool = cfg!(not(windows));

impl Socket {
    /// A connection that was accepted: something may wait to be read already, and there is room to
    /// write.
    pub(super) fn accepted(stream: TcpStream, token: Token) -> Self {
        Self {
            state: Cell::new(READABLE | WRITABLE),
            ..Self::dialled(stream, token)
        }
    }

    /// A connection that was or is being made: what can be read will be told.
    pub(super) fn dialled(stream: TcpStream, token: Token) -> Self {
        Self {
            stream,
            state: Cell::new(WRITABLE),
            token,
            muted: false,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.stream, self.token, EVERYTHING)
    }

    /// Has the system be silent about arrivals that nobody will take yet: while the other side is
    /// full, each segment would wake the thread for nothing. [`Self::unmute`] ends it.
    pub(super) fn mute(&mut self, registry: &Registry) {
        // If it is refused, the thread is woken for nothing.
        self.muted |= registry
            .reregister(&mut self.stream, self.token, Interest::WRITABLE)
            .is_ok();
    }

    /// To be called when a session has had its turn: once what had arrived is taken, the system
    /// is to tell of more. It tells at once if there is more already.
    pub(super) fn unmute(&mut self, registry: &Registry) {
        if self.muted && !self.is(READABLE) {
            // Refused only for a socket that is not registered.
            self.muted = registry
                .reregister(&mut self.stream, self.token, EVERYTHING)
                .is_err();
        }
    }

    /// Whether an event tells nothing but of arrivals that are known of.
    pub(super) fn is_stale(&self, event: &Event) -> bool {
        self.is(READABLE) && event.is_readable() && !event.is_read_closed()
    }

    pub(super) fn note(&self, event: &Event) {
        let when = |is: bool, bits: u8| if is { bits } else { 0 };
        self.state.set(
            self.state.get()
                | when(event.is_readable(), READABLE)
                | when(event.is_writable() || event.is_write_closed(), WRITABLE)
                | when(event.is_read_closed(), READABLE | ENDING)
                | when(event.is_error(), READABLE | WRITABLE | ENDING | FAILED)
                | when(is_urgent(event), URGENT),
        );
    }

    /// Who is at the other end.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// How far away that is; `None` where the system does not say.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        socket::round_trip(&self.stream)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.is(FAILED)
    }

    /// Whether the attempt to connect has come to its end. A connection that was made and is reset
    /// already counts: what came before the reset is read first.
    pub(super) fn is_connected(&self, to: SocketAddr) -> io::Result<bool> {
        match socket::is_connected(&SockRef::from(&self.stream), to) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.state
                    .set(self.state.get() | READABLE | ENDING | FAILED | RESET);
                Ok(true)
            }
            result => result,
        }
    }

    fn is(&self, bit: u8) -> bool {
        self.state.get() & bit != 0
    }

    fn clear(&self, bit: u8) {
        self.state.set(self.state.get() & !bit);
    }

    /// Performs `call` while `bit` says that it is worth a try.
    fn try_call(
        &self,
        bit: u8,
        mut call: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.is(bit) {
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.clear(bit),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
        Poll::Pending
    }
}

impl Leg for Socket {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.try_call(READABLE, || (&self.stream).read(buffer));
        if let Poll::Ready(Ok(moved)) = polled
            && moved < buffer.len()
        {
            if !self.is(ENDING | URGENT) && SHORT_SAYS_ALL {
                self.clear(READABLE);
            } else if moved == 0 && self.is(RESET) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
        polled
    }

    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.try_call(WRITABLE, || (&self.stream).write(bytes));
        if let Poll::Ready(Ok(moved)) = polled
            && SHORT_SAYS_ALL
            && moved < bytes.len()
        {
            self.clear(WRITABLE);
        }
        polled
    }

    #[cfg(target_os = "linux")]
    fn poll_fill(&self, _: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        if self.is(URGENT) {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        }
        self.try_call(READABLE, || pipe.fill(&self.stream))
            .map_err(unsupported)
    }

    #[cfg(target_os = "linux")]
    fn poll_drain(&self, _: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.try_call(WRITABLE, || pipe.drain(&self.stream))
            .map_err(unsupported)
    }

    fn takes_pipes(&self) -> bool {
        cfg!(target_os = "linux")
    }

    fn shutdown_write(&self) -> io::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            // macOS says so when the peer has gone meanwhile; reading tells how it went.
            Err(error)
                if cfg!(target_os = "macos") && error.kind() == io::ErrorKind::NotConnected =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn poll_failed(&self, _: &mut Context<'_>) -> Poll<()> {
        if self.has_failed() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn unsent(&self) -> Option<usize> {
        socket::unsent(&self.stream)
    }

    fn vitals(&self) -> Option<Vitals> {
        socket::vitals(&self.stream)
    }

    fn reset_on_close(&self) {
        socket::reset_on_close(&SockRef::from(&self.stream));
    }
}

#[cfg(target_os = "linux")]
fn is_urgent(event: &Event) -> bool {
    event.is_priority()
}

/// Other systems: not asked; what follows urgent data may wait for the next segment.
#[cfg(not(target_os = "linux"))]
fn is_urgent(_: &Event) -> bool {
    false
}

/// What `splice(2)` says where it does not work: an old or sandboxed kernel.
#[cfg(target_os = "linux")]
fn unsupported(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::EPERM) => {
            io::ErrorKind::Unsupported.into()
        }
        _ => error,
    }
}
