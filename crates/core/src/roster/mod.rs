//! Who may play on a sealed host: the invites that were made, and the players that were admitted.
//!
//! ```text
//!            invite ─┐                                  ┌─ ban: not admitted, and its invite takes nobody new
//!   Invite ── used by ──▶ Player: admitted from then on ┤
//!            revoke ──────── its players are no longer ─┘
//! ```
//!
//! Pure rules, those of `docs/reference/protocol.md`. Time comes in as milliseconds since 1970; secrets are drawn
//! and proofs checked by the shell, which keeps the roster in a file and ends the links of those who may no
//! longer play. Which links there are is not known here.

mod admit;
mod error;
mod invites;
mod names;
mod players;

use std::fmt;
use std::str::FromStr;

use crate::invite::Secret;
use crate::limits::{INVITES_MAX, PLAYERS_MAX};

pub use admit::AdmittedAs;
pub use error::{NameFault, RosterError};
pub use invites::{Drawn, InviteState, InviteWanted, Revoked};
pub use names::clean_name;
pub use players::Banned;

/// Names an invite without telling its secret; made from the secret, see the protocol.
pub type InviteId = [u8; 8];

/// A device's public key (Ed25519): who somebody is, whatever it calls itself.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// Hexadecimal digits of all of it.
    const DIGITS: usize = 64;

    /// The beginning, for people: enough to tell players apart who call themselves the same.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.short())
    }
}

impl FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        if text.len() != Self::DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAnIdentity);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * at..2 * at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAnIdentity)?;
        }
        Ok(Self(bytes))
    }
}

/// It is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an identity is 64 hexadecimal digits")]
pub struct NotAnIdentity;

/// An invite, as its host remembers it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InviteRecord {
    /// What the host's owner calls it. No two have the same, but for those that were revoked.
    pub name: String,
    /// What a joiner says to name it.
    pub id: InviteId,
    /// What a joiner proves to have.
    pub secret: Secret,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// From this moment on it admits nobody new.
    pub expires_ms: Option<u64>,
    /// How many identities it admits in all.
    pub uses: Option<u32>,
    /// How many it has admitted.
    pub used: u32,
    /// When it was taken back.
    pub revoked_ms: Option<u64>,
    /// It was made without being asked for, to be what a host prints when it starts.
    pub is_default: bool,
}

/// A player, as the host remembers it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlayerRecord {
    /// Its device.
    pub identity: Identity,
    /// What the host calls it. No two have the same, whatever the case of the letters.
    pub name: String,
    /// What it last asked to be called.
    pub asked_name: String,
    /// The invite that admits it; it may be forgotten by now, which is as good as revoked.
    pub invite: InviteId,
    /// Milliseconds since 1970, when it was admitted for the first time.
    pub first_seen_ms: u64,
    /// When it was last known to be here.
    pub last_seen_ms: u64,
    /// When it was banned, if it is.
    pub banned_ms: Option<u64>,
}

/// The invites and players of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Roster {
    invites_max: usize,
    players_max: usize,
    /// In the order in which they were made.
    invites: Vec<InviteRecord>,
    /// In the order in which they came.
    players: Vec<PlayerRecord>,
}

impl Default for Roster {
    fn default() -> Self {
        Self::new(INVITES_MAX, PLAYERS_MAX)
    }
}

impl Roster {
    /// Nobody yet, with these bounds instead of [`INVITES_MAX`] and [`PLAYERS_MAX`].
    #[must_use]
    pub fn new(invites_max: usize, players_max: usize) -> Self {
        Self {
            invites_max,
            players_max,
            invites: Vec::new(),
            players: Vec::new(),
        }
    }

    /// What was remembered, if it can be the work of these rules.
    pub fn restore(
        invites: Vec<InviteRecord>,
        players: Vec<PlayerRecord>,
    ) -> Result<Self, RosterError> {
        let mut roster = Self::default();
        for invite in invites {
            roster.check_new_invite(&invite)?;
            roster.invites.push(invite);
        }
        for player in players {
            roster.check_new_player(&player)?;
            roster.players.push(player);
        }
        Ok(roster)
    }

    /// All invites, in the order in which they were made.
    #[must_use]
    pub fn invites(&self) -> &[InviteRecord] {
        &self.invites
    }

    /// All players, in the order in which they came.
    #[must_use]
    pub fn players(&self) -> &[PlayerRecord] {
        &self.players
    }
}
