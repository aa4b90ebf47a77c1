//! Waiting on one thread for many sockets or for a moment, whichever is first. One thread is the
//! cheapest load there is: what the load costs, the relays do not get.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl::{get_timerslack, set_timerslack};
use nix::sys::time::TimeSpec;

/// Sockets that are waited for together.
pub(super) struct Readiness<'a> {
    sockets: Vec<PollFd<'a>>,
    _timer: FineTimer,
}

impl<'a> Readiness<'a> {
    pub(super) fn of<S: AsFd + 'a>(sockets: &'a [S]) -> anyhow::Result<Self> {
        let poll = |fd: BorrowedFd<'a>| PollFd::new(fd, PollFlags::POLLIN);
        Ok(Self {
            sockets: sockets.iter().map(|socket| poll(socket.as_fd())).collect(),
            _timer: FineTimer::set()?,
        })
    }

    /// Which of the sockets can be read, by their order; none when it is `until` first.
    pub(super) fn wait(&mut self, until: Instant) -> anyhow::Result<Vec<usize>> {
        let left = until.saturating_duration_since(Instant::now());
        match ppoll(&mut self.sockets, Some(TimeSpec::from_duration(left)), None) {
            Ok(_) => {}
            // The flags of a call that was interrupted are those of the one before.
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(error) => return Err(error).context("cannot wait for the sockets"),
        }
        // An error or an end shows when the socket is read.
        let ready = (self.sockets.iter().enumerate())
            .filter(|(_, socket)| socket.any().unwrap_or(true))
            .map(|(index, _)| index)
            .collect();
        Ok(ready)
    }
}

/// While it lives, this thread's timers are exact to a microsecond. Linux lets them be 50 µs late
/// otherwise, more than a relay takes. Programs started meanwhile would inherit it.
struct FineTimer {
    before: i32,
}

impl FineTimer {
    fn set() -> anyhow::Result<Self> {
        const SLACK_NS: std::ffi::c_ulong = 1_000;
        let before = get_timerslack().context("cannot read the timer slack")?;
        set_timerslack(SLACK_NS).context("cannot set the timer slack")?;
        Ok(Self { before })
    }
}

impl Drop for FineTimer {
    fn drop(&mut self) {
        // Zero means "the default"; a value this thread has had before is never refused.
        let _ = set_timerslack(self.before.try_into().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_ready_is_told_by_its_order_and_time_passes_otherwise() {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sockets = [socket(), socket(), socket()];
        let before = get_timerslack().unwrap();
        let mut readiness = Readiness::of(&sockets).unwrap();
        let soon = Instant::now() + Duration::from_millis(2);
        assert!(readiness.wait(soon).unwrap().is_empty());
        assert!(Instant::now() >= soon);
        let target = sockets[1].local_addr().unwrap();
        sockets[0].send_to(b"x", target).unwrap();
        let far = Instant::now() + Duration::from_secs(10);
        assert_eq!(readiness.wait(far).unwrap(), [1]);
        drop(readiness);
        assert_eq!(get_timerslack().unwrap(), before);
    }
}
