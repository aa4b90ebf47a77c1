//! What can be wrong with an invite. `Display` is the cause, `hint` what to do about it; neither repeats
//! the invite.

use std::net::Ipv6Addr;

use crate::addr::DnsName;
use crate::limits::{INVITE_ADDRESSES_MAX, INVITE_NAME_MAX, INVITE_TEXT_MAX};

/// Why a text is no invite that can be used, or no invite can be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// Not searched: longer than [`INVITE_TEXT_MAX`].
    #[error(
        "{bytes} bytes are too long for a message with an invite; {INVITE_TEXT_MAX} are the most"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing that begins like one.
    #[error("there is no invite in it: an invite begins with `via6:1`")]
    Missing,
    /// The end is not there, or something in between.
    #[error("the invite is cut short: {}", missing(*here, *whole))]
    CutShort {
        /// Characters of it that are there.
        here: usize,
        /// Characters of the whole, if enough is there to tell.
        whole: Option<usize>,
    },
    /// It goes on where it should be over.
    #[error("the invite has {} too many", characters(*extra))]
    Overlong {
        /// How many.
        extra: usize,
    },
    /// The checksum, or something that it protects, is wrong.
    #[error("the invite is damaged{}", place(*at))]
    Damaged {
        /// The only character that explains it, counted from 1 at the `v` of `via6:`; `None` if more than
        /// one must be wrong.
        at: Option<usize>,
    },
    /// Written by a later via6.
    #[error(
        "the invite was made by a newer via6 (invite version {version}; this one reads version 1)"
    )]
    Newer {
        /// Its version.
        version: u8,
    },
    /// It says an address that nobody can dial from elsewhere.
    #[error("{ip} cannot be dialled from elsewhere, so it cannot be in an invite")]
    Address {
        /// The address.
        ip: Ipv6Addr,
    },
    /// No address and no name.
    #[error("an invite needs an address or a name of the host")]
    Nowhere,
    /// More than [`INVITE_ADDRESSES_MAX`].
    #[error("{count} addresses are too many for an invite; {INVITE_ADDRESSES_MAX} are the most")]
    TooManyAddresses {
        /// How many.
        count: usize,
    },
    /// Longer than [`INVITE_NAME_MAX`].
    #[error("`{name}` is too long for an invite; {INVITE_NAME_MAX} characters are the most")]
    LongName {
        /// The name.
        name: DnsName,
    },
}

impl InviteError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "paste the invite alone: via6 join via6:1…",
            Self::Missing => {
                "ask the host for the line that `via6 host` prints; it looks like via6 join via6:1…"
            }
            Self::CutShort { .. } => {
                "copy it again from `via6:` to its last character; if it was cut on the way, ask the host to \
                 send it in a message of its own"
            }
            Self::Overlong { .. } => "copy it again, and nothing that follows it",
            Self::Damaged { .. } => {
                "copy it again instead of typing it; if it is the same again, ask the host to send it anew"
            }
            Self::Newer { .. } => {
                "get the newest via6, or ask the host to run the same version: via6 --version"
            }
            Self::Address { .. } => "use a global address, which begins with 2 or 3",
            Self::Nowhere => "give the host a name, or connect this computer to IPv6",
            Self::TooManyAddresses { .. } => "keep one for each network",
            Self::LongName { .. } => "use a shorter name, or the address alone",
        }
    }
}

fn missing(here: usize, whole: Option<usize>) -> String {
    match whole {
        Some(whole) => format!("{here} of its {whole} characters are here"),
        None => format!("only {} are here", characters(here)),
    }
}

fn characters(count: usize) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} character{s}")
}

fn place(at: Option<usize>) -> String {
    at.map(|at| format!(": its character {at} is wrong"))
        .unwrap_or_default()
}
