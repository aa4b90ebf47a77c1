//! Random conversations: both sides talk at once, in pieces of any size, with pauses, and end in
//! any way.
//!
//! `VIA6_SIM_SEED=n` runs that seed alone, `VIA6_SIM_SEEDS=n` as many.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use via6_core::reason::CloseReason;
use via6_relay::Splicing;

use crate::play::{Ended, Pair, Stage, beside_others};
use crate::wire::{self, End, Pattern, Rng};

const SEEDS: u64 = 6;

/// Sessions of one seed, all at the same time.
const SESSIONS: u64 = 10;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Player,
    Game,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// Each side says FIN after its last byte.
    Each,
    /// One side says FIN after its last byte, and only then does the other begin.
    InTurn(Side),
    /// One side resets the connection, when the next system has all that it sent, and has itself
    /// read so many bytes.
    Reset(Side, u64),
}

/// What a session is going to be.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    up: u64,
    down: u64,
    ending: Ending,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut length = || {
            let bound =
                [1, 100, 20_000, 400_000, 4_000_000][usize::try_from(rng.below(5)).unwrap()];
            rng.below(bound)
        };
        let (up, down) = (length(), length());
        let side = if rng.one_in(2) {
            Side::Player
        } else {
            Side::Game
        };
        let ending = match rng.below(3) {
            0 => Ending::Each,
            1 => Ending::InTurn(side),
            // Other systems do not tell whether the next one has everything.
            _ if cfg!(not(target_os = "linux")) => Ending::Each,
            _ => {
                let theirs = if side == Side::Player { down } else { up };
                Ending::Reset(side, rng.below(theirs + 1))
            }
        };
        Self {
            seed,
            up,
            down,
            ending,
        }
    }

    /// What this side sends, and what it hears.
    fn of(&self, side: Side) -> (Sent, Sent) {
        let up = Sent {
            pattern: Pattern(self.seed),
            len: self.up,
        };
        let down = Sent {
            pattern: Pattern(!self.seed),
            len: self.down,
        };
        match side {
            Side::Player => (up, down),
            Side::Game => (down, up),
        }
    }

    fn play(&self, pair: Pair) {
        let Pair { player, game } = pair;
        let side = match self.ending {
            Ending::Each => Side::Player,
            Ending::InTurn(side) | Ending::Reset(side, _) => side,
        };
        let (near, far) = match side {
            Side::Player => (player, game),
            Side::Game => (game, player),
        };
        let (mine, theirs) = self.of(side);
        let rng = |salt: u64| Rng::new(self.seed ^ (salt << 32));
        match self.ending {
            Ending::Each => thread::scope(|scope| {
                scope.spawn(|| mine.send(&near, &mut rng(1)));
                scope.spawn(|| theirs.send(&far, &mut rng(2)));
                scope.spawn(|| mine.is_heard(&far, &mut rng(3)));
                theirs.is_heard(&near, &mut rng(4));
            }),
            Ending::InTurn(_) => thread::scope(|scope| {
                scope.spawn(|| {
                    mine.is_heard(&far, &mut rng(3));
                    theirs.send(&far, &mut rng(2));
                });
                mine.send(&near, &mut rng(1));
                theirs.is_heard(&near, &mut rng(4));
            }),
            Ending::Reset(_, until) => thread::scope(|scope| {
                let written =
                    scope.spawn(|| wire::write(&far, theirs.pattern, 0, theirs.len, &mut rng(2)));
                let heard =
                    scope.spawn(|| wire::read(&far, mine.pattern, 0, u64::MAX, &mut rng(3)));
                thread::scope(|scope| {
                    scope.spawn(|| {
                        assert!(wire::write(&near, mine.pattern, 0, mine.len, &mut rng(1)));
                    });
                    let read = wire::read(&near, theirs.pattern, 0, until, &mut rng(4));
                    assert_eq!(read, (until, None));
                });
                #[cfg(target_os = "linux")]
                crate::play::wait_for("all to be acknowledged", || {
                    (wire::unacknowledged(&near) == 0).then_some(())
                });
                wire::reset(near);
                let (heard, end) = heard.join().unwrap();
                assert_eq!(heard, mine.len);
                // Who learns of it by writing reads an ordinary end afterwards.
                let written = written.join().unwrap();
                assert!(end == Some(End::Reset) || !written, "{end:?}");
            }),
        }
    }

    /// Whether a relay has told of this session as it was.
    fn is_told(&self, told: &Ended) -> bool {
        let (up, down) = (told.up, told.down);
        match self.ending {
            Ending::Each | Ending::InTurn(_) => {
                told.reason == CloseReason::Finished && (up, down) == (self.up, self.down)
            }
            Ending::Reset(Side::Player, until) => {
                told.reason == CloseReason::DownstreamReset
                    && up == self.up
                    && (until..=self.down).contains(&down)
            }
            Ending::Reset(Side::Game, until) => {
                told.reason == CloseReason::UpstreamReset
                    && down == self.down
                    && (until..=self.up).contains(&up)
            }
        }
    }
}

/// One direction.
#[derive(Clone, Copy, Debug)]
struct Sent {
    pattern: Pattern,
    len: u64,
}

impl Sent {
    fn send(self, stream: &std::net::TcpStream, rng: &mut Rng) {
        assert!(wire::write(stream, self.pattern, 0, self.len, rng));
        wire::finish(stream);
    }

    fn is_heard(self, stream: &std::net::TcpStream, rng: &mut Rng) {
        let heard = wire::read(stream, self.pattern, 0, u64::MAX, rng);
        assert_eq!(heard, (self.len, Some(End::Fin)));
    }
}

fn converse(seed: u64, splicing: Splicing) {
    let mut rng = Rng::new(seed);
    let stage = Stage::new(splicing, if rng.one_in(2) { 1 } else { 2 });
    let plans: Vec<_> = (0..SESSIONS).map(|_| Plan::new(rng.next())).collect();
    thread::scope(|scope| {
        let sessions: Vec<_> = plans
            .iter()
            .map(|plan| {
                let pair = stage.pair();
                if matches!(plan.ending, Ending::Reset(..)) {
                    // Who is reset while it is being dialled is not listened to any more.
                    stage.is_dialled();
                }
                (plan, scope.spawn(move || plan.play(pair)))
            })
            .collect();
        for (plan, session) in sessions {
            if let Err(panic) = session.join() {
                eprintln!("failed: {plan:?}");
                resume_unwind(panic);
            }
        }
    });
    stage.conclude(plans.len(), |told| {
        let plan = &plans[usize::try_from(told.session - 1).unwrap()];
        let right = plan.is_told(told);
        assert!(right, "{plan:?} was told as {told:?}");
        right
    });
}

fn converse_with_many_seeds(splicing: Splicing) {
    let _beside = beside_others();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds = match number("VIA6_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("VIA6_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| converse(seed, splicing))) {
            eprintln!("failed at seed {seed}, {splicing:?}; again: VIA6_SIM_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn random_conversations_through_pipes_in_bulk() {
    converse_with_many_seeds(Splicing::Adaptive);
}

#[test]
fn random_conversations_through_pipes() {
    converse_with_many_seeds(Splicing::Always);
}

#[test]
fn random_conversations_through_memory() {
    converse_with_many_seeds(Splicing::Never);
}
