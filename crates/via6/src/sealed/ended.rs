//! The end of a join, as the person reads it: each reason has words of its own.

use via6_core::frame::{Closed, Refusal};
use via6_sealed::JoinEnd;

use crate::failure::Failure;

const ASK_NEW: &str = "ask the host for a new invite: the line that `via6 host` prints";

/// What is wrong, if anything is.
pub(super) fn outcome(end: JoinEnd) -> Result<(), Failure> {
    Err(match end {
        JoinEnd::Stopped => return Ok(()),
        JoinEnd::Refused { code, .. } => refused(code),
        JoinEnd::SentAway { code, .. } => sent_away(code),
        JoinEnd::Protocol(what) => Failure::runtime(format!(
            "cannot go on: the host does not keep to the protocol: {what}"
        ))
        .hint("get the newest via6 on both sides"),
        JoinEnd::NoRandomness(error) => Failure::runtime(format!("cannot go on: {error}")),
    })
}

fn refused(code: Refusal) -> Failure {
    let (why, hint) = match code {
        Refusal::Invite => ("the host does not know this invite", ASK_NEW),
        Refusal::Expired => ("this invite's time is over", ASK_NEW),
        Refusal::Revoked => ("the host has taken this invite back", ASK_NEW),
        Refusal::UsedUp => (
            "this invite was for fewer players, who have come already",
            ASK_NEW,
        ),
        Refusal::Version => (
            "the host runs another version of via6, and the two have none in common",
            "get the newest via6 on both sides: via6 --version",
        ),
        Refusal::Banned => (
            "the host has banned this computer",
            "only the host can undo that: via6 unban PLAYER",
        ),
        _ => ("the host refuses, and does not say why", ASK_NEW),
    };
    Failure::refused(format!("cannot join: {why}")).hint(hint)
}

fn sent_away(code: Closed) -> Failure {
    match code {
        Closed::Banned => Failure::refused("the host has banned this computer")
            .hint("only the host can undo that: via6 unban PLAYER"),
        Closed::Revoked => Failure::refused("the host has taken this invite back").hint(ASK_NEW),
        _ => Failure::refused("the host has sent you away").hint("to come back: via6 join"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::code;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_has_its_own_words_and_the_same_exit_code() {
        let message = String::new();
        let refusals = Refusal::ALL.iter().filter(|code| {
            // Those are tried again, or answered by a new link.
            !matches!(
                code,
                Refusal::Full | Refusal::Stopping | Refusal::Generation | Refusal::Link
            )
        });
        let refused = refusals.map(|code| JoinEnd::Refused {
            code: *code,
            message: message.clone(),
        });
        let away = [Closed::Kicked, Closed::Banned, Closed::Revoked];
        let away = away.map(|code| JoinEnd::SentAway {
            code,
            message: message.clone(),
        });
        let mut words = BTreeSet::new();
        for end in refused.chain(away) {
            let failure = outcome(end.clone()).unwrap_err();
            assert_eq!(failure.code(), code::REFUSED, "{end}");
            assert!(failure.advice().is_some(), "{end}");
            words.insert(failure.message().to_owned());
        }
        assert_eq!(words.len(), 9, "{words:?}");
        outcome(JoinEnd::Stopped).unwrap();
    }
}
