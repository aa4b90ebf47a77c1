//! The flow table: every decision about a datagram or a flow that takes more than one of them to
//! make.
//!
//! Work per datagram is constant: two hash lookups. What must be ordered is kept in ordered sets
//! that hold exactly the live flows, so nothing stale piles up in them: the unproven flows by age
//! (ids rise with it), and the deadlines. A deadline is filed once and not moved when its flow does
//! something; when it comes up, the flow either ends or is filed again at its true deadline.

use std::collections::{BTreeSet, HashMap};
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Instant;

use super::state::Flow;
use super::{Admit, ByFlow, Direction, FlowEnd, FlowId, FlowLimits, FlowView};
use crate::counts::Counts;
use crate::ledger::{Ledger, LedgerLimits, Refusal};
use crate::prefix::Prefix;
use crate::reason::{DropReason, FlowEndReason};

/// Decides about every datagram of one UDP listener.
///
/// `now` may be any clock reading of the caller's; readings slightly out of order do no harm. All
/// memory is bounded by the [`FlowLimits`].
#[derive(Debug)]
pub struct FlowTable {
    limits: FlowLimits,
    flows: ByFlow<Flow>,
    by_player: HashMap<SocketAddr, FlowId>,
    /// Oldest first.
    unproven: BTreeSet<FlowId>,
    deadlines: BTreeSet<(Instant, FlowId)>,
    ledger: Ledger,
    drops: Counts<DropReason>,
    last_id: u64,
}

impl FlowTable {
    /// Without flows, and every rate at its burst.
    #[must_use]
    pub fn new(mut limits: FlowLimits, now: Instant) -> Self {
        // Proof may only move a deadline further away: the filed one must never be late.
        limits.idle_unproven = limits.idle_unproven.min(limits.idle);
        let ledger_limits = LedgerLimits {
            open_per_prefix: limits.flows_per_prefix,
            rate_per_prefix: limits.rate_per_prefix,
            rate: limits.rate,
            bytes_per_prefix: limits.unproven_rate_per_prefix,
            prefixes_max: limits.prefixes_max,
        };
        Self {
            limits,
            flows: ByFlow::default(),
            by_player: HashMap::new(),
            unproven: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            ledger: Ledger::new(ledger_limits, now),
            drops: Counts::default(),
            last_id: 0,
        }
    }

    /// From now on ids come after `last` as well, of another table whose flows are told of together
    /// with these.
    pub fn ids_after(&mut self, last: u64) {
        self.last_id = self.last_id.max(last);
    }

    /// A datagram of `len` payload bytes came from player `from`.
    ///
    /// `exempt` is for loopback peers and listed relays: no prefix bounds, no rates, proven from
    /// the start. It counts when the flow opens.
    pub fn on_downstream(
        &mut self,
        from: SocketAddr,
        len: usize,
        exempt: bool,
        now: Instant,
    ) -> Admit {
        let player = canonical(from);
        if let Some(&id) = self.by_player.get(&player) {
            return self.on_known(id, len, now);
        }
        let prefix = (!exempt).then(|| Prefix::of(player.ip()));
        match self.make_room(prefix, now) {
            Ok(evicted) => {
                let id = self.open(player, prefix, len, now);
                Admit::Open { id, evicted }
            }
            Err(reason) => {
                self.drops.add(reason, 1);
                Admit::Drop(reason)
            }
        }
    }

    /// Whether `player` has a flow.
    #[must_use]
    pub fn knows(&self, player: SocketAddr) -> bool {
        self.by_player.contains_key(&canonical(player))
    }

    /// The upstream socket of an opening flow is ready; its pending datagrams may go out.
    pub fn on_opened(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(&id)
            && let Some(pending) = flow.pending.take()
        {
            flow.up.datagrams += pending.datagrams;
            flow.up.bytes += pending.bytes;
        }
    }

    /// The upstream socket could not be made: the flow ends, and what waited counts as dropped
    /// (`flow-ended`). `None` if it had ended already.
    pub fn on_open_failed(&mut self, id: FlowId, now: Instant) -> Option<FlowEnd> {
        self.end(id, FlowEndReason::DialFailed, now)
    }

    /// A reply of `len` bytes came from upstream: may it go to the player, and to which address?
    ///
    /// An error is the reason to drop it, already counted: the flow has ended, or its player is
    /// unproven and has had its share. A dropped reply does not keep a flow alive.
    pub fn on_upstream(
        &mut self,
        id: FlowId,
        len: usize,
        now: Instant,
    ) -> Result<SocketAddr, DropReason> {
        let Some(flow) = self.flows.get_mut(&id) else {
            self.drops.add(DropReason::FlowEnded, 1);
            return Err(DropReason::FlowEnded);
        };
        if flow.is_unproven() {
            let affordable = flow.in_proportion(len, &self.limits)
                && flow
                    .prefix
                    .is_none_or(|prefix| self.ledger.take_bytes(prefix, len as u64, now));
            if !affordable {
                flow.dropped += 1;
                self.drops.add(DropReason::Unproven, 1);
                return Err(DropReason::Unproven);
            }
        }
        flow.down.add(len);
        flow.touch(now);
        Ok(flow.player)
    }

    /// A datagram that this table let through could not be sent after all (queue full, refused,
    /// oversize, …): it counts as dropped instead of carried. The rate it took is not given back.
    pub fn on_send_failed(
        &mut self,
        id: FlowId,
        direction: Direction,
        len: usize,
        reason: DropReason,
    ) {
        self.drops.add(reason, 1);
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.take_back(direction, len);
        }
    }

    /// The shell dropped a datagram that this table was never asked about (wrong source, oversize
    /// on receipt, …), of flow `id` if it had one.
    pub fn on_dropped(&mut self, id: Option<FlowId>, reason: DropReason) {
        self.drops.add(reason, 1);
        if let Some(flow) = id.and_then(|id| self.flows.get_mut(&id)) {
            flow.dropped += 1;
        }
    }

    /// Ends the flows that are due at `now`. Costs nothing while none is.
    pub fn expire(&mut self, now: Instant) -> Vec<FlowEnd> {
        let mut ends = Vec::new();
        while let Some(&(filed_at, id)) = self.deadlines.first()
            && filed_at <= now
        {
            self.deadlines.pop_first();
            let Some(flow) = self.flows.get_mut(&id) else {
                continue;
            };
            flow.filed_at = flow.deadline(&self.limits);
            match flow.filed_at {
                Some(deadline) if deadline <= now => {
                    ends.extend(self.end(id, FlowEndReason::Idle, now));
                }
                Some(deadline) => {
                    self.deadlines.insert((deadline, id));
                }
                None => {}
            }
        }
        ends
    }

    /// When to call [`expire`](Self::expire) next. May be early, and then nothing ends; never late.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Ends every flow that `which` names, the oldest first.
    pub fn end_those(
        &mut self,
        which: impl Fn(FlowId) -> bool,
        reason: FlowEndReason,
        now: Instant,
    ) -> Vec<FlowEnd> {
        let mut ids: Vec<FlowId> = self.flows.keys().copied().filter(|&id| which(id)).collect();
        ids.sort_unstable();
        ids.into_iter()
            .filter_map(|id| self.end(id, reason, now))
            .collect()
    }

    /// Ends every flow, the oldest first.
    pub fn end_all(&mut self, reason: FlowEndReason, now: Instant) -> Vec<FlowEnd> {
        self.end_those(|_| true, reason, now)
    }

    /// Every live flow as it is at `now`, in no order.
    pub fn views(&self, now: Instant) -> impl Iterator<Item = FlowView> + '_ {
        self.flows.iter().map(move |(&id, flow)| flow.view(id, now))
    }

    /// Flows at this moment, opening ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// No flow at this moment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Datagrams dropped by reason, so far or since they were taken.
    #[must_use]
    pub fn drops(&self) -> &Counts<DropReason> {
        &self.drops
    }

    /// The same, and counts from zero again.
    pub fn take_drops(&mut self) -> Counts<DropReason> {
        std::mem::take(&mut self.drops)
    }

    fn on_known(&mut self, id: FlowId, len: usize, now: Instant) -> Admit {
        let Some(flow) = self.flows.get_mut(&id) else {
            // Cannot be: `by_player` names live flows only. Dropping is the harmless answer.
            self.drops.add(DropReason::FlowEnded, 1);
            return Admit::Drop(DropReason::FlowEnded);
        };
        flow.touch(now);
        if flow.hear(len, self.limits.proof_datagrams) {
            self.unproven.remove(&id);
        }
        let Some(pending) = &mut flow.pending else {
            flow.up.add(len);
            return Admit::Forward(id);
        };
        let mut more = *pending;
        more.add(len);
        if more.datagrams <= self.limits.pending_max as u64
            && more.bytes <= self.limits.pending_bytes as u64
        {
            *pending = more;
            return Admit::Queue(id);
        }
        flow.dropped += 1;
        self.drops.add(DropReason::PendingFull, 1);
        Admit::Drop(DropReason::PendingFull)
    }

    /// Is there room for a flow on the account of `prefix`, and who leaves for it? All checks come
    /// before anything is paid or ended: a refused newcomer changes nothing.
    fn make_room(
        &mut self,
        prefix: Option<Prefix>,
        now: Instant,
    ) -> Result<Option<FlowEnd>, DropReason> {
        if let Some(prefix) = prefix {
            self.ledger.check(prefix, now).map_err(|why| match why {
                Refusal::PrefixFull => DropReason::PrefixFull,
                Refusal::PrefixRate => DropReason::PrefixRate,
                Refusal::TotalRate => DropReason::TotalRate,
            })?;
        }
        if self.flows.len() < self.limits.flows_max {
            return Ok(None);
        }
        let oldest = self.unproven.first().copied();
        let evicted = oldest.and_then(|id| self.end(id, FlowEndReason::Evicted, now));
        evicted.map(Some).ok_or(DropReason::FlowsFull)
    }

    fn open(
        &mut self,
        player: SocketAddr,
        prefix: Option<Prefix>,
        len: usize,
        now: Instant,
    ) -> FlowId {
        self.last_id += 1;
        let id = FlowId(self.last_id);
        let mut flow = Flow::new(player, prefix, len, now);
        if let Some(prefix) = prefix {
            self.ledger.open(prefix, now);
            self.unproven.insert(id);
        }
        flow.filed_at = flow.deadline(&self.limits);
        self.deadlines.extend(flow.filed_at.map(|at| (at, id)));
        self.by_player.insert(player, id);
        self.flows.insert(id, flow);
        id
    }

    /// The one way out: takes the flow off every list.
    fn end(&mut self, id: FlowId, reason: FlowEndReason, now: Instant) -> Option<FlowEnd> {
        let flow = self.flows.remove(&id)?;
        self.by_player.remove(&flow.player);
        self.unproven.remove(&id);
        if let Some(filed_at) = flow.filed_at {
            self.deadlines.remove(&(filed_at, id));
        }
        if let Some(prefix) = flow.prefix {
            self.ledger.close(prefix);
        }
        if let Some(pending) = flow.pending {
            self.drops.add(DropReason::FlowEnded, pending.datagrams);
        }
        Some(flow.into_end(id, reason, now))
    }

    /// Checks that every list agrees with every other and with the bounds. For tests and fuzzing:
    /// looks at all there is.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        let mut open = HashMap::new();
        for (id, flow) in &self.flows {
            if self.by_player.get(&flow.player) != Some(id) {
                return Err("a flow is not found by its player");
            }
            if flow.player != canonical(flow.player) {
                return Err("a player has two names");
            }
            if flow.is_unproven() != self.unproven.contains(id) {
                return Err("the unproven flows are not listed as such");
            }
            let filed = flow
                .filed_at
                .is_some_and(|at| self.deadlines.contains(&(at, *id)));
            if filed != flow.filed_at.is_some() {
                return Err("a flow is not filed where it says");
            }
            if let Some(deadline) = flow.deadline(&self.limits)
                && flow.filed_at.is_none_or(|at| at > deadline)
            {
                return Err("a deadline is filed late");
            }
            if !flow.in_proportion(0, &self.limits) {
                return Err("an unproven player was sent more than its share");
            }
            if let Some(pending) = flow.pending
                && pending.datagrams > 1
                && (pending.datagrams > self.limits.pending_max as u64
                    || pending.bytes > self.limits.pending_bytes as u64)
            {
                return Err("too much waits");
            }
            if let Some(prefix) = flow.prefix {
                *open.entry(prefix).or_insert(0) += 1;
            }
        }
        if self.flows.len() > self.limits.flows_max || self.by_player.len() != self.flows.len() {
            return Err("too many flows, or a player without one");
        }
        if self.unproven.len() > self.flows.len() || self.deadlines.len() > self.flows.len() {
            return Err("a list names flows that have ended");
        }
        self.ledger.check_invariants(&open)
    }
}

/// One spelling per player: v4-mapped addresses are IPv4 (a dual-stack socket reports them so), and
/// the flow label, which may change from datagram to datagram, is no part of who sent it.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
    }
}
