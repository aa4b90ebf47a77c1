//! What is typed behind `via6 invite`, `kick`, `ban` and `unban`.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are help texts"
)]

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Invite {
    #[command(subcommand)]
    pub(crate) action: InviteAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InviteAction {
    /// Make an invite, and print the line that a friend pastes
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 invite new                            for anybody, at any time
  via6 invite new --name alice --uses 1      for one friend
  via6 invite new --expires 7d               nobody new after a week"
    )]
    New(New),
    /// List the invites: how many came by each, until when, and whether it takes somebody new
    List,
    /// Print the line of an invite again
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 invite show                           the one that `via6 host` prints
  via6 invite show alice"
    )]
    Show(Show),
    /// Take an invite back: who came by it may no longer play
    #[command(
        args_override_self = true,
        after_help = "Examples:
  via6 invite revoke alice"
    )]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What to call it, in this list and when taking it back [default: friends]
    #[arg(long, value_name = "NAME", env = "VIA6_NAME")]
    pub(crate) name: Option<String>,

    /// For how many players, each on a computer of its own; without, for any number
    #[arg(
        long,
        value_name = "N",
        env = "VIA6_USES",
        allow_negative_numbers = true
    )]
    pub(crate) uses: Option<String>,

    /// How long it takes somebody new: 30m, 12h, 7d; without, for good
    #[arg(
        long,
        value_name = "TIME",
        env = "VIA6_EXPIRES",
        allow_negative_numbers = true
    )]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Which invite, as `via6 invite list` calls it; without, the one that `via6 host` prints
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Which invite, as `via6 invite list` calls it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Player {
    /// Which player: its name, or the beginning of its identity, as `via6 players -v` shows it
    #[arg(value_name = "PLAYER")]
    pub(crate) player: String,
}
