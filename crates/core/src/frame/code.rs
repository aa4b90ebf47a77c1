//! The numbers for why: admission refused, link closed, channel reset. Numbers that a later version adds
//! are kept as they are.

use std::fmt;

/// Gives an enum its numbers and words, and one variant for all numbers it does not know.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $code:literal => $label:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// One that this version does not know.
            Other(u8),
        }

        impl $name {
            /// Every value that has a word, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its number in a frame.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ Self::Other(code) => code }
            }

            /// The one with this number.
            #[must_use]
            pub const fn of(code: u8) -> Self {
                match code { $($code => Self::$variant,)+ code => Self::Other(code) }
            }

            /// The word for it in the specification, in events and in tests.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ Self::Other(_) => "unknown" }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

codes! {
    /// Why a host did not let a joiner in, or not attach.
    Refusal {
        /// No such invite, or without its secret.
        Invite = 1 => "invite",
        /// The invite's time is over.
        Expired = 2 => "expired",
        /// The invite was taken back.
        Revoked = 3 => "revoked",
        /// The invite was for fewer players.
        UsedUp = 4 => "used-up",
        /// No version in common.
        Version = 5 => "version",
        /// The identity is banned.
        Banned = 6 => "banned",
        /// No room.
        Full = 7 => "full",
        /// A transport with this generation or a higher one was there before.
        Generation = 8 => "generation",
        /// The link is of another identity.
        Link = 9 => "link",
        /// The host is about to end.
        Stopping = 10 => "stopping",
    }
}

codes! {
    /// Why a link, or a transport of it, is over.
    Closed {
        /// The program ends.
        Stopped = 1 => "stopped",
        /// Sent away; may come back.
        Kicked = 2 => "kicked",
        /// Sent away for good.
        Banned = 3 => "banned",
        /// The invite was taken back.
        Revoked = 4 => "revoked",
        /// The other side broke the protocol.
        Protocol = 5 => "protocol",
        /// Nothing was heard for the hold time.
        Hold = 6 => "hold",
        /// A newer link of the same identity.
        Replaced = 7 => "replaced",
        /// Only this transport: a newer one carries the link.
        Superseded = 8 => "superseded",
    }
}

codes! {
    /// Why a session of the game broke.
    Reset {
        /// The game's connection was reset.
        Game = 1 => "reset",
        /// The game could not be reached.
        Dial = 2 => "dial",
        /// The game's machine no longer answers.
        Dead = 3 => "dead",
        /// Half-closed, and silent for too long.
        Linger = 4 => "linger",
        /// via6 ends the session.
        Stopped = 5 => "stopped",
        /// There is no such service.
        Service = 16 => "service",
        /// There are too many channels.
        Channels = 17 => "channels",
        /// Nothing new is taken.
        Draining = 18 => "draining",
    }
}

impl Reset {
    /// The channel never was: whoever says so keeps nothing of it, and hears no answer.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        self.code() >= 16
    }
}
