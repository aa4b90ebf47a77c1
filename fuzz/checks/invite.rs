//! Whatever is pasted for an invite: it is one, and reads the same from how it is written; or it is
//! explained, without repeating it.

use via6_core::invite::{Invite, PREFIX};

/// Characters of an invite in a row that nobody guesses: none of these may show in an error.
const SECRET_MIN: usize = 8;

/// Panics if the above does not hold. What is not UTF-8 never gets to the reader.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Invite::parse(text) {
        Ok(invite) => {
            let written = invite.to_text();
            assert!(written.starts_with(PREFIX));
            assert_eq!(Invite::parse(&written), Ok(invite));
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.is_empty() && !error.hint().is_empty());
            assert!(!shown.contains(char::is_control), "control: {shown:?}");
            for word in shown.split(|c: char| !c.is_alphanumeric()) {
                let is_ours = word.len() < SECRET_MIN || word == "characters";
                assert!(is_ours || !text.contains(word), "{word} is repeated");
            }
        }
    }
}
