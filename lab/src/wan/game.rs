//! A game server for links under stress: it echoes what it gets, or sends checkable bytes at a pace, and
//! keeps a record of how each of its sessions ended.
//!
//! A client first says which of the two it wants, in 24 bytes.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::place::Place;
use crate::failure::{During, Outcome, failed};
use crate::pattern::DOWN;
use crate::wire::{self, End};

/// Longer than any link may be held (25 s), so that the game is not the one who gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often the acceptor looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(50);

/// A paced server sends this often.
const PACE: Duration = Duration::from_millis(10);

/// Bytes of one read or write.
const CHUNK: usize = 64 * 1024;

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Everything comes back, and the end as well.
    Echo,
    /// So many bytes of [`DOWN`], then the end.
    Download {
        /// How many bytes.
        len: u64,
        /// Bytes a second; 0 for as fast as it goes.
        pace: u64,
    },
}

impl Service {
    /// What the client writes first.
    #[must_use]
    pub fn request(self) -> [u8; 24] {
        let (kind, len, pace) = match self {
            Self::Echo => (0_u64, 0, 0),
            Self::Download { len, pace } => (1, len, pace),
        };
        let mut request = [0; 24];
        for (place, value) in request.chunks_exact_mut(8).zip([kind, len, pace]) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        request
    }

    fn read(mut stream: &TcpStream) -> Outcome<Self> {
        let mut request = [0; 24];
        stream
            .read_exact(&mut request)
            .during("reading a request")?;
        let mut values = request.chunks_exact(8).map(|chunk| {
            chunk
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte))
        });
        let mut next = || values.next().unwrap_or_default();
        match next() {
            0 => Ok(Self::Echo),
            1 => Ok(Self::Download {
                len: next(),
                pace: next(),
            }),
            other => failed(format!("no service {other}")),
        }
    }
}

/// One session that has ended, as the game server saw it.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// What the client had asked for.
    pub service: Service,
    /// How it ended for the server.
    pub end: End,
    /// When.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Record {
    served: Mutex<Vec<Outcome<Served>>>,
    changed: Condvar,
}

/// A running game server. It ends when this is dropped; sessions end with their connections.
#[derive(Debug)]
pub struct Game {
    /// Where it listens.
    pub address: SocketAddr,
    record: Arc<Record>,
    is_over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Game {
    /// Starts a game server on this address of `place`.
    pub fn start(place: &Place, ip: IpAddr, port: u16) -> Outcome<Self> {
        let (listener, address) = place.run(move || {
            let (socket, address) = wire::reserve(SocketAddr::new(ip, port))?;
            Ok((wire::start_listening(socket)?, address))
        })?;
        let bounded = SockRef::from(&listener).set_read_timeout(Some(GLANCE));
        bounded.during("bounding accept")?;
        let (record, is_over) = (Arc::<Record>::default(), Arc::<AtomicBool>::default());
        let (sink, end) = (Arc::clone(&record), Arc::clone(&is_over));
        let accept = move || accept_until(&end, &listener, &sink);
        Ok(Self {
            address,
            record,
            is_over,
            acceptor: Some(std::thread::spawn(accept)),
        })
    }

    /// Waits until so many sessions have ended; how they did.
    pub fn wait_served(&self, count: usize, patience: Duration) -> Outcome<Vec<Served>> {
        let served = self.record.served.lock();
        let served = served.unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .record
            .changed
            .wait_timeout_while(served, patience, |served| served.len() < count);
        let (served, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if served.len() < count {
            let ended = served.len();
            return failed(format!(
                "at the game server {ended} of {count} sessions ended within {patience:?}"
            ));
        }
        served.iter().cloned().collect()
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of it shows as sessions that nobody serves.
            let _ = acceptor.join();
        }
    }
}

fn accept_until(is_over: &AtomicBool, listener: &TcpListener, record: &Arc<Record>) {
    while !is_over.load(Ordering::Relaxed) {
        // Errors are those of waiting for nobody.
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        let record = Arc::clone(record);
        std::thread::spawn(move || {
            let served = serve(&stream);
            let mut all = record.served.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(served);
            drop(all);
            record.changed.notify_all();
        });
    }
}

fn serve(stream: &TcpStream) -> Outcome<Served> {
    wire::be_patient(stream, PATIENCE)?;
    let service = Service::read(stream).during("at the game server")?;
    let end = match service {
        Service::Echo => echo(stream),
        Service::Download { len, pace } => upload(stream, len, pace),
    };
    Ok(Served {
        service,
        end,
        at: Instant::now(),
    })
}

fn echo(mut stream: &TcpStream) -> End {
    let mut buffer = vec![0; CHUNK];
    loop {
        let done = match stream.read(&mut buffer) {
            Ok(0) => {
                // Fails where the client is gone, which the caller wants to know of the reading only.
                let _ = wire::finish(stream);
                return End::Fin;
            }
            Ok(len) => stream.write_all(&buffer[..len]),
            Err(error) => return error.into(),
        };
        if let Err(error) = done {
            return error.into();
        }
    }
}

/// Sends what was asked for and the end, and waits for the client's.
fn upload(mut stream: &TcpStream, len: u64, pace: u64) -> End {
    let (start, mut buffer) = (Instant::now(), vec![0; CHUNK]);
    let mut at = 0;
    while at < len {
        let due = if pace == 0 {
            len
        } else {
            let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            len.min(pace.saturating_mul(millis) / 1000)
        };
        if due <= at {
            // The pause is the pace.
            sleep(PACE);
            continue;
        }
        let take = usize::try_from(due - at).unwrap_or(CHUNK).min(CHUNK);
        DOWN.fill(at, &mut buffer[..take]);
        if let Err(error) = stream.write_all(&buffer[..take]) {
            return error.into();
        }
        at += take as u64;
    }
    // Fails where the client is gone, and then so does the reading.
    let _ = wire::finish(stream);
    match stream.read(&mut buffer) {
        Ok(0) => End::Fin,
        Ok(_) => End::Error(std::io::ErrorKind::InvalidData),
        Err(error) => error.into(),
    }
}
