//! A flow table beside its shadow model: every operation goes to both, and every answer must agree.
//!
//! Used by the simulation (operations from a random generator), by the fuzz target `flow_ops`
//! (operations decoded from bytes) and by the replay of its corpus. [`Op`] is all a shell can do.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "several test programs include this, and each uses a part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: failing is its purpose"
)]

mod accounts;
pub mod rng;
mod shadow;

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use via6_core::flow::{Admit, Direction, FlowEnd, FlowId, FlowLimits, FlowTable};
use via6_core::reason::{DropReason, FlowEndReason};

use shadow::{End, Shadow, Verdict};

/// One of a few thousand players, under one of the spellings that a socket may report.
#[derive(Clone, Copy, Debug)]
pub struct Player {
    pub household: u8,
    pub host: u8,
    pub spelling: u8,
}

impl Player {
    /// Household 0 is this machine, and exempt; 1 and 2 are IPv4; 3 is link-local; the others have
    /// a global /64 each.
    pub fn address(self) -> (SocketAddr, bool) {
        let Self {
            household, host, ..
        } = self;
        let port = 1024 + u16::from(host % 7);
        let flow_label = u32::from(self.spelling % 3);
        let v6 = |ip: Ipv6Addr, scope| SocketAddrV6::new(ip, port, flow_label, scope).into();
        let v4 = |ip: Ipv4Addr| match self.spelling % 2 {
            0 => SocketAddr::new(IpAddr::V4(ip), port),
            _ => v6(ip.to_ipv6_mapped(), 0),
        };
        match household {
            0 if host % 2 == 0 => (v6(Ipv6Addr::LOCALHOST, 0), true),
            0 => (v4(Ipv4Addr::LOCALHOST), true),
            1 | 2 => (v4(Ipv4Addr::new(192, 0, 2, household)), false),
            3 => {
                let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host / 2));
                (v6(ip, u32::from(host % 2) + 1), false)
            }
            _ => {
                let network = u16::from(household);
                let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, u16::from(host));
                (v6(ip, 0), false)
            }
        }
    }
}

/// What a shell can do to a flow table. `pick` chooses among what the run has seen so far: flows,
/// ended ones included, or datagrams that were let through.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Datagram {
        player: Player,
        len: u16,
    },
    Opened {
        pick: u16,
    },
    OpenFailed {
        pick: u16,
    },
    Reply {
        pick: u16,
        len: u16,
    },
    SendFailed {
        pick: u16,
        reason: u8,
    },
    Dropped {
        pick: u16,
        reason: u8,
    },
    Advance {
        by: Duration,
    },
    /// The next operation reads a clock that is this much behind.
    Skew {
        by: Duration,
    },
    Expire,
    /// Advances to the next deadline, and not a nanosecond further, then expires.
    ExpireNext,
    EndAll,
}

/// How often a run saw each kind of answer: a simulation that never evicts proves nothing about
/// evicting.
pub type Seen = BTreeMap<String, u64>;

pub fn assert_saw_every_kind(seen: &Seen, at_least: u64) {
    let kinds = [
        "Open",
        "Forward",
        "Queue",
        "Reply",
        "Drop(FlowsFull)",
        "Drop(PrefixFull)",
        "Drop(PrefixRate)",
        "Drop(TotalRate)",
        "Drop(PendingFull)",
        "Drop(Unproven)",
        "Drop(FlowEnded)",
        "Idle",
        "Evicted",
        "DialFailed",
        "Stopped",
        "Proven",
        "Forgotten",
    ];
    for kind in kinds {
        let count = seen.get(kind).copied().unwrap_or(0);
        assert!(count >= at_least, "{kind} came {count} times: {seen:?}");
    }
}

/// Flows, and datagrams let through, that `pick` may mean: the last so many. Few enough that most
/// of the flows are still there.
const REMEMBERED: usize = 12;

/// A table, its shadow and a clock.
pub struct Pair {
    table: FlowTable,
    shadow: Shadow,
    start: Instant,
    now: Instant,
    skew: Duration,
    ids: Vec<FlowId>,
    carried: Vec<(FlowId, Direction, u16)>,
    transcript: DefaultHasher,
    seen: Seen,
}

impl Pair {
    pub fn new(limits: FlowLimits) -> Self {
        let start = clock();
        Self {
            table: FlowTable::new(limits, start),
            shadow: Shadow::new(limits, start),
            start,
            now: start,
            skew: Duration::ZERO,
            ids: Vec::new(),
            carried: Vec::new(),
            transcript: DefaultHasher::new(),
            seen: Seen::new(),
        }
    }

    /// Does `op` to both and panics if they differ in anything.
    pub fn apply(&mut self, op: Op) {
        let now = self.now.checked_sub(self.skew).unwrap().max(self.start);
        self.skew = Duration::ZERO;
        match op {
            Op::Datagram { player, len } => self.datagram(player, len, now),
            Op::Reply { pick, len } => self.reply(pick, len, now),
            Op::SendFailed { pick, reason } => self.send_failed(pick, reason),
            Op::Dropped { pick, reason } => {
                let reason = DropReason::ALL[usize::from(reason) % DropReason::ALL.len()];
                let id = (pick % 4 > 0).then(|| self.pick(pick)).flatten();
                self.table.on_dropped(id, reason);
                self.shadow.dropped(id.map(u64::from), reason);
            }
            Op::Opened { pick } => {
                if let Some(id) = self.pick(pick) {
                    self.table.on_opened(id);
                    self.shadow.opened(id.into());
                }
            }
            Op::OpenFailed { pick } => {
                if let Some(id) = self.pick(pick) {
                    let end = self.table.on_open_failed(id, now);
                    let expected = self.shadow.end(id.into(), FlowEndReason::DialFailed, now);
                    self.compare_ends(end.into_iter().collect(), expected.as_slice());
                }
            }
            Op::Advance { by } => self.now += by,
            Op::Skew { by } => self.skew = by,
            Op::Expire => self.expire(),
            Op::ExpireNext => {
                if let Some(at) = self.table.next_deadline() {
                    self.now = self.now.max(at);
                    self.expire();
                }
            }
            Op::EndAll => {
                let ends = self.table.end_all(FlowEndReason::Stopped, now);
                assert!(ends.is_sorted_by_key(|end| end.id), "the oldest first");
                let expected = self.shadow.end_all(now);
                self.compare_ends(ends, &expected);
                assert!(self.table.is_empty());
            }
        }
        self.compare_totals();
    }

    /// How often each kind of answer came, and a number that stands for all of them in order.
    pub fn finish(mut self) -> (Seen, u64) {
        self.seen
            .insert("Proven".to_owned(), self.shadow.proven_so_far);
        self.seen
            .insert("Forgotten".to_owned(), self.shadow.forgotten_so_far);
        (self.seen, self.transcript.finish())
    }

    fn datagram(&mut self, player: Player, len: u16, now: Instant) {
        let (from, exempt) = player.address();
        let admit = self.table.on_downstream(from, len.into(), exempt, now);
        let (expected, end) = self.shadow.datagram(from, len.into(), exempt, now);
        let (verdict, id, evicted) = match admit {
            Admit::Open { id, evicted } => {
                self.ids.push(id);
                (Verdict::Open(id.into()), Some(id), evicted)
            }
            Admit::Forward(id) => (Verdict::Forward(id.into()), Some(id), None),
            Admit::Queue(id) => (Verdict::Queue(id.into()), Some(id), None),
            Admit::Drop(reason) => (Verdict::Drop(reason), None, None),
        };
        assert_eq!(verdict, expected);
        self.note(&format!("{verdict:?}"));
        self.compare_ends(evicted.into_iter().collect(), end.as_slice());
        if let Some(id) = id {
            self.remember(id, Direction::Up, len);
        }
    }

    fn reply(&mut self, pick: u16, len: u16, now: Instant) {
        let Some(id) = self.pick(pick) else { return };
        let answer = self.table.on_upstream(id, len.into(), now);
        assert_eq!(answer, self.shadow.reply(id.into(), len.into(), now));
        self.note(&match answer {
            Ok(to) => format!("Reply({to})"),
            Err(reason) => format!("Drop({reason:?})"),
        });
        if answer.is_ok() {
            self.remember(id, Direction::Down, len);
        }
    }

    fn send_failed(&mut self, pick: u16, reason: u8) {
        if self.carried.is_empty() {
            return;
        }
        let index = usize::from(pick) % self.carried.len();
        let (id, direction, len) = self.carried.remove(index);
        let reason = DropReason::ALL[usize::from(reason) % DropReason::ALL.len()];
        self.table.on_send_failed(id, direction, len.into(), reason);
        self.shadow
            .send_failed(id.into(), direction, len.into(), reason);
    }

    fn expire(&mut self) {
        let ends = self.table.expire(self.now);
        let expected = self.shadow.expire(self.now);
        self.compare_ends(ends, &expected);
        let next = self.table.next_deadline();
        assert!(
            next.is_none_or(|at| at > self.now),
            "would expire in a loop"
        );
    }

    fn compare_ends(&mut self, mut ends: Vec<FlowEnd>, expected: &[End]) {
        ends.sort_by_key(|end| end.id);
        let ends: Vec<End> = ends.into_iter().map(End::from).collect();
        assert_eq!(ends, expected);
        for end in ends {
            self.note(&format!("{:?} {end:?}", end.reason));
        }
    }

    fn compare_totals(&self) {
        if let Err(broken) = self.table.check_invariants() {
            panic!("{broken}");
        }
        assert_eq!(self.table.len(), self.shadow.len());
        let mut total = 0;
        for reason in DropReason::ALL {
            let count = self.table.drops().get(*reason);
            assert_eq!(count, self.shadow.drops(*reason), "{reason}");
            total += count;
        }
        assert_eq!(self.table.drops().total(), total);
        match (self.table.next_deadline(), self.shadow.next_deadline()) {
            (None, None) => {}
            (Some(early), Some(due)) => assert!(early <= due, "a deadline is late"),
            (table, shadow) => panic!("deadlines: {table:?}, expected {shadow:?}"),
        }
    }

    /// Counts the answer by its first word, and adds all of it to the transcript.
    fn note(&mut self, answer: &str) {
        answer.hash(&mut self.transcript);
        let is_drop = answer.starts_with("Drop");
        let kind = answer.split(|c: char| !c.is_alphanumeric()).next();
        let kind = if is_drop { answer } else { kind.unwrap_or("") };
        *self.seen.entry(kind.to_owned()).or_default() += 1;
    }

    fn pick(&self, pick: u16) -> Option<FlowId> {
        let recent = &self.ids[self.ids.len().saturating_sub(REMEMBERED)..];
        (!recent.is_empty()).then(|| recent[usize::from(pick) % recent.len()])
    }

    fn remember(&mut self, id: FlowId, direction: Direction, len: u16) {
        if self.carried.len() == REMEMBERED {
            self.carried.remove(0);
        }
        self.carried.push((id, direction, len));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other beginning"
)]
pub fn clock() -> Instant {
    Instant::now()
}
