//! What a game client does on a link under stress: small messages at a steady beat, and a download.
//! Both check every byte at its place, and measure the longest time in which nothing came.
//!
//! Their bytes are numbered, so one that is lost, comes twice or out of turn is a failure, and none of
//! the numbers measured counts then.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::game::{PATIENCE, Service};
use crate::failure::{During, Outcome, ensure, failed};
use crate::pattern::{DOWN, UP};
use crate::wire::{self, End};

/// Bytes of a small message: what games send for a step or a turn of the head.
const MESSAGE: usize = 64;

/// Twenty a second: the tick of many games.
const BEAT: Duration = Duration::from_millis(50);

/// How a beat or a download went. Every byte that came was the right one.
#[derive(Clone, Debug)]
pub struct Played {
    /// Messages, or bytes, that came.
    pub came: u64,
    /// How it ended for the client.
    pub end: End,
    /// When.
    pub ended: Instant,
    /// The longest time between two arrivals.
    pub stall: Duration,
    /// Round trips of messages, sorted; none of a download.
    pub round_trips: Vec<Duration>,
}

impl Played {
    /// The round trip that this share of all did not exceed.
    #[must_use]
    pub fn percentile(&self, share: u32) -> Duration {
        let last = self.round_trips.len().saturating_sub(1);
        let at = last * share as usize / 100;
        self.round_trips.get(at).copied().unwrap_or_default()
    }

    /// Fails unless it ended in order.
    pub fn in_order(self) -> Outcome<Self> {
        let (end, came) = (self.end, self.came);
        ensure!(end == End::Fin, "ended by {end:?} after {came}");
        Ok(self)
    }
}

/// Measures the time between arrivals.
#[derive(Debug)]
struct Stall {
    last: Instant,
    longest: Duration,
}

impl Stall {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            longest: Duration::ZERO,
        }
    }

    fn arrival(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }
}

/// Small messages at a steady beat, echoed by the game server.
#[derive(Debug)]
pub struct Beat {
    stream: Arc<TcpStream>,
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    echoed: Arc<AtomicU64>,
    /// How it ended, once it has.
    end: Arc<OnceLock<End>>,
    sender: JoinHandle<Option<End>>,
    receiver: JoinHandle<Outcome<Played>>,
}

impl Beat {
    /// Begins on this connection.
    pub fn start(stream: TcpStream) -> Outcome<Self> {
        wire::be_patient(&stream, PATIENCE)?;
        let mut writer = &stream;
        let asked = writer.write_all(&Service::Echo.request());
        asked.during("asking for echoes")?;
        let (stream, times) = (Arc::new(stream), Arc::<Mutex<Vec<Instant>>>::default());
        let (sent, echoed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (is_over, end) = (
            Arc::<AtomicBool>::default(),
            Arc::<OnceLock<End>>::default(),
        );
        let sender = {
            let (stream, is_over) = (Arc::clone(&stream), Arc::clone(&is_over));
            let (times, sent) = (Arc::clone(&times), Arc::clone(&sent));
            std::thread::spawn(move || send_beat(&stream, &is_over, &times, &sent))
        };
        let receiver = {
            let (stream, echoed) = (Arc::clone(&stream), Arc::clone(&echoed));
            let end = Arc::clone(&end);
            std::thread::spawn(move || {
                let played = receive_beat(&stream, &times, &echoed)?;
                Ok(Played {
                    end: *end.get_or_init(|| played.end),
                    ..played
                })
            })
        };
        Ok(Self {
            stream,
            is_over,
            sent,
            echoed,
            end,
            sender,
            receiver,
        })
    }

    /// Messages that came back so far.
    #[must_use]
    pub fn echoed(&self) -> u64 {
        self.echoed.load(Ordering::Relaxed)
    }

    /// Waits until so many more have come back.
    pub fn wait_for_more(&self, count: u64, patience: Duration) -> Outcome {
        let wanted = self.echoed() + count;
        crate::system::wait_for(patience, &format!("{count} more echoes"), || {
            if self.echoed() >= wanted {
                return Ok(Some(()));
            }
            if self.receiver.is_finished() {
                let (end, echoed) = (self.end.get(), self.echoed());
                return failed(match end {
                    Some(end) => format!("the messages ended by {end:?} after {echoed}"),
                    None => format!("a wrong byte after {echoed} messages"),
                });
            }
            Ok(None)
        })
    }

    /// Sends no more, and fails unless everything sent comes back and then the end.
    pub fn finish(self) -> Outcome<Played> {
        self.is_over.store(true, Ordering::Relaxed);
        let refused = joined(self.sender.join())?;
        ensure!(refused.is_none(), "sending messages ended by {refused:?}");
        wire::finish(&self.stream)?;
        let played = joined(self.receiver.join())??.in_order()?;
        let sent = self.sent.load(Ordering::Relaxed);
        let came = played.came;
        ensure!(came == sent, "{came} of {sent} messages came back");
        Ok(played)
    }

    /// Goes on until the connection ends, whatever end that is; fails if it lives on for so long.
    pub fn wait_ended(self, patience: Duration) -> Outcome<Played> {
        let ended = crate::system::wait_for(patience, "the messages to end", || {
            Ok(self.receiver.is_finished().then_some(()))
        });
        self.is_over.store(true, Ordering::Relaxed);
        if ended.is_err() {
            // Neither thread outlives the failure. Fails where the connection has ended after all.
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
        }
        ended?;
        let mut played = joined(self.receiver.join())??;
        // A reset is told once: if a write has met it, the read beside it sees an end in order. A write
        // after such an end meets EPIPE.
        if played.end == End::Fin && joined(self.sender.join())? == Some(End::Reset) {
            played.end = End::Reset;
        }
        Ok(played)
    }
}

/// Sends a message each beat. It is the bytes of the pattern that stand at its place in the stream, so
/// the number of a message is in each of its bytes; when it was sent is kept here. Returns what a write
/// met, if one failed.
fn send_beat(
    mut stream: &TcpStream,
    is_over: &AtomicBool,
    times: &Mutex<Vec<Instant>>,
    sent: &AtomicU64,
) -> Option<End> {
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let message = UP.bytes(number * MESSAGE as u64, MESSAGE);
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.push(Instant::now());
        drop(times);
        if let Err(error) = stream.write_all(&message) {
            return Some(error.into());
        }
        next += BEAT;
        // The pause is the beat.
        sleep(next.saturating_duration_since(Instant::now()));
    }
    None
}

fn receive_beat(
    mut stream: &TcpStream,
    times: &Mutex<Vec<Instant>>,
    echoed: &AtomicU64,
) -> Outcome<Played> {
    let (mut at, mut stall) = (0, Stall::new());
    let (mut round_trips, mut buffer) = (Vec::new(), [0; 16 * MESSAGE]);
    let end = loop {
        let len = match stream.read(&mut buffer) {
            Ok(0) => break End::Fin,
            Ok(len) => len,
            Err(error) => break error.into(),
        };
        UP.check(at, &buffer[..len]).during("an echo")?;
        at += len as u64;
        let whole = at / MESSAGE as u64;
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let done = usize::try_from(whole).unwrap_or(usize::MAX);
        ensure!(done <= times.len(), "more came back than was sent");
        if round_trips.len() < done {
            stall.arrival();
        }
        let new = &times[round_trips.len()..done];
        round_trips.extend(new.iter().map(Instant::elapsed));
        drop(times);
        echoed.store(whole, Ordering::Relaxed);
    };
    round_trips.sort_unstable();
    Ok(Played {
        came: at / MESSAGE as u64,
        end,
        ended: Instant::now(),
        stall: stall.longest,
        round_trips,
    })
}

/// A download from the game server.
#[derive(Debug)]
pub struct Download {
    len: u64,
    receiver: JoinHandle<Outcome<Played>>,
}

impl Download {
    /// Begins on this connection.
    pub fn start(stream: TcpStream, len: u64, pace: u64) -> Outcome<Self> {
        wire::be_patient(&stream, PATIENCE)?;
        let service = Service::Download { len, pace };
        let mut writer = &stream;
        let asked = writer.write_all(&service.request());
        asked.during("asking for a download")?;
        let receiver = std::thread::spawn(move || {
            let mut stall = Stall::new();
            let (came, end) = wire::receive_to_end(&stream, DOWN, 0, |_| {
                stall.arrival();
                Ok(())
            })
            .during("a download")?;
            Ok(Played {
                came,
                end,
                ended: Instant::now(),
                stall: stall.longest,
                round_trips: Vec::new(),
            })
        });
        Ok(Self { len, receiver })
    }

    /// Fails unless all of it comes, and then the end.
    pub fn finish(self) -> Outcome<Played> {
        let len = self.len;
        let played = joined(self.receiver.join())??
            .in_order()
            .during("a download")?;
        let came = played.came;
        ensure!(came == len, "{came} of {len} bytes came");
        Ok(played)
    }

    /// Goes on until the connection ends, whatever end that is.
    pub fn wait_ended(self) -> Outcome<Played> {
        joined(self.receiver.join())?
    }
}

fn joined<T>(ended: std::thread::Result<T>) -> Outcome<T> {
    ended.or_else(|_| failed("a thread of the player panicked"))
}
