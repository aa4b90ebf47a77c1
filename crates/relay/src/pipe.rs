//! Pipes through which `splice(2)` moves bytes from socket to socket without copying them.
//!
//! Like the thread's buffer, a pipe is lent for one turn: it is filled only when empty, drained at
//! once, and given back. A direction keeps one only while the other side has not taken everything.
//! So idle sessions own none, a few serve all, and when there is none to lend the bytes pass
//! through memory. (Filled only when empty: a pipe holds a number of pieces, not of bytes, so
//! `EAGAIN` from a pipe that still holds something would not say which of the two is stuck.)
//!
//! Linux only. Elsewhere there is none to lend.

use std::sync::Arc;

use via6_core::limits::{PIPES_IDLE, SPILLS_MAX};

#[cfg(target_os = "linux")]
pub use self::linux::Pipe;
#[cfg(not(target_os = "linux"))]
pub use self::none::Pipe;
use crate::descriptors::Descriptors;

/// Whether bytes may be moved by `splice(2)` instead of through memory. Linux only; elsewhere all
/// three are [`Splicing::Never`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Splicing {
    /// While a direction is in bulk.
    #[default]
    Adaptive,
    /// Always: slower for small messages.
    Always,
    /// Never: the way out if a system's `splice(2)` is not to be trusted.
    Never,
}

/// Stands for one pipe's bytes that were read out.
#[derive(Debug)]
pub(crate) struct Spill(#[allow(dead_code, reason = "counted by being there")] Arc<()>);

/// The pipes of one thread.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// As the session wants it that has its turn.
    splicing: Splicing,
    idle: Vec<Pipe>,
    /// Counts what was read out of pipes: each holds a clone.
    spills: Arc<()>,
    /// Where the descriptors of pipes are accounted for; none: there are no pipes.
    descriptors: Option<Descriptors>,
}

impl Pipes {
    pub(crate) fn new(descriptors: Descriptors) -> Self {
        Self {
            splicing: Splicing::default(),
            idle: Vec::new(),
            spills: Arc::default(),
            descriptors: Some(descriptors),
        }
    }

    /// Has none to lend.
    pub(crate) fn none() -> Self {
        Self {
            splicing: Splicing::Never,
            idle: Vec::new(),
            spills: Arc::default(),
            descriptors: None,
        }
    }

    /// From now on lends as whoever has its turn wants it.
    pub(crate) fn follow(&mut self, splicing: Splicing) {
        self.splicing = splicing;
    }

    /// An empty pipe for a direction that is in bulk or not; `None`: use memory.
    pub(crate) fn lend(&mut self, in_bulk: bool) -> Option<Pipe> {
        let wanted = match self.splicing {
            Splicing::Adaptive => in_bulk,
            Splicing::Always => true,
            Splicing::Never => false,
        };
        if !wanted {
            return None;
        }
        self.idle.pop().or_else(|| self.make())
    }

    fn make(&self) -> Option<Pipe> {
        Pipe::new(self.descriptors.as_ref()?.lease_pipe()?)
    }

    /// Takes a pipe back. One that still holds bytes is closed: they belong to nobody else.
    pub(crate) fn give_back(&mut self, pipe: Pipe) {
        if pipe.is_empty() && self.idle.len() < PIPES_IDLE {
            self.idle.push(pipe);
        }
    }

    /// Leave to keep a pipe's bytes in memory, so that the pipe can serve others; given back when
    /// dropped. `None`: enough are kept so.
    pub(crate) fn spill(&self) -> Option<Spill> {
        // One clone is this pool's own.
        (Arc::strong_count(&self.spills) <= SPILLS_MAX).then(|| Spill(Arc::clone(&self.spills)))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::time::{Duration, Instant};

    use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
    use nix::unistd::{pipe2, read};
    use via6_core::limits::{COPY_BUFFER, PIPE_BYTES};

    use crate::descriptors::Lease;

    /// A pipe, empty or with bytes on their way from one socket to another.
    #[derive(Debug)]
    pub struct Pipe(Box<Ends>);

    #[derive(Debug)]
    struct Ends {
        read: OwnedFd,
        write: OwnedFd,
        held: usize,
        /// When it was filled last.
        filled_at: Option<Instant>,
        _lease: Lease,
    }

    impl Pipe {
        /// `None`: the system has no pipe to give, or none of a useful size.
        pub(super) fn new(lease: Lease) -> Option<Self> {
            let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).ok()?;
            // Refused where the user's pipes have reached `pipe-user-pages-soft` (pipe(7)), and
            // above `pipe-max-size`; what was granted decides.
            let wanted = libc::c_int::try_from(PIPE_BYTES).unwrap_or(libc::c_int::MAX);
            let _ = fcntl(&write, FcntlArg::F_SETPIPE_SZ(wanted));
            let granted = fcntl(&write, FcntlArg::F_GETPIPE_SZ).ok()?;
            if usize::try_from(granted).ok()? < COPY_BUFFER {
                return None;
            }
            Some(Self(Box::new(Ends {
                read,
                write,
                held: 0,
                filled_at: None,
                _lease: lease,
            })))
        }

        /// Nothing is in it.
        pub(crate) fn is_empty(&self) -> bool {
            self.0.held == 0
        }

        /// Fills it from a socket: the bytes that have moved, 0 at the end of the stream.
        pub(crate) fn fill(&mut self, from: impl AsFd) -> io::Result<usize> {
            debug_assert!(self.is_empty(), "a pipe is filled only when empty");
            let moved = splice(from, None, &self.0.write, None, PIPE_BYTES, FLAGS)?;
            self.0.held += moved;
            Ok(moved)
        }

        /// Empties it into a socket, as far as that takes it: the bytes that have moved.
        pub(crate) fn drain(&mut self, to: impl AsFd) -> io::Result<usize> {
            let moved = splice(&self.0.read, None, to, None, self.0.held, FLAGS)?;
            self.0.held = self.0.held.saturating_sub(moved);
            Ok(moved)
        }

        /// Takes note of when it was filled.
        pub(crate) fn stamp(&mut self, now: Instant) {
            self.0.filled_at = Some(now);
        }

        /// Whether emptying it has taken longer than `limit`.
        pub(crate) fn is_slow(&self, now: Instant, limit: Duration) -> bool {
            let took = self.0.filled_at.map(|at| now.duration_since(at));
            took.is_some_and(|took| took > limit)
        }

        /// Reads everything out, so that the pipe can serve others.
        pub(crate) fn read_out(&mut self) -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; self.0.held];
            let mut filled = 0;
            while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
                match read(&self.0.read, room)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    more => filled += more,
                }
            }
            self.0.held = 0;
            Ok(bytes)
        }
    }

    /// `MOVE` asks that pages change hands instead of being copied. Never `MORE`: the last part of
    /// a message would wait for a full segment.
    const FLAGS: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);

    #[cfg(test)]
    mod tests {
        use std::io::{Read as _, Write as _};
        use std::os::unix::net::UnixStream;

        use super::super::Pipes;
        use crate::descriptors::Descriptors;
        use via6_core::limits::{
            DESCRIPTORS_RESERVED, PIPES_IDLE, PIPES_MAX, PIPES_ONE_IN, SPILLS_MAX,
        };

        /// A pool of so many pipes.
        fn pipes(most: usize) -> Pipes {
            let descriptors = Descriptors::new(DESCRIPTORS_RESERVED + most * PIPES_ONE_IN);
            Pipes::new(descriptors)
        }

        #[test]
        fn bytes_go_through_and_can_be_read_out() {
            let (mut near, far) = UnixStream::pair().unwrap();
            let mut pipe = pipes(1).lend(true).unwrap();
            near.write_all(b"one two").unwrap();
            assert_eq!(pipe.fill(&far).unwrap(), 7);
            assert_eq!(pipe.drain(&far).unwrap(), 7);
            let mut heard = [0; 7];
            near.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"one two");
            near.write_all(b"three").unwrap();
            pipe.fill(&far).unwrap();
            assert_eq!(pipe.read_out().unwrap(), b"three");
            assert!(pipe.is_empty());
        }

        #[test]
        fn pipes_are_bounded_and_take_no_sessions_place() {
            for (most, expected) in [(0, 0), (1, 1), (PIPES_MAX + 5, PIPES_MAX)] {
                let mut pool = pipes(most);
                let lent: Vec<_> = std::iter::from_fn(|| pool.lend(true)).collect();
                assert_eq!(lent.len(), expected);
                let account = pool.descriptors.clone().unwrap();
                let all = most * PIPES_ONE_IN - 2 * expected;
                assert_eq!(account.capacity(), all.max(2));
                let all = u32::try_from(account.capacity()).unwrap();
                assert!(account.lease(all).is_some(), "sessions have theirs");
                for pipe in lent {
                    pool.give_back(pipe);
                }
                assert_eq!(pool.idle.len(), expected.min(PIPES_IDLE));
                assert_eq!(pool.lend(true).is_some(), expected > 0);
            }
        }

        #[test]
        fn few_pipes_at_a_time_are_read_out() {
            let pool = pipes(1);
            let spills: Vec<_> = std::iter::from_fn(|| pool.spill()).collect();
            assert_eq!(spills.len(), SPILLS_MAX);
            drop(spills);
            assert!(pool.spill().is_some());
        }

        #[test]
        fn without_descriptors_or_outside_bulk_there_is_none() {
            let mut pool = pipes(1);
            assert!(pool.lend(false).is_none());
            let first = pool.lend(true);
            assert!(first.is_some());
            assert!(pool.lend(true).is_none());
            assert!(Pipes::none().lend(true).is_none());
        }

        #[test]
        fn a_pipe_with_bytes_in_it_is_not_lent_again() {
            let (mut near, far) = UnixStream::pair().unwrap();
            let mut pool = pipes(2);
            let mut pipe = pool.lend(true).unwrap();
            near.write_all(b"secret").unwrap();
            pipe.fill(&far).unwrap();
            pool.give_back(pipe);
            assert!(pool.idle.is_empty());
            assert!(pool.lend(true).unwrap().is_empty());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::io;
    use std::time::{Duration, Instant};

    use crate::descriptors::Lease;

    /// There is none on this system.
    #[derive(Debug)]
    pub enum Pipe {}

    impl Pipe {
        pub(super) fn new(_: Lease) -> Option<Self> {
            None
        }

        pub(crate) fn is_empty(&self) -> bool {
            match *self {}
        }

        pub(crate) fn stamp(&mut self, _: Instant) {
            match *self {}
        }

        pub(crate) fn is_slow(&self, _: Instant, _: Duration) -> bool {
            match *self {}
        }

        pub(crate) fn read_out(&mut self) -> io::Result<Vec<u8>> {
            match *self {}
        }
    }
}
