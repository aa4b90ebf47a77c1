//! What a relay is for, which is how its two sides are called.

use serde::{Deserialize, Serialize};

/// What a relay is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Host,
    Join,
    Relay,
}

impl Role {
    /// The word of the command line and of `--json`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Join => "join",
            Self::Relay => "relay",
        }
    }

    pub(super) fn downstream(self) -> &'static str {
        match self {
            Self::Host => "the player",
            Self::Join => "your game",
            Self::Relay => "the connecting side",
        }
    }

    pub(super) fn upstream(self) -> &'static str {
        match self {
            Self::Host => "the game server",
            Self::Join => "the host",
            Self::Relay => "the target",
        }
    }

    /// What to look at when the upstream side refuses.
    pub(super) fn refused(self) -> &'static str {
        match self {
            Self::Host => "is the game running?",
            Self::Join => "is `via6 host` running there?",
            Self::Relay => "is anything running there?",
        }
    }
}
