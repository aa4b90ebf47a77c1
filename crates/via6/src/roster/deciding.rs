//! What becomes of the roster by what was asked, and what has to be done about links then. Decided first and
//! as one, so that whoever is banned cannot come in again between the two.

use via6_core::frame::Closed;
use via6_core::invite::Secret;
use via6_core::roster::{
    Drawn, Identity, InviteRecord, InviteState, InviteWanted, PlayerRecord, Roster, RosterError,
};

use super::asked::{Answer, Ask, InviteStatus, NewInvite, PlayerStatus};
use super::doors::Doors;
use crate::failure::Failure;
use crate::suggest::nearest;

/// What was decided, before anything is done about links.
pub(super) struct Decided {
    answer: Answer,
    /// Whose links end.
    ending: Vec<Identity>,
    why: Closed,
    /// Whose text is to be told.
    shown: Option<Secret>,
}

impl Decided {
    fn only(answer: Answer) -> Self {
        Self::ending(answer, Vec::new(), Closed::Kicked)
    }

    fn ending(answer: Answer, ending: Vec<Identity>, why: Closed) -> Self {
        Self {
            answer,
            ending,
            why,
            shown: None,
        }
    }

    fn shown(invite: &InviteRecord, roster: &Roster, now_ms: u64) -> Self {
        let shown = Some(invite.secret);
        let invite = invite_status(invite, roster, now_ms);
        let answer = Answer::Invite { invite, text: None };
        Self {
            shown,
            ..Self::only(answer)
        }
    }

    /// Does what is to be done about links, and says what came of all of it.
    pub(super) fn carry_out(self, doors: Option<&dyn Doors>) -> Result<Answer, Failure> {
        let end = |identity| doors.map_or(0, |doors| doors.end(identity, self.why));
        let ended = self.ending.iter().map(end).sum();
        let mut answer = self.answer;
        match &mut answer {
            Answer::Players { hosting, players } => {
                *hosting = doors.is_some();
                let mut all = doors.map(Doors::links).unwrap_or_default();
                for player in players {
                    let own = all.extract_if(.., |one| one.identity.to_string() == player.identity);
                    player.links = own.map(|one| one.status).collect();
                }
            }
            Answer::Invite { text, .. } => {
                *text = doors
                    .zip(self.shown)
                    .and_then(|(doors, secret)| doors.invite_text(&secret));
            }
            Answer::Revoked { links, .. } | Answer::Banned { links, .. } => *links = ended,
            Answer::Kicked { player, links, .. } => {
                let failure = |why| Failure::runtime(format!("cannot kick {player}: {why}"));
                if doors.is_none() {
                    return Err(failure("no sealed host runs here"));
                }
                if ended == 0 {
                    return Err(failure("it is not here"));
                }
                *links = ended;
            }
            Answer::Invites { .. } | Answer::Unbanned { .. } => {}
        }
        Ok(answer)
    }
}

/// What is asked without changing anything. `None`: it changes something.
pub(super) fn look(ask: &Ask, roster: &Roster, now_ms: u64) -> Option<Result<Decided, Failure>> {
    let decided = match ask {
        Ask::Players => {
            let players = roster.players().iter();
            let players = players.map(|player| player_status(player, roster));
            let answer = Answer::Players {
                hosting: false,
                players: players.collect(),
            };
            Ok(Decided::only(answer))
        }
        Ask::Invites => {
            let invites = roster.invites().iter();
            let invites = invites.map(|invite| invite_status(invite, roster, now_ms));
            let invites = invites.collect();
            Ok(Decided::only(Answer::Invites { invites }))
        }
        Ask::ShowInvite { name } => show(name.as_deref(), roster, now_ms),
        Ask::Kick { player } => {
            let found = find(roster, "kick", player);
            found.map(|(player, identity)| {
                let answer = Answer::Kicked {
                    player,
                    identity: identity.to_string(),
                    links: 0,
                };
                Decided::ending(answer, vec![identity], Closed::Kicked)
            })
        }
        Ask::NewInvite(_) | Ask::RevokeInvite { .. } | Ask::Ban { .. } | Ask::Unban { .. } => {
            return None;
        }
    };
    Some(decided)
}

/// Does what is asked; an error says that all is as it was. `drawn` serves for a new invite.
pub(super) fn change(
    ask: &Ask,
    roster: &mut Roster,
    drawn: Drawn,
    now_ms: u64,
) -> Result<Decided, Failure> {
    match ask {
        Ask::NewInvite(wanted) => make(wanted, roster, drawn, now_ms),
        Ask::RevokeInvite { name } => {
            let revoked = roster.revoke(name, now_ms);
            let revoked = revoked.map_err(|error| of_invite("revoke", name, &error, roster))?;
            let answer = Answer::Revoked {
                invite: revoked.name,
                players: revoked.identities.len() as u64,
                links: 0,
            };
            Ok(Decided::ending(answer, revoked.identities, Closed::Revoked))
        }
        Ask::Ban { player } => {
            let banned = roster.ban(player, now_ms);
            let banned = banned.map_err(|error| of_player("ban", player, &error, roster))?;
            let answer = Answer::Banned {
                player: banned.name,
                identity: banned.identity.to_string(),
                links: 0,
                already: banned.already,
                closed_invite: banned.closed_invite,
            };
            Ok(Decided::ending(
                answer,
                vec![banned.identity],
                Closed::Banned,
            ))
        }
        Ask::Unban { player } => {
            let unbanned = roster.unban(player);
            let player = unbanned.map_err(|error| of_player("unban", player, &error, roster))?;
            Ok(Decided::only(Answer::Unbanned { player }))
        }
        Ask::Players | Ask::Invites | Ask::ShowInvite { .. } | Ask::Kick { .. } => {
            look(ask, roster, now_ms).unwrap_or_else(|| Err(Failure::runtime("cannot do that")))
        }
    }
}

fn make(
    wanted: &NewInvite,
    roster: &mut Roster,
    drawn: Drawn,
    now_ms: u64,
) -> Result<Decided, Failure> {
    let NewInvite {
        name,
        uses,
        lifetime_ms,
    } = wanted;
    let made = roster.invite(
        drawn,
        InviteWanted {
            name: name.as_deref(),
            uses: *uses,
            expires_ms: lifetime_ms.map(|ms| now_ms.saturating_add(ms)),
        },
        now_ms,
    );
    match made.cloned() {
        Ok(made) => Ok(Decided::shown(&made, roster, now_ms)),
        Err(error) => {
            let message = format!("cannot make an invite: {error}");
            Err(match error {
                RosterError::Name { .. } => {
                    Failure::usage(message).hint("for instance: via6 invite new --name alice")
                }
                RosterError::NameTaken { name } => Failure::runtime(message).hint(format!(
                    "`via6 invite show {name}` prints its line again; or choose another name"
                )),
                _ => Failure::runtime(message)
                    .hint("take back one that is not needed: via6 invite revoke NAME"),
            })
        }
    }
}

fn show(name: Option<&str>, roster: &Roster, now_ms: u64) -> Result<Decided, Failure> {
    let invite = match name {
        Some(name) => roster
            .find_invite(name)
            .map_err(|error| of_invite("show", name, &error, roster))?,
        None => roster.default_invite(now_ms).ok_or_else(|| {
            Failure::runtime("cannot show the invite: there is none for everyone")
                .hint("`via6 invite list` shows those there are; `via6 invite new` makes one")
        })?,
    };
    let why = match roster.state(invite, now_ms) {
        InviteState::Open => return Ok(Decided::shown(invite, roster, now_ms)),
        InviteState::Revoked => "it was revoked",
        InviteState::Expired => "it has expired",
        InviteState::UsedUp => "as many players as it was for have come",
        InviteState::Closed => "it takes nobody new, since a player who came by it is banned",
    };
    let failure = Failure::runtime(format!("cannot show {}: {why}", invite.name));
    Err(failure.hint("make another: via6 invite new"))
}

/// The player that is meant.
fn find(roster: &Roster, verb: &str, name: &str) -> Result<(String, Identity), Failure> {
    let found = roster.find_player(name);
    let player = found.map_err(|error| of_player(verb, name, &error, roster))?;
    Ok((player.name.clone(), player.identity))
}

fn of_player(verb: &str, name: &str, error: &RosterError, roster: &Roster) -> Failure {
    let names = roster.players().iter().map(|player| player.name.as_str());
    let failure = Failure::runtime(format!("cannot {verb} {name}: {error}"));
    failure.hint(match error {
        RosterError::UnknownPlayer => {
            did_you_mean(name, names).unwrap_or_else(|| "`via6 players` shows the names".into())
        }
        RosterError::Ambiguous { .. } => {
            "say more digits of the identity, which `via6 players -v` shows".into()
        }
        _ => "`via6 players` shows who is banned".into(),
    })
}

fn of_invite(verb: &str, name: &str, error: &RosterError, roster: &Roster) -> Failure {
    let names = roster.invites().iter().map(|invite| invite.name.as_str());
    let failure = Failure::runtime(format!("cannot {verb} {name}: {error}"));
    failure.hint(
        match error {
            RosterError::UnknownInvite => did_you_mean(name, names),
            _ => None,
        }
        .unwrap_or_else(|| "`via6 invite list` shows the names".into()),
    )
}

fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|meant| format!("did you mean {meant}?"))
}

fn player_status(player: &PlayerRecord, roster: &Roster) -> PlayerStatus {
    let invite = roster.invite_of(player.invite);
    let state = if player.banned_ms.is_some() {
        "banned"
    } else if invite.is_none_or(|invite| invite.revoked_ms.is_some()) {
        "revoked"
    } else {
        "admitted"
    };
    PlayerStatus {
        name: player.name.clone(),
        identity: player.identity.to_string(),
        invite: invite.map(|invite| invite.name.clone()),
        state: state.into(),
        first_seen_ms: player.first_seen_ms,
        last_seen_ms: player.last_seen_ms,
        banned_ms: player.banned_ms,
        links: Vec::new(),
    }
}

fn invite_status(invite: &InviteRecord, roster: &Roster, now_ms: u64) -> InviteStatus {
    InviteStatus {
        name: invite.name.clone(),
        state: roster.state(invite, now_ms).label().into(),
        created_ms: invite.created_ms,
        expires_ms: invite.expires_ms,
        uses: invite.uses,
        used: invite.used,
        revoked_ms: invite.revoked_ms,
        default: invite.is_default,
    }
}
