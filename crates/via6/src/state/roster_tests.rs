//! A roster that is whole, of a newer via6, damaged, or the largest there can be.

use std::fs;

use proptest::prelude::*;
use serde_json::json;
use via6_core::limits::{INVITES_MAX, LINK_NAME_MAX, PLAYERS_MAX, STATE_BYTES_MAX};
use via6_core::roster::{Drawn, InviteWanted};

use super::*;
use crate::state::test_home::Home;

fn open(home: &Home) -> (RosterFile, Roster, Option<Trouble>) {
    RosterFile::open(&home.folder, Some(&home.lock))
}

fn drawn(number: u8) -> Drawn {
    Drawn {
        id: [number; 8],
        secret: Secret([number; 16]),
    }
}

/// Two invites, and players of every kind.
fn roster() -> Roster {
    let mut roster = Roster::default();
    roster.make_default_invite(drawn(1), 5).unwrap();
    let wanted = InviteWanted {
        name: Some("alice"),
        uses: Some(3),
        expires_ms: Some(1_000_000),
    };
    roster.invite(drawn(0xa2), wanted, 6).unwrap();
    for (player, invite, name) in [(1, 1, "alice"), (0xfb, 0xa2, "Alice"), (3, 1, "“ä\\\"”")] {
        let admitted = roster.admit(Identity([player; 32]), [invite; 8], name, 7, |_| true);
        admitted.unwrap();
    }
    roster.ban("alice-2", 8).unwrap();
    roster.revoke("everyone", 9).unwrap();
    roster
}

#[test]
fn a_roster_is_the_same_the_next_time() {
    let home = Home::new();
    let (mut file, empty, trouble) = open(&home);
    assert!(trouble.is_none() && empty == Roster::default());
    assert!(!home.join(KIND.file).exists(), "reading writes nothing");
    let mut roster = roster();
    file.save(&home.lock, &roster).unwrap();
    assert_eq!(open(&home).1, roster);
    roster.unban("alice-2").unwrap();
    file.save(&home.lock, &roster).unwrap();
    let (_, again, trouble) = open(&home);
    assert!(trouble.is_none() && again == roster);
    // Who does not hold the lock reads the same.
    assert_eq!(RosterFile::open(&home.folder, None).1, roster);
    #[cfg(unix)]
    assert_eq!(home.mode(KIND.file), 0o600);
}

#[test]
fn what_a_newer_via6_added_survives_an_older_one() {
    let home = Home::new();
    let mut roster = roster();
    open(&home).0.save(&home.lock, &roster).unwrap();
    let mut whole: Value = serde_json::from_slice(&home.bytes(KIND.file)).unwrap();
    whole["colour"] = json!("blue");
    whole["invites"][1]["note"] = json!({ "by": "me" });
    whole["players"][2]["score"] = json!(7);
    // As an editor leaves it.
    whole["players"][1]["identity"] = json!("FB".repeat(32));
    whole["players"][1]["score"] = json!(8);
    fs::write(home.join(KIND.file), whole.to_string()).unwrap();
    let (mut file, again, trouble) = open(&home);
    assert!(trouble.is_none() && again == roster, "{trouble:?}");
    roster
        .invite(drawn(9), InviteWanted::default(), 10)
        .unwrap();
    file.save(&home.lock, &roster).unwrap();
    let after: Value = serde_json::from_slice(&home.bytes(KIND.file)).unwrap();
    assert_eq!(after["colour"], "blue");
    assert_eq!(after["invites"][1]["note"], json!({ "by": "me" }));
    assert_eq!(after["invites"][2].get("note"), None);
    assert_eq!(
        (&after["players"][1]["score"], &after["players"][2]["score"]),
        (&json!(8), &json!(7))
    );
}

#[test]
fn a_roster_of_a_newer_version_is_left_alone() {
    let text = r#"{ "version": 2, "invites": "elsewhere" }"#;
    let home = Home::with(KIND.file, text);
    let (mut file, _, trouble) = open(&home);
    assert!(matches!(trouble, Some(Trouble::Newer { version: 2, .. })));
    file.save(&home.lock, &roster()).unwrap();
    assert_eq!(home.bytes(KIND.file), text.as_bytes());
}

/// The secrets of the file that is meant here must not stand in a log.
#[test]
fn a_damaged_roster_is_set_aside_and_no_word_of_it_is_told() {
    let home = Home::new();
    open(&home).0.save(&home.lock, &roster()).unwrap();
    let whole = String::from_utf8(home.bytes(KIND.file)).unwrap();
    let secret = "a2".repeat(16);
    assert!(whole.contains(&secret));
    let longer = secret.clone() + "0";
    for (from, to) in [
        (secret.as_str(), longer.as_str()),
        (&secret, "a2a2"),
        (&secret, "\\u001b[2J"),
        ("\"uses\": 3", "\"uses\": -3"),
        ("\"name\": \"alice\"", "\"name\": \"every one\""),
        ("\"name\": \"Alice-2\"", "\"name\": \"ALICE\""),
        ("\"invites\": [", "\"invites\": [7,"),
        ("\"version\": 1", "\"version\": \"1\""),
        ("{", "["),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "{from}");
        let home = Home::with(KIND.file, &text);
        let (mut file, empty, trouble) = open(&home);
        assert_eq!(empty, Roster::default());
        let Some(Trouble::Damaged {
            aside: Some(aside), ..
        }) = &trouble
        else {
            panic!("{from}: {trouble:?}");
        };
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        assert_eq!(home.aside(KIND), [text.as_bytes()]);
        let told = format!("{} {trouble:?}", trouble.as_ref().unwrap());
        assert!(!told.contains("a2a2"), "{told}");
        file.save(&home.lock, &roster()).unwrap();
        assert_eq!(open(&home).1, roster());
    }
}

#[test]
fn the_largest_roster_fits_the_file() {
    // Two bytes of the file for each of the name.
    let name = |number: usize| {
        let number = number.to_string();
        "\"".repeat(LINK_NAME_MAX - number.len()) + &number
    };
    let invites = (0..INVITES_MAX).map(|number| InviteRecord {
        name: format!("{number:0>LINK_NAME_MAX$}"),
        id: (number as u64).to_be_bytes(),
        secret: Secret([7; 16]),
        created_ms: u64::MAX,
        expires_ms: Some(u64::MAX),
        uses: Some(u32::MAX),
        used: u32::MAX,
        revoked_ms: Some(u64::MAX),
        is_default: false,
    });
    let players = (0..PLAYERS_MAX).map(|number| {
        let mut identity = [7; 32];
        identity[..8].copy_from_slice(&(number as u64).to_be_bytes());
        PlayerRecord {
            identity: Identity(identity),
            name: name(number),
            asked_name: name(number),
            invite: [7; 8],
            first_seen_ms: u64::MAX,
            last_seen_ms: u64::MAX,
            banned_ms: Some(u64::MAX),
        }
    });
    let roster = Roster::restore(invites.collect(), players.collect()).unwrap();
    let home = Home::new();
    open(&home).0.save(&home.lock, &roster).unwrap();
    assert_eq!(open(&home).1, roster);
    assert!((home.bytes(KIND.file).len() as u64) < STATE_BYTES_MAX * 3 / 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever stands there: no panic, and none of it is lost.
    #[test]
    fn nothing_that_stood_in_the_file_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let home = Home::with(KIND.file, &bytes);
        let (mut file, _, trouble) = open(&home);
        file.save(&home.lock, &roster()).unwrap();
        prop_assert_eq!(open(&home).1, roster());
        let Some(Trouble::Damaged { aside: Some(aside), .. }) = trouble else {
            return Err(TestCaseError::fail(format!("{trouble:?}")));
        };
        prop_assert_eq!(fs::read(aside).unwrap(), bytes);
    }
}
