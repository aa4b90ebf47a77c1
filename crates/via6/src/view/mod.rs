//! The live view: who is here, how far away, whether anything moves, and how much it was. Drawn from
//! a `Status` for a terminal of any size; it measures nothing, and writes nothing itself.
//!
//! What the person looks for stands in plain words at the same place each second. One colour marks
//! the relay, and what only frames the numbers is dim.

mod amounts;
mod block;
mod glyphs;
mod overview;
mod table;

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};
use via6_core::limits::{VIEW_INTERVAL, VIEW_WIDTH_MAX};

use self::glyphs::Glyphs;
use crate::output::{Canvas, Line, Output, columns, cut_end};
use crate::status::Status;

/// The view of a running via6.
pub(crate) struct Screen(Arc<Output>);

impl Screen {
    /// None if there is no terminal for it: then nobody needs to take a status for it either.
    pub(crate) fn of(output: &Arc<Output>) -> Option<Self> {
        output.has_view().then(|| Self(Arc::clone(output)))
    }

    /// Shows `status` from now on. Never blocks: it is drawn by the thread that writes.
    pub(crate) fn show(&self, status: Status) {
        self.0.view(Box::new(move |canvas| draw(&status, canvas)));
    }

    /// Shows what `take` tells, every [`VIEW_INTERVAL`], for ever. Cancel safe: the last one stays.
    pub(crate) async fn run(&self, take: impl AsyncFn() -> Status) -> Infallible {
        let mut resumed = Resumed::listen();
        let mut ticks = interval(VIEW_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // After a stop both are due; the signal has to be first.
            tokio::select! {
                biased;
                () = resumed.next() => self.0.resumed(),
                _ = ticks.tick() => self.show(take().await),
            }
        }
    }
}

/// Being continued after a stop: `fg` after Ctrl-Z.
#[cfg(unix)]
struct Resumed(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Resumed {
    fn listen() -> Self {
        use nix::sys::signal::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        // Without it, a view that is continued erases a few lines of the shell.
        Self(signal(SignalKind::from_raw(Signal::SIGCONT as i32)).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

/// No program is stopped there.
#[cfg(not(unix))]
struct Resumed;

#[cfg(not(unix))]
impl Resumed {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}

/// The rows of the view: no wider than the terminal less one column, as some wrap when the last is
/// written to, and no more than half of its rows.
fn draw(status: &Status, canvas: Canvas) -> Vec<Line> {
    let page = Page {
        width: usize::from(canvas.width.min(VIEW_WIDTH_MAX).saturating_sub(1)),
        height: usize::from(canvas.height / 2),
        glyphs: Glyphs::of(canvas.unicode),
    };
    // Nothing can be told in less.
    if page.width < 20 || page.height < block::LEAST {
        return Vec::new();
    }
    if status.entries.len() * block::LEAST <= page.height {
        block::draw_all(status, &page)
    } else {
        overview::draw(status, &page)
    }
}

/// What there is to draw on.
struct Page {
    width: usize,
    height: usize,
    glyphs: &'static Glyphs,
}

impl Page {
    /// The first of these sentences that fits into `room` columns, made of its parts; the last is cut
    /// if it has to be.
    fn sentence(&self, choices: &[Vec<String>], room: usize) -> String {
        let mut last = String::new();
        for parts in choices {
            let parts: Vec<_> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            last = parts.join(&format!(" {} ", self.glyphs.dot));
            if columns(&last) <= room {
                return last;
            }
        }
        cut_end(&last, room, self.glyphs.gap)
    }
}

#[cfg(test)]
mod tests;
