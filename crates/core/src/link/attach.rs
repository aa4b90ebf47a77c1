//! A new transport takes the link over: what each side does with the channels that both know, and with
//! those that only one knows.

use std::collections::BTreeMap;
use std::time::Instant;

use super::state::{Answer, Gate};
use super::{AttachError, Link, LinkError, Role};
use crate::frame::{ChannelId, Frame, Refusal, Standing};

impl Link {
    /// ATTACH for a new transport (joiner), and its generation.
    pub fn attach(&mut self) -> (u64, Frame<'static>) {
        self.tried += 1;
        let frame = Frame::Attach {
            link: self.id,
            generation: self.tried,
            next: ChannelId(self.next_channel),
            standings: self.standings(),
        };
        (self.tried, frame)
    }

    /// ATTACH came for this link (host): the answer, if the transport takes over.
    pub fn on_attach(
        &mut self,
        generation: u64,
        next: ChannelId,
        standings: &[Standing],
        now: Instant,
    ) -> Result<Frame<'static>, AttachError> {
        if generation <= self.generation || self.ended.is_some() || self.role == Role::Joiner {
            return Err(AttachError::Refused(Refusal::Generation));
        }
        if self.generation == 0 {
            self.since = generation;
        }
        let unknown = self.compare(standings, now)?;
        // A channel that is younger than the list is not missing from it.
        let (_, missing): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|id| *id >= next);
        self.part_with(&missing, now);
        self.carry_by(generation, now);
        let standings = self.standings();
        Ok(Frame::Attached {
            generation,
            since: self.since,
            standings,
        })
    }

    /// ATTACHED came (joiner). False if a newer transport carries the link already.
    pub fn on_attached(
        &mut self,
        generation: u64,
        since: u64,
        standings: &[Standing],
        now: Instant,
    ) -> Result<bool, LinkError> {
        if generation > self.tried || since > generation || self.role == Role::Host {
            return Err(LinkError::Unexpected);
        }
        if generation <= self.generation || self.ended.is_some() {
            return Ok(false);
        }
        let unknown = self.compare(standings, now)?;
        // A host that knows the link only since later was restarted, or gave up waiting; also if its first
        // ATTACHED never came. What was on its way to the older one is nobody's now.
        if since <= self.generation || self.generation == 0 {
            // What the host never heard of can simply be opened again.
            let opened = |id: &ChannelId| self.slots.get(id).is_some_and(|slot| slot.is_opened);
            let missing: Vec<_> = unknown.into_iter().filter(opened).collect();
            self.part_with(&missing, now);
        } else {
            self.part_with(&unknown, now);
        }
        self.carry_by(generation, now);
        let is_known = |id: &ChannelId| {
            let slot = self.slots.get(id);
            slot.is_some_and(|slot| !slot.channel.is_forgotten())
        };
        // The host waits for a word on each that it listed.
        let listed = standings.iter().map(|s| s.channel);
        let forgotten = listed.filter(|id| !is_known(id));
        self.answers = forgotten.map(|id| (id, Answer::Done)).collect();
        Ok(true)
    }

    /// The transport is lost. Only that of the current generation matters.
    pub fn on_cut(&mut self, generation: u64) {
        if generation == self.generation {
            self.is_attached = false;
        }
    }

    fn standings(&self) -> Vec<Standing> {
        let known = self
            .slots
            .values()
            .filter(|slot| !slot.channel.is_forgotten());
        known.map(|slot| slot.channel.standing()).collect()
    }

    /// Takes the other side's standings; the channels of ours that it did not list.
    fn compare(
        &mut self,
        standings: &[Standing],
        now: Instant,
    ) -> Result<Vec<ChannelId>, LinkError> {
        let listed: BTreeMap<_, _> = standings.iter().map(|s| (s.channel, s)).collect();
        let mut unknown = Vec::new();
        let ours = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.channel.is_forgotten());
        for id in ours.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(standing) = listed.get(&id) else {
                unknown.push(id);
                continue;
            };
            self.with(id, |slot| {
                slot.is_opened = true;
                slot.channel.on_standing(standing)
            })
            .unwrap_or(Ok(()))
            .map_err(|violation| LinkError::Channel {
                channel: id,
                violation,
            })?;
            self.touched.insert(id);
            self.sweep(id, now);
        }
        Ok(unknown)
    }

    /// The other side has none of these: it forgot those that were over, and lost the others.
    fn part_with(&mut self, ids: &[ChannelId], now: Instant) {
        let is_done = |id: &ChannelId| {
            self.slots
                .get(id)
                .is_some_and(|slot| slot.channel.is_done())
        };
        let (done, lost): (Vec<_>, Vec<_>) = ids.iter().copied().partition(is_done);
        for id in done {
            self.with(id, |slot| slot.channel.forget());
            self.sweep(id, now);
        }
        self.lose(&lost, now);
    }

    /// The transport of this generation carries everything from here on.
    fn carry_by(&mut self, generation: u64, now: Instant) {
        self.generation = generation;
        self.tried = self.tried.max(generation);
        self.is_attached = true;
        self.pong = None;
        self.answers.clear();
        self.watch.attached(now);
        for (id, slot) in &mut self.slots {
            if !slot.channel.is_forgotten() {
                slot.channel.attach();
                slot.gate = match (self.role, slot.is_opened) {
                    (Role::Host, _) => Gate::Waits,
                    (Role::Joiner, true) => Gate::Open,
                    (Role::Joiner, false) => Gate::NeedsOpen,
                };
                self.ready.insert(*id);
            }
        }
    }
}
