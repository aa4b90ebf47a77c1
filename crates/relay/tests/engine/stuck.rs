//! Readers that stop in the middle of a download: they hold nobody else up, lose nothing, and what
//! was held for them is given back.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use via6_core::limits::PIPES_MAX;
#[cfg(target_os = "linux")]
use via6_core::limits::{PIPES_IDLE, SPILLS_MAX};
use via6_core::reason::CloseReason;
use via6_relay::{Policy, Splicing};

use crate::play::{MODES, Pair, Stage, alone, wait_for};
use crate::wire::{self, End, PATIENCE, Pattern};

/// More than there are pipes.
const STUCK: usize = PIPES_MAX + 8;

/// Sessions beside them, and what each carries in each direction.
const LIVELY: usize = 40;
const LIVELY_BYTES: u64 = 2 << 20;

/// What a stuck direction still carries once it goes on.
const MORE_BYTES: u64 = 2 << 20;

/// No more than this fits into all queues on the way: of three systems' sockets, and a pipe.
const QUEUES_MAX: u64 = 256 << 20;

/// What a sender's system may hold. So queues fill up soon.
const SEND_QUEUE: usize = 64 * 1024;

/// For so long nothing may move before somebody counts as stuck.
const STILL: Duration = Duration::from_millis(300);

/// How much a sender has handed to its system, and how much is to be sent.
struct Progress {
    sent: AtomicU64,
    until: AtomicU64,
}

impl Progress {
    fn new(until: u64) -> Self {
        Self {
            sent: AtomicU64::new(0),
            until: AtomicU64::new(until),
        }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends the first MiB of `pattern` again and again, and FIN.
    fn send(&self, mut to: &TcpStream, pattern: Pattern) {
        use std::io::Write;
        let bytes = pattern.bytes(0, 1 << 20);
        while let left @ 1.. = self
            .until
            .load(Ordering::Relaxed)
            .saturating_sub(self.sent())
        {
            let at = usize::try_from(self.sent() % (1 << 20)).unwrap();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(128 * 1024);
            let piece = &bytes[at..bytes.len().min(at.saturating_add(most))];
            let sent = to.write(piece).expect("sending goes on");
            self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
        wire::finish(to);
    }
}

/// Reads what [`Progress::send`] sends, to the end.
fn hear(mut from: &TcpStream, pattern: Pattern) -> (u64, End) {
    use std::io::Read;
    let mut bytes = pattern.bytes(0, 1 << 20);
    let mut buffer = vec![0; 256 * 1024];
    bytes.extend_from_within(..buffer.len());
    let mut at = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return (at, End::Fin),
            Ok(read) => read,
            Err(error) if wire::is_reset(&error) => return (at, End::Reset),
            Err(error) => panic!("reading at {at}: {error}"),
        };
        let place = usize::try_from(at % (1 << 20)).unwrap();
        let right = buffer[..read] == bytes[place..place + read];
        assert!(right, "a wrong byte after {at}");
        at += read as u64;
    }
}

/// Waits until none of them has moved for [`STILL`].
fn until_still(all: &[Progress]) {
    let seen = || all.iter().map(Progress::sent).collect::<Vec<_>>();
    let (mut last, mut since) = (seen(), Instant::now());
    wait_for("everybody to be stuck", || {
        let now = seen();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= STILL).then_some(())
    });
    assert!(last.iter().all(|&sent| sent < QUEUES_MAX), "{last:?}");
}

/// A sender and a reader: of downloads and uploads in turn.
fn direction(pair: &Pair, number: usize) -> (&TcpStream, &TcpStream) {
    let Pair { player, game } = pair;
    if number.is_multiple_of(2) {
        (game, player)
    } else {
        (player, game)
    }
}

/// Sessions that carry bulk in both directions, come and go.
fn be_lively(stage: &Stage) {
    let pairs: Vec<_> = (0..LIVELY).map(|_| stage.pair()).collect();
    thread::scope(|scope| {
        for (number, Pair { player, game }) in pairs.iter().enumerate() {
            for (from, to, salt) in [(player, game, 1000), (game, player, 2000)] {
                let pattern = Pattern(salt + number as u64);
                scope.spawn(move || Progress::new(LIVELY_BYTES).send(from, pattern));
                scope.spawn(move || assert_eq!(hear(to, pattern), (LIVELY_BYTES, End::Fin)));
            }
        }
    });
}

/// Ends what is stuck when a test fails, which would otherwise wait for it.
struct FailQuickly<'a>(&'a [Pair]);

impl Drop for FailQuickly<'_> {
    fn drop(&mut self) {
        for Pair { player, game } in self.0.iter().filter(|_| thread::panicking()) {
            // A connection that has ended already is just as well.
            let _ = player.shutdown(Shutdown::Both);
            let _ = game.shutdown(Shutdown::Both);
        }
    }
}

/// [`STUCK`] directions are stuck, others come and go, and then the stuck ones go on.
fn stuck_and_lively(splicing: Splicing, policy: &Policy, while_stuck: impl FnOnce()) {
    let stage = Stage::with(splicing, 1, policy);
    let pairs: Vec<_> = (0..STUCK).map(|_| stage.pair()).collect();
    let progress: Vec<_> = (0..STUCK).map(|_| Progress::new(u64::MAX)).collect();
    thread::scope(|scope| {
        let _quick = FailQuickly(&pairs);
        for (number, pair) in pairs.iter().enumerate() {
            let (from, _) = direction(pair, number);
            let (progress, pattern) = (&progress[number], Pattern(number as u64));
            SockRef::from(from)
                .set_send_buffer_size(SEND_QUEUE)
                .unwrap();
            // As long as everything else may take, and more.
            from.set_write_timeout(Some(PATIENCE * 5)).unwrap();
            scope.spawn(move || progress.send(from, pattern));
        }
        until_still(&progress);
        be_lively(&stage);
        while_stuck();
        for (number, pair) in pairs.iter().enumerate() {
            let (_, to) = direction(pair, number);
            let progress = &progress[number];
            let until = progress.sent() + MORE_BYTES;
            progress.until.store(until, Ordering::Relaxed);
            scope.spawn(move || {
                let (heard, end) = hear(to, Pattern(number as u64));
                assert_eq!((heard, end), (progress.sent(), End::Fin));
                wire::finish(to);
            });
        }
    });
    for (number, pair) in pairs.iter().enumerate() {
        wire::expect(direction(pair, number).0, Pattern(0), 0, End::Fin);
    }
    stage.conclude(STUCK + LIVELY, |end| {
        let expected = match usize::try_from(end.session).unwrap() - 1 {
            number if number >= STUCK => (LIVELY_BYTES, LIVELY_BYTES),
            number if number.is_multiple_of(2) => (0, progress[number].sent()),
            number => (progress[number].sent(), 0),
        };
        end.reason == CloseReason::Finished && (end.up, end.down) == expected
    });
}

/// Runs `test` and sees that all descriptors are given back.
fn given_back(test: impl FnOnce()) {
    #[cfg(target_os = "linux")]
    let before = crate::play::descriptors();
    test();
    #[cfg(target_os = "linux")]
    wait_for("all descriptors to be given back", || {
        (crate::play::descriptors() == before).then_some(())
    });
}

#[test]
fn readers_that_stop_hold_up_nobody_and_lose_nothing() {
    let _alone = alone();
    for splicing in MODES {
        given_back(|| {
            #[cfg(target_os = "linux")]
            let others = crate::play::pipes();
            stuck_and_lively(splicing, &Policy::default(), || {
                #[cfg(target_os = "linux")]
                {
                    let pipes = crate::play::pipes() - others;
                    let expected = usize::from(splicing != Splicing::Never);
                    assert!(
                        (expected..=2 * PIPES_MAX).contains(&pipes),
                        "{pipes} ends of pipes, {splicing:?}"
                    );
                }
            });
        });
    }
}

/// A pipe that a stuck reader keeps from others is taken from it, and its bytes wait in memory, as far
/// as there is leave for that.
#[test]
fn readers_that_stop_for_long_give_their_pipes_back() {
    let _alone = alone();
    let mut policy = Policy::default();
    policy.patience.sweep = Duration::from_millis(100);
    for splicing in MODES {
        given_back(|| {
            #[cfg(target_os = "linux")]
            let others = crate::play::pipes();
            stuck_and_lively(splicing, &policy, || {
                #[cfg(target_os = "linux")]
                wait_for("pipes to be given back", || {
                    let pipes = crate::play::pipes() - others;
                    let kept = PIPES_MAX - SPILLS_MAX + PIPES_IDLE;
                    (pipes <= 2 * kept).then_some(())
                });
            });
        });
    }
}

/// What the system of a side had acknowledged before that side was reset arrives, also when it
/// waits in a pipe; and only then does the RST.
#[cfg(target_os = "linux")]
#[test]
fn bytes_that_wait_in_a_pipe_arrive_before_the_reset() {
    let _alone = alone();
    for splicing in MODES {
        for number in 0..2 {
            given_back(|| reset_while_stuck(splicing, number));
        }
    }
}

#[cfg(target_os = "linux")]
fn reset_while_stuck(splicing: Splicing, number: usize) {
    let others = crate::play::pipes();
    let stage = Stage::new(splicing, 1);
    let pair = stage.pair();
    let (from, _) = direction(&pair, number);
    SockRef::from(from)
        .set_send_buffer_size(SEND_QUEUE)
        .unwrap();
    let sent = send_until_still(from);
    let acknowledged = sent - wire::unacknowledged(from);
    let held = crate::play::pipes() - others;
    assert_eq!(
        held > 0,
        splicing != Splicing::Never,
        "{held} ends of pipes"
    );
    let Pair { player, game } = pair;
    let (from, to) = if number.is_multiple_of(2) {
        (game, player)
    } else {
        (player, game)
    };
    wire::reset(from);
    let (arrived, end) = hear(&to, Pattern(1));
    assert_eq!(end, End::Reset);
    assert!(
        (acknowledged..=sent).contains(&arrived),
        "{arrived} arrived of {acknowledged} acknowledged and {sent} sent, {splicing:?}"
    );
    stage.conclude(1, |end| {
        let (reason, carried) = if number.is_multiple_of(2) {
            (CloseReason::UpstreamReset, (0, arrived))
        } else {
            (CloseReason::DownstreamReset, (arrived, 0))
        };
        (end.reason, (end.up, end.down)) == (reason, carried)
    });
}

/// Sends until nothing has been taken for [`STILL`]: how much was.
#[cfg(target_os = "linux")]
fn send_until_still(mut to: &TcpStream) -> u64 {
    use std::io::{ErrorKind, Write};
    let bytes = Pattern(1).bytes(0, 1 << 20);
    to.set_write_timeout(Some(STILL)).unwrap();
    let mut sent = 0;
    loop {
        let at = usize::try_from(sent % (1 << 20)).unwrap();
        match to.write(&bytes[at..]) {
            Ok(taken) => sent += taken as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < QUEUES_MAX, "it is never stuck");
    }
}

/// Pipes of stuck downloads are worth less than players who want to come in.
#[cfg(target_os = "linux")]
#[test]
fn stuck_downloads_leave_their_descriptors_to_players() {
    use via6_core::limits::DESCRIPTORS_RESERVED;

    let _alone = alone();
    for splicing in MODES {
        // Room for eight sessions.
        let stage = Stage::with_descriptors(splicing, DESCRIPTORS_RESERVED + 16);
        let stuck: Vec<_> = (0..5).map(|_| stage.pair()).collect();
        for Pair { game, .. } in &stuck {
            send_until_still(game);
        }
        let others: Vec<_> = (0..3).map(|_| stage.pair()).collect();
        for Pair {
            mut player,
            mut game,
        } in others
        {
            use std::io::{Read, Write};
            player.write_all(b"?").expect("to be let in");
            let heard = game.read_exact(&mut [0]);
            assert!(heard.is_ok(), "{splicing:?}: {heard:?}");
        }
    }
}
