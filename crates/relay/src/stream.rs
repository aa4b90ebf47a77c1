//! A tokio TCP socket as one side of a [`splice`](crate::splice()).

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use via6_core::liveness::Vitals;

use crate::leg::Leg;
use crate::socket;

/// A connected socket of the runtime. A game's, usually.
pub struct Stream {
    socket: Arc<TcpStream>,
    /// It was just accepted: what came with it can be read before the runtime has heard of it.
    is_fresh: AtomicBool,
    /// Ends when the connection fails; there while somebody waits for that.
    failing: Mutex<Option<Failing>>,
}

type Failing = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Stream {
    /// Wraps it. It is tuned already, if via6 has made or accepted it.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Self {
            socket: Arc::new(stream),
            is_fresh: AtomicBool::new(false),
            failing: Mutex::default(),
        }
    }

    /// The same of a socket that is no runtime's yet, and does not block. Must be called inside a tokio runtime. Errors are the
    /// system's: no room in the readiness queue.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let stream = Self::new(TcpStream::from_std(stream)?);
        stream.is_fresh.store(true, Ordering::Relaxed);
        Ok(stream)
    }

    /// Who is at the other end, while it is connected.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }
}

/// Short reads and writes do not take readiness away: a read stops before urgent data, and what comes
/// behind that would wait for the next segment. The call that then says `WouldBlock` is the price.
impl Leg for Stream {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.is_fresh.swap(false, Ordering::Relaxed)
            && let Ok(early @ 1..) = (&*SockRef::from(&*self.socket)).read(buffer)
        {
            return Poll::Ready(Ok(early));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        match SockRef::from(&*self.socket).shutdown(Shutdown::Write) {
            // macOS says so when the peer has gone meanwhile; reading tells how it went.
            Err(error)
                if cfg!(target_os = "macos") && error.kind() == io::ErrorKind::NotConnected =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = failing.get_or_insert_with(|| {
            let socket = Arc::clone(&self.socket);
            Box::pin(async move {
                // An error of the wait itself means that the runtime is going away.
                let _ = socket.ready(Interest::ERROR).await;
            })
        });
        failing.as_mut().poll(cx)
    }

    fn unsent(&self) -> Option<usize> {
        socket::unsent(&*self.socket)
    }

    fn vitals(&self) -> Option<Vitals> {
        socket::vitals(&*self.socket)
    }

    fn reset_on_close(&self) {
        socket::reset_on_close(&SockRef::from(&*self.socket));
    }
}
