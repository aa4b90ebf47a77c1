//! Who may play, one rule at a time: each refusal, each state of an invite, bans, names, and what is
//! forgotten when there is no room.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: failing is its purpose"
)]

use std::cell::Cell;

use via6_core::frame::{Closed, Refusal};
use via6_core::invite::Secret;
use via6_core::limits::{INVITES_MAX, PLAYERS_MAX};
use via6_core::roster::{
    AdmittedAs, Drawn, Identity, InviteRecord, InviteState, InviteWanted, NameFault, PlayerRecord,
    Roster, RosterError,
};

const NOW: u64 = 1_700_000_000_000;

const fn who(number: u8) -> Identity {
    Identity([number; 32])
}

/// The invite of this number, as it is drawn.
const fn drawn(number: u8) -> Drawn {
    Drawn {
        id: [number; 8],
        secret: Secret([number; 16]),
    }
}

fn named(name: &str) -> InviteWanted<'_> {
    InviteWanted {
        name: Some(name),
        ..InviteWanted::default()
    }
}

/// A roster with one invite for anybody, whose number is 1.
fn open() -> Roster {
    let mut roster = Roster::default();
    roster.invite(drawn(1), named("friends"), NOW).unwrap();
    roster
}

fn limited(uses: Option<u32>, expires_ms: Option<u64>) -> Roster {
    let wanted = InviteWanted {
        name: None,
        uses,
        expires_ms,
    };
    let mut roster = Roster::default();
    roster.invite(drawn(1), wanted, NOW).unwrap();
    roster
}

/// Somebody comes who has the invite of this number, or says so.
fn admit(roster: &mut Roster, player: u8, invite: u8, name: &str) -> Result<AdmittedAs, Refusal> {
    admit_at(roster, player, invite, name, NOW)
}

fn admit_at(
    roster: &mut Roster,
    player: u8,
    invite: u8,
    name: &str,
    now: u64,
) -> Result<AdmittedAs, Refusal> {
    roster.admit(who(player), [invite; 8], name, now, |secret| {
        *secret == drawn(invite).secret
    })
}

fn stranger(roster: &mut Roster, player: u8, invite: u8) -> Result<AdmittedAs, Refusal> {
    roster.admit(who(player), [invite; 8], "mallory", NOW, |_| false)
}

#[test]
fn who_has_the_secret_of_an_invite_is_admitted_and_known_from_then_on() {
    let mut roster = open();
    let first = admit(&mut roster, 1, 1, "alice").unwrap();
    assert_eq!((first.name.as_str(), first.is_new), ("alice", true));
    // Without an invite, and without a proof.
    let again = roster.admit(who(1), [0; 8], "alice", NOW + 5, |_| false);
    let again = again.unwrap();
    assert_eq!((again.name.as_str(), again.is_new), ("alice", false));
    let [player] = roster.players() else { panic!() };
    assert_eq!((player.first_seen_ms, player.last_seen_ms), (NOW, NOW + 5));
    assert_eq!(roster.invites()[0].used, 1);
}

#[test]
fn an_unknown_invite_and_a_wrong_proof_are_the_same_answer() {
    let mut roster = open();
    assert_eq!(admit(&mut roster, 1, 2, "a"), Err(Refusal::Invite));
    assert_eq!(stranger(&mut roster, 1, 1), Err(Refusal::Invite));
    // A joiner without an invite.
    assert_eq!(admit(&mut roster, 1, 0, "a"), Err(Refusal::Invite));
    assert!(roster.players().is_empty());
    assert_eq!(roster.invites()[0].used, 0);
}

/// A guesser must not find out which ids there are, nor what became of them.
#[test]
fn what_state_an_invite_is_in_is_told_only_to_who_has_its_secret() {
    let asked = Cell::new(false);
    for make in [
        || limited(None, Some(NOW)),
        || limited(Some(0), None),
        || {
            let mut roster = open();
            roster.revoke("friends", NOW).unwrap();
            roster
        },
    ] {
        let mut roster = make();
        asked.set(false);
        let refusal = roster.admit(who(9), [1; 8], "x", NOW, |_| {
            asked.set(true);
            false
        });
        assert_eq!(refusal, Err(Refusal::Invite));
        assert!(asked.get(), "the proof is looked at first");
        assert_ne!(admit(&mut roster, 9, 1, "x"), Err(Refusal::Invite));
        assert!(admit(&mut roster, 9, 1, "x").is_err());
    }
}

#[test]
fn an_expired_invite_admits_nobody_new_and_keeps_whom_it_admitted() {
    let mut roster = limited(None, Some(NOW + 10));
    admit_at(&mut roster, 1, 1, "alice", NOW + 9).unwrap();
    assert_eq!(
        admit_at(&mut roster, 2, 1, "bob", NOW + 10),
        Err(Refusal::Expired)
    );
    admit_at(&mut roster, 1, 1, "alice", NOW + 1000).unwrap();
}

#[test]
fn uses_count_identities_and_not_connections() {
    let mut roster = limited(Some(2), None);
    for _ in 0..3 {
        admit(&mut roster, 1, 1, "alice").unwrap();
    }
    admit(&mut roster, 2, 1, "bob").unwrap();
    assert_eq!(admit(&mut roster, 3, 1, "carol"), Err(Refusal::UsedUp));
    admit(&mut roster, 1, 1, "alice").unwrap();
    let [invite] = roster.invites() else { panic!() };
    assert_eq!(invite.used, 2);
    assert_eq!(roster.state(invite, NOW), InviteState::UsedUp);
}

#[test]
fn a_revoked_invite_admits_nobody_not_even_those_it_had_admitted() {
    let mut roster = open();
    roster.invite(drawn(2), named("other"), NOW).unwrap();
    admit(&mut roster, 1, 1, "alice").unwrap();
    admit(&mut roster, 2, 1, "bob").unwrap();
    admit(&mut roster, 3, 2, "carol").unwrap();
    roster.ban("bob", NOW).unwrap();
    let revoked = roster.revoke("FRIENDS", NOW).unwrap();
    assert_eq!(revoked.name, "friends");
    // Bob has no link that could end.
    assert_eq!(revoked.identities, [who(1)]);
    assert_eq!(admit(&mut roster, 1, 1, "alice"), Err(Refusal::Revoked));
    assert_eq!(admit(&mut roster, 2, 1, "bob"), Err(Refusal::Banned));
    assert_eq!(admit(&mut roster, 4, 1, "dave"), Err(Refusal::Revoked));
    admit(&mut roster, 3, 2, "carol").unwrap();
    // Known by its key, so it may know why, whatever it shows.
    assert_eq!(stranger(&mut roster, 1, 2), Err(Refusal::Revoked));
    assert_eq!(
        roster.revoke("friends", NOW),
        Err(RosterError::AlreadyRevoked)
    );
    assert_eq!(
        roster.revoke("nobody", NOW),
        Err(RosterError::UnknownInvite)
    );
}

#[test]
fn a_player_of_a_revoked_invite_comes_back_by_another() {
    let mut roster = open();
    let one = InviteWanted {
        uses: Some(1),
        ..named("one")
    };
    roster.invite(drawn(2), one, NOW).unwrap();
    admit(&mut roster, 1, 1, "alice").unwrap();
    roster.revoke("friends", NOW).unwrap();
    let back = admit_at(&mut roster, 1, 2, "alice", NOW + 7).unwrap();
    assert!(!back.is_new);
    let [player] = roster.players() else { panic!() };
    assert_eq!(
        (player.invite, player.first_seen_ms, player.last_seen_ms),
        ([2; 8], NOW, NOW + 7)
    );
    // That was a use; and from now on the second invite is the one that counts.
    assert_eq!(admit(&mut roster, 5, 2, "eve"), Err(Refusal::UsedUp));
    admit(&mut roster, 1, 0, "alice").unwrap();
    assert_eq!(roster.revoke("one", NOW).unwrap().identities, [who(1)]);
}

#[test]
fn a_banned_player_is_refused_by_whatever_invite() {
    let mut roster = open();
    roster.invite(drawn(2), named("other"), NOW).unwrap();
    admit(&mut roster, 1, 1, "mallory").unwrap();
    let banned = roster.ban("Mallory", NOW + 1).unwrap();
    assert_eq!(
        (banned.identity, banned.name.as_str(), banned.already),
        (who(1), "mallory", false)
    );
    assert_eq!(admit(&mut roster, 1, 1, "mallory"), Err(Refusal::Banned));
    assert_eq!(admit(&mut roster, 1, 2, "innocent"), Err(Refusal::Banned));
    assert!(roster.ban("mallory", NOW + 2).unwrap().already);
    assert_eq!(roster.players()[0].banned_ms, Some(NOW + 1));
}

/// Whoever is banned still has the invite, and makes a new identity in a second.
#[test]
fn a_ban_closes_the_invite_to_new_identities_and_to_nobody_else() {
    let mut roster = open();
    admit(&mut roster, 1, 1, "mallory").unwrap();
    admit(&mut roster, 2, 1, "alice").unwrap();
    let banned = roster.ban("mallory", NOW).unwrap();
    assert_eq!(banned.closed_invite.as_deref(), Some("friends"));
    assert_eq!(roster.state(&roster.invites()[0], NOW), InviteState::Closed);
    assert_eq!(admit(&mut roster, 3, 1, "mallory"), Err(Refusal::Revoked));
    admit(&mut roster, 2, 1, "alice").unwrap();
    // Two are banned, and one is forgiven: the other one still has it.
    let second = roster.ban("alice", NOW).unwrap();
    assert_eq!(second.closed_invite, None, "it is closed already");
    assert_eq!(roster.unban("alice").unwrap(), "alice");
    assert_eq!(admit(&mut roster, 3, 1, "carol"), Err(Refusal::Revoked));
    roster.unban("mallory").unwrap();
    admit(&mut roster, 1, 1, "mallory").unwrap();
    admit(&mut roster, 3, 1, "carol").unwrap();
    assert_eq!(
        roster.unban("mallory"),
        Err(RosterError::NotBanned {
            name: "mallory".into()
        })
    );
}

/// A link that begins in the moment of a ban must end like those that had begun.
#[test]
fn who_was_admitted_stands_until_a_ban_or_a_revocation() {
    let mut roster = open();
    admit(&mut roster, 1, 1, "alice").unwrap();
    assert_eq!(roster.standing(&who(1)), Ok(()));
    roster.ban("alice", NOW).unwrap();
    assert_eq!(roster.standing(&who(1)), Err(Closed::Banned));
    roster.unban("alice").unwrap();
    roster.revoke("friends", NOW).unwrap();
    assert_eq!(roster.standing(&who(1)), Err(Closed::Revoked));
    assert_eq!(roster.standing(&who(2)), Ok(()));
}

#[test]
fn the_default_invite_is_the_same_until_it_admits_nobody_new() {
    let mut roster = Roster::default();
    assert!(roster.default_invite(NOW).is_none());
    let name = |roster: &Roster| roster.default_invite(NOW + 5).map(|one| one.name.clone());
    roster.make_default_invite(drawn(1), NOW).unwrap();
    roster.invite(drawn(2), named("alice"), NOW).unwrap();
    assert_eq!(name(&roster).as_deref(), Some("everyone"));
    admit(&mut roster, 1, 1, "mallory").unwrap();
    roster.ban("mallory", NOW).unwrap();
    assert_eq!(name(&roster), None);
    let next = roster.make_default_invite(drawn(3), NOW).unwrap();
    assert_eq!((next.name.as_str(), next.uses), ("everyone-2", None));
    assert_eq!(name(&roster).as_deref(), Some("everyone-2"));
    // Taken back, it leaves its name to the next one.
    roster.revoke("everyone-2", NOW).unwrap();
    roster.revoke("everyone", NOW).unwrap();
    let next = roster.make_default_invite(drawn(4), NOW).unwrap();
    assert_eq!(next.name, "everyone");
}

#[test]
fn invites_have_names_of_their_own() {
    let mut roster = Roster::default();
    for (number, name) in [(1, "friends"), (2, "friends-2"), (3, "friends-3")] {
        let made = roster.invite(drawn(number), InviteWanted::default(), NOW);
        assert_eq!(made.unwrap().name, name);
    }
    assert_eq!(
        roster.invite(drawn(4), named("Friends"), NOW),
        Err(RosterError::NameTaken {
            name: "friends".into()
        })
    );
    for (name, fault) in [
        ("", NameFault::Empty),
        ("-x", NameFault::Beginning),
        ("a b", NameFault::Character),
    ] {
        let refused = roster.invite(drawn(4), named(name), NOW);
        assert_eq!(refused, Err(RosterError::Name { fault }), "{name}");
    }
    // The name of one that was revoked is free; the new one is meant by it from then on.
    roster.revoke("friends", NOW).unwrap();
    roster.invite(drawn(5), named("friends"), NOW).unwrap();
    assert_eq!(roster.find_invite("friends").unwrap().id, [5; 8]);
    roster.revoke("friends", NOW + 1).unwrap();
    assert_eq!(roster.find_invite("friends").unwrap().id, [5; 8]);
    // A draw that came twice.
    let twice = roster.invite(drawn(2), named("x"), NOW);
    assert!(matches!(twice, Err(RosterError::Twice { .. })), "{twice:?}");
}

#[test]
fn players_have_names_of_their_own_and_keep_them() {
    let mut roster = open();
    let mut name = |player, asked| admit(&mut roster, player, 1, asked).unwrap().name;
    assert_eq!(name(1, "Alice"), "Alice");
    assert_eq!(name(2, "alice"), "alice-2");
    assert_eq!(name(3, "ALICE"), "ALICE-3");
    assert_eq!(name(4, "\u{1b}[2J \u{202e}"), "[2J");
    assert_eq!(name(5, " \u{200b}"), "player");
    // Another one leaves its name; the number stays all the same.
    assert_eq!(name(1, "bob"), "bob");
    assert_eq!(name(2, "alice"), "alice-2");
    assert_eq!(name(6, "alice"), "alice");
    // Asked for anew.
    assert_eq!(name(2, "carol"), "carol");
    assert_eq!(name(2, "bob"), "bob-2");
    assert_eq!(name(1, "bob"), "bob");
}

#[test]
fn a_player_is_found_by_name_or_by_the_beginning_of_its_identity() {
    let mut roster = open();
    admit(&mut roster, 0xab, 1, "Alice").unwrap();
    admit(&mut roster, 0xac, 1, "abababab").unwrap();
    let found = |name: &str| roster.find_player(name).map(|one| one.identity);
    assert_eq!(found("ALICE"), Ok(who(0xab)));
    assert_eq!(found("acacACAC"), Ok(who(0xac)));
    assert_eq!(found("acacaca"), Err(RosterError::UnknownPlayer));
    assert_eq!(found("bob"), Err(RosterError::UnknownPlayer));
    // Who calls itself like the identity of somebody else must not have that one banned in its place.
    assert_eq!(found("abababab"), Err(RosterError::Ambiguous { count: 2 }));
    assert_eq!(found("ababababab"), Ok(who(0xab)));
}

/// Everybody there is room for, each seen a second after the one before.
fn full() -> Roster {
    let mut roster = Roster::new(8, 4);
    roster.invite(drawn(1), named("friends"), NOW).unwrap();
    for player in 1..=4 {
        let now = NOW + u64::from(player) * 1000;
        admit_at(&mut roster, player, 1, "p", now).unwrap();
    }
    roster
}

fn known(roster: &Roster) -> Vec<u8> {
    roster
        .players()
        .iter()
        .map(|one| one.identity.0[0])
        .collect()
}

#[test]
fn without_room_the_one_seen_longest_ago_is_forgotten_and_may_come_back() {
    let mut roster = full();
    roster.seen(&who(1), NOW + 9000);
    admit_at(&mut roster, 5, 1, "p", NOW + 10_000).unwrap();
    assert_eq!(known(&roster), [1, 3, 4, 5]);
    assert!(
        admit_at(&mut roster, 2, 1, "p", NOW + 11_000)
            .unwrap()
            .is_new
    );
    assert_eq!(known(&roster), [1, 4, 5, 2]);
}

#[test]
fn nobody_is_forgotten_who_could_not_come_back() {
    for wanted in [
        InviteWanted {
            uses: Some(9),
            ..named("limited")
        },
        InviteWanted {
            expires_ms: Some(NOW + 1_000_000),
            ..named("limited")
        },
    ] {
        let mut roster = full();
        roster.invite(drawn(2), wanted, NOW).unwrap();
        for player in 11..=14 {
            admit_at(&mut roster, player, 2, "p", NOW + 10_000).unwrap();
        }
        assert_eq!(known(&roster), [11, 12, 13, 14]);
        assert_eq!(
            admit_at(&mut roster, 5, 1, "p", NOW + 11_000),
            Err(Refusal::Full)
        );
        assert_eq!(roster.invites()[0].used, 4, "who is refused is not counted");
        // Those whose invite is gone cannot play anyhow.
        roster.revoke("limited", NOW + 12_000).unwrap();
        admit_at(&mut roster, 5, 1, "p", NOW + 13_000).unwrap();
        assert_eq!(known(&roster), [12, 13, 14, 5]);
    }
}

#[test]
fn a_ban_is_not_forgotten_while_its_invite_lives() {
    let mut roster = full();
    let name = roster.players()[0].name.clone();
    roster.ban(&name, NOW).unwrap();
    roster.invite(drawn(2), named("second"), NOW).unwrap();
    // The others cannot come back by an invite that is closed, so nobody makes room.
    assert_eq!(
        admit_at(&mut roster, 5, 2, "p", NOW + 10_000),
        Err(Refusal::Full)
    );
    // And after its invite it is the last to be forgotten.
    roster.revoke("friends", NOW).unwrap();
    for player in 5..=7 {
        admit_at(&mut roster, player, 2, "p", NOW + 10_000).unwrap();
    }
    assert_eq!(known(&roster), [1, 5, 6, 7]);
    admit_at(&mut roster, 8, 2, "p", NOW + 10_000).unwrap();
    assert_eq!(known(&roster), [1, 6, 7, 8]);
}

#[test]
fn without_room_for_invites_a_revoked_one_is_forgotten_then_an_expired_one_then_none() {
    let mut roster = Roster::new(3, 10);
    let expiring = InviteWanted {
        expires_ms: Some(NOW + 1),
        ..InviteWanted::default()
    };
    roster.invite(drawn(1), named("a"), NOW).unwrap();
    roster.invite(drawn(2), named("b"), NOW).unwrap();
    roster.invite(drawn(3), expiring, NOW).unwrap();
    let full = Err(RosterError::LimitInvites { most: 3 });
    let ids = |roster: &Roster| {
        roster
            .invites()
            .iter()
            .map(|one| one.id[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(roster.invite(drawn(4), named("d"), NOW), full);
    admit(&mut roster, 1, 1, "alice").unwrap();
    roster.revoke("a", NOW + 1).unwrap();
    // What is refused for its name costs no other.
    roster.invite(drawn(4), named("b"), NOW + 2).unwrap_err();
    roster.invite(drawn(4), named("d"), NOW + 2).unwrap();
    assert_eq!(ids(&roster), [2, 3, 4]);
    // Its player is not admitted any more than before.
    assert_eq!(admit(&mut roster, 1, 1, "alice"), Err(Refusal::Revoked));
    admit(&mut roster, 1, 2, "alice").unwrap();
    roster.invite(drawn(5), named("e"), NOW + 2).unwrap();
    assert_eq!(ids(&roster), [2, 4, 5]);
    assert_eq!(roster.invite(drawn(6), named("f"), NOW + 2), full);
}

/// Something that nothing but an editor does to the file.
type Change = fn(&mut Vec<InviteRecord>, &mut Vec<PlayerRecord>);

#[test]
fn what_these_rules_cannot_have_made_is_not_restored() {
    let mut roster = open();
    roster.invite(drawn(2), named("other"), NOW).unwrap();
    admit(&mut roster, 1, 1, "alice").unwrap();
    admit(&mut roster, 2, 1, "bob").unwrap();
    let (invites, players) = (roster.invites().to_vec(), roster.players().to_vec());
    let restore = |change: Change| {
        let (mut invites, mut players) = (invites.clone(), players.clone());
        change(&mut invites, &mut players);
        Roster::restore(invites, players)
    };
    assert_eq!(restore(|_, _| {}), Ok(roster));
    let changes: [Change; 8] = [
        |invites, _| invites[1].id = invites[0].id,
        |invites, _| invites[1].name = "Friends".into(),
        |invites, _| invites[1].name = "a b".into(),
        |_, players| players[1].identity = players[0].identity,
        |_, players| players[1].name = "ALICE".into(),
        |_, players| players[1].name = "\u{1b}[2J".into(),
        |_, players| players[1].asked_name = "x".repeat(33),
        |_, players| players[1].name = String::new(),
    ];
    for change in changes {
        restore(change).unwrap_err();
    }
    // Revoked ones may share a name.
    restore(|invites, _| {
        invites[1].name = "friends".into();
        invites[1].revoked_ms = Some(NOW);
    })
    .unwrap();
    let many = |count: usize| -> Vec<InviteRecord> {
        let make = |number: usize| InviteRecord {
            name: format!("n{number}"),
            id: (number as u64).to_be_bytes(),
            ..invites[0].clone()
        };
        (0..count).map(make).collect()
    };
    Roster::restore(many(INVITES_MAX), Vec::new()).unwrap();
    Roster::restore(many(INVITES_MAX + 1), Vec::new()).unwrap_err();
    let crowd = |count: usize| -> Vec<PlayerRecord> {
        let make = |number: usize| {
            let mut identity = [0; 32];
            identity[..8].copy_from_slice(&(number as u64).to_be_bytes());
            PlayerRecord {
                name: format!("n{number}"),
                identity: Identity(identity),
                ..players[0].clone()
            }
        };
        (0..count).map(make).collect()
    };
    Roster::restore(Vec::new(), crowd(PLAYERS_MAX)).unwrap();
    Roster::restore(Vec::new(), crowd(PLAYERS_MAX + 1)).unwrap_err();
}

#[test]
fn an_identity_is_64_digits_and_a_secret_is_never_shown() {
    let identity = Identity(std::array::from_fn(|at| u8::try_from(at * 7).unwrap()));
    assert_eq!(identity.to_string().parse(), Ok(identity));
    assert_eq!(identity.short(), "00070e15");
    for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        wrong.parse::<Identity>().unwrap_err();
    }
    let shown = format!("{:?}", limited(Some(1), None));
    assert!(
        shown.contains("Secret(…)") && !shown.contains("[1, 1, 1, 1, 1, 1, 1, 1, 1"),
        "{shown}"
    );
}
