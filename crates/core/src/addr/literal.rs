//! One host without its port: address or name, with the `%zone` and `/length` that people copy along
//! with an address. Where it is none, says what is wrong with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{AddrError, Purpose};
use super::excerpt::Excerpt;
use super::fault::{Ipv4Fault, Ipv6Fault};
use super::host::{DnsName, Host, Zone};
use super::read::is_number;

/// A host, and the prefix length behind it.
pub(super) struct Literal {
    pub(super) host: Host,
    pub(super) length: Option<u8>,
}

/// `2001:db8::1/64`, `fe80::1%eth0/64`, `fe80::1/64%3`, `192.0.2.7`, `play.example.org`.
pub(super) fn literal(purpose: Purpose, text: &str) -> Result<Literal, AddrError> {
    let (address, suffix) = split_suffix(text);
    if let Ok(ip) = address.parse::<Ipv6Addr>() {
        return with_suffix(Host::from(IpAddr::V6(ip)), is_mapped(ip), suffix);
    }
    if address.contains(':') {
        let (text, fault) = (Excerpt::of(address), ipv6_fault(address));
        return Err(AddrError::Ipv6 {
            purpose,
            text,
            fault,
        });
    }
    if let Some(ip) = ipv4(address)? {
        return with_suffix(Host::V4(ip), false, suffix);
    }
    // A name has no suffix: with one, the checker names the sign that is too much.
    let host = Host::Name(DnsName::parse(text)?);
    Ok(Literal { host, length: None })
}

/// What stands before the first `%` or `/`, and the rest.
pub(super) fn split_suffix(text: &str) -> (&str, &str) {
    text.split_at(text.find(['%', '/']).unwrap_or(text.len()))
}

fn is_mapped(ip: Ipv6Addr) -> bool {
    ip.to_ipv4_mapped().is_some()
}

/// Reads `%zone` and `/length`, in either order, each once.
fn with_suffix(mut host: Host, mapped: bool, suffix: &str) -> Result<Literal, AddrError> {
    let mut length = None;
    let mut rest = suffix;
    while let Some(sign) = rest.chars().next() {
        let (word, after) = split_suffix(rest.get(1..).unwrap_or_default());
        match (&mut host, sign) {
            (Host::V4(ip), '%') => return Err(AddrError::ZoneOnIpv4 { ip: *ip }),
            (Host::V6(_, zone @ None), '%') => *zone = Some(Zone::parse(word)?),
            (_, '/') if length.is_none() => length = Some(prefix_length(&host, mapped, word)?),
            (_, '/') => return Err(bad_length(&host, suffix.get(1..).unwrap_or_default())),
            _ => {
                let zone = Excerpt::of(suffix.get(1..).unwrap_or_default());
                return Err(AddrError::Zone { zone });
            }
        }
        rest = after;
    }
    Ok(Literal { host, length })
}

/// The 96 leading bits of a v4-mapped address go with its `::ffff:`.
fn prefix_length(host: &Host, mapped: bool, text: &str) -> Result<u8, AddrError> {
    let length = text.parse::<u8>().ok().filter(|_| is_number(text));
    let length = if mapped {
        length.and_then(|bits| bits.checked_sub(96))
    } else {
        length
    };
    length
        .filter(|bits| *bits <= longest(host))
        .ok_or_else(|| bad_length(host, text))
}

fn bad_length(host: &Host, text: &str) -> AddrError {
    AddrError::PrefixLength {
        length: Excerpt::of(text),
        max: longest(host),
    }
}

fn longest(host: &Host) -> u8 {
    if matches!(host, Host::V4(_)) { 32 } else { 128 }
}

/// `None`: it does not look like one and may be a name.
fn ipv4(text: &str) -> Result<Option<Ipv4Addr>, AddrError> {
    if let Ok(ip) = text.parse() {
        return Ok(Some(ip));
    }
    if !text.split('.').all(is_number) {
        return Ok(None);
    }
    let numbers = text.split('.').count();
    let fault = match numbers {
        0..4 => Ipv4Fault::TooFewNumbers { numbers },
        4 => octet_fault(text),
        _ => Ipv4Fault::TooManyNumbers { numbers },
    };
    Err(AddrError::Ipv4 {
        text: Excerpt::of(text),
        fault,
    })
}

/// Four numbers that are no address: one is too high or begins with 0.
fn octet_fault(text: &str) -> Ipv4Fault {
    let bare = |part: &str| part.trim_start_matches('0').parse::<u8>().ok();
    if let Some(high) = text
        .split('.')
        .find(|part| part.bytes().any(|b| b != b'0') && bare(part).is_none())
    {
        return Ipv4Fault::TooHigh {
            number: Excerpt::of(high),
        };
    }
    let zero = text
        .split('.')
        .find(|part| part.len() > 1 && part.starts_with('0'));
    let mut octets = text.split('.').map(|part| bare(part).unwrap_or(0));
    let mut next = || octets.next().unwrap_or(0);
    Ipv4Fault::LeadingZero {
        number: Excerpt::of(zero.unwrap_or_default()),
        fixed: Ipv4Addr::new(next(), next(), next(), next()),
    }
}

/// Why `text`, which has a `:`, is no IPv6 address. Names the fault that the eye finds first.
fn ipv6_fault(text: &str) -> Ipv6Fault {
    let groups = || text.split(':').filter(|group| !group.is_empty());
    let count = groups().count();
    if text.contains(":::") {
        return Ipv6Fault::ThreeColons;
    }
    if text.matches("::").count() > 1 {
        return Ipv6Fault::TwoGaps;
    }
    if let Some(found) = text
        .chars()
        .find(|c| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.'))
    {
        return Ipv6Fault::NotHex {
            found: Excerpt::of(found.encode_utf8(&mut [0; 4])),
        };
    }
    if text.contains('.') {
        return Ipv6Fault::Ipv4Inside;
    }
    if let Some(group) = groups().find(|group| group.len() > 4) {
        return Ipv6Fault::LongGroup {
            group: Excerpt::of(group),
        };
    }
    let lone_start = text.starts_with(':') && !text.starts_with("::");
    let lone_end = text.ends_with(':') && !text.ends_with("::");
    if lone_start || lone_end {
        return Ipv6Fault::LoneColon;
    }
    if count == 6 && groups().all(|group| group.len() == 2) && !text.contains("::") {
        return Ipv6Fault::Hardware;
    }
    if count < 8 && !text.contains("::") {
        return Ipv6Fault::TooFewGroups { groups: count };
    }
    Ipv6Fault::TooManyGroups
}
