//! The invite that a sealed host prints at its start, found in what it has written: in an event of
//! `--json`, or in the line that people read.

/// What every invite begins with.
const SCHEME: &str = "via6:";

/// Letters and digits that an invite has at least: its keys alone take more. Fewer are an example
/// in some hint.
const LENGTH_MIN: usize = 40;

/// The first invite in `written`. One at the very end may still be on its way.
pub(super) fn first(written: &str) -> Option<&str> {
    written.match_indices(SCHEME).find_map(|(start, _)| {
        let code = written.get(start + SCHEME.len()..)?;
        let length = code.find(|c: char| !c.is_ascii_alphanumeric())?;
        let end = start + SCHEME.len() + length;
        (length >= LENGTH_MIN).then(|| written.get(start..end))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "via6:0123456789abcdefghijABCDEFGHIJ0123456789abcdefgh";

    #[test]
    fn an_invite_is_found_in_an_event_and_in_a_line_for_people() {
        let event = format!("{{\"event\":\"listening\"}}\n{{\"invite\":\"{INVITE}\"}}\n");
        assert_eq!(first(&event), Some(INVITE));
        let line = format!("Send this line to your friend:\n\n  via6 join {INVITE}\n");
        assert_eq!(first(&line), Some(INVITE));
    }

    #[test]
    fn examples_and_halves_are_no_invites() {
        assert_eq!(
            first("hint: paste the line, as in via6 join via6:AbC\n"),
            None
        );
        assert_eq!(first(INVITE), None, "it may go on");
        let later = format!("via6:AbC is no invite, {INVITE} is\n");
        assert_eq!(first(&later), Some(INVITE));
    }
}
