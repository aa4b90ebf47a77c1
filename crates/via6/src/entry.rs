//! One relay as it was asked for: typed as a command, written in a file, or handed over by another
//! via6. Only what was asked is here, not what came of it: an address that cannot be listened on is
//! still a valid entry.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use via6_core::addr::{HostPort, Listen, Network};
use via6_relay::Protocol;

use crate::args::Splice;
use crate::link::Link;
use crate::narrator::Role;

/// A named relay, complete: nothing is left to be filled in by a default.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Entry {
    /// What it is called in logs, in `status` and in a file; see [`check_name`].
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Where it is found.
    #[serde(serialize_with = "shown", deserialize_with = "listen")]
    pub(crate) listen: Listen,
    /// Where it leads: the game of a host, the host of a join, the target of a relay. Of an invite only one
    /// place where its host may be, to be shown.
    #[serde(serialize_with = "shown", deserialize_with = "host_port")]
    pub(crate) upstream: HostPort,
    pub(crate) carried: Protocols,
    /// Other relays, exempt from the limits by address.
    #[serde(serialize_with = "all_shown", deserialize_with = "networks")]
    pub(crate) trusted: Vec<Network>,
    pub(crate) splice: Splice,
    /// How it goes over IPv6. What an older via6 has written is open.
    #[serde(default, skip_serializing_if = "Link::is_open")]
    pub(crate) link: Link,
}

impl Entry {
    /// What is carried by the link that it has.
    pub(crate) fn carries(&self) -> Protocols {
        match self.link {
            Link::Open => self.carried,
            Link::Shared(_) | Link::Invited(_) => Protocols::TCP,
        }
    }

    /// Whether they lead to the same place, be it by another way.
    pub(crate) fn leads_where(&self, other: &Self) -> bool {
        match (&self.link, &other.link) {
            (Link::Invited(one), Link::Invited(two)) => {
                one.invite.fingerprint() == two.invite.fingerprint()
            }
            (Link::Invited(_), _) | (_, Link::Invited(_)) => false,
            _ => self.upstream == other.upstream,
        }
    }
}

/// Where an entry was asked for, which is where a mistake in it is mended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// As a command.
    Command,
    /// In the file of `via6 run`.
    File,
}

/// Which protocols an entry carries; at least one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Protocols {
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
}

impl Protocols {
    pub(crate) const BOTH: Self = Self {
        tcp: true,
        udp: true,
    };

    pub(crate) const TCP: Self = Self {
        tcp: true,
        udp: false,
    };

    /// TCP first.
    pub(crate) fn each(self) -> impl Iterator<Item = Protocol> + use<> {
        let tcp = self.tcp.then_some(Protocol::Tcp);
        tcp.into_iter().chain(self.udp.then_some(Protocol::Udp))
    }

    /// Those that were asked for; both if neither was.
    pub(crate) fn asked(tcp: bool, udp: bool) -> Self {
        if tcp || udp {
            Self { tcp, udp }
        } else {
            Self::BOTH
        }
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.tcp, self.udp) {
            (true, false) => "TCP",
            (false, true) => "UDP",
            _ => "TCP and UDP",
        })
    }
}

/// The most characters of a name: it has a column in `status`.
pub(crate) const NAME_MAX: usize = 32;

/// A name is 1 to [`NAME_MAX`] letters, digits, `-`, `_` or `.`, and begins with a letter or digit: it is
/// typed in `via6 stop NAME` and is a label of metrics.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Err("a name has at least one character")
    } else if name.chars().count() > NAME_MAX {
        Err("a name has at most 32 characters")
    } else if !name.chars().all(fits) {
        Err("a name is made of letters, digits, `-`, `_` and `.`")
    } else if !name.starts_with(char::is_alphanumeric) {
        Err("a name begins with a letter or a digit")
    } else {
        Ok(())
    }
}

fn shown<S: Serializer>(value: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// The same, of what there may be none of.
#[allow(clippy::ref_option, reason = "as serde calls it")]
pub(crate) fn some_shown<S: Serializer>(
    value: &Option<impl fmt::Display>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// An address to listen on, or null.
pub(crate) fn some_listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Listen>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| Listen::parse(&text).map_err(serde::de::Error::custom))
        .transpose()
}

fn all_shown<S: Serializer>(values: &[impl fmt::Display], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Listen, D::Error> {
    let text = String::deserialize(from)?;
    Listen::parse(&text).map_err(serde::de::Error::custom)
}

fn host_port<'de, D: Deserializer<'de>>(from: D) -> Result<HostPort, D::Error> {
    let text = String::deserialize(from)?;
    HostPort::parse_target(&text).map_err(serde::de::Error::custom)
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let read = texts.iter().map(|text| Network::parse(text));
    read.collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}
