//! What is shown of players and invites, word for word.

use std::time::Duration;

use super::table::{invites, players, roughly};
use super::told::{Told, told};
use crate::roster::{Answer, InviteStatus, LinkStatus, PlayerStatus};

const NOW: u64 = 1_700_000_000_000;
const HOUR: u64 = 3_600_000;

fn player(name: &str, digit: &str, seen: u64) -> PlayerStatus {
    PlayerStatus {
        name: name.into(),
        identity: digit.repeat(64),
        invite: Some("everyone".into()),
        state: "admitted".into(),
        first_seen_ms: NOW - 30 * HOUR,
        last_seen_ms: NOW - seen,
        banned_ms: None,
        links: Vec::new(),
    }
}

fn link(address: &str, age_ms: u64) -> LinkStatus {
    LinkStatus {
        transport: "quic".into(),
        address: address.into(),
        age_ms,
        round_trip_us: Some(23_400),
        sessions: 2,
        suspect: false,
    }
}

fn invite(name: &str, state: &str) -> InviteStatus {
    InviteStatus {
        name: name.into(),
        state: state.into(),
        created_ms: NOW - 26 * HOUR,
        expires_ms: None,
        uses: None,
        used: 3,
        revoked_ms: None,
        default: false,
    }
}

fn everybody() -> Vec<PlayerStatus> {
    let mut mallory = player("mallory", "d", 1000);
    mallory.state = "banned".into();
    mallory.banned_ms = Some(NOW);
    let mut alice = player("Alice of Oz", "a", 0);
    alice.links = vec![link("[2001:db8::7]:50000", 125_000)];
    let mut carol = player("carol", "c", 5000);
    carol.invite = None;
    carol.state = "revoked".into();
    let mut dave = player("dave", "e", 0);
    dave.links = vec![LinkStatus {
        transport: "tls".into(),
        round_trip_us: None,
        suspect: true,
        sessions: 1,
        ..link("[2001:db8::8]:50000", 10)
    }];
    vec![mallory, player("bob", "b", 49 * HOUR), alice, carol, dave]
}

#[test]
fn players_are_listed_with_who_is_here_first() {
    let lines = players(true, &everybody(), false, 80, NOW);
    assert_eq!(
        lines,
        [
            "5 players; 2 here",
            "",
            "    player                          ping  sessions  over    invite",
            "  ● Alice of Oz  here for 2 min  23.4 ms         2  QUIC  everyone",
            "  ● dave                 silent                  1   TLS  everyone",
            "    carol               revoked",
            "    bob             2 d 1 h ago                           everyone",
            "    mallory              banned                           everyone",
        ]
    );
}

#[test]
fn verbosely_players_have_their_identity_and_address() {
    let lines = players(true, &everybody()[2..3], true, 120, NOW);
    assert_eq!(
        lines[2..],
        [
            "    player       identity                     ping  sessions  over                 from    invite   first seen",
            "  ● Alice of Oz  aaaaaaaa  here for 2 min  23.4 ms         2  QUIC  [2001:db8::7]:50000  everyone  1 d 6 h ago",
        ]
    );
}

#[test]
fn without_players_or_a_host_that_is_said() {
    assert_eq!(
        players(true, &[], false, 80, NOW),
        ["nobody has played yet; nobody is here"]
    );
    assert_eq!(
        players(false, &everybody()[1..2], false, 80, NOW),
        [
            "1 player; no sealed host runs",
            "",
            "    player                 invite",
            "    bob     2 d 1 h ago  everyone",
        ]
    );
}

/// Its name came over the network.
#[test]
fn a_players_name_moves_no_cursor() {
    let evil = player("a\u{1b}[2J", "a", 0);
    let lines = players(true, &[evil], false, 80, NOW).join("\n");
    assert!(!lines.contains('\u{1b}'), "{lines:?}");
}

#[test]
fn invites_are_listed_without_those_that_were_taken_back() {
    let mut alice = invite("alice", "open");
    alice.uses = Some(5);
    alice.expires_ms = Some(NOW + 147 * HOUR);
    let mut old = invite("old", "expired");
    old.expires_ms = Some(NOW);
    let all = [
        invite("everyone", "closed"),
        alice,
        old,
        invite("gone", "revoked"),
    ];
    assert_eq!(
        invites(&all, false, 80, NOW),
        [
            "  invite    players     expires    state",
            "  everyone        3               closed",
            "  alice      3 of 5  in 6 d 3 h     open",
            "  old             3        over  expired",
            "  and 1 revoked, which -v lists",
        ]
    );
    assert_eq!(
        invites(&all[3..], true, 80, NOW),
        [
            "  invite  players    state         made",
            "  gone          3  revoked  1 d 2 h ago",
        ]
    );
    assert_eq!(
        invites(&[], false, 80, NOW),
        ["no invites yet; `via6 invite new` makes one"]
    );
}

/// What is said, and what goes to standard output.
fn said(answer: &Answer) -> (String, String) {
    let all = told(answer, NOW);
    let of = |wanted: bool| {
        let lines = all.iter().filter(|told| told.is_asked_for == wanted);
        let lines: Vec<_> = lines.map(|Told { line, .. }| line.as_str()).collect();
        lines.join("\n")
    };
    (of(false), of(true))
}

#[test]
fn the_line_to_paste_is_all_that_goes_to_standard_output() {
    let mut alice = invite("alice", "open");
    alice.uses = Some(1);
    alice.used = 0;
    alice.expires_ms = Some(NOW + 7 * 24 * HOUR);
    let shown = said(&Answer::Invite {
        invite: alice.clone(),
        text: Some("via6:1abc".into()),
    });
    assert_eq!(
        shown,
        (
            "invite alice: for 1 player, within 7 d\n\nYour friend pastes this line:\n".into(),
            "  via6 join via6:1abc".into()
        )
    );
    alice.uses = Some(4);
    alice.used = 2;
    let (without, nothing) = said(&Answer::Invite {
        invite: alice,
        text: None,
    });
    assert_eq!(nothing, "");
    assert_eq!(
        without,
        "invite alice: for 4 players, within 7 d, 2 came\nThe line to paste has this computer's \
         address in it, so a sealed host must run to print it: via6 invite show alice"
    );
}

#[test]
fn what_was_done_is_said_with_what_it_means() {
    let banned = |links, already, closed: Option<&str>| Answer::Banned {
        player: "mallory".into(),
        identity: "d".repeat(64),
        links,
        already,
        closed_invite: closed.map(str::to_owned),
    };
    let revoked = |players, links| Answer::Revoked {
        invite: "alice".into(),
        players,
        links,
    };
    for (answer, words) in [
        (
            banned(1, false, Some("everyone")),
            "banned mallory; 1 link ended\nthe invite everyone takes nobody new, since mallory still has it; \
             who came by it before may go on. For others make another: via6 invite new",
        ),
        (
            banned(0, true, None),
            "banned mallory, who was banned before",
        ),
        (
            revoked(2, 3),
            "revoked alice: 2 players may no longer play; 3 links ended",
        ),
        (revoked(0, 0), "revoked alice: nobody had come by it"),
        (
            Answer::Kicked {
                player: "bob".into(),
                identity: "b".repeat(64),
                links: 1,
            },
            "kicked bob; 1 link ended",
        ),
        (
            Answer::Unbanned {
                player: "bob".into(),
            },
            "bob may play again",
        ),
    ] {
        assert_eq!(said(&answer), (words.to_owned(), String::new()));
    }
}

#[test]
fn times_are_said_roughly() {
    for (seconds, words) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3569, "59 min"),
        (3570, "1 h"),
        (3600, "1 h"),
        (3600 + 12 * 60 + 30, "1 h 13 min"),
        (86_400 - 31, "23 h 59 min"),
        (86_400 - 1, "1 d"),
        (86_400 * 7 - 1, "7 d"),
        (86_400 * 7 + 3 * 3600, "7 d 3 h"),
    ] {
        assert_eq!(roughly(Duration::from_secs(seconds)), words);
    }
}
