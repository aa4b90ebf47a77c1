//! One started command of a chain: what it has written, and how it has ended if it has.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};

use crate::process::Process;

/// Bytes shown of what a relay that failed has said.
const LOG_SHOWN: usize = 600;

/// A command that was started.
pub(super) struct Relay {
    /// As in "hop 1".
    pub(super) name: String,
    pub(super) child: Child,
    pub(super) log: PathBuf,
}

/// A relay that has ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: String,
    pub(super) status: ExitStatus,
    pub(super) said: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended ({}): {}", self.name, self.status, self.said)
    }
}

impl std::error::Error for Ended {}

impl Relay {
    pub(super) fn process(&self) -> Option<Process> {
        Process::of(self.child.id())
    }

    pub(super) fn written(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<Ended>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| Ended {
            name: self.name.clone(),
            status,
            said: last_of(&self.written()),
        }))
    }
}

fn last_of(log: &str) -> String {
    let mut start = log.len().saturating_sub(LOG_SHOWN);
    while !log.is_char_boundary(start) {
        start += 1;
    }
    log.get(start..)
        .unwrap_or_default()
        .trim()
        .replace('\n', " | ")
}
