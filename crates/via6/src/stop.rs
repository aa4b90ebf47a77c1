//! Being told to stop: Ctrl-C or SIGTERM once means drain, twice means now. A closed terminal or
//! console window means now: nobody is there to read on, and Windows ends the process after 5 s.
//!
//! For `via6 run` SIGHUP means to read the file again, as daemons do ([`Hangup`]); unless it is what
//! the system sends when the terminal is closed.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use via6_relay::Shutdown;

/// Somebody wants this process to end.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Notes that the person wants the end, having said so in words.
pub(crate) fn note_wish() {
    TOLD.store(true, Ordering::Relaxed);
}

/// Whether somebody has wanted the end of this process, be it long ago.
pub(crate) fn was_told() -> bool {
    TOLD.load(Ordering::Relaxed)
}

#[cfg(unix)]
pub(crate) struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stop {
    /// From now on the system tells us instead of ending the program.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut stop = Self::but_hangup()?;
        if hangup_is_ours() {
            stop.hangup = Some(signal(SignalKind::hangup())?);
        }
        Ok(stop)
    }

    /// The same, where SIGHUP is for [`Hangup`].
    pub(crate) fn but_hangup() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// True if it has to be now. Cancel safe.
    async fn next(&mut self) -> bool {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
            _ = hung_up => true,
        }
    }
}

/// Whether to listen for SIGHUP. Under `nohup` it is ignored, and a handler would undo that; where
/// this cannot be told, the system's own way stays.
#[cfg(unix)]
fn hangup_is_ours() -> bool {
    /// SIGHUP is signal 1, the lowest bit of `SigIgn` in proc(5).
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP == 0)
}

/// SIGHUP, for a program that reads its file again.
#[cfg(unix)]
pub(crate) struct Hangup {
    signal: tokio::signal::unix::Signal,
    /// Which streams were a terminal at the start: input, output, errors.
    terminals: [bool; 3],
}

#[cfg(unix)]
impl Hangup {
    /// From now on the system tells us instead of ending the program.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            signal: signal(SignalKind::hangup())?,
            // Whoever chose to outlive the terminal is not to end with it.
            terminals: if hangup_is_ours() {
                terminals()
            } else {
                [false; 3]
            },
        })
    }

    /// Waits for the next; true if it was sent because the terminal has been closed. Cancel safe.
    pub(crate) async fn next(&mut self) -> bool {
        if self.signal.recv().await.is_none() {
            // The runtime ends.
            return std::future::pending().await;
        }
        // What was a terminal is none once it is gone (EIO, termios(3)).
        let mut both = self.terminals.into_iter().zip(terminals());
        both.any(|(was, is)| was && !is)
    }
}

#[cfg(unix)]
fn terminals() -> [bool; 3] {
    use std::io::IsTerminal;
    [
        io::stdin().is_terminal(),
        io::stdout().is_terminal(),
        io::stderr().is_terminal(),
    ]
}

/// Windows has no such signal: there the file alone says that it has changed.
#[cfg(windows)]
pub(crate) struct Hangup;

#[cfg(windows)]
impl Hangup {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Never comes. Cancel safe.
    pub(crate) async fn next(&mut self) -> bool {
        std::future::pending().await
    }
}

#[cfg(windows)]
pub(crate) struct Stop {
    interrupt: tokio::signal::windows::CtrlC,
    pause: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Stop {
    /// From now on the system tells us instead of ending the program.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self {
            interrupt: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
        })
    }

    /// The same: there is no SIGHUP.
    pub(crate) fn but_hangup() -> io::Result<Self> {
        Self::listen()
    }

    /// True if it has to be now. Cancel safe.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.pause.recv() => false,
            _ = self.close.recv() => true,
        }
    }
}

impl Stop {
    /// Waits until the person or the system says it once. Cancel safe.
    pub(crate) async fn told(&mut self) {
        self.heard().await;
    }

    /// True if it has to be now. Cancel safe.
    async fn heard(&mut self) -> bool {
        let now = self.next().await;
        TOLD.store(true, Ordering::Relaxed);
        now
    }

    /// Passes on what the person or the system says, for ever. Cancel safe.
    pub(crate) async fn watch(mut self, shutdown: &Shutdown) -> Infallible {
        while !self.heard().await && !shutdown.is_draining() {
            shutdown.drain();
        }
        shutdown.now();
        std::future::pending().await
    }
}
