//! What can be asked about players and invites, and what is answered: the fields `ask` and `answer` of the
//! control protocol, and what the commands print with `--json`. `docs/reference/control.md` says what they
//! mean. Nothing here has a secret in it but the text of an invite, which is asked for.

use serde::{Deserialize, Serialize};

/// One question, or one thing to be done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Ask {
    Players,
    Invites,
    NewInvite(NewInvite),
    /// The one of this name, else the one that a host prints when it starts.
    ShowInvite {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    RevokeInvite {
        name: String,
    },
    Kick {
        player: String,
    },
    Ban {
        player: String,
    },
    Unban {
        player: String,
    },
}

/// What a new invite is to be like.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct NewInvite {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uses: Option<u32>,
    /// For how long it admits somebody new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lifetime_ms: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Answer {
    Players {
        /// A sealed host runs, so that somebody may be here.
        hosting: bool,
        players: Vec<PlayerStatus>,
    },
    Invites {
        invites: Vec<InviteStatus>,
    },
    /// One invite; its text is known while a sealed host runs.
    Invite {
        invite: InviteStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Revoked {
        invite: String,
        /// Of how many players.
        players: u64,
        /// How many ended.
        links: u64,
    },
    Kicked {
        player: String,
        identity: String,
        links: u64,
    },
    Banned {
        player: String,
        identity: String,
        links: u64,
        /// It was banned before.
        already: bool,
        /// The invite that admits nobody new from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_invite: Option<String>,
    },
    Unbanned {
        player: String,
    },
}

/// An answer, and why what was done will be forgotten, if it will.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unremembered: Option<String>,
}

/// A player that is known.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct PlayerStatus {
    pub(crate) name: String,
    /// 64 hexadecimal digits.
    pub(crate) identity: String,
    /// The name of the invite that admits it; none, if that was forgotten since it was revoked.
    pub(crate) invite: Option<String>,
    /// `admitted`, `banned`, or `revoked`: its invite was taken back.
    pub(crate) state: String,
    /// Milliseconds since 1970, UTC, as all times here.
    pub(crate) first_seen_ms: u64,
    pub(crate) last_seen_ms: u64,
    pub(crate) banned_ms: Option<u64>,
    /// Its links at this moment.
    pub(crate) links: Vec<LinkStatus>,
}

/// A live link.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct LinkStatus {
    /// `quic` or `tls`.
    pub(crate) transport: String,
    /// Where the player is.
    pub(crate) address: String,
    pub(crate) age_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_us: Option<u64>,
    /// Live ones.
    pub(crate) sessions: u64,
    /// Nothing was heard for a while: its sessions wait.
    pub(crate) suspect: bool,
}

/// An invite, without what lets in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct InviteStatus {
    pub(crate) name: String,
    /// `open`, `revoked`, `closed`, `expired` or `used-up`.
    pub(crate) state: String,
    pub(crate) created_ms: u64,
    pub(crate) expires_ms: Option<u64>,
    pub(crate) uses: Option<u32>,
    pub(crate) used: u32,
    pub(crate) revoked_ms: Option<u64>,
    /// It is one that a host made for itself to print.
    pub(crate) default: bool,
}

impl Ask {
    /// Whether something is changed that is to be remembered.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Players | Self::Invites | Self::ShowInvite { .. } | Self::Kick { .. } => false,
            Self::NewInvite(_)
            | Self::RevokeInvite { .. }
            | Self::Ban { .. }
            | Self::Unban { .. } => true,
        }
    }
}
