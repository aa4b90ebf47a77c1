//! The side that asks. Every wait is bounded: a via6 that is stopped, or stuck, is told of and not
//! waited for.

use std::fmt;
use std::io::{self, ErrorKind};

use tokio::time::{Duration, timeout};
use via6_core::limits::{CONTROL_CARRY_PATIENCE, CONTROL_PATIENCE, CONTROL_REPLY_BYTES};
use via6_relay::describe;

use super::lines::{Lines, NoLine, Writing, write};
use super::place::dial;
use super::wire::{Carry, Refusal, Reply, Request, Stop, Stopping, Stream};
use crate::failure::Failure;
use crate::roster::{Answered, Ask};
use crate::state::{Folder, Holder};
use crate::status::Status;

/// A conversation with a running via6.
pub(crate) struct Connection {
    lines: Lines,
    writing: Writing,
    /// Who it is said to be.
    holder: Option<Holder>,
}

/// Why it did not come to an answer.
#[derive(Debug)]
pub(crate) enum Unreachable {
    /// No via6 answers in this folder.
    Nobody,
    /// One does, but not to this user.
    Forbidden,
    /// One is there, and says nothing.
    Silent(Option<Holder>),
    /// It was there, and went away.
    Gone,
    /// It is about to end, and takes over nothing more.
    Ending,
    /// What it said makes no sense to this version.
    Strange,
    /// It said no.
    Refused(Refusal),
    System(io::Error),
}

/// Reaches the via6 that runs with this folder. That it answers is only known when it has.
pub(crate) async fn connect(folder: &Folder) -> Result<Connection, Unreachable> {
    let holder = Holder::read(folder);
    let Ok(dialled) = timeout(CONTROL_PATIENCE, dial(folder)).await else {
        return Err(Unreachable::Silent(holder));
    };
    let (reading, writing) = dialled.map_err(|error| match error.kind() {
        // One that was killed leaves its socket behind, which refuses.
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => {
            Unreachable::Nobody
        }
        ErrorKind::PermissionDenied => Unreachable::Forbidden,
        _ => Unreachable::System(error),
    })?;
    Ok(Connection {
        lines: Lines::new(reading, CONTROL_REPLY_BYTES),
        writing,
        holder,
    })
}

impl Connection {
    /// Who it is said to be.
    pub(crate) fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// What it does at this moment. May be asked again and again.
    pub(crate) async fn status(&mut self) -> Result<Status, Unreachable> {
        match self.ask(&Request::Status, CONTROL_PATIENCE).await? {
            Reply::Status { status } => Ok(status),
            _ => Err(Unreachable::Strange),
        }
    }

    /// Asks about players and invites, or has something done about them.
    pub(crate) async fn roster(&mut self, ask: Ask) -> Result<Answered, Unreachable> {
        // What changes is on the disk first.
        let request = Request::Roster { ask };
        match self.ask(&request, CONTROL_CARRY_PATIENCE).await? {
            Reply::Roster(answered) => Ok(answered),
            _ => Err(Unreachable::Strange),
        }
    }

    /// Has it stop; [`stopped`](Self::stopped) then waits for the end.
    pub(crate) async fn stop(&mut self, stop: &Stop) -> Result<Stopping, Unreachable> {
        let request = Request::Stop(stop.clone());
        match self.ask(&request, CONTROL_PATIENCE).await? {
            Reply::Stopping(stopping) => Ok(stopping),
            _ => Err(Unreachable::Strange),
        }
    }

    /// Waits, without a bound, until what was to stop has ended. Cancel safe.
    pub(crate) async fn stopped(&mut self) {
        // Either it says so, or it has ended altogether.
        let _ = self.lines.next().await;
    }

    /// Hands work over. It is carried until [`Carried::next`] says that it has ended, or this side
    /// goes away.
    pub(crate) async fn carry(mut self, carry: Carry) -> Result<Carried, Unreachable> {
        let request = Request::Carry(Box::new(carry));
        match self.ask(&request, CONTROL_CARRY_PATIENCE).await? {
            Reply::Carried { pid, name } => Ok(Carried {
                connection: self,
                pid,
                name,
            }),
            Reply::HandedBack => Err(Unreachable::Ending),
            _ => Err(Unreachable::Strange),
        }
    }

    async fn ask(&mut self, request: &Request, patience: Duration) -> Result<Reply, Unreachable> {
        let line = request.line().map_err(io::Error::from);
        let line = line.map_err(Unreachable::System)?;
        let conversation = async {
            // One that refused before it was asked has closed already, and its refusal is there.
            let _ = write(&mut self.writing, &line).await;
            reply(&mut self.lines).await
        };
        match timeout(patience, conversation).await {
            Ok(Ok(Reply::Refused(refusal))) => Err(Unreachable::Refused(refusal)),
            Ok(answer) => answer,
            Err(_) => Err(Unreachable::Silent(self.holder.clone())),
        }
    }
}

async fn reply(lines: &mut Lines) -> Result<Reply, Unreachable> {
    match lines.next().await {
        Ok(line) => serde_json::from_slice(&line).map_err(|_| Unreachable::Strange),
        Err(NoLine::Ended) => Err(Unreachable::Gone),
        Err(NoLine::TooLong) => Err(Unreachable::Strange),
    }
}

/// Work of ours that another via6 carries.
pub(crate) struct Carried {
    connection: Connection,
    pid: u32,
    name: String,
}

/// What is told of work that is carried.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// A line to print.
    Line(Stream, String),
    /// So many lines are missing here: this side was too slow.
    Missed(u64),
    /// It is over: well, or with this.
    Ended(Option<Refusal>),
    /// The other side ends, and the work is ours again.
    HandedBack,
}

impl Carried {
    /// The process that carries it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The name that it has there.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits for what is told next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Told, Unreachable> {
        Ok(match reply(&mut self.connection.lines).await? {
            Reply::Output { stream, line } => Told::Line(stream, line),
            Reply::Missed { lines } => Told::Missed(lines),
            Reply::HandedBack => Told::HandedBack,
            Reply::Ended { code: 0, .. } => Told::Ended(None),
            Reply::Ended { code, failure } => {
                Told::Ended(Some(failure.unwrap_or_else(|| {
                    Refusal::new(code, "cannot go on: no reason was told")
                })))
            }
            _ => return Err(Unreachable::Strange),
        })
    }

    /// Nothing new is to be accepted, what is live may finish. Bounded; if it does not get through,
    /// [`next`](Self::next) tells why.
    pub(crate) async fn drain(&mut self) {
        self.say(&Request::Drain).await;
    }

    /// It is to end at once. Bounded.
    pub(crate) async fn now(&mut self) {
        self.say(&Request::Now).await;
    }

    async fn say(&mut self, request: &Request) {
        if let Ok(line) = request.line() {
            // The other side is gone, or stuck: told by whoever reads.
            let _ = write(&mut self.connection.writing, &line).await;
        }
    }
}

impl Unreachable {
    /// How a command ends that has nobody to ask.
    pub(crate) fn failure(self, folder: &Folder) -> Failure {
        let message = self.to_string();
        let path = folder.path().display();
        match self {
            Self::Nobody => Failure::runtime(message)
                .detail(format!("none answers in {path}"))
                .hint(
                    "start one with `via6 host` or `via6 join`; for one that was started with \
                     --state DIR, say the same here",
                ),
            Self::Forbidden => Failure::runtime(message)
                .detail(format!("the one in {path} belongs to another user"))
                .hint("ask as the user who started it"),
            Self::Silent(holder) => {
                let end = match holder {
                    Some(holder) if cfg!(windows) => format!("`taskkill /f /pid {}`", holder.pid),
                    Some(holder) => format!("`kill -9 {}`", holder.pid),
                    None => "the task manager".into(),
                };
                Failure::runtime(message)
                    .detail(format!("it runs in {path}, and may be suspended or stuck"))
                    .hint(format!("try again, or end it with {end}"))
            }
            Self::Gone | Self::Ending => {
                Failure::runtime(message).hint("try again: it may have just ended")
            }
            Self::Strange => Failure::runtime(message)
                .hint("stop it, and start it again with the same via6 as this"),
            Self::Refused(refusal) => refusal.into(),
            Self::System(_) => Failure::runtime(message).hint("--state DIR names another folder"),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("no via6 is running here"),
            Self::Forbidden => f.write_str("cannot ask the via6 that runs: permission denied"),
            Self::Silent(_) => write!(
                f,
                "cannot ask the via6 that runs: it does not answer within {} s",
                CONTROL_PATIENCE.as_secs()
            ),
            Self::Gone => f.write_str("cannot ask the via6 that runs: it has gone away"),
            Self::Ending => f.write_str("cannot ask the via6 that runs: it is about to end"),
            Self::Strange => {
                f.write_str("cannot ask the via6 that runs: it speaks another version")
            }
            Self::Refused(refusal) => f.write_str(&refusal.message),
            Self::System(error) => {
                write!(f, "cannot ask the via6 that runs: {}", describe(error))
            }
        }
    }
}
