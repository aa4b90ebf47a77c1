//! The terminal that standard output and standard error share: how large it is, what it understands,
//! and whether it is ours to draw on. It writes nothing.

use std::io::{self, IsTerminal};

/// What a live view is drawn on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Canvas {
    /// Columns of the terminal.
    pub(crate) width: u16,
    /// Rows of the terminal: the view takes a part of them.
    pub(crate) height: u16,
    /// Whether it shows more than ASCII.
    pub(crate) unicode: bool,
}

/// Asked before each drawing: people resize windows, and put programs into the background.
pub(super) trait Terminal: Send {
    /// None if nothing can be drawn at the moment.
    fn canvas(&self) -> Option<Canvas>;

    /// Whether styles are wanted.
    fn is_coloured(&self) -> bool;
}

/// The terminal this program was started on.
pub(super) struct Ours {
    unicode: bool,
    coloured: bool,
}

impl Ours {
    /// The one terminal of both streams, if there is one and it can erase what it shows.
    pub(super) fn find() -> Option<Self> {
        let is_one = io::stdout().is_terminal() && io::stderr().is_terminal() && is_same();
        // False on a Windows before 10: plain lines then. None where it needs no enabling.
        let understands = anstyle_query::term_supports_color()
            && is_one
            && anstyle_query::windows::enable_ansi_colors() != Some(false);
        understands.then(|| Self {
            unicode: is_unicode(),
            coloured: !anstyle_query::no_color(),
        })
    }
}

impl Terminal for Ours {
    fn canvas(&self) -> Option<Canvas> {
        if !is_in_foreground() {
            return None;
        }
        let (width, height) = terminal_size::terminal_size_of(io::stderr())?;
        Some(Canvas {
            width: width.0,
            height: height.0,
            unicode: self.unicode,
        })
    }

    fn is_coloured(&self) -> bool {
        self.coloured
    }
}

#[cfg(unix)]
fn is_same() -> bool {
    super::is_one_file()
}

/// A process has one console.
#[cfg(not(unix))]
fn is_same() -> bool {
    true
}

/// In the background (`via6 … &`, Ctrl-Z and `bg`) the rows above the cursor are the shell's.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    use nix::unistd::{getpgrp, tcgetpgrp};
    // An error: the terminal is not the one that controls this process, so there is no shell of ours
    // on it.
    tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp())
}

#[cfg(not(unix))]
fn is_in_foreground() -> bool {
    true
}

/// By the locale, the first of these variables that is set (POSIX.1-2017 §8.2).
#[cfg(unix)]
fn is_unicode() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// A console that understands the sequences is given UTF-16, whatever its code page.
#[cfg(not(unix))]
fn is_unicode() -> bool {
    true
}
