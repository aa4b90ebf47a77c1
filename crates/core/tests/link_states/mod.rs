//! A link so small that all its states can be visited: what it is made of, and what can happen in each
//! state.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "test code: failing is its purpose"
)]

use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use via6_core::channel::{ChannelLimits, End, Violation};
use via6_core::frame::{ChannelId, Decoder, Frame, LinkId, Reset, ServiceId};
use via6_core::link::{Heard, Link, LinkError, LinkLimits, Role};

const ID: ChannelId = ChannelId(0);
const JOINER: usize = 0;
const HOST: usize = 1;

/// Frames under way at a time.
const FRAMES_MAX: usize = 3;

/// Transports that the joiner tries.
const GENERATIONS: u64 = 2;

/// Frames that are doubled or lost without a cut, in all of one way to go. More of them leads to the same
/// states, only later.
const FAULTS_MAX: u8 = 1;

/// The type of the frame.
const OPEN: u8 = 0x10;

/// What both games are going to do: bytes to write, and how they end.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub bytes: [u64; 2],
    pub resets: [bool; 2],
}

#[derive(Clone, Copy, Default, Eq, Hash, PartialEq, Debug)]
struct Game {
    written: u64,
    read: u64,
    has_ended: bool,
    saw: Option<End>,
    is_gone: bool,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Sent {
    to: usize,
    generation: u64,
    bytes: Vec<u8>,
}

#[derive(Clone, Eq, Hash, PartialEq)]
pub struct State {
    ends: [Link; 2],
    games: [Game; 2],
    /// In no order.
    frames: Vec<Sent>,
    /// Generations whose transport is cut.
    cut: u64,
    faults: u8,
    was_opened: bool,
}

fn limits() -> LinkLimits {
    LinkLimits {
        channel: ChannelLimits {
            standing_delay: Duration::ZERO,
            standing_bytes: 1,
            ..ChannelLimits::default()
        },
        ping: Duration::from_secs(3600),
        ping_idle: Duration::from_secs(3600),
        ..LinkLimits::default()
    }
}

fn byte(side: usize, offset: u64) -> u8 {
    u8::try_from(side as u64 * 100 + offset).unwrap()
}

impl State {
    pub fn new(now: Instant) -> Self {
        let end = |role| Link::new(role, LinkId([7; 16]), limits(), now);
        let mut state = Self {
            ends: [end(Role::Joiner), end(Role::Host)],
            games: [Game::default(); 2],
            frames: Vec::new(),
            cut: 0,
            faults: 0,
            was_opened: false,
        };
        state.ends[JOINER].open(ServiceId(1), now).unwrap();
        state
    }

    /// Two states that differ in the order of `frames` alone are one.
    pub fn key(&self) -> u64 {
        let mut frames: Vec<u64> = self.frames.iter().map(hash).collect();
        frames.sort_unstable();
        hash(&(&self.ends, self.games, frames, self.cut, self.faults))
    }

    pub fn next(&self, script: &Script, now: Instant) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |changed: Option<Self>| all.extend(changed);
        for side in [JOINER, HOST] {
            add(self.write(side, script));
            add(self.end(side, script, now));
            add(self.send(side, now));
            for generation in 1..=GENERATIONS {
                add(self.notice(side, generation));
            }
        }
        add(self.connect());
        for generation in 1..=GENERATIONS {
            add(self.cut(generation));
        }
        for at in 0..self.frames.len() {
            add(Some(self.deliver(at, false, script, now)));
            if self.faults < FAULTS_MAX {
                add(Some(self.lose(at)));
            }
            // The host forgets a channel that is over, and no stream ever brings its OPEN again.
            if self.faults < FAULTS_MAX && self.frames[at].bytes[0] != OPEN {
                add(Some(self.deliver(at, true, script, now)));
            }
        }
        all
    }

    fn write(&self, side: usize, script: &Script) -> Option<Self> {
        let game = self.games[side];
        let may = game.written < script.bytes[side] && !game.has_ended && !game.is_gone;
        if !may || self.ends[side].can_take(ID) == 0 {
            return None;
        }
        let mut state = self.clone();
        assert_eq!(state.ends[side].take(ID, &[byte(side, game.written)]), 1);
        state.games[side].written += 1;
        Some(state)
    }

    fn end(&self, side: usize, script: &Script, now: Instant) -> Option<Self> {
        let game = self.games[side];
        let exists = self.ends[side].channels().count() > 0;
        if game.has_ended || game.is_gone || game.written < script.bytes[side] || !exists {
            return None;
        }
        let mut state = self.clone();
        state.games[side].has_ended = true;
        if script.resets[side] {
            state.ends[side].reset(ID, Reset::Game);
            state.go(side, now);
        } else {
            state.ends[side].finish(ID);
        }
        Some(state.read(side, script, now).unwrap_or(state))
    }

    fn go(&mut self, side: usize, now: Instant) {
        self.games[side].is_gone = true;
        self.ends[side].release(ID, now);
    }

    /// A game reads all there is, and sees the end if that is all.
    fn read(&self, side: usize, script: &Script, now: Instant) -> Option<Self> {
        let game = self.games[side];
        let [first, second] = self.ends[side].readable(ID);
        let bytes = [first, second].concat();
        let end = self.ends[side].end_of(ID);
        if game.is_gone
            || (bytes.is_empty() && (end.is_none() || game.saw == end && !game.has_ended))
        {
            return None;
        }
        let mut state = self.clone();
        for found in &bytes {
            assert_eq!(*found, byte(1 - side, state.games[side].read));
            state.games[side].read += 1;
        }
        state.ends[side].taken(ID, bytes.len(), now);
        let end = state.ends[side].end_of(ID);
        if let Some(end) = end {
            state.check_end(side, end, script);
            state.games[side].saw = Some(end);
            if matches!(end, End::Reset(_)) || state.games[side].has_ended {
                state.go(side, now);
            }
        }
        Some(state)
    }

    fn check_end(&self, side: usize, end: End, script: &Script) {
        let (game, other) = (self.games[side], self.games[1 - side]);
        let expected = if script.resets[1 - side] {
            End::Reset(Reset::Game)
        } else {
            End::Fin
        };
        assert_eq!(
            (end, game.read),
            (expected, other.written),
            "at {side}: {:?} {script:?}",
            self.games
        );
        assert!(other.has_ended);
    }

    fn send(&self, side: usize, now: Instant) -> Option<Self> {
        if self.frames.len() >= FRAMES_MAX {
            return None;
        }
        let mut state = self.clone();
        let mut out = Vec::new();
        state.ends[side].transmit(100, now, &mut out)?;
        let generation = state.ends[side].generation();
        let (mut decoder, mut input) = (Decoder::default(), &out[..]);
        while let Some(frame) = decoder.next(&mut input).unwrap() {
            // Pings change nothing here, and would be most of what there is.
            if !matches!(frame, Frame::Ping(_) | Frame::Pong(_)) {
                let mut bytes = Vec::new();
                frame.write(&mut bytes).unwrap();
                state.post(1 - side, generation, bytes);
            }
        }
        // A turn has several frames, and they must all fit.
        (state.frames.len() <= FRAMES_MAX).then_some(state)
    }

    fn post(&mut self, to: usize, generation: u64, bytes: Vec<u8>) {
        if !self.is_cut(generation) {
            self.frames.push(Sent {
                to,
                generation,
                bytes,
            });
        }
    }

    fn is_cut(&self, generation: u64) -> bool {
        self.cut & (1 << generation) != 0
    }

    fn connect(&self) -> Option<Self> {
        let mut state = self.clone();
        let (generation, frame) = state.ends[JOINER].attach();
        if generation > GENERATIONS || state.frames.len() >= FRAMES_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        state.post(HOST, generation, bytes);
        Some(state)
    }

    /// All that is under way is lost, and nothing more comes.
    fn cut(&self, generation: u64) -> Option<Self> {
        if self.is_cut(generation)
            || self.ends[JOINER]
                .generation()
                .max(self.ends[HOST].generation())
                < generation
        {
            return None;
        }
        let mut state = self.clone();
        state.cut |= 1 << generation;
        state.frames.retain(|sent| sent.generation != generation);
        Some(state)
    }

    fn notice(&self, side: usize, generation: u64) -> Option<Self> {
        let mut state = self.clone();
        state.ends[side].on_cut(generation);
        (self.is_cut(generation) && state.ends[side] != self.ends[side]).then_some(state)
    }

    fn lose(&self, at: usize) -> Self {
        let mut state = self.clone();
        state.frames.remove(at);
        state.faults += 1;
        state
    }

    fn deliver(&self, at: usize, again: bool, script: &Script, now: Instant) -> Self {
        let mut state = self.clone();
        let Sent {
            to,
            generation,
            bytes,
        } = state.frames[at].clone();
        if again {
            state.faults += 1;
        } else {
            state.frames.remove(at);
        }
        let (mut decoder, mut input) = (Decoder::default(), &bytes[..]);
        let frame = decoder.next(&mut input).unwrap().unwrap();
        match frame {
            Frame::Attach {
                generation,
                next,
                standings,
                ..
            } => {
                // The one that came twice is refused.
                if let Ok(answer) = state.ends[HOST].on_attach(generation, next, &standings, now) {
                    let mut bytes = Vec::new();
                    answer.write(&mut bytes).unwrap();
                    state.post(JOINER, generation, bytes);
                }
            }
            Frame::Attached {
                generation,
                since,
                standings,
            } => {
                state.ends[JOINER]
                    .on_attached(generation, since, &standings, now)
                    .unwrap();
            }
            frame => {
                let before = state.ends[to].clone();
                match state.ends[to].on_frame(generation, frame.clone(), now) {
                    Ok(Heard::Opened { .. }) => {
                        assert!(!state.was_opened, "the game is dialled twice");
                        state.was_opened = true;
                    }
                    Ok(_) => {}
                    Err(LinkError::Channel {
                        violation: Violation::Gap,
                        ..
                    }) => {
                        state.ends[to] = before;
                    }
                    Err(error) => panic!("{error}: {frame:?}"),
                }
            }
        }
        for end in &mut state.ends {
            end.check_invariants().unwrap();
            // The games here look whether they are told to or not.
            while end.next_touched().is_some() {}
        }
        state.read(to, script, now).unwrap_or(state)
    }

    /// Over one more transport, that works: does everything come to its end?
    pub fn check_progress(&self, script: &Script, now: Instant) {
        let mut state = self.clone();
        state.frames.clear();
        let (generation, frame) = state.ends[JOINER].attach();
        state.cut = !(1 << generation);
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        state.post(HOST, generation, bytes);
        for _ in 0..60 {
            while !state.frames.is_empty() {
                state = state.deliver(0, false, script, now);
            }
            for side in [JOINER, HOST] {
                while let Some(next) = state.write(side, script) {
                    state = next;
                }
                state = state.end(side, script, now).unwrap_or(state);
                while let Some(next) = state.send(side, now) {
                    state = next;
                }
            }
            if state.is_over() {
                return;
            }
        }
        panic!(
            "no end of {script:?} {:?}\n{:?}\n{:?}",
            state.games, state.ends[0], state.ends[1]
        );
    }

    fn is_over(&self) -> bool {
        self.frames.is_empty()
            && self.ends.iter().all(|end| end.channels().count() == 0)
            && self.games.iter().all(|game| game.is_gone)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = Mix(0);
    value.hash(&mut hasher);
    hasher.finish()
}

/// The standard hasher is half of the time this takes, and nobody here chooses collisions.
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}
