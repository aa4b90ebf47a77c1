//! Sets the scene of a TCP row: a game server, the relays, sessions between client and game, and
//! at the end what every via6 must have told about them.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use via6_core::reason::CloseReason;

use crate::chain::{Chain, Protocol, Relays, Setup};
use crate::failure::{During, Outcome, ensure};
use crate::pattern::{DOWN, Pattern, UP};
use crate::process::{Splice, Start};
use crate::wire;

/// Who does what the row is about. Exchanging the two swaps the sides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The game client.
    Client,
    /// The game server.
    Server,
}

impl Side {
    /// Both, for rows that swap.
    pub const BOTH: &'static [Self] = &[Self::Client, Self::Server];

    /// The name used in tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// What it sends.
    #[must_use]
    pub const fn pattern(self) -> Pattern {
        match self {
            Self::Client => UP,
            Self::Server => DOWN,
        }
    }
}

/// One cell of the matrix, with what differs between a short and a long run.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The via6 program.
    pub program: &'a Path,
    /// What stands between client and server.
    pub chain: Chain,
    /// Who acts.
    pub acting: Side,
    /// How every via6 is told to move TCP bytes.
    pub splice: Splice,
    /// How long a pausing reader pauses.
    pub pause: Duration,
}

/// A session's two ends, named by what they do in the row.
#[derive(Debug)]
pub struct Pair {
    /// The side that acts.
    pub acting: TcpStream,
    /// The side that sees it.
    pub other: TcpStream,
}

/// A game server behind relays.
#[derive(Debug)]
pub struct Scene {
    /// The relays.
    pub relays: Relays,
    /// The game server.
    pub game: TcpListener,
    acting: Side,
}

/// What a `session_ended` event must say.
#[derive(Clone, Debug)]
pub struct Ending {
    reason: Reason,
    acting_sent: RangeInclusive<u64>,
    other_sent: RangeInclusive<u64>,
}

/// Why the session ended, seen from the acting side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reason {
    Finished,
    Reset,
}

impl Ending {
    /// Both directions ended in order, after so many bytes.
    #[must_use]
    pub fn finished(acting_sent: u64, other_sent: u64) -> Self {
        Self {
            reason: Reason::Finished,
            acting_sent: acting_sent..=acting_sent,
            other_sent: other_sent..=other_sent,
        }
    }

    /// The acting side reset the session.
    #[must_use]
    pub fn reset(acting_sent: RangeInclusive<u64>, other_sent: RangeInclusive<u64>) -> Self {
        Self {
            reason: Reason::Reset,
            acting_sent,
            other_sent,
        }
    }

    fn check(&self, acting: Side, event: &Value) -> Outcome {
        let (reason, up, down) = match (acting, self.reason) {
            (Side::Client, Reason::Reset) => (
                CloseReason::DownstreamReset,
                &self.acting_sent,
                &self.other_sent,
            ),
            (Side::Server, Reason::Reset) => (
                CloseReason::UpstreamReset,
                &self.other_sent,
                &self.acting_sent,
            ),
            (Side::Client, Reason::Finished) => {
                (CloseReason::Finished, &self.acting_sent, &self.other_sent)
            }
            (Side::Server, Reason::Finished) => {
                (CloseReason::Finished, &self.other_sent, &self.acting_sent)
            }
        };
        let has = |key: &str, range: &RangeInclusive<u64>| {
            event[key]
                .as_u64()
                .is_some_and(|bytes| range.contains(&bytes))
        };
        let right = event["reason"] == reason.label();
        let right = right && has("bytes_up", up) && has("bytes_down", down);
        ensure!(
            right,
            "expected {reason}, bytes_up {up:?}, bytes_down {down:?}; event: {event}"
        );
        Ok(())
    }
}

impl Scene {
    /// A game server that listens, and the relays of the case's chain before it.
    pub fn new(case: &Case<'_>) -> Outcome<Self> {
        Self::with(case, Start::default())
    }

    /// The same, with via6 started in a special way.
    pub fn with(case: &Case<'_>, start: Start) -> Outcome<Self> {
        let (socket, game) = wire::reserve(SocketAddr::new(case.chain.game_ip(), 0))?;
        let listener = wire::start_listening(socket)?;
        Ok(Self {
            relays: relays(case, game, start)?,
            game: listener,
            acting: case.acting,
        })
    }

    /// Opens a session through the relays.
    pub fn session(&self) -> Outcome<Pair> {
        let client = wire::connect(self.relays.entry)?;
        let server = wire::accept(&self.game, wire::PATIENCE)?;
        Ok(match self.acting {
            Side::Client => Pair {
                acting: client,
                other: server,
            },
            Side::Server => Pair {
                acting: server,
                other: client,
            },
        })
    }

    /// Every via6 must tell of exactly one session, with this ending, and then end cleanly.
    pub fn conclude(mut self, ending: &Ending) -> Outcome {
        for via6 in &mut self.relays.via6s {
            via6.events.wait_count(wire::PATIENCE, "session_ended", 1)?;
        }
        for via6 in &mut self.relays.via6s {
            via6.stop()?;
            let ended = via6.events.of("session_ended");
            ensure!(
                ended.len() == 1,
                "{} told of {} endings",
                via6.name,
                ended.len()
            );
            ending.check(self.acting, &ended[0]).during(&via6.name)?;
        }
        Ok(())
    }
}

/// The relays of a case for TCP, with the game at `game`.
pub fn relays(case: &Case<'_>, game: SocketAddr, start: Start) -> Outcome<Relays> {
    Relays::start(&Setup {
        program: case.program,
        chain: case.chain,
        protocol: Protocol::Tcp,
        game,
        link: Ipv6Addr::LOCALHOST,
        start: Start {
            splice: case.splice,
            ..start
        },
    })
}
