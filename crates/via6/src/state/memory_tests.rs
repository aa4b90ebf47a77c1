//! A memory that is whole, old, newer, damaged, in the way, or anything at all.

use std::fs;

use proptest::prelude::*;
use serde_json::json;
use via6_core::addr::{HostPort, Listen};
use via6_core::limits::{STATE_BYTES_MAX, STATE_DAMAGED_MAX};

use super::*;
use crate::args::Splice;
use crate::entry::Protocols;
use crate::link::Link;
use crate::state::folder::UNFINISHED;
use crate::state::test_home;

/// A folder with this file in it, if any.
struct Home(test_home::Home);

impl Home {
    fn new() -> Self {
        Self(test_home::Home::new())
    }

    fn with(text: impl AsRef<[u8]>) -> Self {
        Self(test_home::Home::with(KIND.file, text))
    }

    fn open(&self) -> (Memory, Option<Trouble>) {
        Memory::open(&self.folder, Some(&self.lock))
    }

    /// What the file holds, of which something is known.
    fn file(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.bytes(KIND.file)
    }

    fn aside(&self) -> Vec<Vec<u8>> {
        self.0.aside(KIND)
    }
}

impl std::ops::Deref for Home {
    type Target = test_home::Home;

    fn deref(&self) -> &test_home::Home {
        &self.0
    }
}

fn entry(role: Role, upstream: &str) -> Entry {
    Entry {
        name: role.label().to_owned(),
        role,
        listen: Listen::parse("127.0.0.1:46666").unwrap(),
        upstream: HostPort::parse_target(upstream).unwrap(),
        carried: Protocols::BOTH,
        trusted: Vec::new(),
        splice: Splice::Auto,
        link: Link::Open,
    }
}

fn last(memory: &Memory) -> Option<&Entry> {
    memory.last().map(|last| &last.entry)
}

fn join(port: usize) -> Entry {
    entry(Role::Join, &format!("[2001:db8::1%eth0]:{port}"))
}

#[test]
fn what_was_asked_for_is_known_the_next_time() {
    let home = Home::new();
    let (mut memory, trouble) = home.open();
    assert!(trouble.is_none() && memory.last().is_none());
    let host = entry(Role::Host, "play.example.org:25565");
    for asked in [join(1), host.clone(), join(2)] {
        memory.remember(&home.lock, &asked, false).unwrap();
        let (again, trouble) = home.open();
        assert!(trouble.is_none(), "{trouble:?}");
        assert_eq!(last(&again), Some(&asked));
    }
    let (mut again, _) = home.open();
    let joined: Vec<_> = again.joined().iter().map(|one| &one.entry).collect();
    assert_eq!(joined, [&join(2), &join(1)]);
    again.remember(&home.lock, &host, false).unwrap();
    assert_eq!(home.open().0.joined().len(), 2);
}

/// Whether a port was meant is known the next time, also of one that was first meant and then not.
#[test]
fn a_port_that_was_only_free_is_known_as_such() {
    let home = Home::new();
    for any_port in [false, true, false] {
        let (mut memory, _) = home.open();
        memory.remember(&home.lock, &join(1), any_port).unwrap();
        let (again, _) = home.open();
        assert_eq!(again.last().unwrap().any_port, any_port);
        assert_eq!(again.joined()[0].any_port, any_port);
        assert_eq!(again.joined().len(), 1);
    }
}

#[test]
fn the_primitive_is_not_remembered() {
    let home = Home::new();
    let (mut memory, _) = home.open();
    let relay = entry(Role::Relay, "[::1]:5");
    memory.remember(&home.lock, &relay, false).unwrap();
    assert_eq!(memory.last(), None);
    assert!(!home.folder.join(KIND.file).exists());
}

#[test]
fn the_host_joined_longest_ago_is_forgotten_and_none_is_there_twice() {
    let home = Home::new();
    let (mut memory, _) = home.open();
    for port in 1..=STATE_JOINED_MAX + 4 {
        memory.remember(&home.lock, &join(port), false).unwrap();
    }
    memory.remember(&home.lock, &join(10), false).unwrap();
    let ports = |memory: &Memory| -> Vec<u16> {
        let joined = memory.joined().iter();
        joined.map(|one| one.entry.upstream.port).collect()
    };
    let expected: Vec<_> = [10]
        .into_iter()
        .chain((5..=20).rev().filter(|port| *port != 10))
        .collect();
    assert_eq!(ports(&memory), expected);
    assert_eq!(ports(&home.open().0), expected);
}

/// Such a file is not ours, but it may have been edited.
#[test]
fn a_host_that_the_file_has_twice_is_there_once_afterwards() {
    let one = |port, time_ms: u64| json!({ "entry": serde_json::to_value(join(port)).unwrap(), "time_ms": time_ms });
    let home = Home::with(
        json!({ "version": 1, "joined": [one(1, 9), one(2, 8), one(1, 7), one(3, 6)] }).to_string(),
    );
    let (mut memory, _) = home.open();
    for port in [1, 3, 2] {
        memory.remember(&home.lock, &join(port), false).unwrap();
        assert_eq!(memory.joined(), home.open().0.joined());
    }
    assert_eq!(memory.joined().len(), 3);
}

#[test]
fn what_a_newer_via6_added_survives_an_older_one() {
    let added = json!({
        "version": 1, "invites": [1, { "a": null }],
        "last": null,
        "joined": [
            { "entry": serde_json::to_value(join(1)).unwrap(), "time_ms": 5, "nick": "Ann" },
            { "entry": serde_json::to_value(join(2)).unwrap(), "time_ms": 4, "nick": "Bob" },
        ],
    });
    let mut added = added;
    added["joined"][1]["entry"]["key"] = json!("secret");
    let home = Home::with(added.to_string());
    let (mut memory, trouble) = home.open();
    assert!(trouble.is_none(), "{trouble:?}");
    memory.remember(&home.lock, &join(2), false).unwrap();
    memory.remember(&home.lock, &join(3), false).unwrap();
    let file = home.file();
    assert_eq!(file["invites"], added["invites"]);
    let nicks: Vec<_> = (0..3).map(|at| &file["joined"][at]["nick"]).collect();
    assert_eq!(nicks, [&Value::Null, &json!("Bob"), &json!("Ann")]);
    assert_eq!(file["joined"][1]["entry"]["key"], "secret");
    assert_ne!(file["joined"][1]["time_ms"], 4);
    assert_eq!(file["last"]["entry"]["upstream"], "[2001:db8::1%eth0]:3");
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let text = r#"{ "version": 2, "last": "somewhere" }"#;
    let home = Home::with(text);
    let (mut memory, trouble) = home.open();
    assert!(matches!(trouble, Some(Trouble::Newer { version: 2, .. })));
    memory.remember(&home.lock, &join(1), false).unwrap();
    assert_eq!(home.bytes(), text.as_bytes());
    // Within this process it is known all the same.
    assert_eq!(last(&memory), Some(&join(1)));
}

#[test]
fn a_damaged_file_is_set_aside_and_told_and_the_next_is_fresh() {
    let typed = |from: &str, to: &str| {
        let last = json!({ "entry": serde_json::to_value(join(1)).unwrap(), "time_ms": 5 });
        let text = json!({ "version": 1, "last": last }).to_string();
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    };
    let large = format!(
        r#"{{"version":1,"x":"{}"}}"#,
        "x".repeat(usize::try_from(STATE_BYTES_MAX).unwrap())
    );
    for text in [
        String::new(),
        "\0".repeat(100),
        "{".into(),
        "[".repeat(10_000),
        "[]".into(),
        "{}".into(),
        r#"{"version":"1"}"#.into(),
        r#"{"version":0}"#.into(),
        r#"{"version":1,"joined":{}}"#.into(),
        r#"{"version":1,"joined":[5]}"#.into(),
        typed("\"join\"", "\"gast\""),
        typed("46666", "99999"),
        typed("\"name\":\"join\"", r#""name":"\u001b[2J""#),
        large,
    ] {
        let home = Home::with(&text);
        // Who does not hold the lock touches nothing.
        let (reader, trouble) = Memory::open(&home.folder, None);
        assert!(reader.last().is_none());
        assert!(matches!(
            trouble,
            Some(Trouble::Damaged { aside: None, .. })
        ));
        assert_eq!(home.bytes(), text.as_bytes());

        let (mut memory, trouble) = home.open();
        let Some(Trouble::Damaged {
            aside: Some(path), ..
        }) = &trouble
        else {
            panic!("{trouble:?}");
        };
        let told = trouble.as_ref().unwrap().to_string();
        assert!(told.contains(&*path.to_string_lossy()), "{told}");
        assert_eq!(home.aside(), [text.as_bytes()]);
        memory.remember(&home.lock, &join(1), false).unwrap();
        assert_eq!(last(&home.open().0), Some(&join(1)));
    }
}

#[test]
fn of_many_damaged_files_the_newest_are_kept() {
    let home = Home::new();
    for n in 0..6 {
        fs::write(home.folder.join(KIND.file), format!("damaged {n}")).unwrap();
        home.open();
    }
    let kept: Vec<_> = (3..6)
        .map(|n| format!("damaged {n}").into_bytes())
        .collect();
    assert_eq!(kept.len(), STATE_DAMAGED_MAX);
    assert_eq!(home.aside(), kept);
}

#[test]
fn a_folder_in_the_way_of_the_file_is_set_aside_too() {
    let home = Home::new();
    fs::create_dir_all(home.folder.join(KIND.file).join("below")).unwrap();
    let (mut memory, trouble) = home.open();
    assert!(matches!(
        trouble,
        Some(Trouble::Damaged { aside: Some(_), .. })
    ));
    memory.remember(&home.lock, &join(1), false).unwrap();
    assert_eq!(last(&home.open().0), Some(&join(1)));
}

/// A file that cannot be read now may be readable tomorrow: a home that is not mounted yet.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_not_overwritten() {
    let home = Home::new();
    let file = home.folder.join(KIND.file);
    std::os::unix::fs::symlink(&file, &file).unwrap();
    let (mut memory, trouble) = home.open();
    assert!(
        matches!(trouble, Some(Trouble::Unreadable { .. })),
        "{trouble:?}"
    );
    memory.remember(&home.lock, &join(1), false).unwrap();
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
}

#[test]
fn a_disk_that_cannot_be_written_is_told_and_the_memory_lives_on() {
    let home = Home::new();
    let (mut memory, _) = home.open();
    fs::create_dir_all(home.folder.join(KIND.file).join("below")).unwrap();
    let trouble = memory.remember(&home.lock, &join(1), false).unwrap_err();
    assert_eq!(trouble.kind(), "state-unwritten");
    assert_eq!(last(&memory), Some(&join(1)));
}

#[test]
fn what_a_killed_process_had_begun_to_write_is_removed() {
    let home = Home::new();
    let (mut memory, _) = home.open();
    memory.remember(&home.lock, &join(1), false).unwrap();
    let (begins, ends) = UNFINISHED;
    let unfinished = home.folder.join(&format!("{begins}AbCdEf{ends}"));
    fs::write(&unfinished, "{\"vers").unwrap();
    Memory::open(&home.folder, None);
    assert!(unfinished.exists());
    assert_eq!(last(&home.open().0), Some(&join(1)));
    assert!(!unfinished.exists());
}

/// Something like what we write, with anything in any place.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        "[a-z:.\\[\\]0-9]{0,12}".prop_map(Value::from),
        Just(serde_json::to_value(join(7)).unwrap()),
    ];
    let names = prop_oneof![
        Just("version".to_owned()),
        Just("last".to_owned()),
        Just("joined".to_owned()),
        Just("entry".to_owned()),
        Just("time_ms".to_owned()),
        "[a-z]{1,3}",
    ];
    let value = leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    (value, any::<bool>()).prop_map(|(mut value, versioned)| {
        if let (Value::Object(fields), true) = (&mut value, versioned) {
            fields.insert("version".into(), KIND.version.into());
        }
        value.to_string().into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever stands there: no panic, and after something was remembered it is all there still,
    /// in its place, set aside, or, of a file that was understood, as fields.
    #[test]
    fn nothing_that_stood_in_the_file_is_lost(
        text in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), document()],
    ) {
        let home = Home::with(&text);
        let (mut memory, trouble) = home.open();
        memory.remember(&home.lock, &join(1), false).unwrap();
        prop_assert_eq!(last(&memory), Some(&join(1)));
        match trouble {
            Some(Trouble::Damaged { .. }) => prop_assert_eq!(home.aside(), [text]),
            Some(Trouble::Newer { .. }) => prop_assert_eq!(home.bytes(), text),
            Some(other) => prop_assert!(false, "{}", other),
            None => {
                let before: Map<String, Value> = serde_json::from_slice(&text).unwrap();
                let after = home.file();
                for (name, value) in &before {
                    if name != "last" && name != "joined" {
                        prop_assert_eq!(value, &after[name]);
                    }
                }
                let joined = before.get("joined").and_then(Value::as_array);
                for value in joined.into_iter().flatten() {
                    let kept = after["joined"].as_array().unwrap();
                    prop_assert!(kept.contains(value) || value["entry"]["upstream"] == after["last"]["entry"]["upstream"]);
                }
            }
        }
    }
}
