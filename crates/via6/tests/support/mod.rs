//! Starts via6 as a person or a script does: a command line, an environment, two pipes. Tests then
//! read what it says, send it signals and look at its exit code.
//!
//! The lab starts via6 as well, but only with `--json` and only to relay; here the sentences, the
//! variables and the ends of the program itself are what is tested. Every wait has a deadline and
//! fails with what was said until then.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::missing_panics_doc,
    reason = "each test program uses a part of it"
)]

#[cfg(target_os = "linux")]
pub mod game;
#[cfg(target_os = "linux")]
pub mod network;
#[cfg(target_os = "linux")]
pub mod pty;
#[cfg(target_os = "linux")]
pub mod scraper;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use text::Text;

/// How long anything may take that is awaited, generous for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a command that cannot be carried out may take to say so. A person would not wait.
pub const QUICKLY: Duration = Duration::from_secs(3);

/// A command that is not running yet.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What becomes the program, such as `setpriv` with its options; empty for via6 itself.
    wrapper: Vec<String>,
    program: String,
    words: Vec<String>,
    variables: BTreeMap<String, String>,
    /// Where it is run; `None` where the test is.
    folder: Option<PathBuf>,
}

/// A command line as it is typed: `via6 join '[::1]:5'`, with `NAME=value` before it if need be.
/// Quotes keep words together and are taken off, as a shell does.
pub fn via6(line: &str) -> Invocation {
    let mut words = words(line).into_iter();
    let mut variables = BTreeMap::new();
    for word in words.by_ref() {
        match word.split_once('=') {
            Some((name, value)) => variables.insert(name.to_owned(), value.to_owned()),
            None if word == "via6" => break,
            None => panic!("not a via6 command: {line}"),
        };
    }
    Invocation {
        wrapper: Vec::new(),
        program: env!("CARGO_BIN_EXE_via6").to_owned(),
        words: words.collect(),
        variables,
        folder: None,
    }
}

impl Invocation {
    /// With a variable set.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// In a folder of its own.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Another copy of the program, started through another command.
    pub fn through(mut self, wrapper: &str, program: &str) -> Self {
        self.wrapper = words(wrapper);
        program.clone_into(&mut self.program);
        self
    }

    /// The same through a command that becomes the program in the end, before others that do.
    fn under(&self, wrapper: &str) -> Self {
        let mut under = self.clone();
        under.wrapper.splice(0..0, words(wrapper));
        under
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        // One that found another running would have it do the work.
        let home = tempfile::tempdir().expect("a folder");
        let mut command = self.command();
        if !self.variables.contains_key("VIA6_STATE") {
            command.env("VIA6_STATE", home.path());
        }
        let mut child = command.spawn().expect("starting via6");
        let stdout = Text::collect(child.stdout.take().expect("a piped stdout"));
        let stderr = Text::collect(child.stderr.take().expect("a piped stderr"));
        Running {
            child,
            stdout,
            stderr,
            _home: home,
        }
    }

    /// Starts it as a person does, on a terminal of this size.
    #[cfg(target_os = "linux")]
    pub fn on_terminal(&self, width: u16, height: u16) -> pty::Terminal {
        pty::Terminal::start(self, width, height)
    }

    /// Runs it until it ends by itself, which must be soon.
    pub fn end(&self) -> Ended {
        self.start().ended(QUICKLY)
    }

    /// As a command of the standard library, with nothing inherited that would change what it does.
    pub fn command(&self) -> Command {
        let mut line = self.wrapper.iter().chain([&self.program]);
        let mut command = Command::new(line.next().expect("a program"));
        command.args(line).args(&self.words);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VIA6_") {
                command.env_remove(name);
            }
        }
        command
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// A running via6. Killed when dropped, so that a failed test leaves nothing behind.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Its standard output so far.
    pub stdout: std::sync::Arc<Text>,
    /// Its standard error so far.
    pub stderr: std::sync::Arc<Text>,
    /// Its state folder, unless it was given another.
    _home: tempfile::TempDir,
}

impl Running {
    /// Waits for an event of this kind.
    pub fn event(&self, kind: &str) -> Value {
        self.event_where(kind, |_| true)
    }

    /// Waits for an event of this kind for which `is_it` holds.
    pub fn event_where(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.stdout
            .wait(PATIENCE, &format!("event {kind}"), |text| {
                let events = events(text).into_iter();
                let mut wanted = events.filter(|event| event["event"] == kind);
                wanted.find(|event| is_it(event))
            })
    }

    /// Waits until `find` answers from all events so far.
    pub fn until<T>(&self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        self.stdout.wait(PATIENCE, what, |text| find(&events(text)))
    }

    /// The port of the first `listening` event: both protocols have the same.
    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// Where it says that it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        let event = self.event("listening");
        let address = event["address"].as_str().expect("an address");
        address.parse().expect("a socket address")
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        events(&self.stdout.so_far())
    }

    /// Waits until these words stand on standard error.
    pub fn says(&self, words: &str) {
        let said = |text: &str| text.contains(words).then_some(());
        self.stderr.wait(PATIENCE, words, said);
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has closed both streams, which only its end does, and reads the exit code.
    pub fn ended(mut self, patience: Duration) -> Ended {
        let start = Instant::now();
        let stdout = self.stdout.wait_ended(patience);
        let stderr = self
            .stderr
            .wait_ended(patience.saturating_sub(start.elapsed()));
        Ended {
            code: self.child.wait().expect("waiting for via6").code(),
            stdout,
            stderr,
        }
    }

    /// Sends a signal, such as `SIGINT`.
    #[cfg(target_os = "linux")]
    pub fn signal(&self, name: &str) {
        let signal = name.parse().expect("the name of a signal");
        via6_lab::system::signal(self.id(), signal).expect("sending a signal");
    }

    /// Ends it as a service manager does. It must end cleanly.
    #[cfg(target_os = "linux")]
    pub fn stop(self) -> Ended {
        self.signal("SIGTERM");
        let ended = self.ended(PATIENCE);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        // Between two looks.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The events in what was written with `--json`. Anything else there is a failure; a last line
/// that is still being written is left out.
pub fn events(stdout: &str) -> Vec<Value> {
    let whole = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
    let event = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(event) if event["event"].is_string() => event,
        _ => panic!("not an event on stdout: {line}"),
    };
    whole.lines().map(event).collect()
}

/// Starts `line` for a moment to see that all of it is understood: it must begin to listen, or fail
/// for a reason that is this computer's (exit code 1), such as a port that is taken.
pub fn understand(line: &str) -> Result<(), String> {
    let running = via6(line).with("VIA6_JSON", "1").start();
    let begun = |text: &str| text.contains('\n').then_some(());
    if running.stdout.wait_or_end(PATIENCE, begun).is_some() {
        return Ok(());
    }
    let ended = running.ended(PATIENCE);
    if ended.code == Some(1) {
        return Ok(());
    }
    Err(format!("$ {line}\n{}[exit {:?}]", ended.stderr, ended.code))
}

/// The words of a command line. Knows quotes, and nothing else of what shells know.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open in: {line}");
    words.extend(word);
    words
}

/// A test that cannot run here: said past the test harness, which keeps what passing tests print
/// to itself. With `CI` set nothing may be missing.
pub fn skip(why: &str) {
    use std::io::Write;
    assert!(std::env::var_os("CI").is_none(), "must run in CI: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let note = format!("SKIPPED {test}: {why}\n");
    std::io::stderr()
        .write_all(note.as_bytes())
        .expect("stderr");
}
