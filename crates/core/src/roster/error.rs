//! Why something that was asked of the roster is not done.

use std::fmt;

use crate::limits::LINK_NAME_MAX;

/// What the host's owner asked for cannot be done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RosterError {
    /// There are [`INVITES_MAX`](crate::limits::INVITES_MAX) invites, and none that could be forgotten.
    #[error("there are {most} invites, and there is room for no more")]
    LimitInvites {
        /// The bound.
        most: usize,
    },
    /// More players are remembered than there may be.
    #[error("there are more than {most} players")]
    LimitPlayers {
        /// The bound.
        most: usize,
    },
    /// Another invite has this name.
    #[error("an invite is called {name} already")]
    NameTaken {
        /// As the other is written.
        name: String,
    },
    /// An invite cannot be called so.
    #[error("{fault}")]
    Name {
        /// What is wrong with it.
        fault: NameFault,
    },
    /// Two invites, or two players, that must differ are the same; of invites whose secrets were drawn,
    /// another draw helps.
    #[error("{what} is there twice")]
    Twice {
        /// What is the same.
        what: &'static str,
    },
    /// No invite has this name.
    #[error("there is no invite of this name")]
    UnknownInvite,
    /// The invite of this name has been taken back already.
    #[error("it was revoked before")]
    AlreadyRevoked,
    /// No player has this name, or an identity that begins so.
    #[error("there is no player of this name")]
    UnknownPlayer,
    /// Several players have a name or an identity that begins so.
    #[error("{count} players could be meant")]
    Ambiguous {
        /// How many.
        count: usize,
    },
    /// A player that is remembered has a name that no player is given.
    #[error("a player's name is none that a player is given")]
    UnfitPlayer,
    /// It is not banned, so it cannot be unbanned.
    #[error("{name} is not banned")]
    NotBanned {
        /// What the host calls the player.
        name: String,
    },
}

/// Why an invite cannot be called so: its name is typed in commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameFault {
    /// It is empty.
    Empty,
    /// It has more than [`LINK_NAME_MAX`] bytes.
    Long,
    /// It has something else than letters, digits, `-`, `_` and `.`.
    Character,
    /// It begins with one of `-`, `_` and `.`.
    Beginning,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name has at least one character"),
            Self::Long => write!(f, "a name has at most {LINK_NAME_MAX} bytes"),
            Self::Character => f.write_str("a name is made of letters, digits, `-`, `_` and `.`"),
            Self::Beginning => f.write_str("a name begins with a letter or a digit"),
        }
    }
}
