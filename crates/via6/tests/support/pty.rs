//! Starts via6 on a terminal, as a person does: keys go in, and what counts is what stands on the
//! screen, not the bytes that brought it there. An emulator is the screen; it wraps rows again when
//! the window is made narrower, as most terminals do.
//!
//! `setsid --ctty` makes the pseudo-terminal the one that controls the program, so that Ctrl-C
//! typed is a signal sent.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};

use super::{Invocation, PATIENCE};

/// Set unless the test says otherwise: a usual terminal, of which nobody has asked anything.
const USUAL: [(&str, &str); 5] = [
    ("TERM", "xterm-256color"),
    ("LC_ALL", ""),
    ("LC_CTYPE", ""),
    ("LANG", "C.UTF-8"),
    ("NO_COLOR", ""),
];

/// A running via6 and the terminal that it was started on. Killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    master: File,
    screen: Arc<Shared>,
    /// How the terminal was set before via6 saw it.
    modes: Termios,
    /// Its state folder, unless it was given another.
    _home: tempfile::TempDir,
}

/// What stands on the screen at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Screen {
    /// Each row without the spaces at its end; as many as the terminal has.
    pub rows: Vec<String>,
    /// Those that there were, the ones that were scrolled away first.
    pub history: String,
    /// Row and column, from 0; `None` if it is hidden.
    pub cursor: Option<(usize, usize)>,
}

impl Screen {
    /// The rows as one text, without the empty ones at the end.
    pub fn text(&self) -> String {
        self.rows.join("\n").trim_end().to_owned()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    emulator: Option<avt::Terminal>,
    bytes: Vec<u8>,
    /// How many of them the emulator has seen: a character may come in two pieces.
    fed: usize,
    ended: bool,
    /// Counts every change.
    changes: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lock().screen().text())
    }
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn start(invocation: &Invocation, width: u16, height: u16) -> Self {
        let (master, slave) = pair();
        set_size(&master, width, height);
        let modes = tcgetattr(&master).expect("its modes");
        let end = || Stdio::from(slave.try_clone().expect("another descriptor"));
        let mut command = invocation.under("setsid --ctty").command();
        for (name, value) in USUAL {
            if !invocation.variables.contains_key(name) {
                command.env(name, value);
            }
        }
        // One that found another running would have it do the work.
        let home = tempfile::tempdir().expect("a folder");
        if !invocation.variables.contains_key("VIA6_STATE") {
            command.env("VIA6_STATE", home.path());
        }
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("starting via6");
        // The command holds others; ours would keep the terminal open after its end.
        drop((command, slave));
        let screen = Arc::new(Shared::default());
        screen.lock().emulator = Some(emulator(width, height));
        let (source, sink) = (
            master.try_clone().expect("another descriptor"),
            Arc::clone(&screen),
        );
        std::thread::spawn(move || sink.collect(source));
        Self {
            child,
            master,
            screen,
            modes,
            _home: home,
        }
    }

    /// Types this. Return is `\r`.
    pub fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("typing");
    }

    /// Presses Ctrl and a letter.
    pub fn ctrl(&mut self, letter: char) {
        let code = u8::try_from(letter.to_ascii_uppercase()).expect("a letter") & 0x1f;
        self.master.write_all(&[code]).expect("typing");
    }

    /// Changes the size of the window; the program is told by SIGWINCH, as always.
    pub fn resize(&mut self, width: u16, height: u16) {
        // Locked, so that nothing for the new size is shown by a screen of the old one.
        let mut state = self.screen.lock();
        set_size(&self.master, width, height);
        if let Some(emulator) = &mut state.emulator {
            emulator.resize(width.into(), height.into());
        }
        state.changes += 1;
    }

    /// Waits until these words stand on the screen.
    pub fn shows(&self, words: &str) -> Screen {
        self.until(words, |screen| {
            screen.text().contains(words).then(|| screen.clone())
        })
    }

    /// Waits until `find` answers from what stands on the screen.
    pub fn until<T>(&self, what: &str, mut find: impl FnMut(&Screen) -> Option<T>) -> T {
        let found = self.look(PATIENCE, |screen, _| find(screen));
        found.unwrap_or_else(|| panic!("no {what}; the screen:\n{}", self.screen().text()))
    }

    /// What stands on the screen now.
    pub fn screen(&self) -> Screen {
        self.screen.lock().screen()
    }

    /// Every byte that was written to the terminal so far, echoes included.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().bytes).into_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the terminal is set now: compare it with [`Terminal::usual_modes`].
    pub fn modes(&self) -> Termios {
        tcgetattr(&self.master).expect("its modes")
    }

    /// How the terminal was set before the start.
    pub fn usual_modes(&self) -> &Termios {
        &self.modes
    }

    /// Waits until the program has ended and everything it wrote is on the screen; its exit code,
    /// `None` if a signal ended it.
    pub fn ended(&mut self, patience: Duration) -> Option<i32> {
        let ended = self.look(patience, |_, ended| ended.then_some(()));
        assert!(
            ended.is_some(),
            "no end in time; the screen:\n{}",
            self.screen().text()
        );
        self.child.wait().expect("waiting for via6").code()
    }

    /// After the end: the shell finds the terminal as it was, and its prompt gets a row of its own.
    pub fn is_left_clean(&self) {
        assert_eq!(&self.modes(), self.usual_modes(), "modes of the terminal");
        let screen = self.screen();
        let (row, column) = screen.cursor.expect("a visible cursor");
        assert_eq!(
            (column, screen.rows[row].as_str()),
            (0, ""),
            "the cursor's row: {screen:?}"
        );
        assert!(
            screen.rows[row..].iter().all(String::is_empty),
            "{screen:?}"
        );
        let mut state = self.screen.lock();
        let emulator = state.emulator.as_mut().expect("an emulator");
        assert_eq!(emulator.active_screen_kind(), avt::ScreenKind::Primary);
        emulator.feed("$");
        let line = emulator.screen().line(row).expect("the cursor's row");
        assert!(line.cells()[0].pen().is_default(), "a style is left");
        emulator.feed("\r\x1b[K");
    }

    /// Asks `find` after each change, and holds no lock meanwhile: it may ask the terminal itself.
    fn look<T>(
        &self,
        patience: Duration,
        mut find: impl FnMut(&Screen, bool) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + patience;
        loop {
            let state = self.screen.lock();
            let (seen, screen, ended) = (state.changes, state.screen(), state.ended);
            drop(state);
            let found = find(&screen, ended);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() {
                return found;
            }
            let same = |state: &mut State| state.changes == seen;
            let state = self.screen.lock();
            let waited = self.screen.changed.wait_timeout_while(state, left, same);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows everything that is written, until the end: Linux reports it as an error (EIO).
    fn collect(&self, mut source: File) {
        let mut buffer = [0; 4096];
        loop {
            let read = source.read(&mut buffer).unwrap_or(0);
            let mut state = self.lock();
            state.feed(&buffer[..read]);
            state.ended = read == 0;
            state.changes += 1;
            drop(state);
            self.changed.notify_all();
            if read == 0 {
                return;
            }
        }
    }
}

impl State {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let new = &self.bytes[self.fed..];
        let whole = match std::str::from_utf8(new) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(error) => panic!("not UTF-8 on the terminal: {error}: {new:?}"),
        };
        let text = String::from_utf8_lossy(&new[..whole]);
        if let Some(emulator) = &mut self.emulator {
            emulator.feed(&*text);
        }
        self.fed += whole;
    }

    fn screen(&self) -> Screen {
        let emulator = self.emulator.as_ref().expect("an emulator");
        let position = emulator.cursor_position();
        let history: Vec<_> = emulator.screen().all_lines().map(row).collect();
        let visible = emulator.cursor().position().is_some();
        let cursor = usize::try_from(position.row)
            .ok()
            .map(|row| (row, position.col));
        Screen {
            rows: emulator.screen().visible_lines().map(row).collect(),
            history: history.join("\n").trim_end().to_owned(),
            cursor: cursor.filter(|_| visible),
        }
    }
}

/// The two ends of a new pseudo-terminal. No other test's command may inherit them: it would keep
/// this terminal open after its program has ended, hence not `openpty`, which leaves that open.
fn pair() -> (File, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("a terminal for it");
    unlockpt(&master).expect("a terminal for it");
    let name = ptsname_r(&master).expect("its name");
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits());
    let slave = options.open(name).expect("the terminal");
    let master = master
        .as_fd()
        .try_clone_to_owned()
        .expect("another descriptor");
    (master.into(), slave)
}

fn set_size(terminal: &File, width: u16, height: u16) {
    let (rows, cols) = (height.to_string(), width.to_string());
    let mut stty = Command::new("stty");
    stty.args(["rows", &rows, "cols", &cols]);
    stty.stdin(terminal.try_clone().expect("another descriptor"));
    assert!(stty.status().expect("stty").success());
}

fn emulator(width: u16, height: u16) -> avt::Terminal {
    avt::Terminal::with_scrollback(width.into(), height.into(), None).expect("a size")
}

fn row(line: &avt::Line) -> String {
    line.text().trim_end().to_owned()
}
