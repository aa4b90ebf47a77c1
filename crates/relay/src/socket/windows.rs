//! What Windows does in its own way, and what it cannot do: no `TCP_INFO` sweep for dead peers
//! (keep-alive alone finds them), no waiting for the send queue before an RST (Windows discards
//! it), and replies from an unspecified listener leave from the address that Windows chooses.

use std::ffi::CString;
use std::io;
use std::net::SocketAddr;
use std::os::windows::io::{AsRawSocket, AsSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use via6_core::liveness::Vitals;
use windows_sys::Win32::NetworkManagement::IpHelper::if_nametoindex;
use windows_sys::Win32::Networking::WinSock::{
    SIO_TCP_INFO, SIO_TCP_INITIAL_RTO, SIO_UDP_CONNRESET, SIO_UDP_NETRESET, SO_EXCLUSIVEADDRUSE,
    SOCKET, SOL_SOCKET, TCP_INFO_v0, TCP_INITIAL_RTO_PARAMETERS, WSAEAFNOSUPPORT, WSAECONNABORTED,
    WSAECONNRESET, WSAEMFILE, WSAEMSGSIZE, WSAENOBUFS, WSAIoctl, setsockopt,
};

/// A file that can always be opened: holds the acceptor's reserve descriptor.
pub(crate) const RESERVE_PATH: &str = "NUL";

/// Windows has no per-process limit of sockets worth the name; memory is the bound.
#[must_use]
pub fn raise_descriptor_limit() -> usize {
    65_536
}

/// Errors of `accept` that concern one connection (`WSAAccept`, "Windows Sockets Error Codes").
pub(crate) fn is_transient_accept_error(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAECONNRESET | WSAECONNABORTED))
}

/// The process or the system has run out of sockets or memory.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
}

pub(crate) fn vitals(_: impl AsSocket) -> Option<Vitals> {
    None
}

pub(crate) fn unsent(_: impl AsSocket) -> Option<usize> {
    None
}

/// The smoothed round trip of a connection, since Windows 10 1703 (`SIO_TCP_INFO`).
pub(crate) fn round_trip(stream: impl AsSocket) -> Option<Duration> {
    /// Which of the structures is meant.
    static VERSION: u32 = 0;

    // SAFETY: `TCP_INFO_v0` is plain integers, for which zero is a value.
    let mut info: TCP_INFO_v0 = unsafe { std::mem::zeroed() };
    let mut returned: u32 = 0;
    let size = u32::try_from(size_of::<TCP_INFO_v0>()).ok()?;
    // SAFETY: the input is `VERSION`, of four bytes; `info` is writable for `size` bytes; there is no
    // overlapped structure, and the socket is open while borrowed.
    let asked = unsafe {
        WSAIoctl(
            stream.as_socket().as_raw_socket() as SOCKET,
            SIO_TCP_INFO,
            (&raw const VERSION).cast(),
            4,
            (&raw mut info).cast(),
            size,
            &raw mut returned,
            std::ptr::null_mut(),
            None,
        )
    };
    (asked == 0 && info.RttUs > 0).then(|| Duration::from_micros(info.RttUs.into()))
}

/// A socket that never waits.
pub(super) fn nonblocking(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Not asked: accepting tells.
pub(crate) fn has_caller(_: impl AsSocket) -> bool {
    true
}

/// A connection is being made, and writability will tell when it is.
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

pub(super) fn prefer_cubic(_: &SockRef<'_>) {}

pub(super) fn limit_segment(_: &Socket) {}

#[allow(
    clippy::unnecessary_wraps,
    reason = "the same shape as on Unix, where it can fail"
)]
pub(super) fn report_destination(_: &Socket, _: SocketAddr) -> io::Result<()> {
    Ok(())
}

/// Windows otherwise fails the next receive of a listener because *some* player's port was closed
/// (10054), or its hop limit ran out (10052): a classic way to lose every player at once.
pub(super) fn ignore_port_unreachable(socket: &Socket) {
    let off: u32 = 0;
    // A system that does not know one of them (Wine: the second) still works: the receive loops
    // ignore these errors as well. This only switches their source off.
    let _ = control(socket, SIO_UDP_CONNRESET, &off);
    let _ = control(socket, SIO_UDP_NETRESET, &off);
}

/// Keeps other programs off this port: otherwise one of them may bind `127.0.0.1:port` beside our
/// `0.0.0.0:port` and take its players.
pub(super) fn claim_port(socket: &Socket) {
    let on: i32 = 1;
    // SAFETY: the option is one int that outlives the call; the socket is open while borrowed.
    // Refused only by systems that know no such sharing.
    let _ = unsafe {
        setsockopt(
            socket.as_raw_socket() as SOCKET,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            (&raw const on).cast(),
            4,
        )
    };
}

/// Windows repeats a SYN that was refused, for two seconds; on loopback a refusal is final.
pub(super) fn accept_refusal(socket: &Socket) {
    /// `TCP_INITIAL_RTO_UNSPECIFIED_RTT` and `TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS`.
    const ONCE: TCP_INITIAL_RTO_PARAMETERS = TCP_INITIAL_RTO_PARAMETERS {
        Rtt: u16::MAX,
        MaxSynRetransmissions: 0xFE,
    };
    // Unknown before Windows 10 1709: the refusal then takes its two seconds.
    let _ = control(socket, SIO_TCP_INITIAL_RTO, &ONCE);
}

/// Sets one option by `WSAIoctl`.
fn control<T>(socket: &Socket, code: u32, value: &T) -> i32 {
    let mut returned: u32 = 0;
    let size = u32::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the input is `value`, of its own size, and outlives the call; there is no output
    // buffer and no overlapped structure, and the socket is open while borrowed.
    unsafe {
        WSAIoctl(
            socket.as_raw_socket() as SOCKET,
            code,
            std::ptr::from_ref(value).cast(),
            size,
            std::ptr::null_mut(),
            0,
            &raw mut returned,
            std::ptr::null_mut(),
            None,
        )
    }
}

/// The system refused a datagram for its size.
pub(crate) fn is_oversize(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAEMSGSIZE)
}

/// IPv6 is switched off.
pub(super) fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAEAFNOSUPPORT)
}

pub(super) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a NUL-terminated string that outlives the call.
    match unsafe { if_nametoindex(name.as_ptr().cast()) } {
        0 => None,
        index => Some(index),
    }
}
