//! The link as its own side sees it: opening channels, the games' bytes, time, and the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::watch::Watch;
use super::{LinkLimits, Role};
use crate::channel::{Channel, End};
use crate::frame::{ChannelId, Closed, LinkId, Reset, ServiceId};

/// A channel, and what the link knows of it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Slot {
    pub(super) channel: Channel,
    pub(super) service: ServiceId,
    /// The host is known to have it.
    pub(super) is_opened: bool,
    pub(super) gate: Gate,
    /// The game's socket is gone, and nobody asks any more.
    is_released: bool,
}

impl Slot {
    pub(super) fn has_something(&self, now: Instant) -> bool {
        !self.channel.is_forgotten()
            && match self.gate {
                Gate::Open => self.channel.has_something(now),
                Gate::NeedsOpen => true,
                Gate::Waits => false,
            }
    }
}

/// May frames of a channel be sent on this transport?
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Gate {
    Open,
    /// After OPEN (joiner).
    NeedsOpen,
    /// Not before the joiner has said which stream is the channel's (host).
    Waits,
}

/// An answer about a channel that is not, or no longer, known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Answer {
    Refused(Reset),
    Done,
}

/// One end of a sealed link.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Link {
    pub(super) id: LinkId,
    pub(super) role: Role,
    pub(super) limits: LinkLimits,
    /// Of the transport that carries it, or did last; 0: none yet.
    pub(super) generation: u64,
    /// The first, at the host.
    pub(super) since: u64,
    /// The highest that was asked for (joiner).
    pub(super) tried: u64,
    pub(super) is_attached: bool,
    pub(super) ended: Option<Closed>,
    pub(super) slots: BTreeMap<ChannelId, Slot>,
    pub(super) next_channel: u32,
    pub(super) watch: Watch,
    pub(super) pong: Option<u64>,
    pub(super) answers: BTreeMap<ChannelId, Answer>,
    /// Channels that may have something to send.
    pub(super) ready: BTreeSet<ChannelId>,
    /// Channels that something came for.
    pub(super) touched: BTreeSet<ChannelId>,
    /// Who had the last turn: small, bulk.
    pub(super) turns: [Option<ChannelId>; 2],
    pub(super) small_run: u32,
    /// No standing is due before.
    pub(super) tell_at: Option<Instant>,
    /// Sessions that have ended since the word of it went to the other side.
    pub(super) untold_ends: usize,
    kept: usize,
    window: usize,
    /// Its part of what a host has for all links.
    share: usize,
}

impl Link {
    /// A link without channels and without a transport.
    #[must_use]
    pub fn new(role: Role, id: LinkId, limits: LinkLimits, now: Instant) -> Self {
        Self {
            id,
            role,
            limits,
            generation: 0,
            since: 0,
            tried: 0,
            is_attached: false,
            ended: None,
            slots: BTreeMap::new(),
            next_channel: 0,
            watch: Watch::new(now),
            pong: None,
            answers: BTreeMap::new(),
            ready: BTreeSet::new(),
            touched: BTreeSet::new(),
            turns: [None; 2],
            small_run: 0,
            tell_at: None,
            untold_ends: 0,
            kept: 0,
            window: 0,
            share: usize::MAX,
        }
    }

    /// Names the link.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Of the transport that carries it, or did last; 0: none yet.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The host said how long it holds.
    pub fn set_hold(&mut self, hold: Duration) {
        self.limits.hold = hold;
    }

    /// How much all channels together may keep, and receive ahead of the games, from here on. What was granted
    /// is not taken back.
    pub(super) fn set_share(&mut self, bytes: usize) {
        self.share = bytes;
    }

    // Channels.

    /// A game connected (joiner). `None` if there are too many channels, or the link is over.
    pub fn open(&mut self, service: ServiceId, now: Instant) -> Option<ChannelId> {
        let id = ChannelId(self.next_channel);
        let is_free = self.role == Role::Joiner && self.ended.is_none() && self.has_room();
        self.next_channel = self.next_channel.checked_add(1).filter(|_| is_free)?;
        self.insert(id, service, now);
        Some(id)
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.limits.channels_max
    }

    pub(super) fn insert(&mut self, id: ChannelId, service: ServiceId, now: Instant) {
        let is_host = self.role == Role::Host;
        let channel = Channel::new(id, self.limits.channel);
        self.window += channel.window();
        let slot = Slot {
            channel,
            service,
            is_opened: is_host,
            gate: if is_host { Gate::Open } else { Gate::NeedsOpen },
            is_released: false,
        };
        self.slots.insert(id, slot);
        self.ready.insert(id);
        self.watch.set_active(true, now);
    }

    /// How many bytes of the game the channel takes now. 0: do not read its socket.
    #[must_use]
    pub fn can_take(&self, id: ChannelId) -> usize {
        let Some(slot) = self.slots.get(&id) else {
            return 0;
        };
        let shared = self
            .limits
            .kept_max
            .min(self.share)
            .saturating_sub(self.kept);
        let own = self
            .limits
            .channel
            .window_first
            .saturating_sub(slot.channel.kept());
        slot.channel.can_take().min(shared.max(own))
    }

    /// Takes bytes of the game, at most [`can_take`](Self::can_take); how many.
    pub fn take(&mut self, id: ChannelId, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.can_take(id));
        let bytes = bytes.get(..count).unwrap_or_default();
        self.with(id, |slot| slot.channel.take(bytes))
            .unwrap_or_default()
    }

    /// The game has ended its direction.
    pub fn finish(&mut self, id: ChannelId) {
        self.with(id, |slot| slot.channel.finish());
    }

    /// The game's connection broke; all it had sent was taken.
    pub fn reset(&mut self, id: ChannelId, code: Reset) {
        self.with(id, |slot| slot.channel.reset(code));
    }

    /// The same, giving up what was never sent.
    pub fn abort(&mut self, id: ChannelId, code: Reset) {
        self.with(id, |slot| slot.channel.abort(code));
    }

    /// A channel that was just opened is not taken (host). Nothing is kept of it.
    pub fn refuse(&mut self, id: ChannelId, code: Reset, now: Instant) {
        if self.role == Role::Host && code.is_refusal() && self.slots.contains_key(&id) {
            self.remove(id, now);
            self.answers.insert(id, Answer::Refused(code));
        }
    }

    /// Bytes that the other side does not have yet. While a session that broke is flushed, this sinks; if
    /// it does not, [`abort`](Self::abort) is what is left.
    #[must_use]
    pub fn kept(&self, id: ChannelId) -> usize {
        self.slots.get(&id).map_or(0, |slot| slot.channel.kept())
    }

    /// Bytes for the game, in two pieces.
    #[must_use]
    pub fn readable(&self, id: ChannelId) -> [&[u8]; 2] {
        self.slots
            .get(&id)
            .map_or([&[], &[]], |slot| slot.channel.readable())
    }

    /// The game took `count` of them.
    pub fn taken(&mut self, id: ChannelId, count: usize, now: Instant) {
        let may_grow = self
            .limits
            .window_max
            .min(self.share)
            .saturating_sub(self.window);
        self.with(id, |slot| slot.channel.taken(count, may_grow, now));
    }

    /// How the direction to the game ended, once everything before it was taken.
    #[must_use]
    pub fn end_of(&self, id: ChannelId) -> Option<End> {
        self.slots.get(&id)?.channel.end()
    }

    /// The session is over for one side or the other, whatever is still to be read: nothing more can be sent.
    #[must_use]
    pub fn is_broken(&self, id: ChannelId) -> bool {
        self.slots
            .get(&id)
            .is_none_or(|slot| slot.channel.is_broken())
    }

    /// Neither side says anything more about it.
    #[must_use]
    pub fn is_forgotten(&self, id: ChannelId) -> bool {
        self.slots
            .get(&id)
            .is_none_or(|slot| slot.channel.is_forgotten())
    }

    /// It is answered that there is no such channel.
    #[must_use]
    pub fn has_answer(&self, id: ChannelId) -> bool {
        self.answers.contains_key(&id)
    }

    /// There is something to send on it, and a transport to send it.
    #[must_use]
    pub fn has_turn(&self, id: ChannelId, now: Instant) -> bool {
        self.is_attached
            && self
                .slots
                .get(&id)
                .is_some_and(|slot| slot.has_something(now))
    }

    /// Nothing carries it.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        !self.is_attached
    }

    /// The game's socket is gone. The channel goes when the other side knows how it ended.
    pub fn release(&mut self, id: ChannelId, now: Instant) {
        self.with(id, |slot| {
            slot.channel.release();
            slot.is_released = true;
        });
        self.sweep(id, now);
    }

    /// A channel that something came for since it was last asked about: bytes, room, an end.
    pub fn next_touched(&mut self) -> Option<ChannelId> {
        self.touched.pop_first()
    }

    /// Channels that are not gone yet.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.slots.keys().copied()
    }

    /// Does something with a channel, and keeps the sums and lists right.
    pub(super) fn with<T>(&mut self, id: ChannelId, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.slots.get_mut(&id)?;
        let before = (slot.channel.kept(), slot.channel.window());
        let done = act(slot);
        self.kept = self.kept + slot.channel.kept() - before.0;
        self.window = self.window + slot.channel.window() - before.1;
        self.ready.insert(id);
        Some(done)
    }

    /// Removes a channel that nobody needs any more.
    pub(super) fn sweep(&mut self, id: ChannelId, now: Instant) {
        let is_over = |slot: &Slot| slot.is_released && slot.channel.is_forgotten();
        if self.slots.get(&id).is_some_and(is_over) {
            self.remove(id, now);
        }
    }

    fn remove(&mut self, id: ChannelId, now: Instant) {
        if let Some(slot) = self.slots.remove(&id) {
            self.kept -= slot.channel.kept();
            self.window -= slot.channel.window();
        }
        self.ready.remove(&id);
        self.touched.remove(&id);
        self.watch.set_active(!self.slots.is_empty(), now);
    }

    /// The other side does not know these channels, or is gone.
    pub(super) fn lose(&mut self, ids: &[ChannelId], now: Instant) {
        for &id in ids {
            self.with(id, |slot| slot.channel.lose(Reset::Stopped));
            self.touched.insert(id);
            self.sweep(id, now);
        }
    }

    // Time and ends.

    /// Nothing was heard for a while, or nothing carries it: time for a new transport, and no
    /// obstacle to another link of the same identity.
    #[must_use]
    pub fn is_suspect(&self, now: Instant) -> bool {
        !self.is_attached || self.watch.is_suspect(&self.limits, now)
    }

    /// Acts on what is due. When nothing was heard for the hold time, the link ends.
    pub fn on_time(&mut self, now: Instant) {
        if self.watch.is_dead(&self.limits, now) {
            self.end(Closed::Hold, now);
        }
        if self.tell_at.is_some_and(|at| at <= now) {
            // They all fit one packet.
            self.tell_ends(now);
            let due = self
                .slots
                .iter()
                .filter(|(_, slot)| slot.has_something(now));
            self.ready.extend(due.map(|(id, _)| *id));
            let later = self
                .slots
                .values()
                .filter_map(|slot| slot.channel.deadline());
            self.tell_at = later.filter(|at| *at > now).min();
        }
    }

    /// Tells of all ends that would still wait.
    pub(super) fn tell_ends(&mut self, now: Instant) {
        self.untold_ends = 0;
        for (id, slot) in &mut self.slots {
            if slot.channel.hurry(now) {
                self.ready.insert(*id);
            }
        }
    }

    /// When to call [`on_time`](Self::on_time) and [`transmit`](Self::transmit) next. `None` when it has
    /// ended.
    #[must_use]
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let pings = self.role == Role::Joiner && self.is_attached;
        let watch = self.watch.deadline(&self.limits, pings, now);
        let tell_at = self.tell_at.filter(|_| self.is_attached);
        [watch, tell_at]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| self.ended.is_none())
    }

    /// Ends the link: every game gets a reset. The first reason counts.
    pub fn end(&mut self, why: Closed, now: Instant) {
        if self.ended.is_none() {
            self.ended = Some(why);
            self.is_attached = false;
            self.answers.clear();
            let all: Vec<_> = self.slots.keys().copied().collect();
            self.lose(&all, now);
        }
    }

    /// Why it ended.
    #[must_use]
    pub fn ended(&self) -> Option<Closed> {
        self.ended
    }

    /// Checks what must always hold. For tests: looks at all there is.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        let (mut kept, mut window) = (0, 0);
        for slot in self.slots.values() {
            slot.channel.check_invariants()?;
            kept += slot.channel.kept();
            window += slot.channel.window();
        }
        if (kept, window) != (self.kept, self.window) {
            return Err("a sum over the channels is wrong");
        }
        let first = self.limits.channels_max * self.limits.channel.window_first;
        if kept > self.limits.kept_max + first || window > self.limits.window_max.max(first) {
            return Err("the channels together have more than a link may");
        }
        if self.slots.len() > self.limits.channels_max
            || self.answers.len() > self.limits.channels_max
        {
            return Err("too many channels");
        }
        if !self
            .ready
            .iter()
            .chain(&self.touched)
            .all(|id| self.slots.contains_key(id))
        {
            return Err("a list names a channel that is gone");
        }
        Ok(())
    }
}
