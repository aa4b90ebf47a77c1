//! The two UDP sockets of a relay: the listener that all players share, and one upstream socket
//! for each flow.
//!
//! Neither ever sets don't-fragment: games send up to 1,472 bytes, which do not fit one IPv6
//! packet of 1,500, and the kernel must be free to cut them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::Batch;

/// A listener that replies from the address a player dialled, even when it is bound to all of
/// this machine's addresses (Linux and macOS; elsewhere from the address that the system chooses).
#[derive(Debug)]
pub(crate) struct DatagramListener {
    socket: UdpSocket,
    wildcard: bool,
}

impl DatagramListener {
    /// `addr` is where `socket` is bound.
    pub(crate) fn new(socket: std::net::UdpSocket, addr: SocketAddr) -> Self {
        Self {
            socket: UdpSocket::from_std(socket),
            wildcard: addr.ip().is_unspecified(),
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Takes what waits; see [`Batch::receive`].
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<bool> {
        batch.receive(&self.socket)
    }

    /// Sends one datagram to a player, from the address that player dialled; fails with
    /// `WouldBlock` when the system's send queue is full.
    pub(crate) fn send(
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
        self.socket.send_to(payload, to).map(drop)
    }
}

/// A flow's own socket toward the game server, or toward the host.
///
/// Connected on Unix, so that "nothing listens there" is reported to the flow it concerns.
/// Unconnected on Windows, where such a report can stall a connected socket; the source of each
/// datagram is then to be checked.
#[derive(Debug)]
pub(crate) struct UpstreamSocket {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl UpstreamSocket {
    /// A socket that talks to `peer` and nobody else.
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
            socket: UdpSocket::from_std(socket.into()),
            peer,
        })
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Takes what waits, or the news that nothing listens there; see [`Batch::receive`].
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<bool> {
        batch.receive(&self.socket)
    }

    /// Whether a datagram from `sender` is the game's.
    pub(crate) fn is_peer(&self, sender: SocketAddr) -> bool {
        // Elsewhere the system lets nobody else through.
        cfg!(not(windows)) || (sender.ip() == self.peer.ip() && sender.port() == self.peer.port())
    }

    /// Sends one datagram, or fails with `WouldBlock`.
    pub(crate) fn send(&self, payload: &[u8]) -> io::Result<()> {
        if cfg!(windows) {
            self.socket.send_to(payload, self.peer).map(drop)
        } else {
            self.socket.send(payload).map(drop)
        }
    }
}
