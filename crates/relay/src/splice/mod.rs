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

mod pump;
mod timer;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use via6_core::limits;
use via6_core::liveness::{Liveness, Vitals};
use via6_core::reason::CloseReason;

use self::pump::{Fault, Pump};
use self::timer::Timer;
use crate::leg::{Leg, Watch};

/// Bytes of a session so far, readable while it runs: counted when a leg's system has taken them.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Downstream to upstream.
    pub up: AtomicU64,
    /// Upstream to downstream.
    pub down: AtomicU64,
}

impl Traffic {
    fn total(&self) -> u64 {
        self.up.load(Ordering::Relaxed) + self.down.load(Ordering::Relaxed)
    }
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

/// Copies between `down` and `up` until the session is over, and says why it was.
///
/// Both legs are then ready to be dropped: each will send what its peer must see, FIN or RST.
/// Cancel safe in the sense that nothing leaks; bytes under way are lost, so a caller that
/// cancels should reset both legs.
pub async fn splice<D: Leg, U: Leg>(
    down: &D,
    up: &U,
    traffic: &Traffic,
    patience: Patience,
) -> CloseReason {
    let mut splice = Splice::new(down, up, traffic, patience);
    let mut timer = pin!(Timer::default());
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(reason) = splice.poll_legs(cx) {
                return Poll::Ready(reason);
            }
            if let Some(after) = splice.wanted_tick() {
                timer.as_mut().arm(after);
            }
            if timer.as_mut().poll_fired(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(reason) = splice.tick() {
                return Poll::Ready(reason);
            }
        }
    })
    .await
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
    Flushing(Flush),
}

/// One leg is gone; the other gets what is left. `progress` is when a byte last got anywhere.
#[derive(Debug)]
struct Flush {
    broken: Side,
    reason: CloseReason,
    began: Instant,
    progress: Instant,
    /// Bytes handed over, and bytes not yet acknowledged, at the last look.
    left: (u64, Option<usize>),
    /// When the other leg's system had everything.
    handed_over: Option<Instant>,
    look_after: Duration,
}

/// First and longest pause between two looks at a send queue that is emptying: no event tells.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

struct Splice<'a, D, U> {
    down: &'a D,
    up: &'a U,
    traffic: &'a Traffic,
    patience: Patience,
    upward: Pump,
    downward: Pump,
    phase: Phase,
    /// Watches over the legs that are no longer read.
    down_watch: Option<Watch<'a>>,
    up_watch: Option<Watch<'a>>,
    down_liveness: Liveness,
    up_liveness: Liveness,
    /// Byte total at the last tick, and whether something was still owed to a peer then.
    seen_total: u64,
    owing: bool,
    /// Whether one direction had ended then.
    half_closed: bool,
    /// When something last moved, a FIN included.
    moved_at: Instant,
}

impl<'a, D: Leg, U: Leg> Splice<'a, D, U> {
    fn new(down: &'a D, up: &'a U, traffic: &'a Traffic, patience: Patience) -> Self {
        Self {
            down,
            up,
            traffic,
            patience,
            upward: Pump::default(),
            downward: Pump::default(),
            phase: Phase::Open,
            down_watch: None,
            up_watch: None,
            down_liveness: Liveness::default(),
            up_liveness: Liveness::default(),
            seen_total: traffic.total(),
            owing: false,
            half_closed: false,
            moved_at: Instant::now(),
        }
    }

    fn poll_legs(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        if matches!(self.phase, Phase::Open) {
            self.poll_open(cx);
        }
        match self.phase {
            Phase::Open => Poll::Pending,
            Phase::Delivering { .. } => self.poll_delivering(),
            Phase::Flushing(_) => self.poll_flush(cx),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) {
        let upward = self.upward.poll(cx, self.down, self.up, &self.traffic.up);
        if let Poll::Ready(Err(fault)) = upward {
            return self.fault(&fault, Side::Down, Side::Up);
        }
        let downward = self
            .downward
            .poll(cx, self.up, self.down, &self.traffic.down);
        if let Poll::Ready(Err(fault)) = downward {
            return self.fault(&fault, Side::Up, Side::Down);
        }
        if upward.is_ready() && downward.is_ready() {
            self.phase = Phase::Delivering {
                look_after: LOOKS.0,
            };
        } else if upward.is_ready() {
            let watch = self.down_watch.get_or_insert_with(|| self.down.failed());
            if watch.as_mut().poll(cx).is_ready() {
                self.flush(Side::Down, Side::Down.reset());
            }
        } else if downward.is_ready() {
            let watch = self.up_watch.get_or_insert_with(|| self.up.failed());
            if watch.as_mut().poll(cx).is_ready() {
                self.flush(Side::Up, Side::Up.reset());
            }
        }
    }

    /// The first error on either leg decides how the session ends.
    fn fault(&mut self, fault: &Fault, source: Side, sink: Side) {
        let (side, error) = match fault {
            Fault::Source(error) => (source, error),
            Fault::Sink(error) => (sink, error),
        };
        self.flush(
            side,
            if is_silence(error) {
                side.dead()
            } else {
                side.reset()
            },
        );
    }

    /// `broken` is gone: from now on only its last bytes matter.
    fn flush(&mut self, broken: Side, reason: CloseReason) {
        let now = Instant::now();
        (self.down_watch, self.up_watch) = (None, None);
        self.phase = Phase::Flushing(Flush {
            broken,
            reason,
            began: now,
            progress: now,
            left: (0, None),
            handed_over: None,
            look_after: LOOKS.0,
        });
    }

    /// Both FINs are on their way; done when both peers have everything.
    fn poll_delivering(&mut self) -> Poll<CloseReason> {
        let now = Instant::now().into_std();
        let mut delivered = true;
        for side in [Side::Down, Side::Up] {
            // Only our FIN is left, or nobody can tell: the system sees to the rest.
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
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let Phase::Flushing(flush) = &self.phase else {
            return Poll::Pending;
        };
        let (broken, reason) = (flush.broken, flush.reason);
        let handed_over = match broken {
            Side::Down => self
                .upward
                .poll_bytes(cx, self.down, self.up, &self.traffic.up),
            Side::Up => self
                .downward
                .poll_bytes(cx, self.up, self.down, &self.traffic.down),
        };
        match handed_over {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(()) | Err(Fault::Source(_))) => {}
            Poll::Ready(Err(Fault::Sink(_))) => return Poll::Ready(self.reset_both(reason)),
        }
        let Phase::Flushing(flush) = &mut self.phase else {
            return Poll::Pending;
        };
        let handed_over = *flush.handed_over.get_or_insert_with(Instant::now);
        let acknowledged = match self.vitals(broken.other()) {
            Some(vitals) => vitals.closed || vitals.unsent == 0,
            None => handed_over.elapsed() >= limits::RESET_FLUSH_BLIND,
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
    fn wanted_tick(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Delivering { look_after } => Some(*look_after),
            Phase::Flushing(flush) => Some(flush.look_after),
            Phase::Open => {
                let half_closed = self.upward.has_ended() || self.downward.has_ended();
                let moved = self.traffic.total() != self.seen_total;
                (half_closed || moved || self.owing || self.is_blocked())
                    .then(|| self.patience.sweep.min(self.patience.linger).max(LOOKS.0))
            }
        }
    }

    fn is_blocked(&self) -> bool {
        self.upward.is_blocked() || self.downward.is_blocked()
    }

    fn tick(&mut self) -> Option<CloseReason> {
        match &mut self.phase {
            Phase::Open => self.tick_open(),
            // The look itself is taken by the poll that follows.
            Phase::Delivering { look_after } => {
                *look_after = (*look_after * 2).min(self.patience.sweep);
                None
            }
            Phase::Flushing(flush) => {
                flush.look_after = (flush.look_after * 2).min(LOOKS.1);
                self.tick_flushing()
            }
        }
    }

    /// Looks after both peers, and after a half-closed session that has fallen silent.
    fn tick_open(&mut self) -> Option<CloseReason> {
        let now = Instant::now();
        let total = self.traffic.total();
        let (down, up) = (self.down.vitals(), self.up.vitals());
        let owed = |side| {
            let vitals = if side == Side::Down { down } else { up };
            // FIN counts as one byte of the queue; alone it is nothing that a peer waits for.
            let fin = usize::from(self.pump_toward(side).has_ended());
            vitals.is_some_and(|vitals| vitals.unsent > fin)
        };
        self.owing = owed(Side::Down) || owed(Side::Up);
        let half_closed = self.upward.has_ended() || self.downward.has_ended();
        let moved = total != self.seen_total || half_closed != self.half_closed;
        if moved || self.owing || self.is_blocked() {
            self.moved_at = now;
        }
        self.half_closed = half_closed;
        self.seen_total = total;
        for (side, vitals) in [(Side::Down, down), (Side::Up, up)] {
            let Some(vitals) = vitals else { continue };
            if self.liveness(side).is_dead(&vitals, now.into_std()) {
                self.flush(side, side.dead());
                return None;
            }
            if vitals.closed && !self.is_done_with(side, &vitals) {
                // Reset while nobody was reading: the other side is full.
                self.flush(side, side.reset());
                return None;
            }
        }
        if half_closed && now.duration_since(self.moved_at) >= self.patience.linger {
            return Some(self.reset_both(CloseReason::LingerTimeout));
        }
        None
    }

    /// Gives up on a flush that no longer gets anywhere.
    fn tick_flushing(&mut self) -> Option<CloseReason> {
        let now = Instant::now();
        let Phase::Flushing(flush) = &mut self.phase else {
            return None;
        };
        let other = match flush.broken {
            Side::Down => self.up.vitals(),
            Side::Up => self.down.vitals(),
        };
        let left = (self.traffic.total(), other.map(|vitals| vitals.unsent));
        if left != flush.left {
            (flush.left, flush.progress) = (left, now);
        }
        let over = now.duration_since(flush.progress) >= self.patience.reset_flush
            || now.duration_since(flush.began) >= self.patience.reset_flush_max;
        let reason = flush.reason;
        over.then(|| self.reset_both(reason))
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

    fn reset_both(&self, reason: CloseReason) -> CloseReason {
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
