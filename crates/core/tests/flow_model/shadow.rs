//! What a flow table should do, written down a second time and as plainly as possible: a list of
//! flows, each with a list of all its datagrams, searched from end to end for every question.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use via6_core::flow::{Direction, FlowEnd, FlowLimits};
use via6_core::reason::{DropReason, FlowEndReason};

use super::accounts::{Account, Bucket, Household, household};

#[derive(Debug, PartialEq)]
pub enum Verdict {
    Open(u64),
    Forward(u64),
    Queue(u64),
    Drop(DropReason),
}

#[derive(Debug, PartialEq)]
pub struct End {
    pub id: u64,
    pub player: SocketAddr,
    pub reason: FlowEndReason,
    pub up: (u64, u64),
    pub down: (u64, u64),
    pub dropped: u64,
    pub duration: Duration,
}

impl From<FlowEnd> for End {
    fn from(end: FlowEnd) -> Self {
        Self {
            id: end.id.into(),
            player: end.player,
            reason: end.reason,
            up: (end.datagrams_up, end.bytes_up),
            down: (end.datagrams_down, end.bytes_down),
            dropped: end.dropped,
            duration: end.duration,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Carried,
    Waiting,
    Dropped,
}

struct Datagram {
    at: Instant,
    direction: Direction,
    len: usize,
    fate: Fate,
    /// It came while a reply of ours stood as sent.
    answers_reply: bool,
    /// Dropped replies do not keep a flow alive.
    is_activity: bool,
}

struct Flow {
    id: u64,
    player: SocketAddr,
    household: Option<Household>,
    is_open: bool,
    proven: bool,
    opened_at: Instant,
    datagrams: Vec<Datagram>,
    dropped_by_shell: u64,
}

impl Flow {
    fn add(&mut self, at: Instant, direction: Direction, len: usize, fate: Fate) {
        let (replies, _) = self.sum(Direction::Down, Fate::Carried);
        self.datagrams.push(Datagram {
            at,
            direction,
            len,
            fate,
            answers_reply: direction == Direction::Up && replies > 0,
            is_activity: direction == Direction::Up || fate == Fate::Carried,
        });
    }

    fn sum(&self, direction: Direction, fate: Fate) -> (u64, u64) {
        let matching = self
            .datagrams
            .iter()
            .filter(|d| d.direction == direction && d.fate == fate);
        matching.fold((0, 0), |(n, bytes), d| (n + 1, bytes + d.len as u64))
    }

    fn received(&self) -> u64 {
        let up = self
            .datagrams
            .iter()
            .filter(|d| d.direction == Direction::Up);
        up.map(|d| d.len as u64).sum()
    }

    fn deadline(&self, limits: &FlowLimits) -> Instant {
        let active = self.datagrams.iter().filter(|d| d.is_activity);
        let last = active.map(|d| d.at).max().unwrap();
        if self.proven {
            last + limits.idle
        } else {
            last + limits.idle_unproven.min(limits.idle)
        }
    }
}

pub struct Shadow {
    limits: FlowLimits,
    flows: Vec<Flow>,
    opened_so_far: u64,
    accounts: Vec<Account>,
    total: Bucket,
    drops: Vec<DropReason>,
    pub proven_so_far: u64,
    pub forgotten_so_far: u64,
}

impl Shadow {
    pub fn new(limits: FlowLimits, now: Instant) -> Self {
        Self {
            limits,
            flows: Vec::new(),
            opened_so_far: 0,
            accounts: Vec::new(),
            total: Bucket::new(limits.rate, now),
            drops: Vec::new(),
            proven_so_far: 0,
            forgotten_so_far: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.flows.len()
    }

    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops.iter().filter(|r| **r == reason).count() as u64
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.flows.iter().map(|f| f.deadline(&self.limits)).min()
    }

    pub fn datagram(
        &mut self,
        from: SocketAddr,
        len: usize,
        exempt: bool,
        now: Instant,
    ) -> (Verdict, Option<End>) {
        let player = plain(from);
        if let Some(index) = self.flows.iter().position(|f| f.player == player) {
            return (self.known(index, len, now), None);
        }
        let household = (!exempt).then(|| household(player.ip()));
        if let Some(reason) = self.refusal(household, now) {
            self.drops.push(reason);
            return (Verdict::Drop(reason), None);
        }
        let full = self.flows.len() >= self.limits.flows_max;
        let unproven = self.flows.iter().filter(|f| !f.proven);
        let oldest = unproven.map(|f| f.id).min().filter(|_| full);
        let end = oldest.and_then(|id| self.end(id, FlowEndReason::Evicted, now));
        (self.open(player, household, len, now), end)
    }

    fn refusal(&self, household: Option<Household>, now: Instant) -> Option<DropReason> {
        if let Some(household) = household {
            let same = self.flows.iter().filter(|f| f.household == Some(household));
            if same.count() >= self.limits.flows_per_prefix as usize {
                return Some(DropReason::PrefixFull);
            }
            let fresh = Bucket::new(self.limits.rate_per_prefix, now);
            let account = self.accounts.iter().find(|a| a.household == household);
            if !account.map_or(&fresh, |a| &a.openings).has(1, now) {
                return Some(DropReason::PrefixRate);
            }
            if !self.total.has(1, now) {
                return Some(DropReason::TotalRate);
            }
        }
        let full = self.flows.len() >= self.limits.flows_max;
        (full && self.flows.iter().all(|f| f.proven)).then_some(DropReason::FlowsFull)
    }

    fn open(
        &mut self,
        player: SocketAddr,
        household: Option<Household>,
        len: usize,
        now: Instant,
    ) -> Verdict {
        if let Some(household) = household {
            self.total.take(1, now);
            if !self.accounts.iter().any(|a| a.household == household) {
                self.accounts.push(Account {
                    household,
                    openings: Bucket::new(self.limits.rate_per_prefix, now),
                    bytes: Bucket::new(self.limits.unproven_rate_per_prefix, now),
                });
            }
            self.account(household).openings.take(1, now);
        }
        self.opened_so_far += 1;
        let mut flow = Flow {
            id: self.opened_so_far,
            player,
            household,
            is_open: false,
            proven: household.is_none(),
            opened_at: now,
            datagrams: Vec::new(),
            dropped_by_shell: 0,
        };
        flow.add(now, Direction::Up, len, Fate::Waiting);
        self.flows.push(flow);
        Verdict::Open(self.opened_so_far)
    }

    fn known(&mut self, index: usize, len: usize, now: Instant) -> Verdict {
        let flow = &mut self.flows[index];
        let (waiting, bytes) = flow.sum(Direction::Up, Fate::Waiting);
        let fits = waiting < self.limits.pending_max as u64
            && bytes + len as u64 <= self.limits.pending_bytes as u64;
        let (verdict, fate) = match (flow.is_open, fits) {
            (true, _) => (Verdict::Forward(flow.id), Fate::Carried),
            (false, true) => (Verdict::Queue(flow.id), Fate::Waiting),
            (false, false) => (Verdict::Drop(DropReason::PendingFull), Fate::Dropped),
        };
        flow.add(now, Direction::Up, len, fate);
        let answers = flow.datagrams.iter().filter(|d| d.answers_reply).count();
        if !flow.proven && answers > 0 && answers >= self.limits.proof_datagrams as usize {
            flow.proven = true;
            self.proven_so_far += 1;
        }
        if fate == Fate::Dropped {
            self.drops.push(DropReason::PendingFull);
        }
        verdict
    }

    pub fn opened(&mut self, id: u64) {
        for flow in self.flows.iter_mut().filter(|f| f.id == id) {
            flow.is_open = true;
            for datagram in flow
                .datagrams
                .iter_mut()
                .filter(|d| d.fate == Fate::Waiting)
            {
                datagram.fate = Fate::Carried;
            }
        }
    }

    pub fn reply(&mut self, id: u64, len: usize, now: Instant) -> Result<SocketAddr, DropReason> {
        let Some(index) = self.flows.iter().position(|f| f.id == id) else {
            self.drops.push(DropReason::FlowEnded);
            return Err(DropReason::FlowEnded);
        };
        let flow = &self.flows[index];
        let (_, sent) = flow.sum(Direction::Down, Fate::Carried);
        let most = flow.received() * self.limits.unproven_factor + self.limits.unproven_allowance;
        let mut allowed = true;
        if let (false, Some(household)) = (flow.proven, flow.household) {
            allowed = sent + len as u64 <= most && self.account(household).bytes.has(len, now);
            if allowed {
                self.account(household).bytes.take(len, now);
            }
        }
        let flow = &mut self.flows[index];
        if allowed {
            flow.add(now, Direction::Down, len, Fate::Carried);
            Ok(flow.player)
        } else {
            flow.add(now, Direction::Down, len, Fate::Dropped);
            self.drops.push(DropReason::Unproven);
            Err(DropReason::Unproven)
        }
    }

    pub fn send_failed(&mut self, id: u64, direction: Direction, len: usize, reason: DropReason) {
        self.drops.push(reason);
        let Some(flow) = self.flows.iter_mut().find(|f| f.id == id) else {
            return;
        };
        let failed = flow
            .datagrams
            .iter_mut()
            .find(|d| d.direction == direction && d.len == len && d.fate != Fate::Dropped);
        failed.unwrap().fate = Fate::Dropped;
        if flow.sum(Direction::Down, Fate::Carried).0 == 0 {
            for datagram in &mut flow.datagrams {
                datagram.answers_reply = false;
            }
        }
    }

    pub fn dropped(&mut self, id: Option<u64>, reason: DropReason) {
        self.drops.push(reason);
        for flow in self.flows.iter_mut().filter(|f| Some(f.id) == id) {
            flow.dropped_by_shell += 1;
        }
    }

    pub fn expire(&mut self, now: Instant) -> Vec<End> {
        let due = self
            .flows
            .iter()
            .filter(|f| f.deadline(&self.limits) <= now);
        let ids: Vec<u64> = due.map(|f| f.id).collect();
        ids.iter()
            .filter_map(|id| self.end(*id, FlowEndReason::Idle, now))
            .collect()
    }

    pub fn end_all(&mut self, now: Instant) -> Vec<End> {
        let ids: Vec<u64> = self.flows.iter().map(|f| f.id).collect();
        ids.iter()
            .filter_map(|id| self.end(*id, FlowEndReason::Stopped, now))
            .collect()
    }

    pub fn end(&mut self, id: u64, reason: FlowEndReason, now: Instant) -> Option<End> {
        let index = self.flows.iter().position(|f| f.id == id)?;
        let flow = self.flows.remove(index);
        let (waiting, _) = flow.sum(Direction::Up, Fate::Waiting);
        for _ in 0..waiting {
            self.drops.push(DropReason::FlowEnded);
        }
        let [refused_up, refused_down] =
            [Direction::Up, Direction::Down].map(|d| flow.sum(d, Fate::Dropped).0);
        self.forget();
        Some(End {
            id,
            player: flow.player,
            reason,
            up: flow.sum(Direction::Up, Fate::Carried),
            down: flow.sum(Direction::Down, Fate::Carried),
            dropped: waiting + refused_up + refused_down + flow.dropped_by_shell,
            duration: now
                .checked_duration_since(flow.opened_at)
                .unwrap_or_default(),
        })
    }

    fn forget(&mut self) {
        let has_flow = |a: &Account| self.flows.iter().any(|f| f.household == Some(a.household));
        let quiet: Vec<_> = self.accounts.iter().filter(|a| !has_flow(a)).collect();
        if quiet.len() > self.limits.prefixes_max {
            let least = quiet.iter().map(|a| a.worth()).min().unwrap();
            self.accounts.retain(|a| a.household != least.1);
            self.forgotten_so_far += 1;
        }
    }

    fn account(&mut self, household: Household) -> &mut Account {
        self.accounts
            .iter_mut()
            .find(|a| a.household == household)
            .unwrap()
    }
}

fn plain(from: SocketAddr) -> SocketAddr {
    let ip = from.ip().to_canonical();
    match from {
        SocketAddr::V6(v6) if ip.is_ipv6() => {
            let mut plain = v6;
            plain.set_flowinfo(0);
            plain.into()
        }
        _ => SocketAddr::new(ip, from.port()),
    }
}
