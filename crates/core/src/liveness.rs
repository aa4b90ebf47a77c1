//! Is the peer slow or gone? Decides from what the system knows of a TCP connection.
//!
//! A live peer's system acknowledges every segment and answers every zero-window probe, even when
//! its program reads nothing for hours. So silence of the *program* says nothing; silence of the
//! *system* while something is owed says the machine, or the path to it, is gone. This is why
//! `TCP_USER_TIMEOUT` is not used: it ends live peers whose window is closed.

use std::time::{Duration, Instant};

use crate::limits::{DEAD_AFTER, DEAD_PROBES};

/// What the system tells about one TCP connection at one moment (`TCP_INFO`, `SIOCOUTQ`; tcp(7)).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Vitals {
    /// Bytes handed to the system and not yet acknowledged; a FIN counts as one.
    pub unsent: usize,
    /// Segments under way and not yet acknowledged.
    pub unacked: u32,
    /// Time since the last acknowledgement came in.
    pub since_ack: Duration,
    /// Zero-window or keep-alive probes sent since the last answer.
    pub probes: u8,
    /// The connection no longer exists: reset, timed out, or ended in both directions. In the last
    /// case what came before the peer's FIN may still wait to be read.
    pub closed: bool,
}

/// Watches one peer over successive [`Vitals`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Liveness {
    owed_since: Option<Instant>,
    looked_at: Option<Instant>,
}

impl Liveness {
    /// Takes a look; true when the peer is gone.
    ///
    /// Something must have been owed, without any acknowledgement, at every look for
    /// [`DEAD_AFTER`]: `since_ack` alone would condemn a peer that was idle for a minute and was
    /// written to a millisecond ago.
    pub fn is_dead(&mut self, vitals: &Vitals, now: Instant) -> bool {
        let since_look = self
            .looked_at
            .map_or(Duration::MAX, |at| now.duration_since(at));
        self.looked_at = Some(now);
        if vitals.closed {
            return false;
        }
        if vitals.probes >= DEAD_PROBES {
            return true;
        }
        if vitals.unacked == 0 || (vitals.since_ack < since_look && self.owed_since.is_some()) {
            self.owed_since = None;
        }
        if vitals.unacked == 0 {
            return false;
        }
        now.duration_since(*self.owed_since.get_or_insert(now)) >= DEAD_AFTER
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn owed(since_ack: Duration) -> Vitals {
        Vitals {
            unsent: 100,
            unacked: 1,
            since_ack,
            ..Vitals::default()
        }
    }

    #[test]
    fn long_idle_then_written_to_is_alive() {
        let now = Instant::now();
        assert!(!Liveness::default().is_dead(&owed(3600 * SECOND), now));
    }

    #[test]
    fn owed_without_ack_for_twenty_seconds_is_dead() {
        let (start, mut peer) = (Instant::now(), Liveness::default());
        for at in [0, 5, 10, 15] {
            let silent = 60 * SECOND + at * SECOND;
            assert!(
                !peer.is_dead(&owed(silent), start + at * SECOND),
                "at {at} s"
            );
        }
        assert!(peer.is_dead(&owed(80 * SECOND), start + 20 * SECOND));
    }

    #[test]
    fn steady_acks_on_a_slow_path_keep_it_alive() {
        let (start, mut peer) = (Instant::now(), Liveness::default());
        for at in (0..600).step_by(5) {
            assert!(
                !peer.is_dead(&owed(4 * SECOND), start + at * SECOND),
                "at {at} s"
            );
        }
    }

    #[test]
    fn closed_window_with_answered_probes_is_alive_and_unanswered_is_dead() {
        let (now, mut peer) = (Instant::now(), Liveness::default());
        let waiting = |probes| Vitals {
            unsent: 5000,
            probes,
            ..Vitals::default()
        };
        assert!(!peer.is_dead(&waiting(1), now + 600 * SECOND));
        assert!(!peer.is_dead(&waiting(3), now + 1200 * SECOND));
        assert!(peer.is_dead(&waiting(4), now + 1800 * SECOND));
    }

    #[test]
    fn a_connection_that_is_over_is_not_dead() {
        let gone = Vitals {
            closed: true,
            unacked: 9,
            probes: 9,
            ..Vitals::default()
        };
        assert!(!Liveness::default().is_dead(&gone, Instant::now()));
    }
}
