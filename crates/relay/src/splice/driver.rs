//! Runs a splice as a future, for legs that wake whoever waits for them.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::time::Instant;
use via6_core::reason::CloseReason;

use super::timer::Timer;
use super::{Patience, Splice, Turn};
use crate::buffer::with_buffer;
use crate::leg::Leg;
use crate::look::SessionState;
use crate::pipe::Pipes;

/// Bytes of a session so far, readable while it runs: counted when a leg's system has taken them.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Downstream to upstream.
    pub up: AtomicU64,
    /// Upstream to downstream.
    pub down: AtomicU64,
    state: AtomicU8,
}

/// What [`Traffic`] keeps of a state.
const STATES: [SessionState; 4] = [
    SessionState::Dialling,
    SessionState::Open,
    SessionState::HalfClosed,
    SessionState::Ending,
];

impl Traffic {
    /// How far the session is.
    #[must_use]
    pub fn state(&self) -> SessionState {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        STATES.get(state).copied().unwrap_or(SessionState::Ending)
    }

    /// Bytes up and down so far.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.up), read(&self.down))
    }

    /// Both sides are there.
    pub(crate) fn opened(&self) {
        self.set(SessionState::Open);
    }

    fn set(&self, state: SessionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Copies between `down` and `up` until the session is over, and says why it was.
///
/// Both legs are then ready to be dropped: each will send what its peer must see, FIN or RST.
/// Cancel safe in the sense that nothing leaks; bytes under way are lost, so a caller that
/// cancels should reset both legs.
pub async fn splice<D: Leg, U: Leg>(
    down: D,
    up: U,
    traffic: &Traffic,
    patience: Patience,
) -> CloseReason {
    let mut splice = Splice::new(down, up, Instant::now().into_std());
    let mut timer = pin!(Timer::default());
    poll_fn(|cx| {
        loop {
            let (polled, again) = in_turn(cx, &patience, |turn| (splice.poll(turn), turn.again));
            let (up, down) = splice.traffic();
            traffic.up.store(up, Ordering::Relaxed);
            traffic.down.store(down, Ordering::Relaxed);
            traffic.set(splice.state());
            if let Poll::Ready(reason) = polled {
                return Poll::Ready(reason);
            }
            if again {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(after) = splice.wanted_tick(&patience) {
                timer.as_mut().arm(after);
            }
            if timer.as_mut().poll_fired(cx).is_pending() {
                return Poll::Pending;
            }
            let ticked = in_turn(cx, &patience, |turn| splice.tick(turn));
            if let Some(reason) = ticked {
                return Poll::Ready(reason);
            }
        }
    })
    .await
}

/// Lends what this thread has, which is a buffer and no pipes.
fn in_turn<T>(
    cx: &mut Context<'_>,
    patience: &Patience,
    act: impl FnOnce(&mut Turn<'_, '_>) -> T,
) -> T {
    with_buffer(|buffer| {
        act(&mut Turn {
            cx,
            now: Instant::now().into_std(),
            patience,
            buffer,
            pipes: &mut Pipes::none(),
            again: false,
        })
    })
}
