//! The one place where sockets are made and their options set.
//!
//! What every TCP socket gets: no Nagle delay (a game's length prefix and body are often two
//! writes; with Nagle and delayed acknowledgements that costs 40 ms), keep-alive, and on a
//! loopback leg the cubic congestion control, because a system-wide bbr paces loopback into small
//! bursts at two to three times the CPU. `IPV6_V6ONLY` is always set to true: `[::]` is IPv6 and
//! nothing else on every system, and `::ffff:` addresses never arise.
//!
//! Nothing here waits; what differs between systems is in [`sys`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use via6_core::addr::Zone;
use via6_core::limits;

#[cfg(unix)]
#[path = "unix.rs"]
#[allow(
    unsafe_code,
    reason = "system calls that no crate wraps, each with its SAFETY"
)]
mod sys;
#[cfg(windows)]
#[path = "windows.rs"]
#[allow(
    unsafe_code,
    reason = "system calls that no crate wraps, each with its SAFETY"
)]
mod sys;

mod batch;
mod datagram;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod pktinfo;

pub(crate) use batch::{Arrival, Batch};
pub(crate) use datagram::{DatagramListener, UpstreamSocket};
pub use sys::raise_descriptor_limit;
pub(crate) use sys::{
    RESERVE_PATH, has_caller, is_exhaustion, is_oversize, is_transient_accept_error, round_trip,
    unsent, vitals,
};

/// Why no listener could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} ({protocol}): {}", describe(source))]
pub struct BindError {
    /// The address that was asked for.
    pub addr: SocketAddr,
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl BindError {
    /// True if the cause is that this machine has no IPv6 at all.
    #[must_use]
    pub fn lacks_ipv6(&self) -> bool {
        let any = self.addr.ip().is_unspecified() || self.addr.ip().is_loopback();
        let unavailable = self.source.kind() == io::ErrorKind::AddrNotAvailable;
        self.addr.is_ipv6() && (sys::is_unknown_family(&self.source) || (any && unavailable))
    }
}

/// An error of the system in the words people know, without the number.
#[must_use]
pub fn describe(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::AddrInUse => "address already in use".into(),
        Kind::AddrNotAvailable => "this computer does not have that address".into(),
        Kind::PermissionDenied => "permission denied".into(),
        Kind::ConnectionRefused => "connection refused".into(),
        Kind::ConnectionReset => "connection reset".into(),
        Kind::TimedOut => "no answer".into(),
        Kind::NetworkUnreachable => "no route (network unreachable)".into(),
        Kind::HostUnreachable => "no such computer there (host unreachable)".into(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_lowercase().chain(letters).collect::<String>()
            })
        }
    }
}

/// A TCP listener on `addr`, port 0 meaning any free one.
///
/// Must be called inside a tokio runtime.
pub fn listen_tcp(addr: SocketAddr) -> Result<TcpListener, BindError> {
    let make = || {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        only_v6(&socket, addr)?;
        sys::claim_port(&socket);
        limit_segment(&socket, addr);
        // What is accepted inherits it: see `tune_accepted`.
        tune(&SockRef::from(&socket), addr.ip());
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(i32::try_from(limits::LISTEN_BACKLOG).unwrap_or(i32::MAX))?;
        TcpListener::from_std(socket.into())
    };
    make().map_err(|source| BindError {
        addr,
        protocol: "TCP",
        source,
    })
}

/// A UDP listener on `addr`, port 0 meaning any free one.
///
/// Must be called inside a tokio runtime.
pub fn listen_udp(addr: SocketAddr) -> Result<UdpSocket, BindError> {
    let make = || {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        only_v6(&socket, addr)?;
        if addr.ip().is_unspecified() {
            sys::report_destination(&socket, addr)?;
        }
        sys::ignore_port_unreachable(&socket);
        #[cfg(windows)]
        sys::claim_port(&socket);
        widen(&socket);
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        UdpSocket::from_std(socket.into())
    };
    make().map_err(|source| BindError {
        addr,
        protocol: "UDP",
        source,
    })
}

/// True if some program on this machine listens on `addr`, found without connecting to it: a
/// connection would count as a player with many games, and as *the* player with some.
///
/// `None` if this cannot be told: the address is not this machine's, or the system refuses.
#[must_use]
pub(crate) fn is_taken(addr: SocketAddr, udp: bool) -> Option<bool> {
    if bind_is_refused(addr, udp)? {
        return Some(true);
    }
    // Windows and BSD let one program have the address and another all addresses.
    let any: IpAddr = match addr {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    if cfg!(not(target_os = "linux")) {
        bind_is_refused((any, addr.port()).into(), udp)
    } else {
        Some(false)
    }
}

fn bind_is_refused(addr: SocketAddr, udp: bool) -> Option<bool> {
    let (kind, protocol) = if udp {
        (Type::DGRAM, Protocol::UDP)
    } else {
        (Type::STREAM, Protocol::TCP)
    };
    let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol)).ok()?;
    only_v6(&socket, addr).ok()?;
    if !udp {
        // With it, Linux refuses a TCP port only to a listener, not to old connections.
        sys::claim_port(&socket);
    }
    match socket.bind(&addr.into()) {
        Ok(()) => Some(false),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Some(true),
        Err(_) => None,
    }
}

/// True if `ip` is an address of this machine.
pub(crate) fn is_ours(ip: IpAddr) -> bool {
    let addr = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP));
    socket.is_ok_and(|socket| socket.bind(&addr.into()).is_ok())
}

/// The address this machine would send from to reach `to`, without sending anything.
///
/// The error is the routing table's answer, for instance that there is no IPv6 at all.
pub fn route_to(to: SocketAddr) -> io::Result<IpAddr> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    socket.connect(&to.into())?;
    Ok(socket
        .local_addr()?
        .as_socket()
        .map_or(to.ip(), |addr| addr.ip()))
}

/// Connects a TCP socket to `addr`. Cancel safe: dropping the future closes the socket.
pub(crate) async fn connect_tcp(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(begin_connect(addr)?)?;
    loop {
        stream.writable().await?;
        if is_connected(&SockRef::from(&stream), addr)? {
            return Ok(stream);
        }
        tokio::task::yield_now().await;
    }
}

/// Starts to connect to `addr` and does not wait; [`is_connected`] tells what came of it, once the
/// socket is writable.
pub(crate) fn begin_connect(addr: SocketAddr) -> io::Result<std::net::TcpStream> {
    let socket = sys::nonblocking(Domain::for_address(addr), Type::STREAM, Protocol::TCP)?;
    limit_segment(&socket, addr);
    if addr.ip().is_loopback() {
        sys::accept_refusal(&socket);
    }
    tune(&SockRef::from(&socket), addr.ip());
    match socket.connect(&addr.into()) {
        Err(error) if !sys::is_in_progress(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Whether the attempt to connect `socket` to `addr` has come to its end; the error is its own.
pub(crate) fn is_connected(socket: &SockRef<'_>, addr: SocketAddr) -> io::Result<bool> {
    if let Err(error) = socket.peer_addr() {
        // Not yet, or no more (EINVAL on macOS): the socket's own error says which.
        return match socket.take_error()? {
            Some(error) => Err(error),
            None if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            None => Err(error),
        };
    }
    if addr.ip().is_loopback() && socket.local_addr()?.as_socket() == Some(addr) {
        // Nobody listens there: the system happened to choose that very port for this end, and
        // connected it to itself (RFC 9293 §3.5, simultaneous open).
        reset_on_close(socket);
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(true)
}

/// Options of a TCP socket, connected or not yet; `peer` decides whether the leg is a loopback one.
pub(crate) fn tune(socket: &SockRef<'_>, peer: IpAddr) {
    // Each of these may be refused on a connection that was reset meanwhile (EINVAL on macOS);
    // the session then ends by what its first read says.
    let _ = socket.set_tcp_nodelay(true);
    // Urgent data is one byte of the stream, in its place; left out of line it would be lost.
    let _ = socket.set_out_of_band_inline(true);
    if peer.is_loopback() {
        // Its system is this one, which does not fall silent: no keep-alive.
        sys::prefer_cubic(socket);
        return;
    }
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_IDLE)
        .with_interval(limits::KEEPALIVE_INTERVAL);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(limits::KEEPALIVE_PROBES);
    let _ = socket.set_tcp_keepalive(&keepalive);
}

/// The same for a socket that `listener` has accepted, as far as it has not inherited it (Linux:
/// a copy of the listening socket's options, so that accepting costs no further calls).
pub(crate) fn tune_accepted(socket: &SockRef<'_>, listener: IpAddr, peer: IpAddr) {
    if cfg!(not(target_os = "linux")) {
        tune(socket, peer);
    } else if peer.is_loopback() && !listener.is_loopback() {
        sys::prefer_cubic(socket);
    }
}

/// Makes the coming close of this socket an RST instead of a FIN.
pub(crate) fn reset_on_close(socket: &SockRef<'_>) {
    // Fails only where the connection is already gone, and then there is nobody to tell.
    let _ = socket.set_linger(Some(std::time::Duration::ZERO));
}

/// The system's number for a zone as people write it: `eth0` or `3`. `None`: no such interface.
#[must_use]
pub fn zone_index(zone: &Zone) -> Option<u32> {
    zone.as_str()
        .parse()
        .ok()
        .or_else(|| sys::interface_index(zone.as_str()))
}

fn only_v6(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    if addr.is_ipv6() {
        socket.set_only_v6(true)
    } else {
        Ok(())
    }
}

/// Bounds the segments of an IPv6 leg (not on loopback, where nothing can lose large packets).
fn limit_segment(socket: &Socket, addr: SocketAddr) {
    if addr.is_ipv6() && !addr.ip().is_loopback() {
        // Refused by systems without the option; the path then relies on path MTU discovery.
        sys::limit_segment(socket);
    }
}

/// Asks for large datagram buffers; the system grants what it allows.
fn widen(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(limits::DATAGRAM_SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(limits::DATAGRAM_SOCKET_BUFFER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_on_all_of_ipv6_leaves_ipv4_alone() {
        // Another program may hold the port on IPv4; not ten times in a row.
        let both_fit = (0..10).any(|_| {
            let tcp = listen_tcp("[::]:0".parse().unwrap()).unwrap();
            let udp = listen_udp("[::]:0".parse().unwrap()).unwrap();
            assert!(SockRef::from(&tcp).only_v6().unwrap());
            assert!(SockRef::from(&udp).only_v6().unwrap());
            let on_ipv4 = |addr: SocketAddr| SocketAddr::from(([0, 0, 0, 0], addr.port()));
            listen_tcp(on_ipv4(tcp.local_addr().unwrap())).is_ok()
                && listen_udp(on_ipv4(udp.local_addr().unwrap())).is_ok()
        });
        assert!(both_fit);
    }

    #[tokio::test]
    async fn every_tcp_leg_sends_at_once_accepted_or_dialled() {
        for at in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let listener = listen_tcp(at.parse().unwrap()).unwrap();
            let bound = listener.local_addr().unwrap();
            let to: IpAddr = if at.starts_with('[') {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            };
            let dialled = connect_tcp((to, bound.port()).into()).await.unwrap();
            let (accepted, peer) = listener.accept().await.unwrap();
            tune_accepted(&SockRef::from(&accepted), bound.ip(), peer.ip());
            for stream in [&dialled, &accepted] {
                let socket = SockRef::from(stream);
                assert!(socket.tcp_nodelay().unwrap(), "{at}");
                assert!(socket.out_of_band_inline().unwrap(), "{at}");
                #[cfg(target_os = "linux")]
                assert!(
                    socket.tcp_congestion().unwrap().starts_with(b"cubic"),
                    "{at}"
                );
            }
        }
    }

    #[test]
    fn a_peer_elsewhere_is_kept_alive_and_chooses_its_congestion_control() {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
        let socket = SockRef::from(&socket);
        #[cfg(target_os = "linux")]
        let usual = socket.tcp_congestion().unwrap();
        tune(&socket, "2001:db8::1".parse().unwrap());
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), limits::KEEPALIVE_IDLE);
            assert_eq!(
                socket.tcp_keepalive_retries().unwrap(),
                limits::KEEPALIVE_PROBES
            );
            assert_eq!(socket.tcp_congestion().unwrap(), usual);
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn segments_are_small_enough_for_every_ipv6_path_but_loopback() {
        let segment = |at: &str| {
            let listener = listen_tcp(at.parse().unwrap()).unwrap();
            SockRef::from(&listener).tcp_mss().unwrap()
        };
        assert_eq!(segment("[::]:0"), limits::LINK_MAX_SEGMENT);
        assert_ne!(segment("[::1]:0"), limits::LINK_MAX_SEGMENT);
        assert_ne!(segment("0.0.0.0:0"), limits::LINK_MAX_SEGMENT);
    }

    #[tokio::test]
    async fn two_listeners_cannot_share_a_port() {
        let tcp = listen_tcp("[::1]:0".parse().unwrap()).unwrap();
        let udp = listen_udp("[::1]:0".parse().unwrap()).unwrap();
        let (tcp, udp) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
        for error in [listen_tcp(tcp).unwrap_err(), listen_udp(udp).unwrap_err()] {
            assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
            assert!(
                error.to_string().ends_with("address already in use"),
                "{error}"
            );
        }
    }
}
