//! The table of everything people write, in `cases.txt`: what is accepted and as what, what is
//! explained and in which words.
//!
//! ```text
//! PLACE INPUT
//!     = VALUE              accepted
//!     error: CAUSE         explained; a hint follows unless there is none
//!     hint: HINT
//! ```
//!
//! In INPUT, `\n`, `\t` and `\u{…}` mean what they do in Rust.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::{AddrError, HostPort, Listen, Network, Purpose, TEXT_MAX};

const CASES: &str = include_str!("cases.txt");

fn parse(place: &str, text: &str) -> Result<String, AddrError> {
    match place {
        "link" => HostPort::parse_link(text).map(|value| value.to_string()),
        "game" => HostPort::parse_game(text).map(|value| value.to_string()),
        "target" => HostPort::parse_target(text).map(|value| value.to_string()),
        "listen" => Listen::parse(text).map(|value| value.to_string()),
        "network" => Network::parse(text).map(|value| value.to_string()),
        _ => panic!("unknown place: {place}"),
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('n') {
            out.push('\n');
            after
        } else if let Some(after) = after.strip_prefix('t') {
            out.push('\t');
            after
        } else if let Some((code, after)) = after.strip_prefix("u{").and_then(|s| s.split_once('}'))
        {
            out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            after
        } else {
            out.push('\\');
            after
        };
    }
    out + rest
}

fn outcome(result: &Result<String, AddrError>) -> String {
    match result {
        Ok(value) => format!("    = {value}\n"),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("    hint: {hint}\n"));
            format!("    error: {error}\n{}", hint.unwrap_or_default())
        }
    }
}

/// `(place, input, expected outcome)` of each case.
fn cases() -> Vec<(&'static str, String, String)> {
    let mut cases = Vec::new();
    for line in CASES.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("    ") {
            let (_, _, expected): &mut (_, _, String) = cases.last_mut().unwrap();
            expected.push_str(line);
            expected.push('\n');
        } else {
            let (place, input) = line.split_once(' ').unwrap_or((line, ""));
            cases.push((place, unescape(input), String::new()));
        }
    }
    cases
}

#[test]
fn everything_people_write_is_accepted_or_explained_in_these_words() {
    let mut wrong = Vec::new();
    for (place, input, expected) in cases() {
        let found = outcome(&parse(place, &input));
        if found != expected {
            wrong.push(format!("{place} {input:?}\n{found}  expected\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `Variant`, or `Ipv6Fault::Variant` for the faults inside.
fn kinds(error: &AddrError) -> Vec<String> {
    let name = |debug: String| {
        debug
            .split([' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let fault = match error {
        AddrError::Ipv4 { fault, .. } => Some(format!("Ipv4Fault::{fault:?}")),
        AddrError::Ipv6 { fault, .. } => Some(format!("Ipv6Fault::{fault:?}")),
        AddrError::Name { fault, .. } => Some(format!("NameFault::{fault:?}")),
        _ => None,
    };
    let own = [format!("AddrError::{error:?}")];
    own.into_iter().chain(fault).map(name).collect()
}

/// The variants that a source file declares, each below its `#[error(…)]`.
fn declared(source: &str) -> Vec<String> {
    let mut of = "";
    let mut names = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("pub enum ") {
            of = name.trim_end_matches(" {");
        }
        if line.trim_start().starts_with("#[error(") {
            let name = lines
                .next()
                .unwrap()
                .trim()
                .trim_end_matches([' ', '{', ',']);
            names.push(format!("{of}::{name}"));
        }
    }
    names
}

#[test]
fn the_table_has_every_error_in_it() {
    // Too long for a line, and out of reach of the parsers.
    let elsewhere = ["AddrError::TooLong", "NameFault::Empty"];
    let mut seen: BTreeSet<String> = elsewhere.map(str::to_owned).into();
    let mut accepted = 0;
    for (place, input, _) in cases() {
        match parse(place, &input) {
            Ok(_) => accepted += 1,
            Err(error) => seen.extend(kinds(&error)),
        }
    }
    assert!(accepted > 60, "{accepted}");
    let mut all = declared(include_str!("error.rs"));
    all.extend(declared(include_str!("fault.rs")));
    assert!(all.len() > 50, "{all:?}");
    assert_eq!(seen, all.into_iter().collect());
}

#[test]
fn a_text_beyond_the_bound_is_refused_unread() {
    let text = format!("{:>1$}", "play.example.org", TEXT_MAX);
    assert!(HostPort::parse_link(&text).is_ok());
    let error = HostPort::parse_link(&format!(" {text}")).unwrap_err();
    assert_eq!(
        error,
        AddrError::TooLong {
            purpose: Purpose::Link,
            bytes: 513
        }
    );
    assert_eq!(
        outcome(&Err(error)),
        "    error: 513 bytes are too long for an address\n    hint: paste it alone; ask the host \
         for the line that `via6 host` prints; it looks like via6 join \
         '[2001:db8::1]:43325'\n"
    );
}

#[test]
fn an_invite_is_never_repeated() {
    let secret = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";
    for text in [
        format!("via6:{secret}"),
        format!("'via6:{secret}"),
        format!("via6 join via6:{secret}"),
        format!("VIA6: {secret}"),
        format!("\u{200b}via6\u{200b}:{secret}…"),
        format!("https://example.org/via6:{secret}"),
    ] {
        for place in ["link", "game", "target", "listen", "network"] {
            let error = parse(place, &text).unwrap_err();
            assert_eq!(error, AddrError::Invite, "{place} {text}");
        }
    }
}

#[test]
fn no_output_shows_a_v4_mapped_address() {
    let mut mapped = 0;
    for (place, input, expected) in cases() {
        mapped += usize::from(input.to_lowercase().contains("::ffff:"));
        let shows = |text: &str| {
            text.split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.')
                .any(|word| {
                    word.starts_with("::ffff:")
                        || word
                            .parse::<Ipv6Addr>()
                            .is_ok_and(|ip| ip.to_ipv4_mapped().is_some())
                })
        };
        assert!(!shows(&expected), "{place} {input}");
        assert!(!shows(&outcome(&parse(place, &input))), "{place} {input}");
    }
    assert!(mapped > 5, "{mapped}");
}
