//! One flow: what it has carried, whether its player is proven, when it last did something.
//!
//! It does not know the other flows or its prefix's rates; the table asks those first.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Direction, FlowEnd, FlowId, FlowLimits, FlowView};
use crate::prefix::Prefix;
use crate::reason::FlowEndReason;

/// Datagrams and their payload bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Carried {
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
}

impl Carried {
    pub(super) fn add(&mut self, len: usize) {
        self.datagrams += 1;
        self.bytes += len as u64;
    }

    /// Takes back one that was added. Saturates, because callers' mistakes must not panic.
    fn take_back(&mut self, len: usize) {
        self.datagrams = self.datagrams.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(len as u64);
    }
}

/// Whether the player is known to receive what we send.
#[derive(Debug)]
pub(super) enum Proof {
    /// `received` bytes came from its address, and `datagrams` since our first reply.
    Unproven {
        received: u64,
        datagrams: u32,
    },
    Proven,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) player: SocketAddr,
    /// Whose account it is on; nobody's if exempt.
    pub(super) prefix: Option<Prefix>,
    pub(super) proof: Proof,
    /// What waits for the upstream socket; `None` once that is open.
    pub(super) pending: Option<Carried>,
    pub(super) up: Carried,
    pub(super) down: Carried,
    pub(super) dropped: u64,
    pub(super) opened_at: Instant,
    pub(super) last_activity: Instant,
    /// Where the table has filed it among the deadlines: its idle deadline or earlier.
    pub(super) filed_at: Option<Instant>,
}

impl Flow {
    /// A flow opened by a datagram of `len` bytes, which waits.
    pub(super) fn new(
        player: SocketAddr,
        prefix: Option<Prefix>,
        len: usize,
        now: Instant,
    ) -> Self {
        let mut pending = Carried::default();
        pending.add(len);
        Self {
            player,
            prefix,
            proof: match prefix {
                None => Proof::Proven,
                Some(_) => Proof::Unproven {
                    received: len as u64,
                    datagrams: 0,
                },
            },
            pending: Some(pending),
            up: Carried::default(),
            down: Carried::default(),
            dropped: 0,
            opened_at: now,
            last_activity: now,
            filed_at: None,
        }
    }

    pub(super) fn is_unproven(&self) -> bool {
        matches!(self.proof, Proof::Unproven { .. })
    }

    /// Clock readings of different sockets may be slightly out of order; the latest counts.
    pub(super) fn touch(&mut self, now: Instant) {
        self.last_activity = self.last_activity.max(now);
    }

    /// Counts a datagram of the player's, dropped or not, towards its proof. True if it is the one
    /// that completes it.
    pub(super) fn hear(&mut self, len: usize, proof_datagrams: u32) -> bool {
        let Proof::Unproven {
            received,
            datagrams,
        } = &mut self.proof
        else {
            return false;
        };
        *received += len as u64;
        if self.down.datagrams > 0 {
            *datagrams += 1;
            if *datagrams >= proof_datagrams {
                self.proof = Proof::Proven;
                return true;
            }
        }
        false
    }

    /// Do `len` more bytes keep the replies to an unproven player within proportion?
    pub(super) fn in_proportion(&self, len: usize, limits: &FlowLimits) -> bool {
        match self.proof {
            Proof::Proven => true,
            Proof::Unproven { received, .. } => {
                let most = received
                    .saturating_mul(limits.unproven_factor)
                    .saturating_add(limits.unproven_allowance);
                self.down.bytes.saturating_add(len as u64) <= most
            }
        }
    }

    /// Counts a datagram as dropped that was counted as carried.
    pub(super) fn take_back(&mut self, direction: Direction, len: usize) {
        self.dropped += 1;
        match direction {
            Direction::Up => self.pending.as_mut().unwrap_or(&mut self.up).take_back(len),
            Direction::Down => {
                self.down.take_back(len);
                // If no reply went out after all, nothing received so far was an answer to one.
                if self.down.datagrams == 0
                    && let Proof::Unproven { datagrams, .. } = &mut self.proof
                {
                    *datagrams = 0;
                }
            }
        }
    }

    /// When it ends unless something comes; `None` if that is beyond what the clock can express.
    pub(super) fn deadline(&self, limits: &FlowLimits) -> Option<Instant> {
        let idle = if self.is_unproven() {
            limits.idle_unproven
        } else {
            limits.idle
        };
        self.last_activity.checked_add(idle)
    }

    /// What still waited counts as dropped: it will never be sent.
    pub(super) fn into_end(self, id: FlowId, reason: FlowEndReason, now: Instant) -> FlowEnd {
        let pending = self.pending.unwrap_or_default();
        FlowEnd {
            id,
            player: self.player,
            reason,
            bytes_up: self.up.bytes,
            bytes_down: self.down.bytes,
            datagrams_up: self.up.datagrams,
            datagrams_down: self.down.datagrams,
            dropped: self.dropped + pending.datagrams,
            duration: self.age(now),
        }
    }

    /// How it is now.
    pub(super) fn view(&self, id: FlowId, now: Instant) -> FlowView {
        FlowView {
            id,
            player: self.player,
            proven: !self.is_unproven(),
            bytes_up: self.up.bytes,
            bytes_down: self.down.bytes,
            datagrams_up: self.up.datagrams,
            datagrams_down: self.down.datagrams,
            dropped: self.dropped,
            age: self.age(now),
            idle: now.saturating_duration_since(self.last_activity),
        }
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened_at)
    }
}
