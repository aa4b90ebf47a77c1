//! The last part of a session one of whose legs is gone: the other gets what is left.

use std::time::Instant;

use via6_core::reason::CloseReason;

use super::{LOOKS, Patience, Side};

/// One leg is gone; the other gets what is left.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) broken: Side,
    pub(super) reason: CloseReason,
    began: Instant,
    /// When a byte last got anywhere.
    progress: Instant,
    /// Bytes handed over, and bytes not yet acknowledged, at the last look.
    left: (u64, Option<usize>),
    /// When the other leg's system had everything.
    handed_over: Option<Instant>,
    pub(super) look_after: std::time::Duration,
}

impl Flush {
    pub(super) fn new(broken: Side, reason: CloseReason, now: Instant) -> Self {
        Self {
            broken,
            reason,
            began: now,
            progress: now,
            left: (0, None),
            handed_over: None,
            look_after: LOOKS.0,
        }
    }

    /// How long ago the other leg's system had everything, which it has now.
    pub(super) fn since_handed_over(&mut self, now: Instant) -> std::time::Duration {
        now.duration_since(*self.handed_over.get_or_insert(now))
    }

    /// Takes a look at what has been handed over, and how much of it is not acknowledged. True:
    /// nothing moves any more, or it has taken too long in all.
    pub(super) fn is_stuck(
        &mut self,
        left: (u64, Option<usize>),
        now: Instant,
        patience: &Patience,
    ) -> bool {
        self.look_after = (self.look_after * 2).min(LOOKS.1);
        if left != self.left {
            (self.left, self.progress) = (left, now);
        }
        now.duration_since(self.progress) >= patience.reset_flush
            || now.duration_since(self.began) >= patience.reset_flush_max
    }
}
