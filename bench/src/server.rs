//! The end of the load that stands in for the game server, on threads of this program.
//!
//! A TCP session is a row of requests, each an opcode and, for most, a number (little-endian, 64
//! bits). Answers are plain bytes; a session that errs just ends, and the client, which knows what
//! it asked for, reports it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::chain::Protocol as Carried;
use crate::client::{SILENCE_LIMIT, make_room, prepare};
use crate::pattern::{self, Check, Until};

/// Opcodes. Only `ONCE`, `PING` and `HOLD` come without a number.
pub(crate) mod request {
    /// Answer with one byte, then wait for the next request.
    pub(crate) const PING: u8 = b'p';
    /// Answer with one byte and close.
    pub(crate) const ONCE: u8 = b'1';
    /// Answer with one byte and hold the session until the client ends it.
    pub(crate) const HOLD: u8 = b'h';
    /// From here on messages of the given size come; return each as a whole, longer by
    /// [`EXTENSION`]s if the number says so (see [`extended`](super::extended)).
    pub(crate) const ECHO: u8 = b'e';
    /// The byte that answers are made longer with.
    pub(crate) const EXTENSION: u8 = 0x5a;
    /// Send as many bytes.
    pub(crate) const DOWN: u8 = b'd';
    /// Take as many bytes, then answer with their number.
    pub(crate) const UP: u8 = b'u';
    /// Both at once, then answer as for [`UP`].
    pub(crate) const BOTH: u8 = b'b';
    /// Take as many bytes, compare each with the pattern, then answer as for [`UP`].
    pub(crate) const CHECK: u8 = b'c';
}

/// The number that goes with [`request::ECHO`] when answers are to be of another size than messages:
/// sizes take 32 bits each, and an answer of none is one as long as the message.
pub(crate) const fn extended(message: usize, answer: usize) -> u64 {
    (answer as u64) << 32 | message as u64
}

/// Connections waiting for `accept`; more than any workload opens at once.
const BACKLOG: i32 = 1024;

/// A running game server; dropping it ends it.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    end: End,
    threads: Vec<JoinHandle<()>>,
}

enum End {
    Tcp(Arc<TcpListener>),
    Udp,
}

impl Server {
    /// `threads` is how many TCP sessions can be served at once.
    pub(crate) fn start(protocol: Carried, threads: usize) -> anyhow::Result<Self> {
        match protocol {
            Carried::Tcp => Self::tcp(threads),
            Carried::Udp => Self::udp(),
        }
    }

    /// `threads` is how many sessions can be served at once; held ones don't count.
    pub(crate) fn tcp(threads: usize) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(BACKLOG)?;
        let listener = Arc::new(TcpListener::from(socket));
        let address = listener.local_addr()?;
        let held = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..threads)
            .map(|_| {
                let (listener, held) = (Arc::clone(&listener), Arc::clone(&held));
                thread::spawn(move || accept(&listener, &held))
            })
            .collect();
        let stop = Arc::default();
        Ok(Self {
            address,
            stop,
            end: End::Tcp(listener),
            threads,
        })
    }

    /// Returns every datagram to its sender.
    pub(crate) fn udp() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a UDP port")?;
        make_room(&socket)?;
        let address = socket.local_addr()?;
        let stop: Arc<AtomicBool> = Arc::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while !stopped.load(Ordering::Relaxed) {
                // Errors are a vanished client's port-unreachable; the next datagram is another's.
                if let Ok((length, sender)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), sender);
                }
            }
        });
        Ok(Self {
            address,
            stop,
            end: End::Udp,
            threads: vec![thread],
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        match &self.end {
            // Wakes every thread that waits in accept (Linux).
            End::Tcp(listener) => drop(SockRef::from(&**listener).shutdown(Shutdown::Both)),
            // One datagram to itself, so that it looks at the flag.
            End::Udp => drop(
                UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
                    .and_then(|socket| socket.send_to(&[], self.address)),
            ),
        }
        for thread in self.threads.drain(..) {
            // Its sessions have ended with the relays; a panic there has shown on stderr.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, held: &Mutex<Vec<TcpStream>>) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Ok(Next::Hold) = serve(&stream)
                    && let Ok(mut held) = held.lock()
                {
                    held.push(stream);
                }
            }
            // Reset between SYN and accept: its client knows.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            // The listener was shut down, or has nothing left to work with.
            Err(_) => return,
        }
    }
}

enum Next {
    Close,
    Hold,
}

fn serve(mut stream: &TcpStream) -> anyhow::Result<Next> {
    prepare(stream)?;
    loop {
        let mut opcode = [0];
        if stream.read(&mut opcode)? == 0 {
            return Ok(Next::Close);
        }
        match opcode[0] {
            request::PING => stream.write_all(&opcode)?,
            request::ONCE => {
                stream.write_all(&opcode)?;
                return Ok(Next::Close);
            }
            request::HOLD => {
                stream.write_all(&opcode)?;
                return Ok(Next::Hold);
            }
            opcode => with_number(stream, opcode)?,
        }
    }
}

fn with_number(mut stream: &TcpStream, opcode: u8) -> anyhow::Result<()> {
    let mut number = [0; 8];
    stream.read_exact(&mut number)?;
    let bytes = u64::from_le_bytes(number);
    match opcode {
        request::ECHO => return echo(stream, bytes),
        request::DOWN => return pattern::send(stream, bytes, Until::Done),
        request::UP => pattern::receive(stream, bytes, Check::Edges, Until::Done)?,
        request::CHECK => pattern::receive(stream, bytes, Check::Every, Until::Done)?,
        request::BOTH => thread::scope(|scope| {
            let sending = scope.spawn(move || pattern::send(stream, bytes, Until::Done));
            pattern::receive(stream, bytes, Check::Edges, Until::Done)?;
            sending
                .join()
                .map_err(|_| anyhow::anyhow!("the sending thread panicked"))?
        })?,
        _ => anyhow::bail!("unknown request"),
    }
    stream.write_all(&number)?;
    Ok(())
}

fn echo(mut stream: &TcpStream, sizes: u64) -> anyhow::Result<()> {
    const SIZE_MAX: u64 = 1 << 20;
    let (size, answer) = (sizes & u64::from(u32::MAX), sizes >> 32);
    let size = usize::try_from(size.min(SIZE_MAX))?;
    let mut answer = vec![request::EXTENSION; usize::try_from(answer.min(SIZE_MAX))?.max(size)];
    // Blocking for good spares each round trip a kernel timer; the client's limit ends the session.
    stream.set_read_timeout(None)?;
    while let Some(message) = answer.get_mut(..size)
        && stream.read_exact(message).is_ok()
    {
        stream.write_all(&answer)?;
    }
    stream.set_read_timeout(Some(SILENCE_LIMIT))?;
    Ok(())
}
