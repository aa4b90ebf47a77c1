//! The end of the load that stands in for the game client.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use socket2::SockRef;

use crate::chain::Protocol;
use crate::pattern::{self, Check, Until};
use crate::server::request;

/// Longest wait for a peer's next byte. Far above any relay's delay: a stalled chain fails its
/// measurement, and the next one is run.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of the untimed check, each way.
const CHECK_BYTES: u64 = 4 << 20;

/// What both ends set on their sockets: games that care for latency do.
pub(crate) fn prepare(stream: &TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_LIMIT))?;
    stream.set_write_timeout(Some(SILENCE_LIMIT))?;
    Ok(())
}

/// A TCP session; it may end at a relay whose other side is still dialling.
pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, SILENCE_LIMIT)
        .with_context(|| format!("cannot connect to {address}"))?;
    prepare(&stream)?;
    Ok(stream)
}

/// A TCP session that the server has answered on: every hop is connected.
pub(crate) fn connect_through(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = connect(address)?;
    one_byte(&stream, request::PING)?;
    Ok(stream)
}

/// Sends an opcode and takes the byte that answers it.
pub(crate) fn one_byte(mut stream: &TcpStream, opcode: u8) -> anyhow::Result<()> {
    stream
        .write_all(&[opcode])
        .context("cannot send one byte")?;
    let mut answer = [0];
    stream
        .read_exact(&mut answer)
        .context("cannot receive one byte")?;
    ensure!(
        answer[0] == opcode,
        "sent {opcode:#04x}, received {:#04x}",
        answer[0]
    );
    Ok(())
}

/// Sends an opcode with its number.
pub(crate) fn ask(mut stream: &TcpStream, opcode: u8, number: u64) -> anyhow::Result<()> {
    let mut bytes = [opcode, 0, 0, 0, 0, 0, 0, 0, 0];
    if let Some(tail) = bytes.last_chunk_mut() {
        *tail = number.to_le_bytes();
    }
    stream.write_all(&bytes).context("cannot send a request")
}

/// Takes the server's word that as many bytes have arrived.
pub(crate) fn confirm(mut stream: &TcpStream, bytes: u64) -> anyhow::Result<()> {
    let mut number = [0; 8];
    stream
        .read_exact(&mut number)
        .context("the server did not confirm what it received")?;
    let received = u64::from_le_bytes(number);
    ensure!(
        received == bytes,
        "sent {bytes} bytes, the server received {received}"
    );
    Ok(())
}

/// Every byte of a few MiB each way, compared one by one; not timed.
pub(crate) fn check_every_byte(address: SocketAddr) -> anyhow::Result<()> {
    let stream = connect_through(address)?;
    ask(&stream, request::DOWN, CHECK_BYTES)?;
    pattern::receive(&stream, CHECK_BYTES, Check::Every, Until::Done).context("down")?;
    ask(&stream, request::CHECK, CHECK_BYTES)?;
    pattern::send(&stream, CHECK_BYTES, Until::Done).context("up")?;
    confirm(&stream, CHECK_BYTES).context("up")
}

/// Whether a chain carries one byte there and back.
pub(crate) fn probe(address: SocketAddr, protocol: Protocol) -> anyhow::Result<()> {
    /// A datagram sent while a hop is still starting is lost: ask again soon.
    const DATAGRAM_WAIT: Duration = Duration::from_millis(100);
    match protocol {
        Protocol::Tcp => one_byte(&connect(address)?, request::ONCE),
        Protocol::Udp => {
            let socket = datagrams(address, DATAGRAM_WAIT)?;
            socket.send(b"?")?;
            let mut answer = [0; 2];
            let length = socket.recv(&mut answer)?;
            ensure!(
                answer.starts_with(b"?") && length == 1,
                "wrong bytes in a datagram"
            );
            Ok(())
        }
    }
}

/// A UDP socket connected to `address`; a receive waits at most `wait`.
pub(crate) fn datagrams(address: SocketAddr, wait: Duration) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a UDP port")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(wait))?;
    Ok(socket)
}

/// Room for as many datagrams as the system allows: what is lost is to be lost by the relays, not
/// at either end.
pub(crate) fn make_room(socket: &UdpSocket) -> anyhow::Result<()> {
    const WANTED: usize = 4 << 20;
    SockRef::from(socket)
        .set_recv_buffer_size(WANTED)
        .context("cannot size a socket's buffer")
}

/// Whether an error only says that nothing came in time.
pub(crate) fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::server::Server;

    /// A relay for one session that changes one byte, `at` bytes after the start of what it sends
    /// in the given direction.
    fn corrupting(target: SocketAddr, up: bool, at: u64) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let downstream = listener.accept().unwrap().0;
            let upstream = TcpStream::connect(target).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| copy(&downstream, &upstream, up.then_some(at)));
                scope.spawn(|| copy(&upstream, &downstream, (!up).then_some(at)));
            });
        });
        address
    }

    fn copy(mut from: &TcpStream, mut to: &TcpStream, corrupt: Option<u64>) {
        let mut buffer = [0; 4096];
        let mut offset = 0;
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let index = corrupt.and_then(|at| usize::try_from(at.checked_sub(offset)?).ok());
            if let Some(index) = index.filter(|&index| index < length) {
                buffer[index] ^= 0x40;
            }
            offset += length as u64;
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
        let _ = from.shutdown(std::net::Shutdown::Both);
    }

    #[test]
    fn one_changed_byte_among_millions_fails_the_check() {
        let server = Server::tcp(4).unwrap();
        check_every_byte(server.address()).unwrap();
        let none = corrupting(server.address(), true, u64::MAX);
        check_every_byte(none).unwrap();
        let down = check_every_byte(corrupting(server.address(), false, 1_000_000)).unwrap_err();
        assert!(
            format!("{down:#}").starts_with("down: wrong bytes"),
            "{down:#}"
        );
        let up = check_every_byte(corrupting(server.address(), true, 1_000_000)).unwrap_err();
        assert!(format!("{up:#}").starts_with("up"), "{up:#}");
    }

    #[test]
    fn a_server_ends_with_sessions_held_and_others_waiting() {
        let server = Server::tcp(2).unwrap();
        let held = connect(server.address()).unwrap();
        one_byte(&held, request::HOLD).unwrap();
        probe(server.address(), Protocol::Tcp).unwrap();
        drop(server);
        assert_eq!((&held).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn datagrams_come_back_and_the_server_ends() {
        let server = Server::udp().unwrap();
        probe(server.address(), Protocol::Udp).unwrap();
    }
}
