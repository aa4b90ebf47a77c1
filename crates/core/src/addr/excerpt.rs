//! A safe quotation of what somebody typed, for error messages.
//!
//! Bounded, because input is not; escaped, because a message must not move the cursor or colour the
//! terminal; and free of `::ffff:`, like everything else that via6 prints.

use std::fmt;
use std::net::Ipv6Addr;

/// Characters of a quotation, the `…` of a shortened one included.
const CHARS_MAX: usize = 60;

/// A piece of input: at most 60 characters, control characters escaped, v4-mapped addresses
/// written as IPv4.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// Quotes `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let unmapped = unmap(text);
        let mut out = String::new();
        let mut room = CHARS_MAX;
        for c in unmapped.chars() {
            let shown = escaped(c);
            let width = shown.chars().count();
            if width >= room {
                out.push('…');
                break;
            }
            room -= width;
            out.push_str(&shown);
        }
        Self(out.into_boxed_str())
    }

    /// The quotation, without quotes around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `escape_debug`, except for quotes and backslashes, which are harmless in a message.
fn escaped(c: char) -> String {
    match c {
        '\'' | '"' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    }
}

/// Writes v4-mapped addresses in `text` as IPv4. Where one is mistyped, its `::ffff:` goes.
fn unmap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_address(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match word.parse::<Ipv6Addr>().map(|ip| ip.to_ipv4_mapped()) {
            Ok(Some(v4)) => out.push_str(&v4.to_string()),
            Ok(None) => out.push_str(word),
            Err(_) => out.push_str(strip_mapped_prefix(word)),
        }
        let mut others = after.chars();
        out.extend(others.next());
        rest = others.as_str();
    }
    out
}

fn strip_mapped_prefix(mut word: &str) -> &str {
    const MAPPED: &str = "::ffff:";
    while let Some((prefix, rest)) = word.split_at_checked(MAPPED.len())
        && prefix.eq_ignore_ascii_case(MAPPED)
    {
        word = rest;
    }
    word
}

fn is_address(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, ':' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shortened_to_sixty_characters() {
        assert_eq!(Excerpt::of(&"x".repeat(59)).as_str(), "x".repeat(59));
        let short = Excerpt::of(&"ü".repeat(500));
        assert_eq!(short.as_str(), format!("{}…", "ü".repeat(59)));
    }

    #[test]
    fn a_terminal_is_safe_from_it() {
        assert_eq!(
            Excerpt::of("a\u{1b}[31m\u{202e}b\r\n'\"").as_str(),
            r#"a\u{1b}[31m\u{202e}b\r\n'""#
        );
    }

    #[test]
    fn v4_mapped_addresses_are_shown_as_ipv4() {
        for (text, shown) in [
            ("[::ffff:192.0.2.7]x", "[192.0.2.7]x"),
            ("::FFFF:c000:207 b", "192.0.2.7 b"),
            ("0:0:0:0:0:ffff:c000:207", "192.0.2.7"),
            ("::ffff:192.0.2.7:99999", "192.0.2.7:99999"),
            ("::ffff:::ffff:1.2.3", "1.2.3"),
            ("2001:db8::ffff:1 é ::", "2001:db8::ffff:1 é ::"),
        ] {
            assert_eq!(Excerpt::of(text).as_str(), shown);
        }
    }
}
