//! What Linux, macOS and the BSDs do in their own way. The unsafe calls of via6 are here and in
//! `windows.rs`, each around one system call.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
#[cfg(any(target_os = "linux", target_os = "macos"))]
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use via6_core::limits;
use via6_core::liveness::Vitals;

/// A file that can always be opened: holds the acceptor's reserve descriptor.
pub(crate) const RESERVE_PATH: &str = "/dev/null";

/// Raises the number of descriptors this process may hold to what the system allows, and returns
/// it. Must run before any bound is derived from it.
#[must_use]
pub fn raise_descriptor_limit() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 256;
    };
    // macOS reports "unlimited" and then refuses more than OPEN_MAX.
    let wanted = if cfg!(target_os = "macos") {
        hard.min(10_240)
    } else {
        hard
    };
    let granted = match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    };
    usize::try_from(granted).unwrap_or(usize::MAX)
}

/// Errors of `accept` that concern one connection, or nothing at all (accept(2): "Linux passes
/// already-pending network errors on the new socket as an error code from accept").
pub(crate) fn is_transient_accept_error(error: &io::Error) -> bool {
    let Some(code) = error.raw_os_error() else {
        return false;
    };
    #[cfg(target_os = "linux")]
    if code == libc::ENONET {
        return true;
    }
    matches!(
        Errno::from_raw(code),
        Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::EPROTO
            | Errno::EINTR
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EOPNOTSUPP
            | Errno::ETIMEDOUT
            | Errno::EPERM
    )
}

/// The process or the system has run out of descriptors or memory.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
    )
}

/// What the system knows about a connection (tcp(7), `TCP_INFO` and `SIOCOUTQ`).
#[cfg(target_os = "linux")]
pub(crate) fn vitals(stream: impl AsFd) -> Option<Vitals> {
    /// `TCP_CLOSE` of `linux/tcp_states.h`.
    const CLOSE: u8 = 7;

    let info = tcp_info(stream.as_fd())?;
    Some(Vitals {
        unsent: unsent(stream)?,
        unacked: info.tcpi_unacked,
        since_ack: Duration::from_millis(info.tcpi_last_ack_recv.into()),
        probes: info.tcpi_probes,
        closed: info.tcpi_state == CLOSE,
    })
}

/// The smoothed round trip of a connection (RFC 6298, `tcpi_rtt` of tcp(7)); `None` before the
/// first.
#[cfg(target_os = "linux")]
pub(crate) fn round_trip(stream: impl AsFd) -> Option<Duration> {
    let micros = tcp_info(stream.as_fd())?.tcpi_rtt;
    (micros > 0).then(|| Duration::from_micros(micros.into()))
}

#[cfg(target_os = "linux")]
fn tcp_info(fd: std::os::fd::BorrowedFd<'_>) -> Option<libc::tcp_info> {
    use std::os::fd::AsRawFd;

    // SAFETY: `tcp_info` is plain integers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: `info` is writable for `len` bytes and the descriptor is open while it is borrowed.
    let got = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast::<libc::c_void>(),
            &raw mut len,
        )
    };
    (got == 0).then_some(info)
}

/// Bytes of a connection that are sent or waiting, and not acknowledged; a FIN counts as one.
#[cfg(target_os = "linux")]
pub(crate) fn unsent(stream: impl AsFd) -> Option<usize> {
    use std::os::fd::AsRawFd;

    let mut unsent: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, the same number as SIOCOUTQ, writes one int; the descriptor is open while
    // `stream` is borrowed.
    let asked = unsafe { libc::ioctl(stream.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut unsent) };
    (asked == 0).then(|| usize::try_from(unsent).unwrap_or(0))
}

/// Other Unix systems: not asked. A dead peer is found by keep-alive alone, and the send queue has
/// a fixed time before an RST.
#[cfg(not(target_os = "linux"))]
pub(crate) fn vitals(_: impl AsFd) -> Option<Vitals> {
    None
}

/// macOS: `TCP_CONNECTION_INFO` of its `netinet/tcp.h`.
#[cfg(target_os = "macos")]
pub(crate) fn round_trip(stream: impl AsFd) -> Option<Duration> {
    use std::os::fd::AsRawFd;

    // SAFETY: `tcp_connection_info` is plain integers, for which zero is a value.
    let mut info: libc::tcp_connection_info = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_connection_info>()).ok()?;
    // SAFETY: `info` is writable for `len` bytes and the descriptor is open while it is borrowed.
    let got = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONNECTION_INFO,
            (&raw mut info).cast::<libc::c_void>(),
            &raw mut len,
        )
    };
    // In milliseconds.
    (got == 0 && info.tcpi_srtt > 0).then(|| Duration::from_millis(info.tcpi_srtt.into()))
}

/// Other Unix systems: not asked.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn round_trip(_: impl AsFd) -> Option<Duration> {
    None
}

/// Other Unix systems: not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unsent(_: impl AsFd) -> Option<usize> {
    None
}

/// A socket that never waits; in one call where the system can.
pub(super) fn nonblocking(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    #[cfg(target_os = "linux")]
    return Socket::new(domain, kind.nonblocking(), Some(protocol));
    #[cfg(not(target_os = "linux"))]
    {
        let socket = Socket::new(domain, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Whether somebody waits to be accepted. To ask costs an eighth of an `accept` that finds nobody:
/// Linux makes the new socket first.
#[cfg(target_os = "linux")]
pub(crate) fn has_caller(listener: impl AsFd) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let mut asked = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    // If it cannot be told, accepting tells.
    poll(&mut asked, PollTimeout::ZERO) != Ok(0)
}

/// Not asked: accepting tells.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_caller(_: impl AsFd) -> bool {
    true
}

/// A connection is being made, and writability will tell when it is.
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

pub(super) fn prefer_cubic(socket: &SockRef<'_>) {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        static IS_DEFAULT: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        // `socket` is the first there is, so it has what the system gives.
        let of_system = || {
            socket
                .tcp_congestion()
                .is_ok_and(|name| name.split(|&byte| byte == 0).next() == Some(b"cubic"))
        };
        if !*IS_DEFAULT.get_or_init(of_system) {
            // Refused where the module is not there; the system's default serves then.
            let _ = socket.set_tcp_congestion(b"cubic");
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let _ = socket;
}

pub(super) fn limit_segment(socket: &Socket) {
    let _ = socket.set_tcp_mss(limits::LINK_MAX_SEGMENT);
}

/// Asks that each datagram say which of our addresses it was sent to (ip(7) `IP_PKTINFO`,
/// RFC 3542 §6.1), so that the reply can leave from there.
pub(super) fn report_destination(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    if addr.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    Ok(())
}

/// Only Windows reports a player's closed port on the listener.
pub(super) fn ignore_port_unreachable(_: &Socket) {}

/// Lets a restarted host listen while old connections are in `TIME_WAIT`. (On Windows the same
/// option would let two programs share the port.)
pub(super) fn claim_port(socket: &Socket) {
    // A socket that is not bound yet does not refuse it.
    let _ = socket.set_reuse_address(true);
}

/// Only Windows dials again after a refusal.
pub(super) fn accept_refusal(_: &Socket) {}

/// The system refused a datagram for its size.
pub(crate) fn is_oversize(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// The system was built or started without this address family.
pub(super) fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

pub(super) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}
