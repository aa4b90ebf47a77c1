//! `via6 invite`, `players`, `kick`, `ban` and `unban`: with a via6 that runs, without one, and before one that is
//! only its socket. Who comes by an invite is played within the program, and in the lab.

use serde_json::{Value, json};

use super::state::{Home, answering};
use crate::support::{Ended, PATIENCE, Running, via6};

impl Home {
    fn start(&self, line: &str) -> Running {
        via6(line).with("VIA6_STATE", self.path()).start()
    }

    fn run(&self, line: &str) -> Ended {
        self.start(line).ended(PATIENCE)
    }

    /// What a command answers as JSON.
    fn json(&self, line: &str) -> Value {
        let ended = self.run(line);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line}");
        serde_json::from_str(&ended.stdout).expect("JSON")
    }
}

/// An invite of the list, without its times.
fn invites(home: &Home) -> Vec<(String, String, Value)> {
    let list = home.json("via6 invite list --json");
    let invites = list["invites"].as_array().expect("a list");
    let text = |one: &Value, name: &str| one[name].as_str().expect("text").to_owned();
    invites
        .iter()
        .map(|one| (text(one, "name"), text(one, "state"), one["uses"].clone()))
        .collect()
}

fn row(name: &str, state: &str, uses: Value) -> (String, String, Value) {
    (name.into(), state.into(), uses)
}

#[test]
fn invites_are_made_listed_and_taken_back_where_no_via6_runs() {
    let home = Home::new("inviting");
    let ended = home.run("via6 invite list");
    assert_eq!(
        ended.stdout,
        "no invites yet; `via6 invite new` makes one\n"
    );
    let ended = home.run("via6 invite new --name alice --uses 2 --expires 7d");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(
        ended.stderr,
        "invite alice: for 2 players, within 7 d\nThe line to paste has this computer's address in it, so a \
         sealed host must run to print it: via6 invite show alice\n"
    );
    let made = home.json("VIA6_NAME=bob VIA6_USES=1 VIA6_EXPIRES=12h via6 invite new --json");
    let span = |name| made["invite"][name].as_u64().expect("a time");
    assert_eq!(span("expires_ms") - span("created_ms"), 12 * 3600 * 1000);
    home.run("via6 invite new");
    let open = |name, uses| row(name, "open", uses);
    assert_eq!(
        invites(&home),
        [
            open("alice", json!(2)),
            open("bob", json!(1)),
            open("friends", Value::Null)
        ]
    );
    let ended = home.run("via6 invite revoke Bob");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(ended.stderr, "revoked bob: nobody had come by it\n");
    let table = home.run("via6 invite list").stdout;
    assert_eq!(
        table,
        "  invite   players  expires  state\n  \
         alice     0 of 2   in 7 d   open\n  \
         friends        0            open\n  \
         and 1 revoked, which -v lists\n"
    );
    assert!(home.run("via6 invite list -v").stdout.contains("  bob "));
    let ended = home.run("via6 invite show bob");
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(1),
            "error: cannot show bob: it was revoked\n\nhint: make another: via6 invite new\n"
        )
    );
    let text = std::fs::read_to_string(home.join("players.json")).expect("the file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let secret = file["invites"][0]["secret"].as_str().expect("a secret");
    assert_eq!(secret.len(), 32);
    for line in [
        "via6 invite list -v",
        "via6 invite list --json",
        "via6 invite new --json",
    ] {
        let ended = home.run(line);
        let shown = ended.stdout + &ended.stderr;
        assert!(
            !shown.contains(secret) && !shown.contains("secret"),
            "{shown}"
        );
    }
}

/// The one that runs decides, and keeps it; the next one knows it.
#[test]
fn what_is_asked_of_a_via6_that_runs_survives_it() {
    let home = Home::new("inviting-running");
    home.run("via6 invite new --name before");
    let host = home.start("via6 host --open 25565 --listen [::1]:0 --json");
    host.event("listening");
    let made = home.json("via6 invite new --name during --json");
    assert_eq!(made["kind"], "invite");
    let both = [
        row("before", "open", Value::Null),
        row("during", "open", Value::Null),
    ];
    assert_eq!(invites(&home), both);
    let ended = home.run("via6 invite new --name During");
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(1),
            "error: cannot make an invite: an invite is called during already\n\n\
             hint: `via6 invite show during` prints its line again; or choose another name\n"
        )
    );
    let ended = home.run("via6 players");
    assert_eq!(ended.stdout, "nobody has played yet; no sealed host runs\n");
    // Killed, without a word.
    drop(host);
    assert_eq!(invites(&home), both);
}

#[test]
fn players_are_those_of_the_folder_and_bans_are_kept_there() {
    let home = Home::new("players");
    let player = |name: &str, digit: &str| {
        json!({
            "identity": digit.repeat(64), "name": name, "asked_name": name, "invite": "01".repeat(8),
            "first_seen_ms": 5, "last_seen_ms": 6,
        })
    };
    let invite = json!({
        "name": "everyone", "id": "01".repeat(8), "secret": "0a".repeat(16), "created_ms": 5, "used": 2,
        "default": true,
    });
    let file = json!({
        "version": 1, "invites": [invite], "players": [player("alice", "a"), player("Mallory", "d")],
    });
    std::fs::write(home.join("players.json"), file.to_string()).expect("a file");
    let state = || {
        let list = home.json("via6 players --json");
        let players = list["players"].as_array().expect("a list").clone();
        players
            .iter()
            .map(|one| one["state"].as_str().expect("a state").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(state(), ["admitted", "admitted"]);
    let ended = home.run("via6 ban mallory");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(
        ended.stderr,
        "banned Mallory\nthe invite everyone takes nobody new, since Mallory still has it; who came by it \
         before may go on. For others make another: via6 invite new\n"
    );
    assert_eq!(state(), ["admitted", "banned"]);
    let table = home.run("via6 players -v").stdout;
    assert!(
        table.starts_with("2 players; no sealed host runs\n"),
        "{table}"
    );
    assert!(table.contains("    Mallory  dddddddd  "), "{table}");
    let ended = home.run("via6 invite show");
    assert!(
        ended.stderr.contains("there is none for everyone"),
        "{ended:?}"
    );
    assert_eq!(
        home.run("via6 unban dddddddd").stderr,
        "Mallory may play again\n"
    );
    assert_eq!(state(), ["admitted", "admitted"]);
    let ended = home.run("via6 ban malory");
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(1),
            "error: cannot ban malory: there is no player of this name\n\nhint: did you mean Mallory?\n"
        )
    );
    // Nobody is sent away where nothing runs.
    let ended = home.run("via6 kick alice");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: no via6 is running here\n"));
}

#[test]
fn the_line_of_an_invite_is_all_of_standard_output() {
    let home = Home::new("line");
    let invite = json!({
        "name": "alice", "state": "open", "created_ms": 1, "expires_ms": null, "uses": null, "used": 0,
        "revoked_ms": null, "default": false,
    });
    let reply = json!({
        "reply": "roster", "answer": { "kind": "invite", "invite": invite, "text": "via6:1abc" },
    });
    let asked = answering(&home.0, vec![reply]);
    let ended = home.run("via6 invite show alice");
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (
            Some(0),
            "  via6 join via6:1abc\n",
            "invite alice: for anybody\n\nYour friend pastes this line:\n\n"
        )
    );
    assert_eq!(
        asked.join().expect("an answer"),
        json!({ "version": 1, "request": "roster", "ask": { "kind": "show-invite", "name": "alice" } })
    );
}

/// It is done, but whoever did it must know that it will be forgotten.
#[test]
fn what_could_not_be_written_is_done_and_a_failure() {
    let home = Home::new("unremembered");
    let reply = json!({
        "reply": "roster", "unremembered": "no space left on device",
        "answer": { "kind": "kicked", "player": "bob", "identity": "bb", "links": 2 },
    });
    let asked = answering(&home.0, vec![reply]);
    let ended = home.run("via6 kick bob");
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(1),
            "kicked bob; 2 links ended\nerror: cannot remember this: no space left on device\n  \
             it holds for as long as the via6 that runs here goes on\n"
        )
    );
    asked.join().expect("an answer");
}
