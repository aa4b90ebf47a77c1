//! Conversations with a running via6 that is nothing but its control: over the real socket (or pipe),
//! with people and programs at the other end who do everything wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::addr::{HostPort, Listen};
use via6_core::limits::{
    CONTROL_ATTACHED_MAX, CONTROL_CONNECTIONS_MAX, CONTROL_QUEUE, CONTROL_REPLY_BYTES,
    CONTROL_REQUEST_BYTES,
};

use super::lines::{Lines, Reading, Writing};
use super::place::dial;
use super::*;
use crate::args::{Shown, Splice};
use crate::entry::{Entry, Protocols};
use crate::narrator::Role;
use crate::state::{Folder, Lock, Trouble};
use crate::status::{EntryStatus, SessionStatus, Status, Totals};

/// How long anything may take that is awaited, generous for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits what must come.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let awaited = timeout(PATIENCE, future).await;
    awaited.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A via6 that relays nothing, and notes what it is asked.
#[derive(Default)]
struct Pretend {
    status: Mutex<Status>,
    asked: Mutex<VecDeque<String>>,
    noted: Notify,
    /// What was stopped has ended.
    ended: CancellationToken,
    /// Sinks of work that was taken over.
    sinks: Mutex<Vec<Sink>>,
    /// Lines that each work that is taken over tells at once.
    flood: Mutex<usize>,
}

impl Pretend {
    fn note(&self, what: impl Into<String>) {
        self.asked.lock().unwrap().push_back(what.into());
        self.noted.notify_one();
    }

    /// Waits for the next note.
    async fn noted(&self) -> String {
        let next = async {
            loop {
                if let Some(note) = self.asked.lock().unwrap().pop_front() {
                    return note;
                }
                self.noted.notified().await;
            }
        };
        soon("a note", next).await
    }
}

impl Handler for Pretend {
    async fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }

    fn stop(&self, stop: &Stop) -> Result<Stopping, Refusal> {
        self.note(format!("{stop:?}"));
        match stop.name.as_deref() {
            Some("nobody") => Err(Refusal::from(
                &crate::failure::Failure::usage("cannot stop nobody: no relay has this name")
                    .hint("`via6 status` shows the names"),
            )),
            _ => Ok(Stopping {
                sessions: 2,
                flows: 1,
            }),
        }
    }

    async fn stopped(&self, _: &Stop) {
        self.ended.cancelled().await;
    }

    async fn carry(&self, carry: Carry, client: Client) {
        let name = carry.entry.name;
        if name == "refused" {
            let port = Refusal::new(1, "cannot listen on it").hint("pick another");
            return client.refuse(port).await;
        }
        if name == "forgotten" {
            return;
        }
        let mut attached = client.carried(&name).await;
        let sink = attached.sink();
        if name == "dropped" {
            return;
        }
        for n in 0..*self.flood.lock().unwrap() {
            sink.line(Stream::Log, format!("{n} {}", "x".repeat(1000)));
        }
        self.sinks.lock().unwrap().push(sink);
        self.note(format!("carried {name}"));
        loop {
            let asked = attached.next().await;
            self.note(format!("{asked:?} {name}"));
            match asked {
                Asked::Drain => {}
                Asked::Now if name == "failing" => {
                    let refusal = Refusal::new(1, "cannot go on listening");
                    return attached.end(Some(refusal)).await;
                }
                Asked::Now | Asked::Gone => return attached.end(None).await,
            }
        }
    }
}

/// A running via6 and its folder.
struct Running {
    pretend: Arc<Pretend>,
    folder: Folder,
    lock: Arc<Lock>,
    over: CancellationToken,
    tasks: TaskTracker,
    _home: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "")
    }

    fn start_in(home: tempfile::TempDir, below: &str) -> Self {
        let folder = Folder::open(Some(&home.path().join(below))).unwrap();
        let lock = Arc::new(Lock::take(&folder).unwrap());
        let (pretend, over) = (Arc::new(Pretend::default()), CancellationToken::new());
        let server = serve(&lock, Arc::clone(&pretend), over.clone()).unwrap();
        let tasks = TaskTracker::new();
        tasks.spawn(server.run());
        Self {
            pretend,
            folder,
            lock,
            over,
            tasks,
            _home: home,
        }
    }

    async fn connect(&self) -> Connection {
        soon("a connection", connect(&self.folder)).await.unwrap()
    }

    async fn raw(&self) -> Raw {
        let (reading, writing) = dial(&self.folder).await.unwrap();
        Raw::new(reading, writing)
    }

    async fn carried(&self, name: &str) -> Carried {
        let connection = self.connect().await;
        connection.carry(carry(name)).await.unwrap()
    }
}

/// Somebody who speaks by hand.
struct Raw {
    lines: Lines,
    writing: Writing,
}

impl Raw {
    fn new(reading: Reading, writing: Writing) -> Self {
        Self {
            lines: Lines::new(reading, CONTROL_REPLY_BYTES),
            writing,
        }
    }

    async fn say(&mut self, text: &[u8]) {
        // It may have hung up, which the answer then shows.
        let _ = self.writing.write_all(text).await;
    }

    /// The next line; `None` if it hung up.
    async fn hear(&mut self) -> Option<Value> {
        let line = soon("an answer", self.lines.next()).await.ok()?;
        Some(serde_json::from_slice(&line).unwrap())
    }
}

fn carry(name: &str) -> Carry {
    Carry {
        entry: Entry {
            name: name.into(),
            role: Role::Join,
            listen: Listen::parse("127.0.0.1:46666").unwrap(),
            upstream: HostPort::parse_target("[2001:db8::1]:43325").unwrap(),
            carried: Protocols::BOTH,
            trusted: Vec::new(),
            splice: Splice::Auto,
        },
        shown: Shown {
            verbose: 1,
            quiet: false,
            json: true,
            plain: false,
        },
        metrics: Some("127.0.0.1:9100".parse().unwrap()),
    }
}

fn entry(sessions: usize) -> EntryStatus {
    let session = SessionStatus {
        session: 1,
        state: "open".into(),
        downstream: "[2001:db8::2]:50000".into(),
        upstream: None,
        age_ms: 1,
        bytes_up: 2,
        bytes_down: 3,
        rate_up: 4,
        rate_down: 5,
        round_trip_down_us: None,
        round_trip_up_us: None,
    };
    EntryStatus {
        name: "host".into(),
        role: Role::Host,
        draining: false,
        listeners: Vec::new(),
        upstream: "127.0.0.1:1".into(),
        sessions_live: sessions as u64,
        sessions: vec![session; sessions],
        flows_live: 0,
        flows: Vec::new(),
        rate_up: 0,
        rate_down: 0,
        totals: Totals::default(),
    }
}

#[tokio::test]
async fn who_asks_again_sees_what_has_changed() {
    let running = Running::start();
    let mut connection = running.connect().await;
    assert_eq!(connection.status().await.unwrap(), Status::default());
    let new = Status {
        pid: 4711,
        entries: vec![entry(2)],
        ..Status::default()
    };
    *running.pretend.status.lock().unwrap() = new.clone();
    assert_eq!(connection.status().await.unwrap(), new);
}

#[tokio::test]
async fn a_status_of_very_many_sessions_lists_fewer_and_counts_all() {
    let running = Running::start();
    *running.pretend.status.lock().unwrap() = Status {
        entries: vec![entry(50_000), entry(3)],
        ..Status::default()
    };
    let status = running.connect().await.status().await.unwrap();
    let [many, few] = &status.entries[..] else {
        panic!("{} entries", status.entries.len());
    };
    assert_eq!(many.sessions_live, 50_000);
    assert!((5000..50_000).contains(&many.sessions.len()));
    assert_eq!(few.sessions.len(), 3);
}

#[tokio::test]
async fn who_stops_it_hears_what_is_live_and_then_of_the_end() {
    let running = Running::start();
    let mut connection = running.connect().await;
    let stop = Stop {
        now: true,
        name: Some("friday".into()),
    };
    let live = connection.stop(&stop).await.unwrap();
    assert_eq!((live.sessions, live.flows), (2, 1));
    assert_eq!(running.pretend.noted().await, format!("{stop:?}"));
    // Nothing must come before the end; so long is waited for it.
    let early = timeout(Duration::from_millis(50), connection.stopped());
    assert!(early.await.is_err(), "told before it was over");
    running.pretend.ended.cancel();
    soon("the end", connection.stopped()).await;
}

#[tokio::test]
async fn the_end_of_everything_ends_every_wait_and_removes_the_socket() {
    let running = Running::start();
    let mut stopping = running.connect().await;
    stopping.stop(&Stop::default()).await.unwrap();
    let mut idle = running.raw().await;
    running.over.cancel();
    soon("the end", stopping.stopped()).await;
    assert_eq!(idle.hear().await, None);
    drop((stopping, idle));
    running.tasks.close();
    soon("the server's end", running.tasks.wait()).await;
    let nobody = connect(&running.folder).await;
    assert!(matches!(nobody, Err(Unreachable::Nobody)));
    assert!(!running.folder.join("control.sock").exists());
    assert_eq!(Arc::strong_count(&running.lock), 1);
}

#[tokio::test]
async fn a_refusal_arrives_with_its_hint_and_exit_code() {
    let running = Running::start();
    let stop = Stop {
        now: false,
        name: Some("nobody".into()),
    };
    let error = running.connect().await.stop(&stop).await.unwrap_err();
    let failure = error.failure(&running.folder);
    assert_eq!(failure.code(), 2);
    assert_eq!(
        failure.to_string(),
        "error: cannot stop nobody: no relay has this name\n\nhint: `via6 status` shows the names"
    );
    let refused = running.connect().await.carry(carry("refused")).await;
    let Err(Unreachable::Refused(refusal)) = refused else {
        panic!("taken");
    };
    assert_eq!(
        (refusal.code, refusal.hint.as_deref()),
        (1, Some("pick another"))
    );
}

#[tokio::test]
async fn work_that_is_handed_over_tells_its_lines_and_is_told_to_stop() {
    let running = Running::start();
    let mut carried = running.carried("friday").await;
    assert_eq!(
        (carried.pid(), carried.name()),
        (std::process::id(), "friday")
    );
    assert_eq!(running.pretend.noted().await, "carried friday");
    let sink = running.pretend.sinks.lock().unwrap()[0].clone();
    // Lines come from the relays' own thread.
    std::thread::spawn(move || {
        sink.line(Stream::Data, "127.0.0.1:46666".into());
        sink.line(Stream::Log, "two\nlines, \u{1b} and \"quotes\"".into());
    })
    .join()
    .unwrap();
    let told = [
        Told::Line(Stream::Data, "127.0.0.1:46666".into()),
        Told::Line(Stream::Log, "two\nlines, \u{1b} and \"quotes\"".into()),
    ];
    for told in told {
        assert_eq!(soon("a line", carried.next()).await.unwrap(), told);
    }
    carried.drain().await;
    assert_eq!(running.pretend.noted().await, "Drain friday");
    carried.now().await;
    assert_eq!(running.pretend.noted().await, "Now friday");
    assert_eq!(
        soon("the end", carried.next()).await.unwrap(),
        Told::Ended(None)
    );
}

#[tokio::test]
async fn work_that_failed_ends_with_the_reason() {
    let running = Running::start();
    let mut carried = running.carried("failing").await;
    carried.now().await;
    let Told::Ended(Some(refusal)) = soon("the end", carried.next()).await.unwrap() else {
        panic!("ended well");
    };
    assert_eq!(refusal.message, "cannot go on listening");
}

/// A fault of ours must not look like silence.
#[tokio::test]
async fn work_that_is_given_up_without_a_word_is_told_to_have_ended() {
    let running = Running::start();
    let mut carried = running.carried("dropped").await;
    let told = soon("the end", carried.next()).await.unwrap();
    assert!(matches!(told, Told::Ended(Some(_))), "{told:?}");
    let forgotten = running.connect().await.carry(carry("forgotten")).await;
    assert!(matches!(forgotten, Err(Unreachable::Gone)));
}

#[tokio::test]
async fn who_goes_away_without_a_word_is_noticed() {
    let running = Running::start();
    let carried = running.carried("friday").await;
    assert_eq!(running.pretend.noted().await, "carried friday");
    drop(carried);
    assert_eq!(running.pretend.noted().await, "Gone friday");
}

/// Its sessions are somebody's game; nonsense on the line must not end them.
#[tokio::test]
async fn nonsense_from_whom_work_is_carried_for_harms_nobody() {
    let running = Running::start();
    let mut carried = running.raw().await;
    let request = wire::Request::Carry(Box::new(carry("friday")))
        .line()
        .unwrap();
    carried.say(request.as_bytes()).await;
    assert_eq!(carried.hear().await.unwrap()["reply"], "carried");
    assert_eq!(running.pretend.noted().await, "carried friday");
    carried
        .say(b"\n{}\nhello\n{\"version\":1,\"request\":\"status\"}\n")
        .await;
    carried
        .say(b"{\"version\":1,\"request\":\"drain\"}\n")
        .await;
    assert_eq!(running.pretend.noted().await, "Drain friday");
}

#[tokio::test]
async fn lines_that_nobody_takes_are_counted_and_the_count_is_told() {
    let running = Running::start();
    let flood = CONTROL_QUEUE + 100;
    *running.pretend.flood.lock().unwrap() = flood;
    let mut carried = running.carried("friday").await;
    carried.now().await;
    let (mut lines, mut missed) = (0, 0);
    loop {
        match soon("a line", carried.next()).await.unwrap() {
            Told::Line(..) => lines += 1,
            Told::Missed(count) => missed += count,
            Told::Ended(failure) => break assert_eq!(failure, None),
            Told::HandedBack => panic!("nothing ends but the work"),
        }
    }
    assert!(missed > 0);
    assert_eq!(lines + missed, flood as u64);
}

/// It has stopped reading: suspended with Ctrl-Z, say. Players and others go on.
#[tokio::test]
async fn who_never_reads_is_given_up_and_holds_up_nobody() {
    let running = Running::start();
    let mut carried = running.raw().await;
    let request = wire::Request::Carry(Box::new(carry("friday")))
        .line()
        .unwrap();
    carried.say(request.as_bytes()).await;
    assert_eq!(running.pretend.noted().await, "carried friday");
    let sink = running.pretend.sinks.lock().unwrap()[0].clone();
    let stop = CancellationToken::new();
    let flooding = running.tasks.spawn({
        let stop = stop.clone();
        async move {
            while !stop.is_cancelled() {
                sink.line(Stream::Log, "x".repeat(10_000));
                tokio::task::yield_now().await;
            }
        }
    });
    // Meanwhile others are answered.
    running.connect().await.status().await.unwrap();
    assert_eq!(running.pretend.noted().await, "Gone friday");
    stop.cancel();
    flooding.await.unwrap();
    drop(carried);
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    let running = Running::start();
    for (line, words) in [
        (&b"hello\n"[..], "cannot read the request"),
        (b"\n", "cannot read the request"),
        (b"\xff\xfe\x00\n", "cannot read the request"),
        (b"[]\n", "does not say its version"),
        (b"{\"request\":\"status\"}\n", "does not say its version"),
        (
            b"{\"version\":-1,\"request\":\"status\"}\n",
            "does not say its version",
        ),
        (b"{\"version\":0,\"request\":\"status\"}\n", "version 0"),
        (b"{\"version\":2,\"request\":\"status\"}\n", "version 2"),
        (b"{\"version\":1}\n", "cannot read the request"),
        (b"{\"version\":1,\"request\":\"kick\"}\n", "kick"),
        (
            b"{\"version\":1,\"request\":\"stop\",\"now\":5}\n",
            "cannot read the request",
        ),
        (
            b"{\"version\":1,\"request\":\"stop\",\"name\":\"\"}\n",
            "a name has",
        ),
        (
            b"{\"version\":1,\"request\":\"carry\"}\n",
            "cannot read the request",
        ),
        (
            b"{\"version\":1,\"request\":\"drain\"}\n",
            "was not handed over",
        ),
    ] {
        let mut raw = running.raw().await;
        raw.say(line).await;
        let answer = raw.hear().await.expect("an answer");
        assert_eq!(answer["reply"], "refused", "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
        assert!(matches!(answer["code"].as_u64(), Some(1 | 2)));
    }
    // All of this left it as it was.
    running.connect().await.status().await.unwrap();
}

#[tokio::test]
async fn nesting_without_end_is_refused() {
    let running = Running::start();
    let mut raw = running.raw().await;
    raw.say(&[b'['; CONTROL_REQUEST_BYTES - 1]).await;
    raw.say(b"\n").await;
    assert_eq!(raw.hear().await.unwrap()["reply"], "refused");
}

#[tokio::test]
async fn a_megabyte_without_an_end_is_refused() {
    let running = Running::start();
    let mut raw = running.raw().await;
    for _ in 0..128 {
        raw.say(&[b'x'; 8192]).await;
    }
    let answer = raw.hear().await.unwrap();
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("longer than 64 KiB")
    );
}

#[tokio::test]
async fn half_a_line_and_then_silence_is_told_off_and_half_a_line_and_gone_is_forgotten() {
    let running = Running::start();
    let mut silent = running.raw().await;
    silent.say(b"{\"version\":1,\"requ").await;
    let mut gone = running.raw().await;
    gone.say(b"{\"version\":1,\"requ").await;
    drop(gone);
    let answer = silent.hear().await.unwrap();
    assert!(answer["message"].as_str().unwrap().contains("cannot wait"));
    assert_eq!(running.pretend.asked.lock().unwrap().len(), 0);
}

/// As `socat` does, which has nothing more to say after its first line.
#[cfg(unix)]
#[tokio::test]
async fn who_has_said_all_is_still_answered() {
    let running = Running::start();
    let path = running.folder.join("control.sock");
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    let request = b"{\"version\":1,\"request\":\"status\",\"new\":true}\n";
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    soon("an answer", read).await.unwrap();
    assert!(answer.starts_with("{\"reply\":\"status\""), "{answer}");
    assert_eq!(answer.lines().count(), 1);
}

#[tokio::test]
async fn one_too_many_is_told_so_and_the_next_one_finds_room_again() {
    let running = Running::start();
    let mut others = Vec::new();
    for _ in 0..CONTROL_CONNECTIONS_MAX {
        let mut connection = running.connect().await;
        connection.status().await.unwrap();
        others.push(connection);
    }
    let Err(Unreachable::Refused(refusal)) = running.connect().await.status().await else {
        panic!("answered beyond the bound");
    };
    assert!(refusal.message.contains("too many"), "{refusal:?}");
    others.pop();
    let again = async {
        while running.connect().await.status().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("room", again).await;
}

#[tokio::test]
async fn however_much_is_carried_there_is_room_for_a_question() {
    let running = Running::start();
    let mut carried = Vec::new();
    for n in 0..CONTROL_ATTACHED_MAX {
        carried.push(running.carried(&format!("n{n}")).await);
    }
    let one_more = running.connect().await.carry(carry("more")).await;
    assert!(matches!(one_more, Err(Unreachable::Refused(_))));
    running.connect().await.status().await.unwrap();
}

#[tokio::test]
async fn who_is_first_does_the_work_and_the_second_reaches_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let Ok(Claim::Ours(lock)) = claim(&folder).await else {
        panic!("the first is not the first");
    };
    // It has the lock, and does not answer yet.
    let second = running_claim(&folder);
    let lock = Arc::new(lock);
    let over = CancellationToken::new();
    let server = serve(&lock, Arc::new(Pretend::default()), over.clone()).unwrap();
    let tasks = TaskTracker::new();
    tasks.spawn(server.run());
    let Ok(Claim::Theirs(mut connection)) = second.await.unwrap() else {
        panic!("not reached");
    };
    connection.status().await.unwrap();
    drop(connection);
    // It is about to end: whoever comes then gets the lock as soon as it is free.
    over.cancel();
    tasks.close();
    soon("the end", tasks.wait()).await;
    let third = running_claim(&folder);
    tokio::task::yield_now().await;
    drop(lock);
    assert!(matches!(third.await.unwrap(), Ok(Claim::Ours(_))));
}

fn running_claim(folder: &Folder) -> tokio::task::JoinHandle<Result<Claim, Trouble>> {
    let folder = folder.clone();
    TaskTracker::new().spawn(async move { claim(&folder).await })
}

#[tokio::test]
async fn one_that_has_the_lock_and_does_not_answer_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let _lock = Lock::take(&folder).unwrap();
    let Err(trouble) = soon("an answer", claim(&folder)).await else {
        panic!("claimed");
    };
    let told = trouble.to_string();
    assert!(
        told.contains(&format!("process {}", std::process::id())),
        "{told}"
    );
}

#[tokio::test]
async fn where_nobody_runs_that_is_what_is_said() {
    let home = tempfile::tempdir().unwrap();
    let missing = Folder::find(Some(&home.path().join("missing"))).unwrap();
    let empty = Folder::open(Some(home.path())).unwrap();
    for folder in [missing, empty] {
        let Err(error @ Unreachable::Nobody) = connect(&folder).await else {
            panic!("somebody is there");
        };
        let told = error.failure(&folder).to_string();
        assert!(told.starts_with("error: no via6 is running here"), "{told}");
        assert!(told.contains(&*folder.path().to_string_lossy()), "{told}");
    }
}

/// It was killed: the socket stayed, and the lock did not.
#[cfg(unix)]
#[tokio::test]
async fn a_socket_that_a_killed_process_left_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let left = std::os::unix::net::UnixListener::bind(folder.join("control.sock")).unwrap();
    drop(left);
    assert!(matches!(connect(&folder).await, Err(Unreachable::Nobody)));
    let running = Running::start_in(home, "");
    running.connect().await.status().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let running = Running::start();
    let found = std::fs::metadata(running.folder.join("control.sock")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_with_a_name_too_long_for_a_socket_works() {
    let below = format!("{0}/{0}/{0}", "long".repeat(40));
    let running = Running::start_in(tempfile::tempdir().unwrap(), &below);
    assert!(running.folder.path().as_os_str().len() > 300);
    running.connect().await.status().await.unwrap();
    running.over.cancel();
    running.tasks.close();
    soon("the end", running.tasks.wait()).await;
    assert!(!running.folder.join("control.sock").exists());
}

#[tokio::test]
async fn what_is_in_the_way_of_the_socket_is_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    std::fs::create_dir_all(folder.join("control.sock/below")).unwrap();
    let lock = Arc::new(Lock::take(&folder).unwrap());
    let served = serve(
        &lock,
        Arc::new(Pretend::default()),
        CancellationToken::new(),
    );
    if cfg!(unix) {
        let Err(trouble) = served else {
            panic!("served");
        };
        assert_eq!(trouble.kind(), "control-unavailable");
    }
}

/// The other side: not a via6 that we know, or one that is stuck.
#[cfg(unix)]
#[tokio::test]
async fn an_answer_that_makes_no_sense_or_never_comes_is_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::open(Some(home.path())).unwrap();
    let listener = tokio::net::UnixListener::bind(folder.join("control.sock")).unwrap();
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"{\"reply\":\"players\"}\n",
        b"{\"reply\":\"stopped\"}\n",
        b"half a line",
        b"",
    ];
    for answer in answers {
        let mut connection = connect(&folder).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(answer).await.unwrap();
        drop(stream);
        let error = soon("an error", connection.status()).await.unwrap_err();
        assert!(
            matches!(error, Unreachable::Strange | Unreachable::Gone),
            "{error:?}"
        );
    }
    let mut connection = connect(&folder).await.unwrap();
    let error = soon("an error", connection.status()).await.unwrap_err();
    assert!(matches!(error, Unreachable::Silent(_)), "{error:?}");
}

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
            "shown": { "verbose": 1, "quiet": false, "json": true },
            "metrics": "127.0.0.1:9100",
        })
    );
    let request = wire::Request::Carry(Box::new(carry("join")));
    let read = wire::Request::read(request.line().unwrap().trim_end().as_bytes());
    assert_eq!(read, Ok(request));
}

/// The rows of the tables under a heading: what stands between backticks in each cell.
fn documented(heading: &str) -> Vec<Vec<Vec<&'static str>>> {
    const TEXT: &str = include_str!("../../../../docs/reference/control.md");
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
        Reply::Refused(refusal),
    ];
    let replies = replies.map(|one| serde_json::from_str(&one.line().unwrap()).unwrap());
    check("Replies\n", "reply", &replies);
}

#[test]
fn documented_bounds_are_the_limits() {
    use via6_core::limits;
    let text = include_str!("../../../../docs/reference/control.md");
    let seconds = |span: Duration| format!("{} s", span.as_secs());
    for words in [
        format!(
            "| a request | {} KiB, within {} |",
            limits::CONTROL_REQUEST_BYTES / 1024,
            seconds(limits::CONTROL_REQUEST_TIME)
        ),
        format!(
            "| a reply | {} MiB, read within {};",
            limits::CONTROL_REPLY_BYTES / 1024 / 1024,
            seconds(limits::CONTROL_REPLY_TIME)
        ),
        format!(
            "| connections at a time | {}, of which {} ",
            limits::CONTROL_CONNECTIONS_MAX,
            limits::CONTROL_ATTACHED_MAX
        ),
        format!("| {};", limits::CONTROL_QUEUE),
        format!(
            "| waiting for an answer | {}, for `carried` {} |",
            seconds(limits::CONTROL_PATIENCE),
            seconds(limits::CONTROL_CARRY_PATIENCE)
        ),
        format!("the newest {} are kept", limits::STATE_DAMAGED_MAX),
        format!("{} at most", limits::STATE_JOINED_MAX),
    ] {
        assert!(text.contains(&words), "{words}");
    }
}
