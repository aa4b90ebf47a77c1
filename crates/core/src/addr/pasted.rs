//! Finds the address in a whole pasted line: `via6 join '[2001:db8::1]:43325'`.
//!
//! People paste what `via6 host` printed where only the address belongs, often with the prompt or
//! the chat around it. Options in such a line are not obeyed from here, nor dropped in silence.

use super::error::AddrError;
use super::tidy::{CLOSING, OPENING};

/// The address of the first `via6 join` line in `text`; empty if the line ends before it.
pub(super) fn join_address(text: &str) -> Result<Option<&str>, AddrError> {
    text.lines().find_map(in_line).transpose()
}

fn in_line(line: &str) -> Option<Result<&str, AddrError>> {
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        if !is_via6(word) {
            continue;
        }
        let mut arguments = words.clone();
        if arguments
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("join"))
        {
            if arguments.clone().any(is_option) {
                return Some(Err(AddrError::PastedOptions));
            }
            let address = arguments.next().unwrap_or_default();
            return Some(Ok(without_outer_quotes(address, openings(word))));
        }
    }
    None
}

/// Takes off the quotes that the line as a whole was in: at most `outer`, and none of `address`'s
/// own.
fn without_outer_quotes(mut address: &str, outer: usize) -> &str {
    for _ in 0..outer {
        let end = address.trim_end_matches(['.', ',', ';']);
        if closings(end) > openings(address)
            && let Some(rest) = end.strip_suffix(CLOSING)
        {
            address = rest;
        }
    }
    address
}

fn openings(word: &str) -> usize {
    word.chars().take_while(|c| OPENING.contains(c)).count()
}

fn closings(word: &str) -> usize {
    word.chars()
        .rev()
        .take_while(|c| CLOSING.contains(c))
        .count()
}

/// `via6`, `./via6`, `C:\games>via6.exe`, `` `via6 ``.
fn is_via6(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let word = word.strip_suffix(".exe").unwrap_or(&word);
    word.strip_suffix("via6")
        .is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric()))
}

/// `-v`, `--udp`; a hyphen between words of a sentence is none.
fn is_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| {
        rest.trim_start_matches('-')
            .starts_with(|c: char| c.is_ascii_alphabetic())
    })
}
