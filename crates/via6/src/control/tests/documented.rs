//! `docs/reference/control.md` is what is sent and understood, word by word.

use super::*;

/// Both ends are the same program here; this is what others have to send and to understand.
#[test]
fn requests_and_replies_are_what_is_documented() {
    let line = |request: wire::Request| -> Value {
        serde_json::from_str(&request.line().unwrap()).unwrap()
    };
    assert_eq!(
        line(wire::Request::Status),
        json!({ "version": 1, "request": "status" })
    );
    let stop = Stop {
        now: true,
        name: Some("join".into()),
    };
    assert_eq!(
        line(wire::Request::Stop(stop)),
        json!({ "version": 1, "request": "stop", "now": true, "name": "join" })
    );
    assert_eq!(
        line(wire::Request::Carry(Box::new(carry("join")))),
        json!({
            "version": 1, "request": "carry",
            "entry": {
                "name": "join", "role": "join", "listen": "127.0.0.1:46666",
                "upstream": "[2001:db8::1]:43325", "carried": { "tcp": true, "udp": true },
                "trusted": [], "splice": "auto",
            },
            "any_port": false,
            "shown": { "verbose": 1, "quiet": false, "json": true },
            "metrics": "127.0.0.1:9100",
        })
    );
    let request = wire::Request::Carry(Box::new(carry("join")));
    let read = wire::Request::read(request.line().unwrap().trim_end().as_bytes());
    assert_eq!(read, Ok(request));
}

/// The rows of the tables under a heading: what stands between backticks in each cell.
pub(super) fn documented(heading: &str) -> Vec<Vec<Vec<&'static str>>> {
    const TEXT: &str = include_str!("../../../../../docs/reference/control.md");
    let section = TEXT.split("\n## ").find(|part| part.starts_with(heading));
    let rows = section.expect("a section").lines();
    let rows = rows.filter(|line| line.starts_with("| `"));
    let codes = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect();
    rows.map(|row| row.split(" |").map(codes).collect())
        .collect()
}

#[test]
fn every_request_and_reply_is_documented_with_its_fields_and_no_other() {
    use wire::{Reply, Request};
    let check = |heading: &str, tag: &str, all: &[Value]| {
        let rows = documented(heading);
        let names: Vec<_> = rows.iter().map(|row| row[0][0]).collect();
        let ours: Vec<_> = all.iter().map(|one| one[tag].as_str().unwrap()).collect();
        assert_eq!(names, ours);
        for (row, one) in rows.iter().zip(all) {
            for field in one.as_object().unwrap().keys() {
                let general = field == tag || field == "version";
                assert!(
                    general || row[1].contains(&field.as_str()),
                    "{row:?}: {field}"
                );
            }
        }
    };
    let stop = Stop {
        now: true,
        name: Some("join".into()),
    };
    let requests = [
        Request::Status,
        Request::Stop(stop),
        Request::Carry(Box::new(carry("join"))),
        Request::Roster { ask: Ask::Players },
        Request::Drain,
        Request::Now,
    ];
    let requests = requests.map(|one| serde_json::from_str(&one.line().unwrap()).unwrap());
    check("Requests\n", "request", &requests);
    let refusal = Refusal {
        detail: Some("a detail".into()),
        ..Refusal::new(1, "a message").hint("a hint")
    };
    let replies = [
        Reply::Status {
            status: Status::default(),
        },
        Reply::Stopping(Stopping::default()),
        Reply::Stopped,
        Reply::Carried {
            pid: 1,
            name: "join".into(),
        },
        Reply::Output {
            stream: Stream::Log,
            line: "a line".into(),
        },
        Reply::Missed { lines: 1 },
        Reply::Ended {
            code: 1,
            failure: Some(refusal.clone()),
        },
        Reply::HandedBack,
        Reply::Roster(Answered {
            answer: Answer::Unbanned {
                player: "bob".into(),
            },
            unremembered: Some("a reason".into()),
        }),
        Reply::Refused(refusal),
    ];
    let replies = replies.map(|one| serde_json::from_str(&one.line().unwrap()).unwrap());
    check("Replies\n", "reply", &replies);
}

#[test]
fn documented_bounds_are_the_limits() {
    let text = include_str!("../../../../../docs/reference/control.md");
    let seconds = |span: Duration| format!("{} s", span.as_secs());
    for words in [
        format!(
            "| a request | {} KiB, within {} |",
            CONTROL_REQUEST_BYTES / 1024,
            seconds(CONTROL_REQUEST_TIME)
        ),
        format!(
            "| a reply | {} MiB, read within {};",
            CONTROL_REPLY_BYTES / 1024 / 1024,
            seconds(CONTROL_REPLY_TIME)
        ),
        format!(
            "| connections at a time | {CONTROL_CONNECTIONS_MAX}, of which {CONTROL_ATTACHED_MAX} "
        ),
        format!("| {CONTROL_QUEUE};"),
        format!(
            "| waiting for an answer | {}, for `carried` and `roster` {} |",
            seconds(CONTROL_PATIENCE),
            seconds(CONTROL_CARRY_PATIENCE)
        ),
        format!("the newest {STATE_DAMAGED_MAX} are kept"),
        format!("{STATE_JOINED_MAX} at most"),
    ] {
        assert!(text.contains(&words), "{words}");
    }
}
