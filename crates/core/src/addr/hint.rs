//! What to do about an address that is wrong: one line that a player can act on, and paste where
//! possible.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::endpoint::HostPort;
use super::error::{AddrError, Purpose};
use super::fault::{Ipv4Fault, Ipv6Fault, NameFault};
use super::host::Host;
use crate::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};

/// What a joiner who has the wrong thing in hand needs.
const ASK_HOST: &str = "ask the host for the line that `via6 host` prints";

/// A game's port in examples: the one that most people have seen.
const EXAMPLE_GAME_PORT: u16 = 25565;

impl AddrError {
    /// What to do about it. Single quotes keep brackets from the shell; via6 takes them off where
    /// the shell does not (Windows).
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if let Some((purpose, fixed)) = self.correction() {
            return Some(offer(purpose, fixed));
        }
        Some(match self {
            Self::TooLong { purpose, .. } => format!("paste it alone; {}", example(*purpose)),
            Self::UnmatchedQuote { .. } => {
                "a piece of it may be missing: copy it again from end to end".to_owned()
            }
            Self::CutShort { purpose, .. } => cut_short(*purpose),
            Self::Invite => "paste it behind `via6 join`".to_owned(),
            Self::PastedOptions => {
                "run the pasted line as it is, not inside of another `via6 join`".to_owned()
            }
            Self::Ipv6 { purpose, fault, .. } => ipv6(*purpose, fault),
            Self::Ipv4Link { ip, port } => ipv4_link(*ip, *port),
            Self::Ipv4 { fault, .. } => ipv4(fault),
            Self::Name { fault, .. } => name(fault).to_owned(),
            Self::PortNotNumber { .. } | Self::PortTooHigh { .. } | Self::PortZero => {
                "a port is a number from 1 to 65535".to_owned()
            }
            Self::MissingPort { purpose, host } => missing_port(*purpose, host),
            Self::MissingHost { purpose, port } => missing_host(*purpose, *port),
            Self::LinkLocalZone { ip, port } => link_local(*ip, *port),
            Self::Zone { .. } => {
                "an interface is written as `ip addr` or `ipconfig` shows it: %eth0 or %3".into()
            }
            Self::ZoneOnIpv4 { ip } => format!("leave it out: {ip}"),
            Self::NetworkZone { ip } => format!("leave it out: {ip}"),
            Self::PrefixLength { .. } => "for one address alone leave it out".to_owned(),
            // The cause says what is wrong; which machine was meant, nobody knows.
            Self::Multicast { .. } | Self::Broadcast { .. } => return None,
            Self::Unspecified { purpose, ip, port } => unspecified(*purpose, *ip, *port),
            Self::ListenName { port, .. } => listen(port.unwrap_or(DEFAULT_LINK_PORT)),
            Self::NetworkPort { host: Some(host) } => format!("leave the port out: {host}"),
            Self::NetworkPort { host: None } | Self::NetworkName { .. } => {
                example(Purpose::Network)
            }
            Self::Empty { purpose }
            | Self::StrayBracket { purpose, .. }
            | Self::TooManyColons { purpose, .. }
            | Self::Url { purpose, .. }
            | Self::Space { purpose, .. }
            | Self::AfterBracket { purpose, .. }
            | Self::MissingBracket { purpose, .. }
            | Self::NeedsBrackets { purpose, .. }
            | Self::PortSeparator { purpose, .. }
            | Self::PortInBrackets { purpose, .. } => example(*purpose),
        })
    }

    /// What was meant, where that is all but certain.
    fn correction(&self) -> Option<(Purpose, &HostPort)> {
        match self {
            Self::Url { purpose, fixed, .. }
            | Self::Space { purpose, fixed, .. }
            | Self::AfterBracket { purpose, fixed, .. }
            | Self::MissingBracket { purpose, fixed, .. } => Some((*purpose, fixed.as_ref()?)),
            Self::NeedsBrackets { purpose, fixed, .. }
            | Self::PortSeparator { purpose, fixed, .. }
            | Self::PortInBrackets { purpose, fixed, .. } => Some((*purpose, fixed)),
            _ => None,
        }
    }
}

/// What belongs in this place.
fn example(purpose: Purpose) -> String {
    match purpose {
        Purpose::Link => {
            format!("{ASK_HOST}; it looks like via6 join '[2001:db8::1]:{DEFAULT_LINK_PORT}'")
        }
        Purpose::Game => {
            "a game is a port such as 25565, or host and port such as 192.168.1.5:25565".to_owned()
        }
        Purpose::Target => {
            "a target is host and port, such as 127.0.0.1:25565 or '[2001:db8::1]:25565'".to_owned()
        }
        Purpose::Listen => listen(DEFAULT_LINK_PORT),
        Purpose::Network => {
            "a trusted relay is an address or a network, such as 2001:db8::1 or 2001:db8::/64"
                .to_owned()
        }
    }
}

/// What was probably meant.
fn offer(purpose: Purpose, fixed: &HostPort) -> String {
    match purpose {
        Purpose::Link => format!("try: via6 join '{fixed}'"),
        _ => format!("write it as '{fixed}'"),
    }
}

fn cut_short(purpose: Purpose) -> String {
    match purpose {
        Purpose::Link => format!("{ASK_HOST}, whole: chat programs shorten long lines"),
        _ => format!("copy it again from end to end; {}", example(purpose)),
    }
}

fn ipv6(purpose: Purpose, fault: &Ipv6Fault) -> String {
    match (purpose, fault) {
        (_, Ipv6Fault::Hardware) => "an IPv6 address looks like 2001:db8::1".to_owned(),
        (Purpose::Link, _) => format!("copy it again, or {ASK_HOST}"),
        _ => format!("copy it again; {}", example(purpose)),
    }
}

/// A `join` of an IPv4 address would be a relay without IPv6 in it, which is what `relay` is for.
fn ipv4_link(ip: Ipv4Addr, port: u16) -> String {
    format!(
        "{ASK_HOST}; if it must be IPv4: via6 relay tcp 127.0.0.1:{DEFAULT_JOIN_PORT} {ip}:{port}"
    )
}

fn ipv4(fault: &Ipv4Fault) -> String {
    match fault {
        Ipv4Fault::LeadingZero { fixed, .. } => {
            format!("some programs read such a number as octal; if it is decimal: {fixed}")
        }
        _ => "an IPv4 address is four numbers from 0 to 255, such as 192.168.1.5".to_owned(),
    }
}

fn name(fault: &NameFault) -> &'static str {
    match fault {
        NameFault::NotAscii => {
            "write the name in its ASCII form, which begins with `xn--`, or use the address"
        }
        NameFault::Character { .. } => "a name has letters, digits, `.`, `-` and `_`",
        NameFault::EndsInNumber => "an IPv4 address has four numbers, a name ends in letters",
        _ => "check it for typing errors: a name looks like play.example.org",
    }
}

fn missing_port(purpose: Purpose, host: &Host) -> String {
    let with = |port| HostPort {
        host: host.clone(),
        port,
    };
    if purpose == Purpose::Listen {
        let (usual, any) = (with(DEFAULT_LINK_PORT), with(0));
        return format!("add one: '{usual}', or '{any}' for any free port");
    }
    let example = with(EXAMPLE_GAME_PORT);
    format!("add the port, for example '{example}'")
}

fn missing_host(purpose: Purpose, port: u16) -> String {
    match purpose {
        Purpose::Link => {
            format!("write the host's address before it: via6 join '[2001:db8::1]:{port}'")
        }
        Purpose::Listen => listen(port),
        Purpose::Game | Purpose::Target => format!("on this machine: 127.0.0.1:{port}"),
        Purpose::Network => example(Purpose::Network),
    }
}

/// Nobody else can know which of these was meant.
fn listen(port: u16) -> String {
    format!(
        "'[::]:{port}' listens on all of IPv6, 0.0.0.0:{port} on all of IPv4, 127.0.0.1:{port} \
         for this machine alone"
    )
}

fn link_local(ip: Ipv6Addr, port: u16) -> String {
    format!(
        "add the interface: '[{ip}%eth0]:{port}' (on Windows a number: %3); such an address works \
         only inside the same house"
    )
}

fn unspecified(purpose: Purpose, ip: IpAddr, port: u16) -> String {
    match (purpose, ip) {
        (Purpose::Link, _) => format!("{ASK_HOST}: it has the host's own address"),
        (_, IpAddr::V4(_)) => format!("on this machine: 127.0.0.1:{port}"),
        (_, IpAddr::V6(_)) => format!("on this machine: '[::1]:{port}'"),
    }
}
