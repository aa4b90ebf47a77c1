//! Being told to stop: Ctrl-C or SIGTERM once means drain, twice means now. A closed terminal or
//! console window means now: nobody is there to read on, and Windows ends the process after 5 s.

use std::convert::Infallible;
use std::io;

use via6_relay::Shutdown;

#[cfg(unix)]
pub(crate) struct Stop([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Stop {
    /// From now on the system tells us instead of ending the program.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// True if it has to be now. Cancel safe.
    async fn next(&mut self) -> bool {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            _ = hangup.recv() => true,
        }
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
    /// Passes on what the person or the system says, for ever. Cancel safe.
    pub(crate) async fn watch(mut self, shutdown: &Shutdown) -> Infallible {
        while !self.next().await && !shutdown.is_draining() {
            shutdown.drain();
        }
        shutdown.now();
        std::future::pending().await
    }
}
