//! Whose turn it is: control before games, small before bulk, and each in a row after the other.

use std::ops::Bound;
use std::time::Instant;

use super::state::{Answer, Gate, Slot};
use super::{Carrier, Link, Role};
use crate::frame::{ChannelId, DATA_OVERHEAD, Frame, Standing};
use crate::limits::{TURN_SMALL, TURN_SMALL_RUN};

/// Bytes of a turn besides DATA: OPEN, and a standing.
const TURN_OVERHEAD: usize = 9 + 24;

/// Bytes of room that any turn needs.
const ROOM_MIN: usize = TURN_OVERHEAD + DATA_OVERHEAD + 1;

/// Small channels, and those in bulk.
const SMALL: usize = 0;
const BULK: usize = 1;

impl Link {
    /// Appends the frames of one turn to `out`, at most `room` bytes, and says which stream they are for.
    /// `None` if there is nothing to send, nothing to carry it, or less room than a turn needs.
    pub fn transmit(&mut self, room: usize, now: Instant, out: &mut Vec<u8>) -> Option<Carrier> {
        if !self.is_attached || room < ROOM_MIN {
            return None;
        }
        if self.control(now, out) {
            return Some(Carrier::Control);
        }
        if let Some((id, answer)) = self.answers.pop_first() {
            return answered(id, answer, out);
        }
        loop {
            let id = self.turn()?;
            self.ready.remove(&id);
            if self.serve(id, room, now, out) {
                return Some(Carrier::Channel(id));
            }
        }
    }

    /// Whether [`transmit`](Self::transmit) has anything to do now.
    pub fn has_turns(&mut self, now: Instant) -> bool {
        if !self.is_attached {
            return false;
        }
        let pings = self.role == Role::Joiner && self.watch.ping_is_due(&self.limits, now);
        if pings || self.pong.is_some() || !self.answers.is_empty() {
            return true;
        }
        while let Some(&id) = self.ready.first() {
            if self.has_turn(id, now) {
                return true;
            }
            self.ready.remove(&id);
        }
        false
    }

    fn control(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        if let Some(number) = self.pong.take() {
            return Frame::Pong(number).write(out).is_ok();
        }
        let is_due = self.role == Role::Joiner && self.watch.ping_is_due(&self.limits, now);
        if is_due {
            self.watch.pinged(now);
            return Frame::Ping(self.generation).write(out).is_ok();
        }
        false
    }

    /// The channel whose turn it is, of those that may have something.
    fn turn(&mut self) -> Option<ChannelId> {
        let [small, bulk] = [SMALL, BULK].map(|class| self.next_of(class));
        let (class, id) = match (small, bulk) {
            (Some(id), Some(_)) if self.small_run < TURN_SMALL_RUN => (SMALL, id),
            (_, Some(id)) => (BULK, id),
            (Some(id), None) => (SMALL, id),
            (None, None) => return None,
        };
        // Only those that were preferred to one in bulk count.
        self.small_run = if class == SMALL && bulk.is_some() {
            self.small_run + 1
        } else {
            0
        };
        if let Some(turn) = self.turns.get_mut(class) {
            *turn = Some(id);
        }
        Some(id)
    }

    /// The first channel of a class after the one that had the last turn in it.
    fn next_of(&self, class: usize) -> Option<ChannelId> {
        let is_in = |id: &&ChannelId| {
            let is_small = |slot: &Slot| slot.channel.sendable() <= TURN_SMALL;
            self.slots.get(id).is_some_and(is_small) == (class == SMALL)
        };
        let last = self.turns.get(class).copied().flatten();
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.ready.range((from, Bound::Unbounded)).find(is_in);
        after.or_else(|| self.ready.iter().find(is_in)).copied()
    }

    /// Appends the frames of one channel's turn; false if it has none.
    fn serve(&mut self, id: ChannelId, room: usize, now: Instant, out: &mut Vec<u8>) -> bool {
        let max = room - TURN_OVERHEAD - DATA_OVERHEAD;
        let Some(slot) = self.slots.get_mut(&id) else {
            return false;
        };
        if !slot.has_something(now) {
            return false;
        }
        if slot.gate == Gate::NeedsOpen {
            let service = slot.service;
            slot.gate = Gate::Open;
            // Writing it cannot fail: all its fields have their width.
            let _infallible = Frame::Open {
                channel: id,
                service,
            }
            .write(out);
        }
        slot.channel.transmit(max, now, out);
        if slot.has_something(now) {
            self.ready.insert(id);
        }
        self.sweep(id, now);
        true
    }
}

fn answered(id: ChannelId, answer: Answer, out: &mut Vec<u8>) -> Option<Carrier> {
    let frame = match answer {
        Answer::Refused(code) => Frame::Rst {
            channel: id,
            offset: 0,
            code,
        },
        Answer::Done => Frame::Ack(Standing {
            channel: id,
            received: 0,
            limit: 0,
            fin: false,
            reset: false,
            done: true,
            deaf: true,
        }),
    };
    frame.write(out).ok().map(|()| Carrier::Channel(id))
}
