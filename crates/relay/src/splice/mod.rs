//! Copying both directions of a session until both have ended, exactly as they ended.
//!
//! ```text
//!          both FINs passed on                 all acknowledged
//! Open ───────────────────────▶ Delivering ───────────────────────▶ finished
//!   │                                │ a peer is gone
//!   │ a leg fails                    ▼
//!   └────────▶ Flushing ────────▶ RST to both  (…-reset, …-dead)
//!   │            what the failed leg had sent goes out first
//!   └─ half-closed and silent for the linger timeout ─▶ RST to both
//! ```
//! A leg that failed is still read until it is empty: what its peer's system accepted before the
//! RST belongs to the other side. Then our own buffer and the other leg's send queue go out, and
//! only then the RST: an RST at once makes the system throw its send queue away.
//!
//! An idle session holds no buffer, no timer entry and no watch.

mod driver;
mod flush;
mod pump;
mod timer;

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use via6_core::limits;
use via6_core::liveness::{Liveness, Vitals};
use via6_core::reason::CloseReason;

pub use self::driver::{Traffic, splice};
use self::flush::Flush;
use self::pump::{Fault, Pump};
use crate::leg::Leg;
use crate::look::SessionState;
use crate::pipe::Pipes;

/// What a thread lends to the session whose turn it is.
pub(crate) struct Turn<'a, 'cx> {
    /// Wakes the session when a leg is ready again, where legs need that.
    pub(crate) cx: &'a mut Context<'cx>,
    /// The time when the turn began.
    pub(crate) now: Instant,
    pub(crate) patience: &'a Patience,
    /// Room for one read: [`limits::COPY_BUFFER`] or more.
    pub(crate) buffer: &'a mut [u8],
    pub(crate) pipes: &'a mut Pipes,
    /// Set when the session has had its share and there is more to do: others come first.
    pub(crate) again: bool,
}

/// The patience of a session; see [`limits`] for units and reasons.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// [`limits::LINGER_TIMEOUT`]
    pub linger: Duration,
    /// [`limits::RESET_FLUSH`]
    pub reset_flush: Duration,
    /// [`limits::RESET_FLUSH_MAX`]
    pub reset_flush_max: Duration,
    /// [`limits::LIVENESS_SWEEP`]
    pub sweep: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            linger: limits::LINGER_TIMEOUT,
            reset_flush: limits::RESET_FLUSH,
            reset_flush_max: limits::RESET_FLUSH_MAX,
            sweep: limits::LIVENESS_SWEEP,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Down,
    Up,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }

    fn reset(self) -> CloseReason {
        match self {
            Self::Down => CloseReason::DownstreamReset,
            Self::Up => CloseReason::UpstreamReset,
        }
    }

    fn dead(self) -> CloseReason {
        match self {
            Self::Down => CloseReason::DownstreamDead,
            Self::Up => CloseReason::UpstreamDead,
        }
    }
}

#[derive(Debug)]
enum Phase {
    Open,
    Delivering { look_after: Duration },
    Flushing(Box<Flush>),
}

/// First and longest pause between two looks at a send queue that is emptying: no event tells.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// A session that is being copied. Knows no executor and reads no clock: whoever runs it calls
/// [`Splice::poll`] when a leg may be ready, and [`Splice::tick`] when [`Splice::wanted_tick`] has
/// passed.
#[derive(Debug)]
pub(crate) struct Splice<D, U> {
    pub(crate) down: D,
    pub(crate) up: U,
    upward: Pump,
    downward: Pump,
    phase: Phase,
    down_liveness: Liveness,
    up_liveness: Liveness,
    /// Bytes up and down at the last tick, and whether something was still owed to a peer then.
    seen: (u64, u64),
    owing: bool,
    /// Whether one direction had ended then.
    half_closed: bool,
    /// When something last moved, a FIN included.
    moved_at: Instant,
}

impl<D: Leg, U: Leg> Splice<D, U> {
    pub(crate) fn new(down: D, up: U, now: Instant) -> Self {
        Self {
            down,
            up,
            upward: Pump::default(),
            downward: Pump::default(),
            phase: Phase::Open,
            down_liveness: Liveness::default(),
            up_liveness: Liveness::default(),
            seen: (0, 0),
            owing: false,
            half_closed: false,
            moved_at: now,
        }
    }

    /// Bytes up and down so far: counted when a leg's system has taken them.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.upward.count(), self.downward.count())
    }

    pub(crate) fn state(&self) -> SessionState {
        match self.phase {
            Phase::Open if self.upward.has_ended() || self.downward.has_ended() => {
                SessionState::HalfClosed
            }
            Phase::Open => SessionState::Open,
            Phase::Delivering { .. } | Phase::Flushing(_) => SessionState::Ending,
        }
    }

    /// Does what can be done now. Ready: the session is over, and both legs can be dropped.
    pub(crate) fn poll(&mut self, turn: &mut Turn<'_, '_>) -> Poll<CloseReason> {
        if matches!(self.phase, Phase::Open) {
            self.poll_open(turn);
        }
        match self.phase {
            Phase::Open => Poll::Pending,
            Phase::Delivering { .. } => self.poll_delivering(turn.now),
            Phase::Flushing(_) => self.poll_flush(turn),
        }
    }

    fn poll_open(&mut self, turn: &mut Turn<'_, '_>) {
        let upward = self.upward.poll(turn, &self.down, &self.up);
        if let Poll::Ready(Err(fault)) = upward {
            return self.fault(&fault, Side::Down, Side::Up, turn.now);
        }
        let downward = self.downward.poll(turn, &self.up, &self.down);
        if let Poll::Ready(Err(fault)) = downward {
            return self.fault(&fault, Side::Up, Side::Down, turn.now);
        }
        if upward.is_ready() && downward.is_ready() {
            self.phase = Phase::Delivering {
                look_after: LOOKS.0,
            };
        } else if upward.is_ready() && self.down.poll_failed(turn.cx).is_ready() {
            self.flush(Side::Down, Side::Down.reset(), turn.now);
        } else if downward.is_ready() && self.up.poll_failed(turn.cx).is_ready() {
            self.flush(Side::Up, Side::Up.reset(), turn.now);
        }
    }

    /// The first error on either leg decides how the session ends.
    fn fault(&mut self, fault: &Fault, source: Side, sink: Side, now: Instant) {
        let (side, error) = match fault {
            Fault::Source(error) => (source, error),
            Fault::Sink(error) => (sink, error),
        };
        let reason = if is_silence(error) {
            side.dead()
        } else {
            side.reset()
        };
        self.flush(side, reason, now);
    }

    /// `broken` is gone: from now on only its last bytes matter.
    fn flush(&mut self, broken: Side, reason: CloseReason, now: Instant) {
        self.phase = Phase::Flushing(Box::new(Flush::new(broken, reason, now)));
    }

    /// Both FINs are on their way; done when both peers have everything.
    fn poll_delivering(&mut self, now: Instant) -> Poll<CloseReason> {
        let mut delivered = true;
        for side in [Side::Down, Side::Up] {
            // Only our FIN is left, or nobody can tell: the system sees to the rest.
            let unsent = match side {
                Side::Down => self.down.unsent(),
                Side::Up => self.up.unsent(),
            };
            if unsent.is_none_or(|unsent| unsent <= 1) {
                continue;
            }
            // Acknowledged since the question above: an ordinary end closes the connection as well.
            let Some(vitals) = self.vitals(side).filter(|vitals| vitals.unsent > 1) else {
                continue;
            };
            if vitals.closed {
                return Poll::Ready(side.reset());
            }
            if self.liveness(side).is_dead(&vitals, now) {
                return Poll::Ready(self.reset_both(side.dead()));
            }
            delivered = false;
        }
        if delivered {
            Poll::Ready(CloseReason::Finished)
        } else {
            Poll::Pending
        }
    }

    /// Hands over what the broken leg still holds. Its own errors mean that it is empty.
    fn poll_flush(&mut self, turn: &mut Turn<'_, '_>) -> Poll<CloseReason> {
        let Phase::Flushing(flush) = &mut self.phase else {
            return Poll::Pending;
        };
        let (broken, reason) = (flush.broken, flush.reason);
        let handed_over = match broken {
            Side::Down => self.upward.poll_bytes(turn, &self.down, &self.up),
            Side::Up => self.downward.poll_bytes(turn, &self.up, &self.down),
        };
        match handed_over {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(()) | Err(Fault::Source(_))) => {}
            Poll::Ready(Err(Fault::Sink(_))) => return Poll::Ready(self.reset_both(reason)),
        }
        let waited = flush.since_handed_over(turn.now);
        let acknowledged = match self.vitals(broken.other()) {
            Some(vitals) => vitals.closed || vitals.unsent == 0,
            None => waited >= limits::RESET_FLUSH_BLIND,
        };
        if acknowledged {
            Poll::Ready(self.reset_both(reason))
        } else {
            Poll::Pending
        }
    }

    fn vitals(&self, side: Side) -> Option<Vitals> {
        match side {
            Side::Down => self.down.vitals(),
            Side::Up => self.up.vitals(),
        }
    }

    /// When to look at the clock next; `None` while there is nothing to look for.
    pub(crate) fn wanted_tick(&self, patience: &Patience) -> Option<Duration> {
        match &self.phase {
            Phase::Delivering { look_after } => Some(*look_after),
            Phase::Flushing(flush) => Some(flush.look_after),
            Phase::Open => {
                let half_closed = self.upward.has_ended() || self.downward.has_ended();
                let moved = self.traffic() != self.seen;
                (half_closed || moved || self.owing || self.is_blocked())
                    .then(|| patience.sweep.min(patience.linger).max(LOOKS.0))
            }
        }
    }

    fn is_blocked(&self) -> bool {
        self.upward.is_blocked() || self.downward.is_blocked()
    }

    /// Looks at the clock and at the peers. `Some`: the session is over. Otherwise
    /// [`Splice::poll`] comes next.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_, '_>) -> Option<CloseReason> {
        match &mut self.phase {
            Phase::Open => self.tick_open(turn),
            // The look itself is taken by the poll that follows.
            Phase::Delivering { look_after } => {
                *look_after = (*look_after * 2).min(turn.patience.sweep);
                None
            }
            Phase::Flushing(_) => self.tick_flushing(turn),
        }
    }

    /// Looks after both peers, and after a half-closed session that has fallen silent.
    fn tick_open(&mut self, turn: &mut Turn<'_, '_>) -> Option<CloseReason> {
        let now = turn.now;
        let (up_bytes, down_bytes) = self.traffic();
        // Nothing since the last look: a slow reader, and others can use the pipe.
        if up_bytes == self.seen.0
            && let Err(error) = self.upward.free_pipe(turn)
        {
            self.fault(&Fault::Sink(error), Side::Down, Side::Up, now);
            return None;
        }
        if down_bytes == self.seen.1
            && let Err(error) = self.downward.free_pipe(turn)
        {
            self.fault(&Fault::Sink(error), Side::Up, Side::Down, now);
            return None;
        }
        let (down, up) = (self.down.vitals(), self.up.vitals());
        let owed = |side| {
            let vitals = if side == Side::Down { down } else { up };
            // FIN counts as one byte of the queue; alone it is nothing that a peer waits for.
            let fin = usize::from(self.pump_toward(side).has_ended());
            vitals.is_some_and(|vitals| vitals.unsent > fin)
        };
        self.owing = owed(Side::Down) || owed(Side::Up);
        let half_closed = self.upward.has_ended() || self.downward.has_ended();
        let moved = (up_bytes, down_bytes) != self.seen || half_closed != self.half_closed;
        if moved || self.owing || self.is_blocked() {
            self.moved_at = now;
        }
        self.half_closed = half_closed;
        self.seen = (up_bytes, down_bytes);
        for (side, vitals) in [(Side::Down, down), (Side::Up, up)] {
            let Some(vitals) = vitals else { continue };
            if self.liveness(side).is_dead(&vitals, now) {
                self.flush(side, side.dead(), now);
                return None;
            }
            if vitals.closed && !self.is_done_with(side, &vitals) {
                // Reset while nobody was reading: the other side is full.
                self.flush(side, side.reset(), now);
                return None;
            }
        }
        if half_closed && now.duration_since(self.moved_at) >= turn.patience.linger {
            return Some(self.reset_both(CloseReason::LingerTimeout));
        }
        None
    }

    /// Gives up on a flush that no longer gets anywhere.
    fn tick_flushing(&mut self, turn: &Turn<'_, '_>) -> Option<CloseReason> {
        let (up, down) = self.traffic();
        let Phase::Flushing(flush) = &mut self.phase else {
            return None;
        };
        let other = match flush.broken {
            Side::Down => self.up.vitals(),
            Side::Up => self.down.vitals(),
        };
        let left = (up + down, other.map(|vitals| vitals.unsent));
        let (stuck, reason) = (flush.is_stuck(left, turn.now, turn.patience), flush.reason);
        stuck.then(|| self.reset_both(reason))
    }

    /// The pump whose sink is `side`.
    fn pump_toward(&self, side: Side) -> &Pump {
        match side {
            Side::Down => &self.downward,
            Side::Up => &self.upward,
        }
    }

    /// Our FIN to `side` is acknowledged: its own FIN then closes the connection (`TIME_WAIT`)
    /// while what it sent may still wait to be read. Reading tells whether it was an RST after
    /// all.
    fn is_done_with(&self, side: Side, vitals: &Vitals) -> bool {
        self.pump_toward(side).has_ended() && vitals.unsent == 0
    }

    fn liveness(&mut self, side: Side) -> &mut Liveness {
        match side {
            Side::Down => &mut self.down_liveness,
            Side::Up => &mut self.up_liveness,
        }
    }

    /// Both sides will see an RST.
    pub(crate) fn reset_both(&self, reason: CloseReason) -> CloseReason {
        self.down.reset_on_close();
        self.up.reset_on_close();
        reason
    }
}

/// The errors of a peer that fell silent, rather than of one that said no.
fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown
    )
}
