//! Takes off what chat programs, keyboards and shells put around an address.
//!
//! Only what cannot be part of an address goes: blanks and quotes at the ends, characters that
//! nobody sees, the punctuation of the sentence it stood in. Signs of East Asian keyboards become
//! the ASCII ones on the same keys. Nothing that can be seen is taken out of the middle.

use super::TEXT_MAX;
use super::error::{AddrError, Purpose};
use super::excerpt::Excerpt;
use super::{invite, pasted};

/// Begin a quotation in some language or markup. cmd.exe passes on single quotes as they are.
pub(crate) const OPENING: &[char] = &[
    '\'', '"', '`', '´', '“', '”', '„', '‘', '’', '‚', '«', '»', '‹', '›', '<', '(',
];

/// End one. Chat programs change one quote of a pair and not the other, so any may follow any.
pub(super) const CLOSING: &[char] = &[
    '\'', '"', '`', '´', '“', '”', '‘', '’', '«', '»', '‹', '›', '>', ')',
];

/// The text alone; not empty, not cut, and no invite. It may still hold blanks.
pub(super) fn tidy(purpose: Purpose, raw: &str) -> Result<String, AddrError> {
    if raw.len() > TEXT_MAX {
        return Err(AddrError::TooLong {
            purpose,
            bytes: raw.len(),
        });
    }
    let typed: String = raw
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(plain)
        .collect();
    // Before anything else, because every other error quotes what was typed.
    if invite::is_in(&typed) {
        return Err(AddrError::Invite);
    }
    let mut text = undress(&typed);
    if purpose == Purpose::Link
        && let Some(address) = pasted::join_address(text)?
    {
        text = undress(address);
    }
    if text.is_empty() {
        return Err(AddrError::Empty { purpose });
    }
    let one_word = !text.contains(char::is_whitespace);
    if one_word && (text.starts_with(OPENING) || text.ends_with(CLOSING)) {
        return Err(AddrError::UnmatchedQuote {
            text: Excerpt::of(text),
        });
    }
    if is_cut(text) {
        return Err(AddrError::CutShort {
            purpose,
            text: Excerpt::of(text),
        });
    }
    Ok(text.to_owned())
}

/// Without blanks, pairs of quotes and the end of a sentence around it.
pub(super) fn undress(mut text: &str) -> &str {
    loop {
        let before = text.len();
        text = text.trim().trim_end_matches([',', ';']);
        // One dot ends a sentence or a name; several mean that something was left out.
        if let Some(rest) = text.strip_suffix('.')
            && !rest.ends_with('.')
        {
            text = rest;
        }
        if let Some(inner) = text.strip_prefix(OPENING)
            && let Some(inner) = inner.strip_suffix(CLOSING)
        {
            text = inner;
        }
        if text.len() == before {
            return text;
        }
    }
}

/// `::` may end an address; `:` ends nothing.
fn is_cut(text: &str) -> bool {
    text.contains('…') || text.contains("...") || (text.ends_with(':') && !text.ends_with("::"))
}

/// Zero-width spaces and joiners, soft hyphens, direction marks, variation selectors, byte-order
/// mark.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

/// The ASCII character that was meant; a blank or a line end for each kind of white space.
pub(crate) fn plain(c: char) -> char {
    match c {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        _ if c.is_whitespace() => ' ',
        // Full-width forms are ASCII moved by 0xfee0.
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '。' | '｡' => '.',
        '︓' | '﹕' => ':',
        '【' | '「' => '[',
        '】' | '」' => ']',
        // The hyphens that typesetting puts in place of `-`.
        '\u{2010}' | '\u{2011}' => '-',
        _ => c,
    }
}
