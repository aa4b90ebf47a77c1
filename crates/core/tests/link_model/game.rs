//! The games at both ends: what each wrote, read, and saw of ends. The shadow of a channel.
//!
//! The bytes of a direction are a function of their place, so a byte too few, too many, or out of order
//! shows at once, and nothing need be remembered.

use via6_core::channel::End;
use via6_core::frame::Reset;

use super::rng::Rng;

/// What a game does when it has written everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plan {
    Finish,
    Reset,
    Abort,
}

/// One end of one session.
#[derive(Clone, Copy, Debug)]
pub struct Game {
    pub plan: Plan,
    /// Bytes it is going to write.
    pub total: u64,
    pub written: u64,
    pub read: u64,
    /// It did what it planned.
    pub has_ended: bool,
    pub saw: Option<End>,
    pub is_gone: bool,
    /// One in so many chances to read is taken.
    pub pace: u64,
}

impl Game {
    pub fn new(rng: &mut Rng, most: u64) -> Self {
        let plan = match rng.below(10) {
            0 | 1 => Plan::Reset,
            2 => Plan::Abort,
            _ => Plan::Finish,
        };
        let total = match rng.below(5) {
            0 => 0,
            1 => rng.below(40_000),
            _ => rng.below(600),
        };
        Self {
            plan,
            total: total.min(most),
            written: 0,
            read: 0,
            has_ended: false,
            saw: None,
            is_gone: false,
            pace: rng.choose(&[1, 1, 3, 20]),
        }
    }

    /// It broke: nothing it reads or sees any more counts.
    pub fn broke(&self) -> bool {
        self.has_ended && self.plan != Plan::Finish
    }

    pub fn code(&self) -> Reset {
        if self.plan == Plan::Reset {
            Reset::Game
        } else {
            Reset::Dead
        }
    }
}

/// The byte at `offset` of a direction of a channel.
pub fn byte(key: (u64, u32), is_up: bool, offset: u64) -> u8 {
    let seed = key.0 << 40 | u64::from(key.1) << 8 | u64::from(is_up);
    let mixed =
        (offset ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed.to_be_bytes()[1]
}

/// A session: the games at the joiner's and at the host's end.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub ends: [Option<Game>; 2],
    /// The link was lost, or the host was restarted: games may see a reset that nobody made.
    pub is_lost: bool,
    pub was_refused: Option<Reset>,
}

impl Session {
    /// May the game at `side` see this end now?
    pub fn check_end(&self, side: usize, end: End) {
        let game = self.ends[side].unwrap();
        let other = self.ends[1 - side];
        let is_explained = match (end, other) {
            (End::Fin, Some(other)) => {
                other.has_ended && other.plan == Plan::Finish && game.read == other.written
            }
            (End::Reset(code), Some(other)) if other.broke() && other.code() == code => {
                game.read == other.written || other.plan == Plan::Abort
            }
            (End::Reset(code), _) if code.is_refusal() => {
                self.was_refused == Some(code) && game.read == 0
            }
            (End::Reset(Reset::Stopped), _) => self.is_lost,
            _ => false,
        };
        assert!(is_explained, "side {side} sees {end:?} of {self:?}");
    }
}
