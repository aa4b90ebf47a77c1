//! Whatever is typed or pasted for an address, at every place that takes one: it is accepted, and
//! then reads back as the same from how it is shown; or it is explained, in words that do no harm
//! to a terminal. Nothing ever shows a v4-mapped address.

use std::fmt::{Debug, Display};
use std::net::Ipv6Addr;

use via6_core::addr::{AddrError, HostPort, Listen, Network};

/// Characters of a cause or a hint: quotations in them are cut, so there is an end to it.
const MESSAGE_MAX: usize = 1000;

/// Panics if any of the parsers does not keep to the above. What is not UTF-8 never gets to them.
pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        check_parser(text, HostPort::parse_link);
        check_parser(text, HostPort::parse_game);
        check_parser(text, HostPort::parse_target);
        check_parser(text, Listen::parse);
        check_parser(text, Network::parse);
    }
}

fn check_parser<T: Debug + Display + PartialEq>(
    text: &str,
    parse: fn(&str) -> Result<T, AddrError>,
) {
    match parse(text) {
        Ok(value) => {
            let shown = value.to_string();
            check_shown(&shown);
            assert_eq!(parse(&shown), Ok(value), "{text:?} is shown as {shown}");
        }
        Err(error) => {
            check_shown(&error.to_string());
            if let Some(hint) = error.hint() {
                check_shown(&hint);
            }
        }
    }
}

fn check_shown(shown: &str) {
    assert!(!shown.trim().is_empty(), "nothing is said");
    assert!(shown.chars().count() <= MESSAGE_MAX, "no end: {shown}");
    assert!(!shown.contains(char::is_control), "control: {shown:?}");
    // `…` is part of a word: what stands before it was cut, and may have been another address.
    let words = shown.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.' | '…'));
    for word in words {
        let address = word.parse::<Ipv6Addr>().ok();
        let mapped = address.and_then(|ip| ip.to_ipv4_mapped());
        assert_eq!(mapped, None, "v4-mapped in {shown}");
    }
}
