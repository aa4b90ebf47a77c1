//! What a game does with a TCP connection, with every byte checked and every wait bounded.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::failure::{During, Outcome, ensure, failed};
use crate::pattern::Pattern;

/// How long a read or write may take before the row fails; generous for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of one read or write.
const CHUNK: usize = 64 * 1024;

/// One mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// How one direction of a connection ended, as its program sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// In order: a read came back empty.
    Fin,
    /// ECONNRESET.
    Reset,
    /// EPIPE: the connection had been ended in order, or the reset was told before.
    BrokenPipe,
    /// Nothing happened within the patience.
    Silence,
    /// Another error.
    Error(ErrorKind),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset => Self::Reset,
            ErrorKind::BrokenPipe => Self::BrokenPipe,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silence,
            other => Self::Error(other),
        }
    }
}

/// Bounds every wait on `stream`.
pub fn be_patient(stream: &TcpStream, patience: Duration) -> Outcome {
    stream.set_nodelay(true).during("TCP_NODELAY")?;
    stream
        .set_read_timeout(Some(patience))
        .during("read timeout")?;
    stream
        .set_write_timeout(Some(patience))
        .during("write timeout")
}

/// Connects, with every later wait bounded.
pub fn connect(to: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).during(format!("connecting to {to}"))?;
    be_patient(&stream, PATIENCE)?;
    Ok(stream)
}

/// Accepts one connection, within `patience`.
pub fn accept(listener: &TcpListener, patience: Duration) -> Outcome<TcpStream> {
    // On Linux this bounds `accept` as well.
    let bounded = SockRef::from(listener).set_read_timeout(Some(patience));
    bounded.during("bounding accept")?;
    let (stream, _) = listener
        .accept()
        .during("waiting for a connection at the game server")?;
    be_patient(&stream, PATIENCE)?;
    Ok(stream)
}

/// A port of `address`'s own that refuses connections until [`start_listening`].
pub fn reserve(address: SocketAddr) -> Outcome<(Socket, SocketAddr)> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, None).during("making a socket")?;
    socket
        .bind(&address.into())
        .during(format!("binding {address}"))?;
    let bound = socket.local_addr().during("reading its address")?;
    match bound.as_socket() {
        Some(bound) => Ok((socket, bound)),
        None => failed("a socket without an address"),
    }
}

/// From now on the reserved port accepts connections.
pub fn start_listening(socket: Socket) -> Outcome<TcpListener> {
    // As many as a row opens at once: a game that drops SYNs would be another test.
    socket.listen(4096).during("listening")?;
    Ok(socket.into())
}

/// Sends these bytes of `pattern`.
pub fn send(mut stream: &TcpStream, pattern: Pattern, range: Range<u64>) -> Outcome {
    let mut at = range.start;
    let mut buffer = vec![0; CHUNK];
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
        pattern.fill(at, &mut buffer[..len]);
        let sent = stream.write_all(&buffer[..len]);
        sent.during(format!("writing the chunk at offset {at} of {}", range.end))?;
        at += len as u64;
    }
    Ok(())
}

/// Sends `pattern` from its start until the connection fails: how many bytes the system took, and
/// the error of the first write that it did not take.
#[must_use]
pub fn send_until_error(mut stream: &TcpStream, pattern: Pattern) -> (u64, End) {
    let mut at = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        pattern.fill(at, &mut buffer);
        match stream.write(&buffer) {
            Ok(n) => at += n as u64,
            Err(error) => return (at, error.into()),
        }
    }
}

/// Says that nothing more comes (FIN), and leaves the other direction open.
pub fn finish(stream: &TcpStream) -> Outcome {
    stream
        .shutdown(Shutdown::Write)
        .during("shutting down the writing half")
}

/// Ends the connection by RST.
pub fn reset(stream: TcpStream) -> Outcome {
    let linger = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    linger.during("setting SO_LINGER 0")?;
    drop(stream);
    Ok(())
}

/// Receives exactly these bytes of `pattern`.
pub fn receive(mut stream: &TcpStream, pattern: Pattern, range: Range<u64>) -> Outcome {
    let mut at = range.start;
    let mut buffer = vec![0; CHUNK];
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
        match stream.read(&mut buffer[..len]) {
            Ok(0) => return failed(format!("FIN at offset {at}, expected {} bytes", range.end)),
            Ok(n) => {
                pattern.check(at, &buffer[..n])?;
                at += n as u64;
            }
            Err(error) => return failed(format!("{error} at offset {at} of {}", range.end)),
        }
    }
    Ok(())
}

/// Receives until the connection ends; `pause` runs after every read, with the offset reached.
pub fn receive_to_end(
    mut stream: &TcpStream,
    pattern: Pattern,
    from: u64,
    mut pause: impl FnMut(u64) -> Outcome,
) -> Outcome<(u64, End)> {
    let mut at = from;
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((at, End::Fin)),
            Ok(n) => {
                pattern.check(at, &buffer[..n])?;
                at += n as u64;
                pause(at)?;
            }
            Err(error) => return Ok((at, error.into())),
        }
    }
}

/// Receives to the end without a pause, and fails unless exactly `len` bytes and then `end` came.
pub fn expect(stream: &TcpStream, pattern: Pattern, from: u64, len: u64, end: End) -> Outcome {
    let seen = receive_to_end(stream, pattern, from, |_| Ok(()))?;
    ensure!(
        seen == (len, end),
        "expected {len} bytes, then {end:?}; saw {seen:?}"
    );
    Ok(())
}
