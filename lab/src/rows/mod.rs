//! The rows of the matrix: what each is called, where it applies, and the function that runs it.

mod closing;
mod crowd;
mod datagrams;
mod flood;
mod reset;
mod table;

use crate::chain::{Chain, Protocol};
use crate::failure::Outcome;
use crate::scene::{Case, Side};

pub use closing::SESSION_MEMORY;
pub use crowd::IDLE_SESSIONS;

/// A number that a passing row found, for the table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Note(pub String);

/// One thing that can happen.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name used in tables and on the command line.
    pub name: &'static str,
    /// For sessions or for flows.
    pub protocol: Protocol,
    /// Which side may act.
    pub sides: &'static [Side],
    /// Whether other rows running beside it would change what it measures, or it them.
    pub alone: bool,
    reach: Reach,
    run: Run,
}

/// Which chains a row is run on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    /// On every chain.
    Everywhere,
    /// Not with the script beside via6: it closes both directions at once.
    HalfClose,
    /// Not with another relay beside via6: both turn a reset into an ordinary end, and neither is
    /// made for crowds.
    Unmixed,
    /// On chains of via6 alone: it is about via6's own process.
    Pure,
    /// On chains whose last hop is reached over IPv6: strangers can.
    Link,
}

impl Row {
    /// The row with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }

    /// Whether the row can be run on `chain`.
    #[must_use]
    pub fn applies_to(&self, chain: Chain) -> bool {
        match self.reach {
            Reach::Everywhere => true,
            Reach::HalfClose => !(chain.is_mixed() && chain.has_script()),
            Reach::Unmixed => !chain.is_mixed(),
            Reach::Pure => chain.is_pure(),
            Reach::Link => matches!(chain, Chain::Host | Chain::Relay64 | Chain::JoinHost),
        }
    }

    /// Runs it once.
    pub fn run(&self, case: &Case<'_>) -> Outcome<Note> {
        (self.run)(case)
    }
}

type Run = fn(&Case<'_>) -> Outcome<Note>;

/// A row of two sides that may be swapped.
const fn tcp(name: &'static str, reach: Reach, run: Run) -> Row {
    Row {
        name,
        protocol: Protocol::Tcp,
        sides: Side::BOTH,
        alone: false,
        reach,
        run,
    }
}

const fn udp(name: &'static str, reach: Reach, run: Run) -> Row {
    Row {
        protocol: Protocol::Udp,
        ..tcp(name, reach, run)
    }
}

/// A row about via6's own process.
const fn process(name: &'static str, run: Run) -> Row {
    tcp(name, Reach::Pure, run)
}

/// A row that other rows beside it would disturb, or it them.
const fn alone(row: Row) -> Row {
    Row { alone: true, ..row }
}

/// A row that can only happen to the client.
const fn to_client(row: Row) -> Row {
    Row {
        sides: &[Side::Client],
        ..row
    }
}

/// Every row.
pub const ROWS: &[Row] = &[
    tcp("conversation", Reach::Everywhere, closing::conversation),
    tcp("half-close", Reach::HalfClose, closing::half_close),
    tcp("slow-reader", Reach::Everywhere, closing::slow_reader),
    tcp("pausing-reader", Reach::Everywhere, closing::pausing_reader),
    tcp("reset", Reach::Unmixed, reset::reset),
    tcp("reset-in-flight", Reach::Unmixed, reset::reset_in_flight),
    tcp(
        "reset-while-writing",
        Reach::Unmixed,
        reset::reset_while_writing,
    ),
    to_client(tcp("refused", Reach::Unmixed, reset::refused)),
    tcp("killed-sending", Reach::Unmixed, reset::killed_sending),
    tcp("killed-receiving", Reach::Unmixed, reset::killed_receiving),
    to_client(process("descriptors", crowd::descriptors)),
    to_client(process("descriptors-lost", crowd::descriptors_lost)),
    alone(process("idle", crowd::idle)),
    to_client(process("unread-output", crowd::unread_output)),
    to_client(process("unread-log", crowd::unread_log)),
    to_client(process("closed-output", crowd::closed_output)),
    udp("udp-isolation", Reach::Everywhere, datagrams::isolation),
    udp("udp-sizes", Reach::Everywhere, datagrams::sizes),
    udp("udp-restart", Reach::Everywhere, datagrams::restart),
    to_client(udp(
        "udp-late-game",
        Reach::Everywhere,
        datagrams::late_game,
    )),
    to_client(udp("udp-crowd", Reach::Unmixed, datagrams::crowd)),
    to_client(alone(udp("udp-flood", Reach::Link, flood::flood))),
];
