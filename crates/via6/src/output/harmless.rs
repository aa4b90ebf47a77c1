//! Text from outside as it may be shown: nothing in it is a command to a terminal. It does not judge
//! what the text says.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with control characters written out (`\u001b`), but for the ends of lines and tabs. A JSON
/// text stays the same text: that is how JSON writes them.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_command(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Controls of ASCII and of Latin-1 (some terminals take U+009B for ESC `[`), and those that turn
/// the direction of the text after them.
fn is_command(c: char) -> bool {
    let kept = matches!(c, '\n' | '\t');
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !kept) || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_clear_the_screen() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\rc\u{9b}31m"),
            "a\\u001b[2Jb\\u000dc\\u009b31m"
        );
        assert_eq!(harmless("evil\u{202e}gpj.exe"), "evil\\u202egpj.exe");
    }

    #[test]
    fn sentences_stay_as_they_are() {
        let text = "\nYour friend pastes:\n\tvia6 join … 12 µs, 漢字";
        assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = serde_json::json!({ "name": "a\u{9b}\u{7f}\u{1b}" }).to_string();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&harmless(&text)), read(&text));
        assert!(!harmless(&text).contains('\u{9b}'));
    }
}
