//! One running `via6` with `--json`: started on a free port, watched, ended by SIGTERM.
//!
//! Killed when dropped, so that a failed row leaves nothing behind.

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::chain::Protocol;
use crate::events::Events;
use crate::failure::{During, Failure, Outcome, failed};
use crate::system;

/// How long a via6 may take to say that it listens, generous for a loaded machine.
const STARTUP: Duration = Duration::from_secs(20);

/// How long a via6 without sessions may take to end after SIGTERM. Its own bound for output that
/// nobody reads is 1 s.
pub const GOODBYE: Duration = Duration::from_secs(5);

/// Bytes of stderr kept to explain a failure.
const STDERR_KEPT: usize = 64 * 1024;

/// What becomes of a process's stdout and stderr.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Output {
    /// `--json`; both are read as they come.
    #[default]
    Collected,
    /// What people read, as it comes, in place of `--json`.
    Log,
    /// `--json`; nobody reads either pipe, and both hold one page.
    UnreadEvents,
    /// The same without `--json`, so that it is the log that fills up.
    UnreadLog,
    /// `--json`; neither pipe has a reader any more.
    Gone,
}

/// When TCP bytes go through `splice(2)`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Splice {
    /// What via6 does by itself: it gets no flag.
    #[default]
    Default,
    /// In bulk.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Splice {
    /// Every one that can be asked for.
    pub const ASKED: &'static [Self] = &[Self::Auto, Self::Always, Self::Never];

    /// The name used in tables and on the command line.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for Splice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// What a via6 is started with besides its command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Soft and hard limit of its descriptors.
    pub descriptors: Option<u64>,
    /// What becomes of its output.
    pub output: Output,
    /// Logs everything (`-vv`).
    pub verbose: bool,
    /// When TCP bytes go through `splice(2)`.
    pub splice: Splice,
}

/// A running via6.
#[derive(Debug)]
pub struct Via6 {
    child: Child,
    /// Its command, to name it in failures.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it has told so far.
    pub events: Arc<Events>,
    stderr: Arc<Mutex<String>>,
    output: Output,
    /// Open, but not read.
    held: Option<(ChildStdout, ChildStderr)>,
    /// Its state folder.
    _home: TempDir,
}

impl Via6 {
    /// Starts `program` with these arguments and waits until it listens.
    pub fn start(
        program: &Path,
        protocol: Protocol,
        arguments: &[String],
        start: Start,
    ) -> Outcome<Self> {
        let mut arguments = arguments.to_vec();
        if start.splice != Splice::Default {
            arguments.extend(["--splice".into(), start.splice.to_string()]);
        }
        let mut command = system::bound_to_us(program, start.descriptors);
        // One that found another running would have it do the work.
        let home = tempfile::tempdir().during("making a state folder")?;
        command.env("VIA6_STATE", home.path());
        command.args(&arguments).stdin(Stdio::null());
        if !matches!(start.output, Output::Log | Output::UnreadLog) {
            command.arg("--json");
        }
        if start.verbose {
            command.arg("-vv");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = format!("via6 {}", arguments.join(" "));
        let mut child = command
            .spawn()
            .during(format!("starting {}", program.display()))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return failed("a child without pipes");
        };
        let mut process = Self {
            child,
            name,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            events: Arc::default(),
            stderr: Arc::default(),
            output: start.output,
            held: None,
            _home: home,
        };
        process.watch(stdout, stderr)?;
        process.address = process.find_address(protocol)?;
        Ok(process)
    }

    fn watch(&mut self, stdout: ChildStdout, stderr: ChildStderr) -> Outcome {
        match self.output {
            Output::Collected => {
                self.events = Events::collect(stdout);
                self.stderr = collect_text(stderr);
            }
            Output::Log => {
                // The line for a friend and nothing else, which nobody here needs.
                collect_text(stdout);
                self.stderr = collect_text(stderr);
            }
            Output::UnreadEvents | Output::UnreadLog => {
                system::shrink_pipe(&stdout).during("shrinking stdout's pipe")?;
                system::shrink_pipe(&stderr).during("shrinking stderr's pipe")?;
                self.held = Some((stdout, stderr));
            }
            Output::Gone => {}
        }
        Ok(())
    }

    /// Waits until it listens. What it does not tell to anybody, the system knows.
    fn find_address(&mut self, protocol: Protocol) -> Outcome<SocketAddr> {
        if self.output != Output::Collected {
            let what = format!("{} to listen", self.name);
            return system::wait_for(STARTUP, &what, || {
                self.ensure_alive()?;
                Ok(system::listening(self.id(), protocol))
            });
        }
        let address = self.events.wait(STARTUP, "listening event", |events| {
            let event = events.iter().find(|event| event["event"] == "listening")?;
            event["address"].as_str()?.parse().ok()
        });
        address.map_err(|failure| self.explain(failure))
    }

    /// The invite that it has made.
    pub fn invite(&self) -> Outcome<String> {
        let invite = self.events.wait(STARTUP, "invite", |events| {
            let event = events.iter().find(|event| event["event"] == "invite")?;
            Some(event["invite"].as_str()?.to_owned())
        });
        invite.map_err(|failure| self.explain(failure))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last part of what it wrote to stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        stderr.clone()
    }

    /// Fails if it has ended.
    pub fn ensure_alive(&mut self) -> Outcome {
        match self.child.try_wait().during("looking after via6")? {
            None => Ok(()),
            Some(status) => Err(self.explain(format!("{} ended: {status}", self.name))),
        }
    }

    /// Sends SIGTERM, waits for the end, and fails unless it is in time, clean and without a word
    /// on stdout that is no event.
    pub fn stop(&mut self) -> Outcome {
        let status = self.terminate(GOODBYE)?;
        if status.code() != Some(0) {
            return Err(self.explain(format!("{} ended with {status}", self.name)));
        }
        match self.events.strays().first() {
            None => Ok(()),
            Some(stray) => failed(format!("not an event on stdout: {stray}")),
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self, patience: Duration) -> Outcome<ExitStatus> {
        self.ensure_alive()?;
        system::signal(self.id(), Signal::SIGTERM).during("sending SIGTERM")?;
        let child = &mut self.child;
        let ended = system::wait_for(patience, "its end after SIGTERM", || {
            child.try_wait().during("waiting for via6")
        });
        let status = ended.map_err(|failure| self.explain(failure))?;
        drop(self.held.take());
        if self.output == Output::Collected {
            // Whatever it wrote last is in the pipe; the reader comes to the end at once.
            self.events.wait_ended(GOODBYE)?;
        }
        Ok(status)
    }

    /// Adds the end of what it wrote to stderr, without which a failure is a riddle.
    fn explain(&self, what: impl fmt::Display) -> Failure {
        let stderr = self.log();
        let lines: Vec<_> = stderr.lines().rev().take(5).collect();
        let tail: Vec<_> = lines.into_iter().rev().collect();
        Failure::Failed(format!("{what}; stderr: {}", tail.join(" | ")))
    }
}

impl Drop for Via6 {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a text stream so that its writer never waits, and keeps the last part of it.
pub(crate) fn collect_text(mut source: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text: Arc<Mutex<String>> = Arc::default();
    let sink = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = source.read(&mut buffer) {
            let mut text = sink.lock().unwrap_or_else(PoisonError::into_inner);
            if text.len() > STDERR_KEPT {
                text.clear();
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    });
    text
}
