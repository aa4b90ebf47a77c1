//! A terminal with lines that scroll and a view that stays below them.
//!
//! The cursor always rests at the start of the row below the view, with no style set and nothing
//! hidden: whatever ends the program, the shell goes on there. No raw mode, no alternate screen, so
//! Ctrl-C and scrolling back work as everywhere. Nothing is known here of what the view shows.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use via6_core::limits::OUTPUT_BATCH;

use super::harmless::harmless;
use super::line::Line;
use super::terminal::{Canvas, Terminal};
use super::writer::Place;

/// Draws the view for a terminal of any size.
pub(crate) type Picture = Box<dyn Fn(Canvas) -> Vec<Line> + Send>;

/// What the thread that writes finds when it looks.
pub(super) type Slot = Arc<Mutex<Next>>;

#[derive(Default)]
pub(super) struct Next {
    /// The newest one that was not drawn yet; those that it replaced were never needed.
    pub(super) picture: Option<Picture>,
    /// The process was stopped for a while: others have written below the view.
    pub(super) resumed: bool,
    /// The program ends: no view any more.
    pub(super) ended: bool,
}

pub(super) struct Console<T> {
    stream: Box<dyn Write + Send>,
    terminal: T,
    next: Slot,
    picture: Option<Picture>,
    /// What stands below the lines, row by row.
    shown: Vec<Line>,
    /// Columns of the terminal when it was drawn.
    width: u16,
    /// Lines that are not written yet.
    waiting: String,
}

impl<T: Terminal> Console<T> {
    pub(super) fn new(stream: impl Write + Send + 'static, terminal: T, next: Slot) -> Self {
        Self {
            stream: Box::new(stream),
            terminal,
            next,
            picture: None,
            shown: Vec::new(),
            width: 0,
            waiting: String::new(),
        }
    }

    fn take_next(&mut self) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = next.picture.take() {
            self.picture = Some(picture);
        }
        if std::mem::take(&mut next.resumed) {
            self.shown.clear();
        }
        if next.ended {
            self.picture = None;
        }
    }

    /// Writes the lines that wait and the view as it is now, in one piece.
    fn redraw(&mut self) -> io::Result<()> {
        self.take_next();
        let Some(canvas) = self.terminal.canvas() else {
            // What stands above the cursor may no longer be ours.
            self.shown.clear();
            let text = std::mem::take(&mut self.waiting);
            return self.write(&text);
        };
        let picture = self.picture.as_ref();
        let rows = picture.map(|draw| draw(canvas)).unwrap_or_default();
        if self.waiting.is_empty() && rows == self.shown {
            return Ok(());
        }
        let mut text = self.above(canvas);
        text.push_str(&self.waiting);
        let coloured = self.terminal.is_coloured();
        for row in &rows {
            // It replaces what stood in its place: no row is ever seen empty.
            let row = if coloured { row.painted() } else { row.text() };
            text.push_str(&row);
            text.push_str("\x1b[K\r\n");
        }
        if rows.len() < self.shown.len() {
            text.push_str("\x1b[J");
        }
        self.waiting.clear();
        self.shown = rows;
        self.width = canvas.width;
        self.write(&text)
    }

    /// Moves the cursor to where the view begins, and erases the view if its rows cannot be replaced
    /// one by one.
    fn above(&self, canvas: Canvas) -> String {
        // A terminal that was made narrower has wrapped them, as most do.
        let width = usize::from(canvas.width).max(1);
        let wrapped = |row: &Line| row.columns().div_ceil(width).max(1);
        let rows: usize = self.shown.iter().map(wrapped).sum();
        let stays = self.waiting.is_empty() && self.width == canvas.width;
        match (rows, stays) {
            (0, _) => String::new(),
            (_, true) => format!("\r\x1b[{rows}A"),
            (_, false) => format!("\r\x1b[{rows}A\x1b[J"),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }
}

impl<T: Terminal> Place for Console<T> {
    /// Both streams are this terminal.
    fn line(&mut self, _stream: usize, line: &str) -> io::Result<()> {
        self.waiting.push_str(&harmless(line).replace('\n', "\r\n"));
        self.waiting.push_str("\r\n");
        if self.waiting.len() < OUTPUT_BATCH {
            return Ok(());
        }
        self.redraw()
    }

    /// Nobody is asked while there is a view.
    fn prompt(&mut self, _stream: usize, text: &str) -> io::Result<()> {
        self.waiting.push_str(&text.replace('\n', "\r\n"));
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        self.redraw()
    }
}
