//! What was probably meant by an address that cannot be taken as it is.
//!
//! Builds the corrected text, reads that strictly, and puts the result into the error. Where the
//! corrected text is itself refused for a better reason, that reason is given instead.

use std::net::Ipv4Addr;

use super::endpoint::HostPort;
use super::error::{AddrError, Purpose};
use super::excerpt::Excerpt;
use super::host::Host;
use super::read::{is_number, is_v6, join_port, meant, requires_port};
use super::tidy::undress;

/// Signs that some tool puts between address and port (RFC 5952 §6).
const SEPARATORS: &[char] = &['.', '#', ',', ';'];

/// `https://play.example.org:43325/path`: the address is what stands between `//` and `/`.
pub(super) fn url(purpose: Purpose, before: &str, rest: &str) -> AddrError {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme = before.rsplit(|c| !is_scheme(c)).next().unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority
        .split(char::is_whitespace)
        .next()
        .unwrap_or_default();
    let address = authority.rsplit('@').next().unwrap_or_default();
    let scheme = Excerpt::of(scheme);
    better(meant(purpose, address), |fixed| AddrError::Url {
        purpose,
        scheme,
        fixed,
    })
}

/// `2001:db8::1 43325`, `[2001:db8::1]: 43325`, an address wrapped to two lines, a sentence.
pub(super) fn space(purpose: Purpose, text: &str) -> AddrError {
    let words = text.split_whitespace().map(undress);
    let addresses = words.filter(|word| word.contains(['.', ':']));
    let result = two_words(text)
        .map(|address| meant(purpose, &address))
        .into_iter()
        .chain([unwrapped(purpose, text)])
        .chain(addresses.map(|word| address(purpose, word)))
        .find(|result| matches!(result, Ok(_) | Err(AddrError::Ipv4Link { .. })));
    let text = Excerpt::of(&text.replace('\n', " "));
    match result {
        Some(result) => better(result, |fixed| AddrError::Space {
            purpose,
            text,
            fixed,
        }),
        None => AddrError::Space {
            purpose,
            text,
            fixed: None,
        },
    }
}

/// `HOST PORT`, `HOST: PORT`, `HOST port PORT`.
fn two_words(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let host = words.next()?;
    let port = words.next_back()?;
    let between = words.next().unwrap_or(":");
    let host = host
        .strip_suffix(':')
        .filter(|h| !h.ends_with(':'))
        .unwrap_or(host);
    let port = port.strip_prefix(':').unwrap_or(port);
    let plain = matches!(
        between.to_ascii_lowercase().as_str(),
        ":" | "port" | "port:" | "p"
    );
    (plain && words.next().is_none() && is_number(port)).then(|| join_port(host, port))
}

/// Without its blanks.
fn unwrapped(purpose: Purpose, text: &str) -> Result<HostPort, AddrError> {
    let joined: String = text.split_whitespace().collect();
    address(purpose, &joined)
}

/// What is meant if it is an address: a name could be made of any words.
fn address(purpose: Purpose, text: &str) -> Result<HostPort, AddrError> {
    let found = meant(purpose, text)?;
    match found.host {
        Host::Name(_) => Err(AddrError::Empty { purpose }),
        Host::V4(_) | Host::V6(..) => Ok(found),
    }
}

/// `2001:db8::1:43325`: `before` is an address and `after` a number.
pub(super) fn brackets(purpose: Purpose, text: &str, before: &str, after: &str) -> AddrError {
    match meant(purpose, &format!("[{before}]:{after}")) {
        Ok(fixed) => AddrError::NeedsBrackets {
            purpose,
            text: Excerpt::of(text),
            fixed,
        },
        Err(error) => error,
    }
}

/// `2001:db8::1.43325`, `192.0.2.7#43325`.
pub(super) fn separator(purpose: Purpose, text: &str) -> Option<AddrError> {
    let (host, port) = text.rsplit_once(SEPARATORS)?;
    let separator = text.get(host.len()..)?.chars().next()?;
    let is_address = is_v6(host).is_some() || host.parse::<Ipv4Addr>().is_ok();
    // Five small numbers are a mistyped address rather than an address and a port.
    let is_octet = separator == '.' && !host.contains(':') && port.parse::<u8>().is_ok();
    if !is_address || !is_number(port) || is_octet {
        return None;
    }
    Some(match meant(purpose, &join_port(host, port)) {
        Ok(fixed) => AddrError::PortSeparator {
            purpose,
            text: Excerpt::of(text),
            separator,
            fixed,
        },
        Err(error) => error,
    })
}

/// `2001:db8::1]:43325`.
pub(super) fn unopened(purpose: Purpose, text: &str) -> AddrError {
    let excerpt = Excerpt::of(text);
    if text.contains('[') || text.matches(']').count() > 1 {
        return AddrError::StrayBracket {
            purpose,
            text: excerpt,
        };
    }
    better(meant(purpose, &format!("[{text}")), |fixed| {
        AddrError::MissingBracket {
            purpose,
            text: excerpt,
            bracket: '[',
            fixed,
        }
    })
}

/// `[2001:db8::1:43325`; `rest` is without the bracket.
pub(super) fn unclosed(purpose: Purpose, text: &str, rest: &str) -> AddrError {
    let excerpt = Excerpt::of(text);
    if rest.contains('[') {
        return AddrError::StrayBracket {
            purpose,
            text: excerpt,
        };
    }
    let closed = match rest.rsplit_once(':') {
        Some((host, port))
            if is_number(port) && (is_v6(rest).is_none() || requires_port(purpose)) =>
        {
            format!("[{host}]:{port}")
        }
        _ => format!("[{rest}]"),
    };
    better(meant(purpose, &closed), |fixed| AddrError::MissingBracket {
        purpose,
        text: excerpt,
        bracket: ']',
        fixed,
    })
}

/// `[2001:db8::1]43325`, `[2001:db8::1].43325`.
pub(super) fn after_bracket(purpose: Purpose, text: &str, inside: &str, after: &str) -> AddrError {
    let port = after.trim_start_matches(SEPARATORS);
    better(meant(purpose, &format!("[{inside}]:{port}")), |fixed| {
        AddrError::AfterBracket {
            purpose,
            text: Excerpt::of(text),
            fixed,
        }
    })
}

/// `[2001:db8::1:43325]`, `[play.example.org:43325]`.
pub(super) fn port_inside(purpose: Purpose, text: &str, inside: &str) -> Option<AddrError> {
    let (host, port) = inside.rsplit_once(':')?;
    if !is_number(port) || (host.contains(':') && is_v6(host).is_none()) {
        return None;
    }
    Some(match meant(purpose, &format!("[{host}]:{port}")) {
        Ok(fixed) => AddrError::PortInBrackets {
            purpose,
            text: Excerpt::of(text),
            fixed,
        },
        Err(error) => error,
    })
}

/// The error of the text as it stands, unless the repaired text has a more important one.
fn better(
    result: Result<HostPort, AddrError>,
    plain: impl FnOnce(Option<HostPort>) -> AddrError,
) -> AddrError {
    match result {
        Ok(fixed) => plain(Some(fixed)),
        Err(error @ AddrError::Ipv4Link { .. }) => error,
        Err(_) => plain(None),
    }
}
