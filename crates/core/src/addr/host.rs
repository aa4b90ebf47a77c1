//! A machine: an address or a name, and the zone of an address that needs one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::AddrError;
use super::excerpt::Excerpt;
use super::fault::NameFault;

/// Bytes of a name, without the dot at its end (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

/// Bytes between two dots (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// Bytes of a zone: Linux has 15, BSD 15, Windows' interface names are longer.
const ZONE_MAX: usize = 64;

/// A machine: an address or a name.
///
/// v4-mapped addresses are unmapped on the way in (`From<IpAddr>`) and, should somebody build one by
/// hand, on the way out.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, never a v4-mapped one; with its zone, if one was written.
    V6(Ipv6Addr, Option<Zone>),
    /// A name, to be resolved at each dial.
    Name(DnsName),
}

impl Host {
    /// The address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) => Some(IpAddr::V4(*ip)),
            Self::V6(ip, _) => Some(IpAddr::V6(*ip)),
            Self::Name(_) => None,
        }
    }

    /// This very machine: 127.0.0.0/8, `::1`, or a name that RFC 6761 §6.3 reserves for it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name.is_localhost(),
            Self::V4(ip) => ip.is_loopback(),
            Self::V6(ip, _) => ip.is_loopback(),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip, None),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6(ip, zone) => write_v6(f, *ip, zone.as_ref()),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// `ip%zone`, or the IPv4 address that `ip` stands for.
fn write_v6(f: &mut fmt::Formatter<'_>, ip: Ipv6Addr, zone: Option<&Zone>) -> fmt::Result {
    match (IpAddr::V6(ip).to_canonical(), zone) {
        (IpAddr::V6(ip), Some(zone)) => write!(f, "{ip}%{zone}"),
        (ip, _) => write!(f, "{ip}"),
    }
}

/// `host:port`, in brackets where the port would otherwise run into the address (RFC 5952 §6).
pub(super) fn write_with_port(f: &mut fmt::Formatter<'_>, host: &Host, port: u16) -> fmt::Result {
    match host {
        Host::V6(ip, _) if ip.to_ipv4_mapped().is_none() => write!(f, "[{host}]:{port}"),
        _ => write!(f, "{host}:{port}"),
    }
}

/// Which network a link-local address is on (RFC 4007 §11): `eth0`, or on Windows a number such as
/// `3`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Zone(String);

impl Zone {
    /// What follows the `%` of an address.
    pub fn parse(text: &str) -> Result<Self, AddrError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        // A dot at the end would be taken for that of a sentence.
        if text.is_empty()
            || text.len() > ZONE_MAX
            || !text.chars().all(plain)
            || text.ends_with('.')
        {
            return Err(AddrError::Zone {
                zone: Excerpt::of(text),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// As written, without the `%`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The system's own number of an interface.
impl From<u32> for Zone {
    fn from(index: u32) -> Self {
        Self(index.to_string())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host name: lower case, no dot at the end, every label of letters, digits, `-` and `_`.
///
/// A name whose last label is a number is none: resolvers take it for an IPv4 address in one of its
/// older notations.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DnsName(String);

impl DnsName {
    /// Checks a name; a dot at its end goes.
    pub fn parse(text: &str) -> Result<Self, AddrError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        match fault(name) {
            None => Ok(Self(name.to_ascii_lowercase())),
            Some(fault) => Err(AddrError::Name {
                text: Excerpt::of(text),
                fault,
            }),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `localhost` and everything below it (RFC 6761 §6.3).
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.0.rsplit('.').next() == Some("localhost")
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What keeps `name` from being one; first what the eye finds first.
fn fault(name: &str) -> Option<NameFault> {
    for c in name.chars() {
        match c {
            _ if !c.is_ascii() => return Some(NameFault::NotAscii),
            '-' | '_' | '.' => {}
            _ if !c.is_ascii_alphanumeric() => {
                let found = Excerpt::of(c.encode_utf8(&mut [0; 4]));
                return Some(NameFault::Character { found });
            }
            _ => {}
        }
    }
    if name.is_empty() {
        return Some(NameFault::Empty);
    }
    if name.len() > NAME_MAX {
        return Some(NameFault::TooLong);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Some(NameFault::EmptyLabel);
        }
        if label.len() > LABEL_MAX {
            return Some(NameFault::LongLabel);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some(NameFault::Hyphen);
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes()
        .all(|b| b.is_ascii_digit())
        .then_some(NameFault::EndsInNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked_without_a_parser_around_it() {
        for text in ["", "."] {
            let error = DnsName::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{text}` is not a host name: it is empty")
            );
        }
        let longest = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        assert_eq!(DnsName::parse(&longest).unwrap().as_str(), longest);
        assert!(DnsName::parse(&format!("{longest}e")).is_err());
        assert!(DnsName::parse(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_zone_has_a_bound() {
        assert!(Zone::parse(&"z".repeat(64)).is_ok());
        assert!(Zone::parse(&"z".repeat(65)).is_err());
        assert_eq!(Zone::from(3).as_str(), "3");
    }

    #[test]
    fn a_mapped_address_never_shows_even_if_built_by_hand() {
        let mapped = "::ffff:192.0.2.7".parse().unwrap();
        let by_hand = Host::V6(mapped, Some(Zone::from(3)));
        assert_eq!(by_hand.to_string(), "192.0.2.7");
        assert_eq!(
            Host::from(IpAddr::V6(mapped)),
            Host::V4(Ipv4Addr::new(192, 0, 2, 7))
        );
    }

    #[test]
    fn loopback_is_known_by_number_and_by_name() {
        let name = |text| Host::Name(DnsName::parse(text).unwrap());
        assert!(Host::V4(Ipv4Addr::new(127, 9, 9, 9)).is_loopback());
        assert!(Host::V6(Ipv6Addr::LOCALHOST, None).is_loopback());
        assert!(name("LocalHost").is_loopback() && name("mc.localhost.").is_loopback());
        assert!(!name("localhost.example").is_loopback() && !name("mylocalhost").is_loopback());
        assert!(!Host::V6(Ipv6Addr::UNSPECIFIED, None).is_loopback());
    }
}
