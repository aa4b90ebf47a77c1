//! Recognises an invite of a sealed link without understanding it.
//!
//! An invite is a secret: whoever pastes one where an address belongs must be told so, in words that do not
//! repeat it. Reading invites is not done here.

/// What invites begin with.
const PREFIX: &str = "via6:";

/// After a blank, what follows the prefix is a word of a sentence unless it is at least this long.
const SECRET_MIN: usize = 16;

/// Is there an invite, or a piece of one, anywhere in `text`?
pub(super) fn is_in(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices(PREFIX).any(|(at, _)| {
        let (before, rest) = lower.split_at(at);
        let rest = rest.strip_prefix(PREFIX).unwrap_or(rest);
        let begins_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
        begins_word && is_secret(rest)
    })
}

/// A machine may be called `via6`: up to five digits are its port.
fn is_secret(rest: &str) -> bool {
    let word = rest.trim_start();
    let body = word
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let is_port = body.len() <= 5 && body.bytes().all(|b| b.is_ascii_digit());
    let min = if word.len() == rest.len() {
        1
    } else {
        SECRET_MIN
    };
    !is_port && body.len() >= min
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_is_found_wherever_it_stands() {
        for text in [
            "via6:AbC123",
            "'VIA6:abc'",
            "via6 join via6:AbC",
            "http://example.org/via6:AbC",
            "via6:123456",
            "via6: AbC1AbC1AbC1AbC1",
            "via6:AbC…",
            "via6:é",
        ] {
            assert!(is_in(text), "{text}");
        }
        for text in [
            "via6:25565",
            "via6:25565,",
            "via6:",
            "via6://host",
            "via6: join it",
            "use via6: `via6 join '[::1]:1'`",
            "my-via6:abc",
            "via6",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}
