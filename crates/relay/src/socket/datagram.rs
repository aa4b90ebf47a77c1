//! The two UDP sockets of a relay: the listener that all players share, and one upstream socket
//! for each flow.
//!
//! Neither ever sets don't-fragment: games send up to 1,472 bytes, which do not fit one IPv6
//! packet of 1,500, and the kernel must be free to cut them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A listener that replies from the address a player dialled, even when it is bound to all of
/// this machine's addresses (Linux and macOS; elsewhere from the address that the system chooses).
#[derive(Debug)]
pub(crate) struct DatagramListener {
    socket: UdpSocket,
    wildcard: bool,
}

/// On Unix an ICMP report is an error without a datagram; Windows' sockets are unconnected here
/// and get none.
#[cfg(not(windows))]
const ARRIVALS: Interest = Interest::READABLE.add(Interest::ERROR);
#[cfg(windows)]
const ARRIVALS: Interest = Interest::READABLE;

/// One datagram that came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// The address of ours it was sent to, where that has to be remembered.
    pub(crate) to: Option<IpAddr>,
}

impl DatagramListener {
    /// `addr` is where `socket` is bound.
    pub(crate) fn new(socket: UdpSocket, addr: SocketAddr) -> Self {
        Self {
            socket,
            wildcard: addr.ip().is_unspecified(),
        }
    }

    /// Waits until [`Self::try_recv`] is worth a try. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes one datagram, or fails with `WouldBlock`.
    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        if self.wildcard {
            let (len, from, to) = self.socket.try_io(Interest::READABLE, || {
                super::pktinfo::recv(&self.socket, buffer)
            })?;
            return Ok(Received { len, from, to });
        }
        let (len, from) = self.socket.try_recv_from(buffer)?;
        Ok(Received {
            len,
            from,
            to: None,
        })
    }

    /// Sends one datagram to a player, from the address that player dialled; fails with
    /// `WouldBlock` when the system's send queue is full.
    ///
    /// Goes straight to the system: tokio's `try_send` fails on a socket whose first readiness
    /// event it has not seen yet, and the datagram would be lost.
    pub(crate) fn try_send(
        &self,
        payload: &[u8],
        to: SocketAddr,
        from: Option<IpAddr>,
    ) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        if let (true, Some(from)) = (self.wildcard, from) {
            return super::pktinfo::send(&self.socket, payload, to, from);
        }
        let _ = (self.wildcard, from);
        SockRef::from(&self.socket)
            .send_to(payload, &to.into())
            .map(drop)
    }
}

/// A flow's own socket toward the game server, or toward the host.
///
/// Connected on Unix, so that "nothing listens there" is reported to the flow it concerns.
/// Unconnected on Windows, where such a report can stall a connected socket; the source of each
/// datagram is then checked here.
#[derive(Debug)]
pub(crate) struct UpstreamSocket {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl UpstreamSocket {
    /// A socket that talks to `peer` and nobody else. Must be called inside a tokio runtime.
    pub(crate) fn open(peer: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        super::sys::ignore_port_unreachable(&socket);
        if cfg!(windows) {
            let any: IpAddr = if peer.is_ipv6() {
                Ipv6Addr::UNSPECIFIED.into()
            } else {
                Ipv4Addr::UNSPECIFIED.into()
            };
            socket.bind(&SocketAddr::new(any, 0).into())?;
        } else {
            socket.connect(&peer.into())?;
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            peer,
        })
    }

    /// Waits until [`Self::try_recv`] is worth a try: a datagram, or the news that nothing
    /// listens there. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.ready(ARRIVALS).await.map(drop)
    }

    /// Takes one datagram, or fails with `WouldBlock`. `None`: somebody else sent it.
    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if cfg!(windows) {
            let (len, from) = self.socket.try_recv_from(buffer)?;
            let ours = from.ip() == self.peer.ip() && from.port() == self.peer.port();
            return Ok(ours.then_some(len));
        }
        let mut receive = || io::Read::read(&mut &*SockRef::from(&self.socket), buffer);
        // One interest at a time: tokio runs nothing for a combined one.
        let received = match self.socket.try_io(Interest::READABLE, &mut receive) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.try_io(Interest::ERROR, receive)
            }
            received => received,
        };
        received.map(Some)
    }

    /// Sends one datagram, or fails with `WouldBlock`; see [`DatagramListener::try_send`].
    pub(crate) fn try_send(&self, payload: &[u8]) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        if cfg!(windows) {
            socket.send_to(payload, &self.peer.into()).map(drop)
        } else {
            socket.send(payload).map(drop)
        }
    }
}
