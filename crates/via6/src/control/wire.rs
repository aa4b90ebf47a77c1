//! The lines that are exchanged, as types. `docs/reference/control.md` says what they mean.
//!
//! A request that is not understood is answered with a [`Refusal`], never with silence: the other
//! side may be an older or newer via6, or a person with `socat`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use via6_core::addr::Listen;

use crate::args::Shown;
use crate::entry::{self, Entry, check_name};
use crate::failure::{Failure, code};
use crate::roster::{Answered, Ask};
use crate::status::Status;

/// Rises when an older via6 would do something else than was asked. Fields that are only added do
/// not count.
const VERSION: u64 = 1;

/// Of work with a sealed link: a via6 that knows none would share it with everybody.
const VERSION_SEALED: u64 = 2;

/// What can be asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(super) enum Request {
    Status,
    Stop(Stop),
    Carry(Box<Carry>),
    /// About players and invites.
    Roster {
        ask: Ask,
    },
    /// Of work that was handed over: Ctrl-C, once.
    Drain,
    /// Of work that was handed over: Ctrl-C, twice.
    Now,
}

/// Stop everything, or one entry.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Stop {
    /// End live sessions too, at once.
    #[serde(default)]
    pub(crate) now: bool,
    /// Only the entry of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Work that is handed over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Carry {
    pub(crate) entry: Entry,
    /// Where its port is taken, another one does.
    #[serde(default)]
    pub(crate) any_port: bool,
    /// In which form the one who asks wants to be told of it.
    pub(crate) shown: Shown,
    /// Where metrics were asked for.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "entry::some_shown",
        deserialize_with = "entry::some_listen"
    )]
    pub(crate) metrics: Option<Listen>,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(super) enum Reply {
    Status {
        status: Status,
    },
    Stopping(Stopping),
    Stopped,
    Carried {
        pid: u32,
        name: String,
    },
    Output {
        stream: Stream,
        line: String,
    },
    /// Lines that were dropped, since this side did not read.
    Missed {
        lines: u64,
    },
    Ended {
        code: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Refusal>,
    },
    /// This via6 ends: who handed the work over is to go on with it.
    HandedBack,
    Roster(Answered),
    Refused(Refusal),
}

/// What is live when stopping begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Stopping {
    pub(crate) sessions: u64,
    pub(crate) flows: u64,
}

/// Where a line belongs: standard output or standard error.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    Data,
    Log,
}

/// A [`Failure`] for the other side to end with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) code: u8,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// There is no room here: nothing is wrong with what was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) busy: bool,
}

impl Refusal {
    pub(super) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            busy: false,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            code: failure.code(),
            message: failure.message().to_owned(),
            detail: owned(failure.details()),
            hint: owned(failure.advice()),
            busy: false,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::with_code(refusal.code, refusal.message);
        if let Some(detail) = refusal.detail {
            failure = failure.detail(detail);
        }
        if let Some(hint) = refusal.hint {
            failure = failure.hint(hint);
        }
        failure
    }
}

impl Request {
    pub(super) fn line(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        if let Value::Object(fields) = &mut value {
            let version = match self {
                Self::Carry(carry) if !carry.entry.link.is_open() => VERSION_SEALED,
                _ => VERSION,
            };
            fields.insert("version".into(), version.into());
        }
        Ok(value.to_string() + "\n")
    }

    pub(super) fn read(line: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| wrong(format!("cannot read the request: {error}")))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION | VERSION_SEALED) => {}
            Some(version) => {
                let ours = env!("CARGO_PKG_VERSION");
                let message = format!(
                    "cannot take a request of version {version}: the via6 that runs is {ours}, \
                     and knows version {VERSION_SEALED}"
                );
                return Err(Refusal::new(code::RUNTIME, message)
                    .hint("stop it, and start it again with the same via6 as this"));
            }
            None => {
                return Err(wrong(
                    "cannot read the request: it does not say its version",
                ));
            }
        }
        let request = Self::deserialize(value)
            .map_err(|error| wrong(format!("cannot read the request: {error}")))?;
        let name = match &request {
            Self::Carry(carry) => Some(&carry.entry.name),
            Self::Stop(stop) => stop.name.as_ref(),
            _ => None,
        };
        match name.map(|name| check_name(name)) {
            Some(Err(why)) => Err(wrong(format!("cannot read the request: {why}"))),
            _ => Ok(request),
        }
    }
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(code::USAGE, message).hint(r#"for instance: {"version":1,"request":"status"}"#)
}

impl Reply {
    pub(super) fn line(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}
