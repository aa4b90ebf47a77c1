//! `docs/reference/control.md` has every question about players and invites, every answer and every field.

use via6_core::limits::{INVITES_MAX, PLAYERS_MAX, ROSTER_PAUSE};

use super::documented::documented;
use super::*;
use crate::roster::{InviteStatus, LinkStatus, PlayerStatus};

/// One of each, in the order of the document.
fn asks() -> Vec<Ask> {
    let (name, player) = ("alice".to_owned(), "bob".to_owned());
    vec![
        Ask::Players,
        Ask::Invites,
        Ask::NewInvite(NewInvite {
            name: Some(name.clone()),
            uses: Some(1),
            lifetime_ms: Some(1),
        }),
        Ask::ShowInvite {
            name: Some(name.clone()),
        },
        Ask::RevokeInvite { name },
        Ask::Kick {
            player: player.clone(),
        },
        Ask::Ban {
            player: player.clone(),
        },
        Ask::Unban { player },
    ]
}

fn invite() -> InviteStatus {
    InviteStatus {
        name: "alice".into(),
        state: "open".into(),
        created_ms: 1,
        expires_ms: None,
        uses: None,
        used: 0,
        revoked_ms: None,
        default: false,
    }
}

fn player() -> PlayerStatus {
    let link = LinkStatus {
        transport: "quic".into(),
        address: "[::1]:5".into(),
        age_ms: 1,
        round_trip_us: Some(1),
        sessions: 0,
        suspect: false,
    };
    PlayerStatus {
        name: "bob".into(),
        identity: "b".repeat(64),
        invite: Some("alice".into()),
        state: "admitted".into(),
        first_seen_ms: 1,
        last_seen_ms: 1,
        banned_ms: None,
        links: vec![link],
    }
}

/// One of each, in the order of the document.
fn answers() -> Vec<Answer> {
    let (player_name, identity) = ("bob".to_owned(), "b".repeat(64));
    vec![
        Answer::Players {
            hosting: true,
            players: vec![player()],
        },
        Answer::Invites {
            invites: vec![invite()],
        },
        Answer::Invite {
            invite: invite(),
            text: Some("via6:".into()),
        },
        Answer::Revoked {
            invite: "alice".into(),
            players: 1,
            links: 1,
        },
        Answer::Kicked {
            player: player_name.clone(),
            identity: identity.clone(),
            links: 1,
        },
        Answer::Banned {
            player: player_name.clone(),
            identity,
            links: 1,
            already: false,
            closed_invite: Some("alice".into()),
        },
        Answer::Unbanned {
            player: player_name,
        },
    ]
}

/// Every field of a value, however deep.
fn fields(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                all.push(name.clone());
                fields(value, all);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, all)),
        _ => {}
    }
}

#[test]
fn every_question_and_answer_is_documented_with_its_fields() {
    let rows = documented("Players and invites\n");
    let value = |one: serde_json::Result<Value>| one.unwrap();
    let asks: Vec<_> = asks().iter().map(serde_json::to_value).map(value).collect();
    let answers: Vec<_> = answers()
        .iter()
        .map(serde_json::to_value)
        .map(value)
        .collect();
    let (asked, answered) = rows.split_at(asks.len());
    assert_eq!(answered.len(), answers.len());
    // Those of one invite stand in the row of all.
    let mut above: Vec<&str> = Vec::new();
    for (row, one) in asked.iter().zip(&asks).chain(answered.iter().zip(&answers)) {
        assert_eq!(row[0][0], one["kind"].as_str().unwrap());
        let mut all = Vec::new();
        fields(one, &mut all);
        for field in all.iter().filter(|field| *field != "kind") {
            let here = row[1].contains(&field.as_str());
            assert!(here || above.contains(&field.as_str()), "{row:?}: {field}");
        }
        above.clone_from(&row[1]);
    }
    let kinds: Vec<_> = answered.iter().map(|row| row[0][0]).collect();
    for row in asked {
        assert!(kinds.contains(&row[2][0]), "{row:?}");
    }
}

/// Both ends are the same program; this is what others have to send and to understand.
#[test]
fn a_ban_is_asked_and_answered_as_documented() {
    let ask = Ask::Ban {
        player: "bob".into(),
    };
    let line = wire::Request::Roster { ask }.line().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({ "version": 1, "request": "roster", "ask": { "kind": "ban", "player": "bob" } })
    );
    let answered = wire::Reply::Roster(Answered {
        answer: Answer::Unbanned {
            player: "bob".into(),
        },
        unremembered: None,
    });
    assert_eq!(
        serde_json::from_str::<Value>(&answered.line().unwrap()).unwrap(),
        json!({ "reply": "roster", "answer": { "kind": "unbanned", "player": "bob" } })
    );
    for ask in asks() {
        let line = wire::Request::Roster { ask: ask.clone() }.line().unwrap();
        let read = wire::Request::read(line.trim_end().as_bytes());
        assert_eq!(read, Ok(wire::Request::Roster { ask }));
    }
}

#[test]
fn documented_bounds_of_players_are_the_limits() {
    let text = include_str!("../../../../../docs/reference/control.md");
    let words = format!("At most {INVITES_MAX} invites and {PLAYERS_MAX} players are\nremembered.");
    assert!(text.contains(&words), "{words}");
    assert_eq!(ROSTER_PAUSE, Duration::from_secs(1), "a second, it says");
}
