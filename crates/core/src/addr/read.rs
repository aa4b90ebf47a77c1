//! How addresses are written: brackets, ports, and the ways in which both go wrong.
//!
//! A port is told from the end of an IPv6 address by brackets alone (RFC 5952 §6). Without them the
//! whole is taken for an address if it can be one; what cannot is never guessed at, but the error
//! holds what was probably meant.

use std::net::{IpAddr, Ipv6Addr};

use super::endpoint::{HostPort, complete};
use super::error::{AddrError, Purpose};
use super::excerpt::Excerpt;
use super::host::Host;
use super::literal::{literal, split_suffix};
use super::repair;
use super::tidy::tidy;

/// What was written, without anything that its place implies.
pub(super) struct Written {
    pub(super) host: Option<Host>,
    pub(super) length: Option<u8>,
    pub(super) port: Option<u16>,
}

/// Reads what was typed.
pub(super) fn read(purpose: Purpose, raw: &str) -> Result<Written, AddrError> {
    let text = tidy(purpose, raw)?;
    if let Some((before, rest)) = text.split_once("://") {
        return Err(repair::url(purpose, before, rest));
    }
    if text.contains(char::is_whitespace) {
        return Err(repair::space(purpose, &text));
    }
    split(purpose, &text)
}

/// What `text`, a repaired address, means in this place.
pub(super) fn meant(purpose: Purpose, text: &str) -> Result<HostPort, AddrError> {
    complete(purpose, split(purpose, text)?)
}

/// A port must be written: the last group of an address may be meant as one.
pub(super) fn requires_port(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Game | Purpose::Target | Purpose::Listen)
}

/// Nothing but digits, and at least one.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads one word.
fn split(purpose: Purpose, text: &str) -> Result<Written, AddrError> {
    if let Some(rest) = text.strip_prefix('[') {
        return bracketed(purpose, text, rest);
    }
    if text.contains(['[', ']']) {
        return Err(repair::unopened(purpose, text));
    }
    let Some((before, after)) = text.rsplit_once(':') else {
        if is_number(text) {
            return Ok(Written {
                host: None,
                length: None,
                port: Some(port(text)?),
            });
        }
        return alone(purpose, text);
    };
    if before.contains(':') {
        return bare(purpose, text, before, after);
    }
    // `*` is how some programs write all addresses, which leaves the family open.
    let nowhere = before.is_empty() || (before == "*" && purpose == Purpose::Listen);
    if nowhere {
        return Ok(Written {
            host: None,
            length: None,
            port: Some(port(after)?),
        });
    }
    with_port(purpose, before, Some(after))
}

/// A host, and the text of its port.
fn with_port(purpose: Purpose, host: &str, after: Option<&str>) -> Result<Written, AddrError> {
    let found = literal(purpose, host)?;
    let port = after.map(port).transpose()?;
    Ok(Written {
        host: Some(found.host),
        length: found.length,
        port,
    })
}

/// No port as far as `:` is concerned.
fn alone(purpose: Purpose, text: &str) -> Result<Written, AddrError> {
    with_port(purpose, text, None)
        .map_err(|error| repair::separator(purpose, text).unwrap_or(error))
}

/// Two `:` or more and no brackets: an IPv6 address, perhaps with a port run into it.
fn bare(purpose: Purpose, text: &str, before: &str, after: &str) -> Result<Written, AddrError> {
    // `:::43325` is how netstat shows a listener on `[::]:43325`.
    if before == "::" && is_number(after) && text.starts_with(":::") {
        return Err(repair::brackets(purpose, text, before, after));
    }
    let whole = is_v6(text).is_some();
    let port_like = is_number(after) && !text.contains(":::");
    if let Some(ip) = is_v6(before)
        && port_like
        && (!whole || requires_port(purpose))
    {
        if !whole && ip.to_ipv4_mapped().is_some() {
            return with_port(purpose, before, Some(after));
        }
        return Err(repair::brackets(purpose, text, before, after));
    }
    let first = text.split(':').next().unwrap_or_default();
    if !whole && (first.len() > 4 || !first.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(AddrError::TooManyColons {
            purpose,
            text: Excerpt::of(text),
        });
    }
    alone(purpose, text)
}

/// `rest` is `text` without the bracket it begins with.
fn bracketed(purpose: Purpose, text: &str, rest: &str) -> Result<Written, AddrError> {
    let Some((inside, after)) = rest.split_once(']') else {
        return Err(repair::unclosed(purpose, text, rest));
    };
    if inside.contains('[') || after.contains(['[', ']']) {
        return Err(AddrError::StrayBracket {
            purpose,
            text: Excerpt::of(text),
        });
    }
    let (suffix, after_colon) = match after.split_once(':') {
        Some((suffix, port)) => (suffix, Some(port)),
        None => (after, None),
    };
    if !suffix.is_empty() && !suffix.starts_with(['%', '/']) {
        return Err(repair::after_bracket(purpose, text, inside, after));
    }
    if after_colon.is_some_and(|port| port.contains(':')) {
        return Err(AddrError::TooManyColons {
            purpose,
            text: Excerpt::of(text),
        });
    }
    if inside.is_empty() {
        let port = after_colon.map(port).transpose()?;
        return Ok(Written {
            host: None,
            length: None,
            port,
        });
    }
    if after.is_empty()
        && (is_v6(inside).is_none() || requires_port(purpose))
        && let Some(error) = repair::port_inside(purpose, text, inside)
    {
        return Err(error);
    }
    with_port(purpose, &format!("{inside}{suffix}"), after_colon)
}

/// The IPv6 address in `text`, whatever zone or length follows it.
pub(super) fn is_v6(text: &str) -> Option<Ipv6Addr> {
    let (address, suffix) = split_suffix(text);
    address.parse().ok().filter(|_| !suffix.contains(':'))
}

/// Digits only: `u16::from_str` alone would take a `+`.
fn port(text: &str) -> Result<u16, AddrError> {
    if !is_number(text) {
        return Err(AddrError::PortNotNumber {
            port: Excerpt::of(text),
        });
    }
    let digits = text.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| AddrError::PortTooHigh {
        port: Excerpt::of(text),
    })
}

/// `address:port`, in brackets where it needs them.
pub(super) fn join_port(host: &str, port: &str) -> String {
    let bare = split_suffix(host).0;
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}
