//! The link of an entry as it was asked for: open, or sealed with what that takes. What comes of it is not
//! known here.

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use via6_core::addr::{DnsName, Host, HostPort};
use via6_core::invite::Invite;
use via6_sealed::{Kind, Transports};

/// How an entry goes over IPv6.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Link {
    /// The bytes of the game and nothing else.
    #[default]
    Open,
    /// Sealed, of a host.
    Shared(Shared),
    /// Sealed, of a join.
    Invited(Box<Invited>),
}

/// What a host says of its sealed link.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Shared {
    /// Where this computer is found, whatever its addresses are.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::entry::some_shown",
        deserialize_with = "dns_name"
    )]
    pub(crate) name: Option<DnsName>,
}

/// What a join says of its sealed link.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Invited {
    /// A secret: it is kept for this user alone, and shown nowhere.
    #[serde(serialize_with = "whole", deserialize_with = "invite")]
    pub(crate) invite: Invite,
    /// What the player wants to be called.
    pub(crate) player: String,
    pub(crate) transport: Transport,
}

/// How a sealed link may be carried.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// QUIC, and TLS where UDP does not get through
    #[default]
    Auto,
    /// QUIC alone, over UDP
    Quic,
    /// TLS alone, over TCP
    Tls,
}

impl Link {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The word for it in `status` and in events.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shared(_) | Self::Invited(_) => "sealed",
        }
    }
}

impl Transport {
    /// The word of `--transport` and of a file.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Quic => Kind::Quic.label(),
            Self::Tls => Kind::Tls.label(),
        }
    }
}

impl From<Transport> for Transports {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => Self::Any,
            Transport::Quic => Self::Only(Kind::Quic),
            Transport::Tls => Self::Only(Kind::Tls),
        }
    }
}

/// One place where the host of an invite may be: the first to be tried.
pub(crate) fn first_place(invite: &Invite) -> HostPort {
    let ip = invite.addresses().first().map(|ip| Host::V6(*ip, None));
    let name = || invite.name().cloned().map(Host::Name);
    // An invite has an address or a name.
    let host = ip.or_else(name);
    HostPort {
        host: host.unwrap_or(Host::V6(std::net::Ipv6Addr::UNSPECIFIED, None)),
        port: invite.port(),
    }
}

fn whole<S: Serializer>(invite: &Invite, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&invite.to_text())
}

fn invite<'de, D: Deserializer<'de>>(from: D) -> Result<Invite, D::Error> {
    let text = String::deserialize(from)?;
    Invite::parse(&text).map_err(serde::de::Error::custom)
}

fn dns_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DnsName>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let name = text.map(|text| DnsName::parse(&text).map_err(serde::de::Error::custom));
    name.transpose()
}
