//! Two ends of a sealed link, the games behind them, and everything that can happen to what is between
//! them.
//!
//! The shell of this model is as small as one can be: it moves bytes, and does what the link says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "test code: failing is its purpose"
)]

mod carry;
pub mod game;
mod play;
#[path = "../flow_model/rng.rs"]
#[allow(dead_code, reason = "shared with the simulation of flows")]
pub mod rng;
pub mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use via6_core::channel::ChannelLimits;
use via6_core::frame::{Closed, Frame, LinkId, ServiceId};
use via6_core::link::{Carrier, Heard, Link, LinkLimits, Links, Role};

use game::{Game, Session};
use rng::Rng;
use wire::Transport;

const JOINER: usize = 0;
const HOST: usize = 1;

/// A service that the host does not have.
const UNKNOWN: ServiceId = ServiceId(9);

pub type Seen = BTreeMap<&'static str, u64>;

pub struct World {
    pub rng: Rng,
    pub now: Instant,
    limits: LinkLimits,
    joiner: Link,
    /// Counts the joiner's links, for their ids.
    link: u64,
    hosts: Links<u8>,
    /// A link that ended at the host, while its games see it.
    leftover: Option<Link>,
    transports: Vec<Transport>,
    sessions: BTreeMap<(u64, u32), Session>,
    pub seen: Seen,
    /// Sessions that are still to be opened.
    to_open: u64,
    /// Bytes of a game: as many as can be had through such windows in some hundred round trips.
    most: u64,
}

fn id_of(link: u64) -> LinkId {
    LinkId(u128::from(link).to_be_bytes())
}

impl World {
    pub fn new(seed: u64, limits: LinkLimits, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let to_open = 1 + rng.below(8);
        Self {
            joiner: Link::new(Role::Joiner, id_of(1), limits, now),
            link: 1,
            hosts: Links::new(limits, 4, 2),
            leftover: None,
            transports: Vec::new(),
            sessions: BTreeMap::new(),
            seen: Seen::new(),
            rng,
            now,
            limits,
            to_open,
            most: limits.channel.window_first.min(limits.channel.kept_max) as u64 * 60,
        }
    }

    pub fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The host's end of one of the joiner's links.
    fn host(&mut self, link: u64) -> Option<&mut Link> {
        let id = id_of(link);
        match &mut self.leftover {
            Some(leftover) if leftover.id() == id => Some(leftover),
            _ => self.hosts.get_mut(id),
        }
    }

    fn side(&mut self, side: usize, link: u64) -> Option<&mut Link> {
        if side == HOST {
            return self.host(link);
        }
        Some(&mut self.joiner).filter(|_| link == self.link)
    }

    // What the world does.

    pub fn open(&mut self) {
        if self.to_open == 0 {
            return;
        }
        let service = if self.rng.one_in(10) {
            UNKNOWN
        } else {
            ServiceId(1)
        };
        if let Some(id) = self.joiner.open(service, self.now) {
            self.to_open -= 1;
            let session = Session {
                ends: [Some(Game::new(&mut self.rng, self.most)), None],
                is_lost: false,
                was_refused: None,
            };
            self.sessions.insert((self.link, id.0), session);
            self.note("opened");
        }
    }

    /// The joiner makes a new transport, whatever has become of the older ones.
    pub fn connect(&mut self) {
        let (generation, frame) = self.joiner.attach();
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        let mut transport = Transport {
            generation,
            is_quic: self.rng.one_in(2),
            up: wire::Way::default(),
            down: wire::Way::default(),
            noticed: [false; 2],
        };
        transport.up.send(false, Carrier::Control, &bytes);
        self.transports.push(transport);
        self.note("connected");
    }

    pub fn cut(&mut self) {
        if let Some(at) = self.pick_transport() {
            let both = self.rng.below(4);
            let transport = &mut self.transports[at];
            if both != 0 {
                transport.up.cut(&mut self.rng);
            }
            if both != 1 {
                transport.down.cut(&mut self.rng);
            }
            self.note("cut");
        }
    }

    /// One side learns that a transport is gone. It may never learn it.
    pub fn notice(&mut self) {
        let Some(at) = self
            .pick_transport()
            .filter(|at| self.transports[*at].is_cut())
        else {
            return;
        };
        let side = self.rng.below(2) as usize;
        let generation = self.transports[at].generation;
        self.transports[at].noticed[side] = true;
        let link = self.link;
        if let Some(link) = self.side(side, link) {
            link.on_cut(generation);
        }
        if self.transports[at].noticed == [true; 2] {
            self.transports.remove(at);
        }
    }

    pub fn restart_host(&mut self) {
        self.hosts = Links::new(self.limits, 4, 2);
        for transport in &mut self.transports {
            transport.up.cut(&mut self.rng);
            transport.down.cut(&mut self.rng);
        }
        for session in self.sessions.values_mut() {
            session.is_lost = true;
            // What it wrote before is remembered here; it does nothing more.
            if let Some(game) = &mut session.ends[HOST] {
                game.is_gone = true;
            }
        }
        self.note("host restarted");
    }

    pub fn pass_time(&mut self, by: Duration) {
        self.now += by;
        self.joiner.on_time(self.now);
        self.after_joiner();
        let ended = self.hosts.on_time(self.now);
        self.host_lost(ended);
    }

    fn pick_transport(&mut self) -> Option<usize> {
        let count = self.transports.len() as u64;
        (count > 0).then(|| self.rng.below(count) as usize)
    }

    fn lose_all(&mut self) {
        for session in self.sessions.values_mut() {
            session.is_lost = true;
        }
    }

    /// Links ended at the host: their games see it, and nothing of them is left.
    fn host_lost(&mut self, ended: Vec<Link>) {
        for link in ended {
            let number = u128::from_be_bytes(link.id().0) as u64;
            self.leftover = Some(link);
            let keys = self.sessions.keys().copied().filter(|key| key.0 == number);
            for key in keys.collect::<Vec<_>>() {
                self.sessions.get_mut(&key).unwrap().is_lost = true;
                while self.sessions[&key].ends[HOST].is_some_and(|game| !game.is_gone) {
                    self.play(key, HOST);
                }
            }
            let left = self.leftover.take().map(|link| link.channels().count());
            assert_eq!(left, Some(0), "a link that has ended keeps channels");
            self.note("ended at the host");
        }
    }

    /// A joiner whose link has ended begins another, once its games have seen it.
    fn after_joiner(&mut self) {
        if self.joiner.ended().is_none() {
            return;
        }
        self.lose_all();
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            while self.sessions[&key].ends[JOINER].is_some_and(|game| !game.is_gone) {
                self.play(key, JOINER);
            }
        }
        assert_eq!(
            self.joiner.channels().count(),
            0,
            "a link that has ended keeps channels"
        );
        self.transports.clear();
        self.link += 1;
        self.joiner = Link::new(Role::Joiner, id_of(self.link), self.limits, self.now);
        self.note("ended at the joiner");
    }

    // What must hold.

    pub fn check(&mut self) {
        self.joiner.check_invariants().unwrap();
        let link = self.link;
        if let Some(host) = self.host(link) {
            host.check_invariants().unwrap();
        }
    }

    /// From here on nothing breaks, games read what there is, and transports are made when they are
    /// needed. Everything must come to its end, and be forgotten on both sides.
    pub fn calm(&mut self) {
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            for game in self
                .sessions
                .get_mut(&key)
                .unwrap()
                .ends
                .iter_mut()
                .flatten()
            {
                game.pace = 1;
            }
        }
        for round in 0..4_000 {
            let is_carried = self
                .transports
                .iter()
                .any(|t| t.generation >= self.joiner.generation() && !t.is_cut());
            if !is_carried || (self.joiner.is_suspect(self.now) && round % 100 == 0) {
                self.connect();
            }
            self.pass_time(Duration::from_millis(10));
            self.open();
            for _ in 0..40 {
                self.carry();
                self.play_some();
            }
            if self.is_over() {
                return;
            }
        }
        let link = self.link;
        let host = format!("{:?}", self.host(link));
        panic!("no end: {:?}\n\n{:?}\n\n{host}", self.sessions, self.joiner);
    }

    fn is_over(&mut self) -> bool {
        let is_gone = |s: &Session| s.ends.iter().flatten().all(|game| game.is_gone);
        let link = self.link;
        self.to_open == 0
            && self
                .sessions
                .iter()
                .all(|(key, s)| is_gone(s) || (key.0 != link && s.is_lost))
            && self.joiner.channels().count() == 0
            && self
                .host(link)
                .is_none_or(|host| host.channels().count() == 0)
    }

    /// The joiner says goodbye.
    pub fn close(&mut self) {
        let (link, now) = (self.link, self.now);
        let generation = self.joiner.generation();
        self.lose_all();
        if let Some(host) = self.host(link) {
            let close = Frame::Close {
                code: Closed::Stopped,
                message: "",
            };
            let heard = host.on_frame(generation, close, now).unwrap();
            assert!(matches!(heard, Heard::Closed { .. } | Heard::Stale));
        }
        self.joiner.end(Closed::Stopped, now);
        self.after_joiner();
        self.note("closed");
    }
}

/// Limits so small that a few hundred bytes meet each of them.
pub fn tight_limits(rng: &mut Rng) -> LinkLimits {
    let window_first = rng.choose(&[1, 7, 100, 2_000]);
    LinkLimits {
        channel: ChannelLimits {
            kept_max: rng.choose(&[1, 64, 1_000, 100_000]),
            window_first,
            window_max: window_first * rng.choose(&[1, 4, 30]),
            grows_within: Duration::from_millis(rng.choose(&[0, 50, 1_000])),
            standing_bytes: rng.choose(&[1, 300, 100_000]),
            standing_delay: Duration::from_millis(rng.choose(&[0, 10, 100])),
        },
        channels_max: 16,
        kept_max: rng.choose(&[0, 500, 10_000]),
        window_max: window_first * rng.choose(&[4, 40]),
        ..LinkLimits::default()
    }
}
