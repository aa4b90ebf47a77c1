//! What a person, or with `--json` a program, is told of an answer.

use std::time::Duration;

use super::table;
use crate::args::Shown;
use crate::command::columns::{counted, width};
use crate::failure::Failure;
use crate::narrator::unix_ms;
use crate::output::Output;
use crate::roster::{Answer, InviteStatus};

pub(super) fn tell(answer: &Answer, shown: Shown, output: &Output) -> Result<(), Failure> {
    if shown.json {
        let line = serde_json::to_string(answer)
            .map_err(|error| Failure::runtime(format!("cannot show the answer: {error}")))?;
        output.data(line);
        return Ok(());
    }
    match answer {
        Answer::Players { hosting, players } => {
            let lines = table::players(*hosting, players, shown.verbose > 0, width(), unix_ms());
            for line in lines {
                output.data(line);
            }
        }
        Answer::Invites { invites } => {
            let lines = table::invites(invites, shown.verbose > 0, width(), unix_ms());
            for line in lines {
                output.data(line);
            }
        }
        _ => {
            for Told { line, is_asked_for } in told(answer, unix_ms()) {
                if is_asked_for {
                    output.data(line);
                } else if !shown.quiet {
                    output.log(line);
                }
            }
        }
    }
    Ok(())
}

/// A line, and where it belongs.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) line: String,
    /// What the command is for: the line to paste.
    pub(super) is_asked_for: bool,
}

/// In words, all but the lists.
pub(super) fn told(answer: &Answer, now_ms: u64) -> Vec<Told> {
    let say = |line: String| Told {
        line,
        is_asked_for: false,
    };
    match answer {
        Answer::Players { .. } | Answer::Invites { .. } => Vec::new(),
        Answer::Invite { invite, text } => match text {
            Some(text) => vec![
                say(format!(
                    "{}\n\nYour friend pastes this line:\n",
                    described(invite, now_ms)
                )),
                Told {
                    line: format!("  via6 join {text}"),
                    is_asked_for: true,
                },
            ],
            None => vec![say(format!(
                "{}\nThe line to paste has this computer's address in it, so a sealed host must run \
                 to print it: via6 invite show {}",
                described(invite, now_ms),
                invite.name
            ))],
        },
        Answer::Revoked {
            invite,
            players,
            links,
        } => vec![say(format!(
            "revoked {invite}: {}{}",
            match players {
                0 => "nobody had come by it".into(),
                players => counted(*players, "player") + " may no longer play",
            },
            ended(*links)
        ))],
        Answer::Kicked { player, links, .. } => {
            vec![say(format!("kicked {player}{}", ended(*links)))]
        }
        Answer::Banned {
            player,
            links,
            already,
            closed_invite,
            ..
        } => {
            let again = if *already {
                ", who was banned before"
            } else {
                ""
            };
            let mut lines = vec![say(format!("banned {player}{again}{}", ended(*links)))];
            if let Some(invite) = closed_invite {
                lines.push(say(format!(
                    "the invite {invite} takes nobody new, since {player} still has it; who came by it \
                     before may go on. For others make another: via6 invite new"
                )));
            }
            lines
        }
        Answer::Unbanned { player } => vec![say(format!("{player} may play again"))],
    }
}

/// `invite alice: for 2 players, for 6 d 3 h`.
fn described(invite: &InviteStatus, now_ms: u64) -> String {
    let whom = match invite.uses {
        None => "for anybody".into(),
        Some(uses) => format!("for {}", counted(uses.into(), "player")),
    };
    let came = match invite.used {
        0 => String::new(),
        came => format!(", {came} came"),
    };
    let until = invite.expires_ms.map_or(String::new(), |expires| {
        let left = Duration::from_millis(expires.saturating_sub(now_ms));
        format!(", within {}", table::roughly(left))
    });
    format!("invite {}: {whom}{until}{came}", invite.name)
}

fn ended(links: u64) -> String {
    match links {
        0 => String::new(),
        links => format!("; {} ended", counted(links, "link")),
    }
}
