//! One direction of a session: read, send at once, keep the rest, stop reading until it is gone.
//!
//! ```text
//! Open ──FIN read, everything handed over──▶ Ended
//! ```
//! Bytes pass through the thread's buffer, or in bulk through one of its pipes. Knows nothing of the
//! other direction, of time, or of what an error means.

use std::io;
use std::task::{Poll, ready};

use via6_core::limits::{BULK_BEGINS_AFTER, BULK_ENDS_AFTER, BULK_READ, BULK_SLOW, COPY_TURN};

use super::Turn;
use crate::leg::Leg;
use crate::pipe::{Pipe, Spill};

/// Bytes on their way from one leg to the other.
#[derive(Debug, Default)]
pub(super) struct Pump {
    held: Held,
    /// Bytes that the sink's system has taken.
    count: u64,
    gear: Gear,
    /// `splice(2)` does not work between these two.
    plain: bool,
    source_ended: bool,
    ended: bool,
}

/// What was taken from the source and not yet by the sink: nothing, while that one keeps up.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Memory {
        bytes: Vec<u8>,
        sent: usize,
        /// The bytes come out of a pipe.
        _spill: Option<Spill>,
    },
    Pipe(Pipe),
}

/// A leg that failed, and how.
#[derive(Debug)]
pub(super) enum Fault {
    Source(io::Error),
    Sink(io::Error),
}

impl Pump {
    /// Bytes that the sink's system has taken.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// FIN has been passed on.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The sink has not taken everything that was read.
    pub(super) fn is_blocked(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    /// Moves what can be moved now, FIN included. Ready: this direction has ended.
    pub(super) fn poll(
        &mut self,
        turn: &mut Turn<'_, '_>,
        source: &impl Leg,
        sink: &impl Leg,
    ) -> Poll<Result<(), Fault>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_bytes(turn, source, sink))?;
        sink.shutdown_write().map_err(Fault::Sink)?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }

    /// Moves what can be moved now. Ready: the source has ended and the sink has everything.
    pub(super) fn poll_bytes(
        &mut self,
        turn: &mut Turn<'_, '_>,
        source: &impl Leg,
        sink: &impl Leg,
    ) -> Poll<Result<(), Fault>> {
        let mut moved = 0;
        loop {
            ready!(self.poll_held(turn, sink))?;
            if self.source_ended {
                return Poll::Ready(Ok(()));
            }
            if moved >= COPY_TURN {
                turn.again = true;
                return Poll::Pending;
            }
            let by_pipe = match self.lend(turn, sink) {
                Some(pipe) => ready!(self.poll_pipe(turn, source, pipe))?,
                None => 0,
            };
            moved += match by_pipe {
                0 => ready!(self.poll_memory(turn, source, sink))?,
                moved => moved,
            };
        }
    }

    /// A pipe, if this pass is to go through one.
    fn lend(&self, turn: &mut Turn<'_, '_>, sink: &impl Leg) -> Option<Pipe> {
        if self.plain || !sink.takes_pipes() {
            return None;
        }
        turn.pipes.lend(self.gear.bulk)
    }

    /// One read and at most one write. Ready with the bytes read.
    fn poll_memory(
        &mut self,
        turn: &mut Turn<'_, '_>,
        source: &impl Leg,
        sink: &impl Leg,
    ) -> Poll<Result<usize, Fault>> {
        let read = ready!(source.poll_read(turn.cx, turn.buffer)).map_err(Fault::Source)?;
        let Some(bytes) = turn.buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            self.source_ended = true;
            return Poll::Ready(Ok(0));
        };
        self.gear.note(read);
        let written = match sink.poll_write(turn.cx, bytes) {
            Poll::Pending => 0,
            Poll::Ready(Ok(written)) => written,
            // What was read is lost with the sink that should have had it.
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::Sink(error))),
        };
        self.count += written as u64;
        if let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            self.held = Held::Memory {
                bytes: rest.to_vec(),
                sent: 0,
                _spill: None,
            };
            // The sink is what this waits for: no pipe makes it quicker.
            self.gear = Gear::default();
        }
        Poll::Ready(Ok(read))
    }

    /// Fills `pipe`; what comes next drains it. Ready with the bytes moved; 0: read instead.
    fn poll_pipe(
        &mut self,
        turn: &mut Turn<'_, '_>,
        source: &impl Leg,
        mut pipe: Pipe,
    ) -> Poll<Result<usize, Fault>> {
        let filled = source.poll_fill(turn.cx, &mut pipe);
        if let Poll::Ready(Ok(moved @ 1..)) = filled {
            self.gear.note(moved);
            pipe.stamp(turn.now);
            self.held = Held::Pipe(pipe);
            return Poll::Ready(Ok(moved));
        }
        turn.pipes.give_back(pipe);
        match ready!(filled) {
            Ok(_) => Poll::Ready(Ok(0)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.plain = true;
                Poll::Ready(Ok(0))
            }
            Err(error) => Poll::Ready(Err(Fault::Source(error))),
        }
    }

    /// Hands over what is held. Ready: nothing is.
    fn poll_held(&mut self, turn: &mut Turn<'_, '_>, sink: &impl Leg) -> Poll<Result<(), Fault>> {
        loop {
            let moved = match &mut self.held {
                Held::Nothing => return Poll::Ready(Ok(())),
                Held::Memory { bytes, sent, .. } => {
                    let rest = bytes.get(*sent..).unwrap_or_default();
                    let moved = ready!(sink.poll_write(turn.cx, rest)).map_err(Fault::Sink)?;
                    *sent += moved;
                    if *sent >= bytes.len() {
                        self.held = Held::Nothing;
                    }
                    moved
                }
                Held::Pipe(pipe) => {
                    let moved = match ready!(sink.poll_drain(turn.cx, pipe)) {
                        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                            self.plain = true;
                            let spill = turn.pipes.spill();
                            self.read_out(turn, spill).map_err(Fault::Sink)?;
                            continue;
                        }
                        drained => drained.map_err(Fault::Sink)?,
                    };
                    if pipe.is_empty() {
                        if pipe.is_slow(turn.now, BULK_SLOW) {
                            self.gear = Gear::default();
                        }
                        if let Held::Pipe(pipe) = std::mem::take(&mut self.held) {
                            turn.pipes.give_back(pipe);
                        }
                    }
                    moved
                }
            };
            if moved == 0 {
                return Poll::Ready(Err(Fault::Sink(io::ErrorKind::WriteZero.into())));
            }
            self.count += moved as u64;
        }
    }

    /// Gives a pipe back that a slow sink keeps from others, if its bytes may wait in memory
    /// instead.
    pub(super) fn free_pipe(&mut self, turn: &mut Turn<'_, '_>) -> io::Result<()> {
        match turn.pipes.spill() {
            None => Ok(()),
            spill => self.read_out(turn, spill),
        }
    }

    fn read_out(&mut self, turn: &mut Turn<'_, '_>, spill: Option<Spill>) -> io::Result<()> {
        if let Held::Pipe(pipe) = &mut self.held {
            let in_memory = Held::Memory {
                bytes: pipe.read_out()?,
                sent: 0,
                _spill: spill,
            };
            if let Held::Pipe(pipe) = std::mem::replace(&mut self.held, in_memory) {
                turn.pipes.give_back(pipe);
            }
            self.gear = Gear::default();
        }
        Ok(())
    }
}

/// Whether a direction is in bulk: a download to somebody who takes it as fast as it comes, not game
/// messages, nor a download that waits for a slower link, where a pipe would only add a queue for
/// game messages to stand in. Some passes to the contrary change it, so that one large message or
/// one pause does not.
#[derive(Debug, Default)]
struct Gear {
    bulk: bool,
    contrary: u8,
}

impl Gear {
    fn note(&mut self, moved: usize) {
        if (moved >= BULK_READ) == self.bulk {
            self.contrary = 0;
            return;
        }
        self.contrary += 1;
        let enough = if self.bulk {
            BULK_ENDS_AFTER
        } else {
            BULK_BEGINS_AFTER
        };
        if self.contrary >= enough {
            *self = Self {
                bulk: !self.bulk,
                contrary: 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_begins_and_ends_by_successive_passes_only() {
        let mut gear = Gear::default();
        for _ in 0..100 {
            (1..BULK_BEGINS_AFTER).for_each(|_| gear.note(BULK_READ));
            gear.note(BULK_READ - 1);
            assert!(!gear.bulk);
        }
        (0..BULK_BEGINS_AFTER).for_each(|_| gear.note(BULK_READ));
        assert!(gear.bulk);
        for _ in 0..100 {
            (1..BULK_ENDS_AFTER).for_each(|_| gear.note(64));
            gear.note(BULK_READ);
            assert!(gear.bulk);
        }
        (0..BULK_ENDS_AFTER).for_each(|_| gear.note(64));
        assert!(!gear.bulk);
    }

    /// What a sink's slowness does to a direction in bulk, over real pipes and queues.
    #[cfg(target_os = "linux")]
    mod slow_sink {
        use std::io::{Read as _, Write as _};
        use std::os::unix::net::UnixStream;
        use std::task::{Context, Waker};
        use std::time::{Duration, Instant};

        use via6_core::limits::{COPY_BUFFER, DESCRIPTORS_RESERVED, PIPES_ONE_IN};
        use via6_core::liveness::Vitals;

        use super::super::*;
        use crate::descriptors::Descriptors;
        use crate::pipe::Pipes;
        use crate::splice::Patience;

        struct Local(UnixStream);

        fn polled(result: io::Result<usize>) -> Poll<io::Result<usize>> {
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                result => Poll::Ready(result),
            }
        }

        impl Leg for Local {
            fn poll_read(&self, _: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
                polled((&self.0).read(to))
            }

            fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                polled((&self.0).write(bytes))
            }

            fn poll_fill(&self, _: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
                polled(pipe.fill(&self.0))
            }

            fn poll_drain(&self, _: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
                polled(pipe.drain(&self.0))
            }

            fn takes_pipes(&self) -> bool {
                true
            }

            fn shutdown_write(&self) -> io::Result<()> {
                Ok(())
            }

            fn poll_failed(&self, _: &mut Context<'_>) -> Poll<()> {
                Poll::Pending
            }

            fn vitals(&self) -> Option<Vitals> {
                None
            }

            fn reset_on_close(&self) {}
        }

        fn pair() -> (Local, UnixStream) {
            let (near, far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            far.set_nonblocking(true).unwrap();
            (Local(near), far)
        }

        fn take_all(from: &mut UnixStream) {
            let mut buffer = vec![0; COPY_BUFFER];
            while matches!(from.read(&mut buffer), Ok(1..)) {}
        }

        /// In bulk, with a full sink and bytes in a pipe; then the sink takes everything, `after`
        /// the pipe was filled. Whether it is in bulk still.
        #[allow(clippy::disallowed_methods, reason = "some instant to start from")]
        fn stays_in_bulk(after: Duration) -> bool {
            let ((source, mut sender), (sink, mut reader)) = (pair(), pair());
            let descriptors = Descriptors::new(DESCRIPTORS_RESERVED + PIPES_ONE_IN);
            let mut pipes = Pipes::new(descriptors);
            let (patience, mut buffer) = (Patience::default(), vec![0; COPY_BUFFER]);
            let mut pump = Pump::default();
            pump.gear.bulk = true;
            let filled = Instant::now();
            let mut poll = |pump: &mut Pump, now| {
                let mut turn = Turn {
                    cx: &mut Context::from_waker(Waker::noop()),
                    now,
                    patience: &patience,
                    buffer: &mut buffer,
                    pipes: &mut pipes,
                    again: false,
                };
                assert!(pump.poll_bytes(&mut turn, &source, &sink).is_pending());
            };
            let chunk = vec![1; COPY_BUFFER];
            while !matches!(pump.held, Held::Pipe(_)) {
                let _ = sender.write(&chunk);
                poll(&mut pump, filled);
            }
            assert!(pump.gear.bulk);
            while pump.is_blocked() {
                take_all(&mut reader);
                poll(&mut pump, filled + after);
            }
            pump.gear.bulk
        }

        #[test]
        fn a_direction_whose_sink_is_slow_to_empty_a_pipe_is_out_of_bulk() {
            assert!(stays_in_bulk(BULK_SLOW));
            assert!(!stays_in_bulk(BULK_SLOW + Duration::from_millis(1)));
        }
    }
}
