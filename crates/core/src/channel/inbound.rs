//! The direction from the other side to the game: every byte once and in order, however often and in
//! whatever pieces it comes.

use std::collections::VecDeque;
use std::time::Instant;

use super::{ChannelLimits, End, Violation};
use crate::frame::{ChannelId, Reset, Standing};
use crate::limits::CHANNEL_SPARE;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Inbound {
    /// What has come and the game has not taken: the bytes up to `received`.
    held: VecDeque<u8>,
    received: u64,
    /// Nothing at or above may come.
    limit: u64,
    /// How far the limit may be above what the game took.
    window: usize,
    /// When the limit last moved by half of the window.
    extended_at: Option<Instant>,
    fin: bool,
    reset: Option<Reset>,
    /// The game's own connection is gone: nobody takes anything.
    is_discarded: bool,
}

impl Inbound {
    pub(super) fn new(window: usize) -> Self {
        Self {
            held: VecDeque::new(),
            received: 0,
            limit: window as u64,
            window,
            extended_at: None,
            fin: false,
            reset: None,
            is_discarded: false,
        }
    }

    pub(super) fn on_data(&mut self, offset: u64, bytes: &[u8]) -> Result<usize, Violation> {
        if self.is_discarded {
            return Ok(0);
        }
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(Violation::Limit)?;
        if end > self.limit {
            return Err(Violation::Limit);
        }
        if end > self.received && self.has_end() {
            return Err(Violation::End);
        }
        let known = self.received.checked_sub(offset).ok_or(Violation::Gap)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = bytes.get(known..).unwrap_or_default();
        self.held.extend(new);
        self.received += new.len() as u64;
        Ok(new.len())
    }

    pub(super) fn on_fin(&mut self, offset: u64) -> Result<(), Violation> {
        self.check_end(offset)?;
        self.fin = true;
        Ok(())
    }

    pub(super) fn on_rst(&mut self, offset: u64, code: Reset) -> Result<(), Violation> {
        self.check_end(offset)?;
        self.reset.get_or_insert(code);
        Ok(())
    }

    fn check_end(&self, offset: u64) -> Result<(), Violation> {
        if self.is_discarded || offset == self.received {
            Ok(())
        } else if offset > self.received && !self.has_end() {
            Err(Violation::Gap)
        } else {
            Err(Violation::End)
        }
    }

    fn has_end(&self) -> bool {
        self.fin || self.reset.is_some()
    }

    /// The game's connection is gone.
    pub(super) fn discard(&mut self) {
        self.held = VecDeque::new();
        self.is_discarded = true;
    }

    /// The other side is gone; what came is still for the game.
    pub(super) fn lose(&mut self, code: Reset) {
        self.reset.get_or_insert(code);
    }

    pub(super) fn readable(&self) -> [&[u8]; 2] {
        let (first, second) = self.held.as_slices();
        [first, second]
    }

    pub(super) fn taken(&mut self, count: usize) {
        self.held.drain(..count.min(self.held.len()));
        if self.held.is_empty() && self.held.capacity() > CHANNEL_SPARE {
            self.held = VecDeque::new();
        }
    }

    /// Gives a new limit when half of the window was taken, and a larger window when that went fast. By how
    /// much it grew.
    pub(super) fn extend(
        &mut self,
        limits: &ChannelLimits,
        may_grow: usize,
        now: Instant,
    ) -> usize {
        let taken = self.received - self.held.len() as u64;
        let next = taken + self.window as u64;
        if self.has_end() || next.saturating_sub(self.limit) < (self.window as u64).div_ceil(2) {
            return 0;
        }
        let is_fast = self
            .extended_at
            .is_some_and(|at| now.saturating_duration_since(at) < limits.grows_within);
        self.extended_at = Some(now);
        let larger = (self.window * 2).min(limits.window_max);
        let grown = larger.saturating_sub(self.window);
        let grown = if is_fast && grown <= may_grow {
            grown
        } else {
            0
        };
        self.window += grown;
        self.limit = self.limit.max(taken + self.window as u64);
        grown
    }

    pub(super) fn end(&self) -> Option<End> {
        if !self.held.is_empty() || self.is_discarded {
            return None;
        }
        match (self.reset, self.fin) {
            (Some(code), _) => Some(End::Reset(code)),
            (None, true) => Some(End::Fin),
            (None, false) => None,
        }
    }

    pub(super) fn standing(&self, channel: ChannelId) -> Standing {
        Standing {
            channel,
            received: self.received,
            limit: self.limit,
            fin: self.fin,
            reset: self.reset.is_some(),
            done: false,
            deaf: self.is_discarded,
        }
    }

    /// Nothing more is for the game.
    pub(super) fn was_ended(&self) -> bool {
        self.is_discarded || self.end().is_some()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.has_end() || self.is_discarded
    }

    /// A reset came, or the game here broke.
    pub(super) fn was_reset(&self) -> bool {
        self.reset.is_some() || self.is_discarded
    }

    pub(super) fn window(&self) -> usize {
        self.window
    }

    pub(super) fn allocated(&self) -> usize {
        self.held.capacity()
    }

    pub(super) fn check_invariants(&self, limits: &ChannelLimits) -> Result<(), &'static str> {
        if self.held.len() > self.window || self.window > limits.window_max.max(limits.window_first)
        {
            return Err("more is held than the window allows");
        }
        if self.received > self.limit {
            return Err("more came than the limit allows");
        }
        Ok(())
    }
}
