//! The joiner in Python as a child process: starts it, reads its events, sends it signals.
//!
//! It is written from `docs/reference/protocol.md` alone; its own docstring says what the events are.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use via6_core::invite::Invite;

use super::until;

/// What it needs of the system. Its last words are the reason why it cannot run.
const NEEDS: &str = "
import sys, ctypes
assert sys.version_info >= (3, 9), 'Python is older than 3.9'
ctypes.CDLL('libgnutls.so.30')
";

/// Whether it can run here. If not, the test is skipped, and that is said past the test harness, which
/// keeps what passing tests print to itself. With `CI` set nothing may be missing.
pub fn is_there() -> bool {
    let asked = Command::new("python3").args(["-c", NEEDS]).output();
    let why = match asked {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            said.lines().last().unwrap_or("python3 fails").to_owned()
        }
        Err(error) => format!("python3: {error}"),
    };
    assert!(std::env::var_os("CI").is_none(), "must run in CI: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let note = format!("SKIPPED {test}: {why}; run scripts/setup-tests.sh sealed\n");
    std::io::stderr().write_all(note.as_bytes()).unwrap();
    false
}

/// Where it is.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}

/// A joiner that runs.
pub struct Python {
    child: Mutex<Child>,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Python {
    pub fn start(invite: &Invite, options: &[&str]) -> Self {
        let mut child = Command::new("python3")
            .arg(folder().join("joiner.py"))
            .arg(invite.to_text())
            .args(options)
            // Nothing is left behind in the source.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&events);
        // Ends with the child.
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                heard.lock().unwrap().push(event);
            }
        });
        Self {
            child: Mutex::new(child),
            events,
        }
    }

    /// All events of a kind.
    pub fn told(&self, event: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        let fitting = events.iter().filter(|one| one["event"] == event);
        fitting.cloned().collect()
    }

    /// The first event of a kind.
    pub async fn tells(&self, event: &str) -> Value {
        until(event, || !self.told(event).is_empty()).await;
        self.told(event).remove(0)
    }

    /// Where the game client connects.
    pub async fn address(&self) -> SocketAddr {
        let listening = self.tells("listening").await;
        listening["address"].as_str().unwrap().parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let id = self.child.lock().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// Its exit code, once it has ended.
    pub async fn exit_code(&self) -> i32 {
        let mut code = None;
        until("an end of the joiner", || {
            code = self.child.lock().unwrap().try_wait().unwrap();
            code.is_some()
        })
        .await;
        code.unwrap().code().unwrap()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // It has ended already, or does now.
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            let told = format!("the joiner in Python: {:?}\n", self.events.lock().unwrap());
            let _ = std::io::stderr().write_all(told.as_bytes());
        }
    }
}
