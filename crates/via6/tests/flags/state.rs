//! `--state`, `via6 status` and `via6 stop`, before a via6 that is only its socket: what is asked of
//! it, and what is made of its answers. The other end is tested within the program.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, spawn};

use serde_json::{Value, json};

use crate::support::{Ended, PATIENCE, via6};

/// A state folder of a test's own.
pub(super) struct Home(pub(super) PathBuf);

impl Home {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("via6-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().expect("a path")
    }

    pub(super) fn join(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays is in the folder for what may be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Answers one conversation with these lines, and tells the request.
pub(super) fn answering(folder: &Path, replies: Vec<Value>) -> JoinHandle<Value> {
    let listener = UnixListener::bind(folder.join("control.sock")).expect("a socket");
    spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody who asks");
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("another end"));
        reader.read_line(&mut line).expect("a request");
        for reply in replies {
            writeln!(stream, "{reply}").expect("answering");
        }
        serde_json::from_str(&line).expect("JSON")
    })
}

fn run(line: &str) -> Ended {
    via6(line).start().ended(PATIENCE)
}

fn status() -> Value {
    json!({
        "version": "9.9.9", "pid": 4711, "time_ms": 1, "up_ms": 61_000, "players": [], "entries": [{
            "name": "friday", "role": "join", "draining": false,
            "listeners": [{ "protocol": "tcp", "address": "127.0.0.1:46666" }],
            "upstream": "[2001:db8::1]:43325", "link": "open", "carrier": null,
            "sessions_live": 1, "sessions": [{
                "session": 1, "state": "open", "downstream": "127.0.0.1:50000",
                "upstream": "[2001:db8::1]:43325", "age_ms": 60_000, "bytes_up": 1, "bytes_down": 2,
                "rate_up": 3, "rate_down": 4, "round_trip_down_us": 50, "round_trip_up_us": 23_400,
            }],
            "flows_live": 0, "flows": [], "rate_up": 3, "rate_down": 4,
            "totals": {
                "sessions_opened": 3, "sessions_ended": { "finished": 2 },
                "session_bytes_up": 10, "session_bytes_down": 20,
                "flows_opened": 0, "flows_ended": {}, "flow_bytes_up": 0, "flow_bytes_down": 0,
                "datagrams_up": 0, "datagrams_down": 0, "shed": {}, "dropped": {},
                "accept_errors": {}, "dials": { "buckets": [], "count": 0, "sum_us": 0 },
            },
        }],
    })
}

#[test]
fn where_nobody_runs_that_is_said_and_nothing_is_made() {
    let home = Home::new("nobody");
    let missing = format!("{}/missing", home.path());
    for command in ["status", "stop", "status --json", "stop --now friday"] {
        for line in [
            format!("via6 {command} --state {missing}"),
            format!("VIA6_STATE={missing} via6 {command}"),
            // What is typed wins.
            format!("VIA6_STATE=elsewhere via6 --state {missing} {command}"),
        ] {
            let ended = run(&line);
            assert_eq!(ended.code, Some(1), "{line}: {ended:?}");
            assert_eq!(ended.stdout, "");
            assert!(
                ended.stderr.starts_with(&format!(
                    "error: no via6 is running here\n  none answers in {missing}\n\nhint: "
                )),
                "{line}: {ended:?}"
            );
        }
    }
    assert!(!Path::new(&missing).exists());
}

#[test]
fn a_status_is_a_table_or_one_object() {
    let home = Home::new("status");
    let reply = json!({ "reply": "status", "status": status() });
    for (flags, sees) in [
        ("", "  so far: 3 sessions"),
        ("-v", "  sessions ended: 2 finished\n"),
        ("--json", "{"),
    ] {
        let asked = answering(&home.0, vec![reply.clone()]);
        let ended = run(&format!("via6 status {flags} --state {}", home.path()));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(sees), "{ended:?}");
        assert_eq!(
            ended.stdout.contains("ended"),
            !flags.is_empty(),
            "{ended:?}"
        );
        assert_eq!(ended.stderr, "");
        if flags == "--json" {
            let value: Value = serde_json::from_str(&ended.stdout).expect("JSON");
            assert_eq!(value, status());
            assert_eq!(ended.stdout.lines().count(), 1);
        } else {
            assert!(
                ended
                    .stdout
                    .starts_with("via6 9.9.9, process 4711, up 1 min 1 s\n")
            );
        }
        let request = asked.join().expect("an end");
        assert_eq!(request, json!({ "version": 1, "request": "status" }));
        std::fs::remove_file(home.0.join("control.sock")).expect("the socket");
    }
}

#[test]
fn stop_says_what_may_finish_and_when_it_has_stopped() {
    let home = Home::new("stop");
    let stopping = |sessions: u64, flows: u64| -> Value {
        json!({ "reply": "stopping", "sessions": sessions, "flows": flows })
    };
    let stopped = json!({ "reply": "stopped" });
    let waits = "stopping: 2 sessions and 1 flow may finish within 10 s; \
                 `via6 stop --now` ends at once\nstopped\n";
    for (line, replies, request, told) in [
        (
            "stop",
            vec![stopping(2, 1), stopped.clone()],
            json!({ "now": false }),
            waits,
        ),
        // It is gone altogether: it has stopped.
        (
            "stop",
            vec![stopping(0, 0)],
            json!({ "now": false }),
            "stopped\n",
        ),
        ("stop -q", vec![stopping(1, 0)], json!({ "now": false }), ""),
        (
            "stop --now",
            vec![stopping(2, 1), stopped.clone()],
            json!({ "now": true }),
            "stopped\n",
        ),
        (
            "stop friday",
            vec![stopping(0, 0), stopped.clone()],
            json!({ "now": false, "name": "friday" }),
            "stopped\n",
        ),
    ] {
        let asked = answering(&home.0, replies);
        let ended = run(&format!("via6 {line} --state {}", home.path()));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!((&*ended.stderr, &*ended.stdout), (told, ""), "{line}");
        let mut expected = request;
        expected["version"] = json!(1);
        expected["request"] = json!("stop");
        assert_eq!(asked.join().expect("an end"), expected);
        std::fs::remove_file(home.0.join("control.sock")).expect("the socket");
    }
    let asked = answering(&home.0, vec![stopping(2, 1), stopped]);
    let ended = run(&format!(
        "VIA6_NOW=1 via6 stop --json --state {}",
        home.path()
    ));
    assert_eq!(
        ended.stdout,
        "{\"flows\":1,\"sessions\":2,\"stopped\":true}\n"
    );
    assert_eq!(asked.join().expect("an end")["now"], true);
}

/// A drain that does not come to its end is not waited for without end. Takes as long as that is.
#[test]
fn stop_says_what_is_still_live_when_it_has_waited_long_enough() {
    let home = Home::new("stuck");
    let listener = UnixListener::bind(home.0.join("control.sock")).expect("a socket");
    let stuck = spawn(move || {
        let mut kept = Vec::new();
        for reply in [
            json!({ "reply": "stopping", "sessions": 2, "flows": 0 }),
            json!({ "reply": "status", "status": status() }),
        ] {
            let (stream, _) = listener.accept().expect("somebody who asks");
            let mut reader = BufReader::new(stream);
            reader.read_line(&mut String::new()).expect("a request");
            writeln!(reader.get_mut(), "{reply}").expect("answering");
            kept.push(reader);
        }
        kept
    });
    let ended = run(&format!("via6 stop friday --state {}", home.path()));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.ends_with(
            "error: still running after 15 s: 1 session\n\nhint: end it at once with \
             `via6 stop friday --now`\n"
        ),
        "{ended:?}"
    );
    stuck.join().expect("both questions");
}

#[test]
fn a_refusal_is_passed_on_as_it_was_worded() {
    let home = Home::new("refusal");
    let refused = json!({
        "reply": "refused", "code": 2, "message": "cannot stop monday: no relay has this name",
        "hint": "there are friday and host",
    });
    let asked = answering(&home.0, vec![refused]);
    let ended = run(&format!("via6 stop monday --state {}", home.path()));
    assert_eq!(ended.code, Some(2));
    assert_eq!(
        ended.stderr,
        "error: cannot stop monday: no relay has this name\n\nhint: there are friday and host\n"
    );
    asked.join().expect("an end");
}

/// It was suspended, say with Ctrl-Z.
#[test]
fn one_that_does_not_answer_is_told_of_soon() {
    let home = Home::new("silent");
    let _kept = UnixListener::bind(home.0.join("control.sock")).expect("a socket");
    let running = home.0.join("running.json");
    std::fs::write(running, r#"{"pid":4711,"version":"0.1.0"}"#).expect("a file");
    let ended = run(&format!("via6 status --state {}", home.path()));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("does not answer within 3 s"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("`kill -9 4711`"), "{ended:?}");
}
