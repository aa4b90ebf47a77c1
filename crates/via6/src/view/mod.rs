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

use std::sync::Arc;

use via6_core::limits::VIEW_WIDTH_MAX;

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
