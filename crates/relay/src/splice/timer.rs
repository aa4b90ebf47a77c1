//! A timer that is in the runtime's wheel only while somebody waits for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Unarmed until [`Timer::arm`]; unarmed again once it has fired.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Duration>,
}

impl Timer {
    /// Fires `after` from now, unless it is armed for as short a time already.
    pub(super) fn arm(mut self: Pin<&mut Self>, after: Duration) {
        if self.armed.is_some_and(|armed| armed <= after) {
            return;
        }
        self.armed = Some(after);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + after),
            None => self.sleep = Some(Box::pin(sleep(after))),
        }
    }

    /// Ready once each time it fires; pending while unarmed.
    pub(super) fn poll_fired(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed.is_none() {
            return Poll::Pending;
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        self.armed = None;
        Poll::Ready(())
    }
}
