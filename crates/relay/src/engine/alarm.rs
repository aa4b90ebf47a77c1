//! Waking the engine for its timers.
//!
//! Most waits have a timer seconds away that will not fire: a look at each session that carries
//! something, every 5 s. Given to the wait itself, the system sets and clears a clock for it at each
//! packet, at 4 % of a small round trip. So on Linux a clock (`timerfd_create(2)`) is set once, and
//! again only for something sooner; it may ring for a timer that is gone, which costs a look.
//! Elsewhere, and for moments that are close, the wait has its time-out.

use std::time::{Duration, Instant};

use mio::Registry;

/// Waits as short as this are timed by themselves: setting a clock for them would cost as much.
const CLOSE: Duration = Duration::from_millis(100);

/// A clock that rings by an event of [`Concern::Alarm`](super::Concern::Alarm).
#[derive(Debug)]
pub(super) struct Alarm {
    /// `None`: the system has none to give.
    clock: Option<sys::Clock>,
    /// When it will ring.
    set_to: Option<Instant>,
}

impl Alarm {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            clock: sys::Clock::new(registry).ok(),
            set_to: None,
        }
    }

    /// It has rung.
    pub(super) fn rang(&mut self) {
        self.set_to = None;
    }

    /// The time-out of a wait of which something is due after `idle`, if at all.
    pub(super) fn time_out(&mut self, idle: Option<Duration>, now: Instant) -> Option<Duration> {
        let idle = idle?;
        let Some(clock) = self.clock.as_ref().filter(|_| idle > CLOSE) else {
            return Some(idle);
        };
        let at = now + idle;
        if self.set_to.is_some_and(|set_to| set_to <= at) {
            return None;
        }
        if clock.set(idle).is_err() {
            return Some(idle);
        }
        self.set_to = Some(at);
        None
    }
}

#[cfg(target_os = "linux")]
mod sys {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry};
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

    use super::super::Concern;

    #[derive(Debug)]
    pub(super) struct Clock(TimerFd);

    impl Clock {
        pub(super) fn new(registry: &Registry) -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let clock = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            let descriptor = clock.as_fd().as_raw_fd();
            registry.register(
                &mut SourceFd(&descriptor),
                Concern::Alarm.token(),
                Interest::READABLE,
            )?;
            Ok(Self(clock))
        }

        /// Rings once, after this long. Edge-triggered, it need not be read to ring again.
        pub(super) fn set(&self, after: Duration) -> io::Result<()> {
            let once = Expiration::OneShot(after.into());
            Ok(self.0.set(once, TimerSetTimeFlags::empty())?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::io;
    use std::time::Duration;

    use mio::Registry;

    /// There is none.
    #[derive(Debug)]
    pub(super) enum Clock {}

    impl Clock {
        pub(super) fn new(_: &Registry) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn set(&self, _: Duration) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use mio::{Events, Poll};

    use super::super::Concern;
    use super::*;

    #[test]
    fn it_rings_again_and_again_without_being_read() {
        let mut poll = Poll::new().unwrap();
        let mut alarm = Alarm::new(poll.registry());
        let mut events = Events::with_capacity(4);
        let soon = CLOSE + Duration::from_millis(5);
        for _ in 0..3 {
            let now = Instant::now();
            assert_eq!(alarm.time_out(Some(soon), now), None);
            let limit = Some(Duration::from_secs(10));
            poll.poll(&mut events, limit).unwrap();
            let rung: Vec<_> = events.iter().map(mio::event::Event::token).collect();
            assert_eq!(rung, [Concern::Alarm.token()]);
            assert!(now.elapsed() >= soon);
            alarm.rang();
        }
    }

    #[test]
    fn only_something_sooner_sets_it_again_and_what_is_close_is_timed_by_the_wait() {
        let poll = Poll::new().unwrap();
        let mut alarm = Alarm::new(poll.registry());
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(alarm.time_out(None, now), None);
        assert_eq!(alarm.set_to, None);
        for (idle, set_to) in [(5, 5), (7, 5), (3, 3), (4, 3)] {
            assert_eq!(alarm.time_out(Some(idle * second), now), None);
            assert_eq!(alarm.set_to, Some(now + set_to * second));
        }
        assert_eq!(alarm.time_out(Some(CLOSE), now), Some(CLOSE));
        assert_eq!(alarm.set_to, Some(now + 3 * second));
    }
}
