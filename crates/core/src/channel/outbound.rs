//! The direction from the game to the other side: what was sent is kept until it has come.

use std::collections::VecDeque;

use super::{ChannelLimits, End, Violation};
use crate::frame::{ChannelId, DATA_MAX, Frame, Standing, write_data};
use crate::limits::CHANNEL_SPARE;

/// Which ends were sent, on whatever transport.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Sent {
    fin: bool,
    reset: bool,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Outbound {
    /// The bytes from `base` on.
    kept: VecDeque<u8>,
    /// All below has come.
    base: u64,
    /// All below was sent on this transport.
    cursor: u64,
    /// All below was sent on some transport.
    furthest: u64,
    /// Nothing at or above may be sent.
    limit: u64,
    end: Option<End>,
    /// The end was sent on this transport.
    is_end_sent: bool,
    sent: Sent,
    /// The end has come, or nobody waits for it.
    is_settled: bool,
    /// Nobody waits for it.
    is_abandoned: bool,
}

impl Outbound {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            kept: VecDeque::new(),
            base: 0,
            cursor: 0,
            furthest: 0,
            limit,
            end: None,
            is_end_sent: false,
            sent: Sent::default(),
            is_settled: false,
            is_abandoned: false,
        }
    }

    pub(super) fn room(&self, max: usize) -> usize {
        match self.end {
            None if !self.is_settled => max.saturating_sub(self.kept.len()),
            _ => 0,
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8], max: usize) -> usize {
        let count = bytes.len().min(self.room(max));
        self.kept.extend(bytes.get(..count).unwrap_or_default());
        count
    }

    /// A reset replaces a FIN, and is itself final.
    pub(super) fn end(&mut self, end: End) {
        let replaces = match self.end {
            None => true,
            Some(End::Fin) => matches!(end, End::Reset(_)),
            Some(End::Reset(_)) => false,
        };
        if replaces && !self.is_abandoned {
            self.end = Some(end);
            self.is_end_sent = false;
            self.is_settled = false;
        }
    }

    pub(super) fn give_up_unsent(&mut self) {
        let sent = usize::try_from(self.furthest - self.base).unwrap_or(usize::MAX);
        self.kept.truncate(sent);
    }

    /// Nobody waits for the rest.
    pub(super) fn abandon(&mut self) {
        self.cursor = self.furthest;
        self.base = self.furthest;
        self.kept = VecDeque::new();
        self.is_settled = true;
        self.is_abandoned = true;
    }

    pub(super) fn rewind(&mut self) {
        self.cursor = self.base;
        self.is_end_sent = false;
    }

    pub(super) fn on_standing(&mut self, standing: &Standing) -> Result<(), Violation> {
        let received = standing.received;
        if received > self.furthest
            || (standing.fin && !self.sent.fin)
            || (standing.reset && !self.sent.reset)
        {
            return Err(Violation::Acknowledgement);
        }
        self.limit = self.limit.max(standing.limit);
        if let Some(new) = received.checked_sub(self.base) {
            let new = usize::try_from(new)
                .unwrap_or(usize::MAX)
                .min(self.kept.len());
            self.kept.drain(..new);
            self.base = received;
            self.cursor = self.cursor.max(received);
            if self.kept.is_empty() && self.kept.capacity() > CHANNEL_SPARE {
                self.kept = VecDeque::new();
            }
        }
        self.is_settled |= match self.end {
            None => false,
            Some(End::Fin) => standing.fin,
            Some(End::Reset(_)) => standing.reset,
        };
        Ok(())
    }

    pub(super) fn sendable(&self) -> usize {
        let end = self.written().min(self.limit);
        usize::try_from(end.saturating_sub(self.cursor)).unwrap_or(usize::MAX)
    }

    pub(super) fn has_something(&self) -> bool {
        self.sendable() > 0 || self.end_is_due().is_some()
    }

    /// All that the game has written.
    fn written(&self) -> u64 {
        self.base + self.kept.len() as u64
    }

    /// The end goes when all before it went.
    fn end_is_due(&self) -> Option<End> {
        let is_due = !self.is_settled && !self.is_end_sent && self.cursor == self.written();
        self.end.filter(|_| is_due)
    }

    /// Appends DATA with at most `max` bytes, or the end.
    pub(super) fn transmit(&mut self, channel: ChannelId, max: usize, out: &mut Vec<u8>) {
        let count = self.sendable().min(max).min(DATA_MAX);
        if count > 0 {
            write_data(out, channel, self.cursor, self.slices(count));
            self.cursor += count as u64;
            self.furthest = self.furthest.max(self.cursor);
        } else if let Some(end) = self.end_is_due() {
            let offset = self.cursor;
            let frame = match end {
                End::Fin => Frame::Fin { channel, offset },
                End::Reset(code) => Frame::Rst {
                    channel,
                    offset,
                    code,
                },
            };
            // Writing it cannot fail: all its fields have their width.
            if frame.write(out).is_ok() {
                self.is_end_sent = true;
                self.sent.fin |= matches!(end, End::Fin);
                self.sent.reset |= matches!(end, End::Reset(_));
            }
        }
    }

    /// `count` bytes from the cursor on.
    fn slices(&self, count: usize) -> [&[u8]; 2] {
        let skip = usize::try_from(self.cursor - self.base).unwrap_or(usize::MAX);
        let (first, second) = self.kept.as_slices();
        let part = |slice: &'_ [u8], skip: usize, count: usize| {
            let start = skip.min(slice.len());
            start..(skip.saturating_add(count)).min(slice.len())
        };
        let in_first = part(first, skip, count);
        let rest = count - in_first.len();
        let in_second = part(second, skip.saturating_sub(first.len()), rest);
        [
            first.get(in_first).unwrap_or_default(),
            second.get(in_second).unwrap_or_default(),
        ]
    }

    /// Nothing more comes from the game.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some() || self.is_settled
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn allocated(&self) -> usize {
        self.kept.capacity()
    }

    pub(super) fn check_invariants(&self, limits: &ChannelLimits) -> Result<(), &'static str> {
        if self.kept.len() > limits.kept_max {
            return Err("too much is kept");
        }
        if self.base > self.cursor || self.cursor > self.furthest || self.furthest > self.written()
        {
            return Err("the offsets of a sender are out of order");
        }
        if self.furthest > self.limit {
            return Err("more was sent than the limit allows");
        }
        Ok(())
    }
}
