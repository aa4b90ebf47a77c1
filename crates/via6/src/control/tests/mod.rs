//! Conversations with a running via6 that is nothing but its control: over the real socket (or pipe),
//! with people and programs at the other end who do everything wrong.

mod asking;
mod carrying;
mod documented;
mod nonsense;
mod places;
mod roster_documented;

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
    CONTROL_ATTACHED_MAX, CONTROL_CARRY_PATIENCE, CONTROL_CONNECTIONS_MAX, CONTROL_PATIENCE,
    CONTROL_QUEUE, CONTROL_REPLY_BYTES, CONTROL_REPLY_TIME, CONTROL_REQUEST_BYTES,
    CONTROL_REQUEST_TIME, STATE_DAMAGED_MAX, STATE_JOINED_MAX,
};

use super::lines::{Lines, Reading, Writing};
use super::place::dial;
use super::*;
use crate::args::{Shown, Splice};
use crate::entry::{Entry, Protocols};
use crate::link::Link;
use crate::narrator::Role;
use crate::roster::tests::Pretended;
use crate::roster::{self, Answer, Answered, Ask, NewInvite};
use crate::state::{Folder, Keeper, Lock, Trouble};
use crate::status::{EntryStatus, SessionStatus, Status, Totals};

/// How long anything may take that is awaited, generous for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits what must come.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let awaited = timeout(PATIENCE, future).await;
    awaited.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A via6 that relays nothing, and notes what it is asked.
struct Pretend {
    /// Who may play on its sealed host, which is pretended too.
    keeper: Keeper,
    doors: Pretended,
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

impl Default for Pretend {
    fn default() -> Self {
        Self {
            keeper: Keeper::forgetful(),
            doors: Pretended::default(),
            status: Mutex::default(),
            asked: Mutex::default(),
            noted: Notify::new(),
            ended: CancellationToken::new(),
            sinks: Mutex::default(),
            flood: Mutex::default(),
        }
    }
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

    async fn roster(&self, ask: Ask) -> Result<Answered, Refusal> {
        self.note(format!("{ask:?}"));
        let answered = roster::answer(&ask, &self.keeper, Some(&self.doors)).await;
        answered.map_err(|failure| Refusal::from(&failure))
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

    async fn carried(&self, name: &str) -> connection::Carried {
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
            link: Link::Open,
        },
        any_port: false,
        shown: Shown {
            verbose: 1,
            quiet: false,
            json: true,
            plain: false,
        },
        metrics: Some(Listen::parse("127.0.0.1:9100").unwrap()),
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
        link: "open".into(),
        carrier: None,
        sessions_live: sessions as u64,
        sessions: vec![session; sessions],
        flows_live: 0,
        flows: Vec::new(),
        rate_up: 0,
        rate_down: 0,
        totals: Totals::default(),
    }
}
