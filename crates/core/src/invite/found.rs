//! Finds an invite in what was pasted, and says what is wrong with the one that comes closest.
//!
//! The invite itself says how many characters it has. So white space, quotation marks and the signs that
//! mail and chat programs put in front of lines may stand between them, and words may follow.

use super::base32::{symbols_of, to_bytes, value};
use super::error::InviteError;
use super::layout::{self, Length};
use super::{Invite, PREFIX, VERSION};
use crate::addr::OPENING;

/// A word without `via6:` in front is taken for the rest of an invite if it is at least this long and
/// its checksum is right: a double click often selects no more.
const BARE_MIN: usize = 60;

/// Fewer characters than this are no invite of any version: a name, a port, a word of a sentence.
const RECOGNISED_MIN: usize = 20;

/// One character that belongs to the invite, or was meant to.
#[derive(Clone, Copy)]
struct Symbol {
    /// `None`: no character of an invite.
    value: Option<u8>,
    /// Something was skipped before it.
    after_gap: bool,
}

/// The first invite in `text` that is whole, or what is wrong with the longest beginning of one.
pub(super) fn search(text: &str) -> Result<Invite, InviteError> {
    let lower = text.to_ascii_lowercase();
    let mut closest: Option<(Vec<Symbol>, bool)> = None;
    for (at, _) in lower.match_indices(PREFIX) {
        let (symbols, cut) = symbols(text.get(at + PREFIX.len()..).unwrap_or_default());
        if let Ok(invite) = decode(&symbols, cut) {
            return Ok(invite);
        }
        if closest
            .as_ref()
            .is_none_or(|(longest, _)| symbols.len() > longest.len())
        {
            closest = Some((symbols, cut));
        }
    }
    if let Some((symbols, cut)) = closest.filter(|(symbols, _)| !symbols.is_empty()) {
        return decode(&symbols, cut).map_err(|error| locate(error, &symbols));
    }
    text.split_whitespace()
        .filter(|word| word.len() >= BARE_MIN)
        .find_map(|word| decode(&symbols(word.trim_start_matches(OPENING)).0, false).ok())
        .ok_or(InviteError::Missing)
}

/// The characters of an invite at the beginning of `text`, and whether a program has cut it there.
fn symbols(text: &str) -> (Vec<Symbol>, bool) {
    let mut symbols = Vec::new();
    let mut after_gap = false;
    for c in text.chars() {
        if c.is_alphanumeric() {
            let value = value(c);
            symbols.push(Symbol { value, after_gap });
            after_gap = false;
        } else if c.is_whitespace() || matches!(c, '>' | '|' | '`' | '*' | '\'' | '"' | '\\') {
            after_gap = true;
        } else {
            return (symbols, c == '…');
        }
    }
    (symbols, false)
}

fn decode(symbols: &[Symbol], cut: bool) -> Result<Invite, InviteError> {
    let here = PREFIX.len() + symbols.len();
    let short = |whole| InviteError::CutShort { here, whole };
    let first = symbols.first().ok_or(InviteError::Missing)?;
    match first.value {
        Some(VERSION) => {}
        // A word that follows `via6:` by chance.
        _ if word(symbols) < RECOGNISED_MIN => return Err(InviteError::Missing),
        Some(version) if version > VERSION => return Err(InviteError::Newer { version }),
        _ => {
            return Err(InviteError::Damaged {
                at: Some(PREFIX.len() + 1),
            });
        }
    }
    let values: Vec<u8> = symbols
        .iter()
        .skip(1)
        .map(|s| s.value.unwrap_or_default())
        .collect();
    let length = match layout::length(&to_bytes(&values).0) {
        Length::Known(length) => length,
        Length::Unknown => return Err(short(None)),
        Length::Impossible => return Err(InviteError::Damaged { at: None }),
    };
    let whole = 1 + symbols_of(length);
    let Some(values) = values.get(..whole - 1) else {
        return Err(short(Some(PREFIX.len() + whole)));
    };
    let extra = word(symbols.get(whole..).unwrap_or_default());
    let runs_on = symbols.get(whole).is_some_and(|s| !s.after_gap);
    if let Some(at) = symbols.iter().take(whole).position(|s| s.value.is_none()) {
        let at = Some(PREFIX.len() + 1 + at);
        return Err(InviteError::Damaged { at });
    }
    let (bytes, padded) = to_bytes(values);
    match (padded && layout::is_intact(&bytes), runs_on) {
        (true, false) => layout::read(&bytes),
        (_, true) => Err(InviteError::Overlong { extra }),
        // Words of the message stand where the end was.
        (false, false) if cut && symbols.len() == whole => Err(short(None)),
        (false, false) => Err(InviteError::Damaged { at: None }),
    }
}

/// Characters up to the first gap.
fn word(symbols: &[Symbol]) -> usize {
    let rest = symbols.iter().skip(1).take_while(|s| !s.after_gap).count();
    symbols.len().min(1 + rest)
}

/// Finds the one character that, changed, makes a damaged invite whole. The checksum has 32 bits, and
/// there are some thousand ways to change one character: what is found is right but once in a million.
fn locate(error: InviteError, symbols: &[Symbol]) -> InviteError {
    if error != (InviteError::Damaged { at: None }) {
        return error;
    }
    let mut values: Vec<u8> = symbols
        .iter()
        .skip(1)
        .map(|s| s.value.unwrap_or_default())
        .collect();
    let mut at = None;
    if let Length::Known(length) = layout::length(&to_bytes(&values).0) {
        values.truncate(symbols_of(length));
        at = (0..values.len()).find(|index| repairs(&mut values, *index));
    }
    // The version's character stands between the prefix and these.
    InviteError::Damaged {
        at: at.map(|index| PREFIX.len() + 2 + index),
    }
}

fn repairs(values: &mut [u8], index: usize) -> bool {
    let is_whole = |values: &[u8]| {
        let (bytes, padded) = to_bytes(values);
        padded && layout::is_intact(&bytes)
    };
    let Some(found) = values.get(index).copied() else {
        return false;
    };
    let mut repaired = false;
    for other in (0..32).filter(|other| *other != found) {
        if let Some(value) = values.get_mut(index) {
            *value = other;
        }
        repaired |= is_whole(values);
    }
    if let Some(value) = values.get_mut(index) {
        *value = found;
    }
    repaired
}
