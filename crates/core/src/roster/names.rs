//! What players and invites may be called. A player's name comes from a stranger: it is cleaned and made
//! unique, never refused. An invite's is chosen by the host's owner, who is told what is wrong with it.

use std::collections::HashSet;

use super::error::NameFault;
use crate::addr::is_invisible;
use crate::frame::fitting;
use crate::limits::LINK_NAME_MAX;

/// What somebody is called who gives no name that can be shown.
const NAMELESS: &str = "player";

/// A name as it may be shown: no control characters, nothing that cannot be seen, no two blanks in a row,
/// at most [`LINK_NAME_MAX`] bytes. `player`, if nothing is left.
#[must_use]
pub fn clean_name(asked: &str) -> String {
    let mut name = String::new();
    for word in asked.split_whitespace() {
        let word: String = word.chars().filter(|c| can_be_shown(*c)).collect();
        if !word.is_empty() {
            if !name.is_empty() {
                name.push(' ');
            }
            name += &word;
        }
    }
    let name = cut(&name, LINK_NAME_MAX);
    if name.is_empty() { NAMELESS } else { name }.to_owned()
}

/// `name`, or with a number behind it the first that is not among `taken`.
pub(super) fn unique<'a>(name: &str, taken: impl Iterator<Item = &'a str>) -> String {
    // Once for all numbers: a thousand who call themselves the same must not cost a million comparisons.
    let taken: HashSet<String> = taken.map(|name| lower(name).collect()).collect();
    let is_taken = |name: &str| taken.contains(&lower(name).collect::<String>());
    let mut unique = name.to_owned();
    let mut number = 1_u64;
    while is_taken(&unique) {
        number += 1;
        let suffix = format!("-{number}");
        unique = cut(name, LINK_NAME_MAX.saturating_sub(suffix.len())).to_owned() + &suffix;
    }
    unique
}

/// Whether two names are the same to a person.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    lower(one).eq(lower(other))
}

fn lower(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

/// What is wrong with the name of an invite.
pub(super) fn check_invite_name(name: &str) -> Result<(), NameFault> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Err(NameFault::Empty)
    } else if name.len() > LINK_NAME_MAX {
        Err(NameFault::Long)
    } else if !name.chars().all(fits) {
        Err(NameFault::Character)
    } else if !name.starts_with(char::is_alphanumeric) {
        Err(NameFault::Beginning)
    } else {
        Ok(())
    }
}

/// Private-use characters and those that are none look different, or like nothing, on each system.
fn can_be_shown(c: char) -> bool {
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
    let none = u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    // Blanks that are drawn as nothing, though they count as letters; and language tags.
    let blank = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{ffa0}' | '\u{2800}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}');
    !(c.is_control() || is_invisible(c) || private || none || blank)
}

/// The beginning of `name`, at most `most` bytes, without a blank at its end.
fn cut(name: &str, most: usize) -> &str {
    fitting(name, most).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_seen_of_it() {
        for (asked, name) in [
            ("alice", "alice"),
            ("  Alice  of\tOz \n", "Alice of Oz"),
            ("al\u{1b}[31mice", "al[31mice"),
            ("evil\u{202e}ecila", "evilecila"),
            ("a\u{200b} \u{200b} b", "a b"),
            ("", "player"),
            (" \u{feff}\u{3164} ", "player"),
            ("漢字 é", "漢字 é"),
            ("a\u{85}b\u{2028}c", "a b c"),
            ("\u{e000}x\u{fffe}\u{fffff}y\u{e0041}", "xy"),
        ] {
            assert_eq!(clean_name(asked), name, "{asked:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_not_at_a_blank() {
        assert_eq!(clean_name(&"x".repeat(40)), "x".repeat(32));
        // 31 bytes, and then two.
        assert_eq!(clean_name(&("x".repeat(31) + "é")), "x".repeat(31));
        assert_eq!(clean_name(&("x".repeat(31) + " y")), "x".repeat(31));
    }

    #[test]
    fn a_number_makes_a_name_unique_and_fits() {
        let taken = ["alice", "ALICE-2"];
        assert_eq!(unique("Alice", taken.into_iter()), "Alice-3");
        assert_eq!(unique("bob", taken.into_iter()), "bob");
        assert!(is_same("Alice-2", taken[1]) && !is_same("alice", taken[1]));
        let long = "é".repeat(16);
        let name = unique(&long, [long.as_str()].into_iter());
        assert_eq!(name, "é".repeat(15) + "-2");
        assert!(name.len() <= LINK_NAME_MAX);
    }

    #[test]
    fn the_name_of_an_invite_can_be_typed() {
        for name in ["alice", "Jörg", "7", "a-b_c.d"] {
            assert_eq!(check_invite_name(name), Ok(()), "{name}");
        }
        for (name, fault) in [
            ("", NameFault::Empty),
            ("-v", NameFault::Beginning),
            ("my friends", NameFault::Character),
            ("a\u{202e}b", NameFault::Character),
        ] {
            assert_eq!(check_invite_name(name), Err(fault), "{name}");
        }
        assert_eq!(check_invite_name(&"x".repeat(33)), Err(NameFault::Long));
    }
}
