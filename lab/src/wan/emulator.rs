//! The WAN emulator: two TUN devices, and a thread for each direction that passes packets on by the
//! rules of a [`Way`].
//!
//! The kernel's own emulation (netem) is a module that many machines lack, and cannot be told a seed.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::tun::Tun;
use super::way::{Conditions, Counts, Way};
use crate::failure::{During, Outcome};

/// Packets read in a row before those that are due are passed on.
const TURN: usize = 64;

/// The largest IP packet there can be.
const PACKET_MAX: usize = 65_535;

/// Which of the two directions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the first device to the second: out of the host's home.
    Out,
    /// From the second to the first: into it.
    In,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Out, Self::In];
}

/// A running emulator. It ends, and its devices go, when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    ways: [Arc<Mutex<Way>>; 2],
    /// The threads see the other end of it closed.
    alive: Option<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Joins two devices. Both directions begin with the same conditions, and have chances of their
    /// own from one seed.
    pub fn start(first: Tun, second: Tun, conditions: Conditions, seed: u64) -> Outcome<Self> {
        let (alive, watched) = UnixStream::pair().during("making a socket pair")?;
        let way = |salt| Arc::new(Mutex::new(Way::new(conditions, seed ^ salt)));
        let mut emulator = Self {
            ways: [way(0), way(0x5bd1_e995_97f4_a7c1)],
            alive: Some(alive),
            threads: Vec::new(),
        };
        let (first, second) = (Arc::new(first), Arc::new(second));
        let ends = [(Arc::clone(&first), Arc::clone(&second)), (second, first)];
        for ((from, to), way) in ends.into_iter().zip(&emulator.ways) {
            let way = Arc::clone(way);
            let watched = watched.try_clone().during("another descriptor")?;
            let carry = move || carry(&from, &to, &way, &watched);
            emulator.threads.push(std::thread::spawn(carry));
        }
        Ok(emulator)
    }

    /// Changes the conditions of both directions.
    pub fn change(&self, change: impl Fn(&mut Conditions)) {
        for direction in Direction::BOTH {
            self.change_one(direction, &change);
        }
    }

    /// Changes the conditions of one direction.
    pub fn change_one(&self, direction: Direction, change: impl Fn(&mut Conditions)) {
        let mut way = self.way(direction);
        let mut conditions = way.conditions();
        change(&mut conditions);
        way.set(conditions);
    }

    /// What happened in one direction so far.
    #[must_use]
    pub fn counts(&self, direction: Direction) -> Counts {
        self.way(direction).counts()
    }

    fn way(&self, direction: Direction) -> MutexGuard<'_, Way> {
        let [out, into] = &self.ways;
        let way = match direction {
            Direction::Out => out,
            Direction::In => into,
        };
        way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.alive.take());
        for thread in self.threads.drain(..) {
            // A panic of it has been printed, and shows as packets that do not arrive.
            let _ = thread.join();
        }
    }
}

/// Carries packets until the emulator is dropped.
fn carry(from: &Tun, to: &Tun, way: &Mutex<Way>, watched: &UnixStream) {
    let start = Instant::now();
    let mut buffer = vec![0; PACKET_MAX];
    loop {
        let mut way = way.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TURN {
            // A device that is down has no packets (EIO); it may come back.
            let Ok(Some(len)) = from.read(&mut buffer) else {
                break;
            };
            way.offer(start.elapsed(), &buffer[..len]);
        }
        while let Some(packet) = way.take(start.elapsed()) {
            // The same: a cable that is not plugged in at the far end.
            let _ = to.write(&packet);
        }
        let due = way.next_due();
        drop(way);
        let patience = due.map(|due| due.saturating_sub(start.elapsed()));
        if wait(from, watched, patience).is_err() {
            return;
        }
    }
}

/// Waits until a packet can be read, or for so long. Fails when the emulator is dropped.
fn wait(from: &Tun, watched: &UnixStream, patience: Option<Duration>) -> io::Result<()> {
    let mut looks = [
        PollFd::new(from.as_fd(), PollFlags::POLLIN),
        PollFd::new(watched.as_fd(), PollFlags::POLLIN),
    ];
    match ppoll(&mut looks, patience.map(TimeSpec::from), None) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [_, end] = looks;
    match end.any() {
        Some(true) => Err(ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}
