//! A terminal as a person sees it: an emulator that wraps rows again when it is made narrower, as
//! most terminals do.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::*;
use crate::output::terminal::Terminal;

/// The emulator, and what was written to it.
struct Seen {
    terminal: avt::Terminal,
    writes: Vec<String>,
}

/// Three ends of the same: the stream, the terminal's own answers, and the test.
#[derive(Clone)]
struct Fake {
    seen: Arc<Mutex<Seen>>,
    background: Arc<AtomicBool>,
    coloured: bool,
}

impl Fake {
    fn new(width: usize, height: usize) -> Self {
        let terminal = avt::Terminal::with_scrollback(width, height, None).unwrap();
        let seen = Seen {
            terminal,
            writes: Vec::new(),
        };
        Self {
            seen: Arc::new(Mutex::new(seen)),
            background: Arc::default(),
            coloured: false,
        }
    }

    fn output(&self) -> Output {
        Output::on(self.clone(), self.clone())
    }

    fn resize(&self, width: usize, height: usize) {
        self.seen.lock().unwrap().terminal.resize(width, height);
    }

    /// All rows that have text, those that were scrolled away as well.
    fn rows(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let screen = seen.terminal.screen();
        let mut rows: Vec<_> = screen
            .all_lines()
            .map(|line| line.text().trim_end().to_owned())
            .collect();
        while rows.pop_if(|row| row.is_empty()).is_some() {}
        rows
    }

    fn writes(&self) -> usize {
        self.seen.lock().unwrap().writes.len()
    }

    fn last_write(&self) -> String {
        self.seen
            .lock()
            .unwrap()
            .writes
            .last()
            .cloned()
            .unwrap_or_default()
    }

    /// The column of the cursor, and whether the row it is in is empty.
    fn rests_on_a_fresh_row(&self) -> bool {
        let seen = self.seen.lock().unwrap();
        let cursor = seen.terminal.cursor_position();
        let row = usize::try_from(cursor.row).unwrap();
        let row = seen.terminal.screen().line(row).map(avt::Line::text);
        cursor.col == 0 && row.is_none_or(|row| row.trim().is_empty())
    }
}

impl Write for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut seen = self.seen.lock().unwrap();
        seen.terminal.feed(text);
        seen.writes.push(text.to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Terminal for Fake {
    fn canvas(&self) -> Option<Canvas> {
        let (width, height) = self.seen.lock().unwrap().terminal.size();
        (!self.background.load(Ordering::Relaxed)).then(|| Canvas {
            width: width.try_into().unwrap(),
            height: height.try_into().unwrap(),
            unicode: true,
        })
    }

    fn is_coloured(&self) -> bool {
        self.coloured
    }
}

fn rows(texts: &[&str]) -> Picture {
    let rows: Vec<_> = texts.iter().map(|text| Line::plain(text)).collect();
    Box::new(move |_| rows.clone())
}

/// Waits until everything that was handed over is on the screen.
#[allow(clippy::disallowed_methods, reason = "a deadline for the test")]
fn settled(output: &Output) {
    output
        .log
        .flush(Instant::now() + std::time::Duration::from_secs(10));
}

#[test]
fn lines_scroll_above_and_the_view_stays_below() {
    let fake = Fake::new(20, 6);
    let output = fake.output();
    output.log("one");
    output.view(rows(&["-- view --", "nobody"]));
    settled(&output);
    assert_eq!(fake.rows(), ["one", "-- view --", "nobody"]);
    for n in 2..=9 {
        output.data(format!("line {n}"));
        settled(&output);
    }
    output.view(rows(&["-- view --", "a player", "another"]));
    output.log("a line of twenty-seven columns");
    settled(&output);
    let lines = (2..=9).map(|n| format!("line {n}"));
    let mut wanted: Vec<_> = std::iter::once("one".to_owned()).chain(lines).collect();
    wanted.extend(
        [
            "a line of twenty-sev",
            "en columns",
            "-- view --",
            "a player",
            "another",
        ]
        .map(String::from),
    );
    assert_eq!(fake.rows(), wanted);
    assert!(fake.rests_on_a_fresh_row());
    output.view(rows(&["-- view --"]));
    settled(&output);
    wanted.truncate(wanted.len() - 2);
    assert_eq!(fake.rows(), wanted);
}

#[test]
fn a_view_that_has_not_changed_is_not_written_again() {
    let fake = Fake::new(20, 6);
    let output = fake.output();
    for _ in 0..5 {
        output.view(rows(&["-- view --", "nobody"]));
        settled(&output);
    }
    assert_eq!(fake.writes(), 1);
    output.view(rows(&["-- view --", "somebody"]));
    settled(&output);
    // One write; and no row of it was empty for a moment.
    assert_eq!(fake.writes(), 2);
    assert_eq!(
        fake.last_write(),
        "\r\x1b[2A-- view --\x1b[K\r\nsomebody\x1b[K\r\n"
    );
}

#[test]
fn resizing_leaves_no_old_row_and_takes_no_line() {
    for (narrow, height) in [(7, 12), (12, 12), (19, 9), (40, 20), (60, 8)] {
        let fake = Fake::new(20, 12);
        let output = fake.output();
        output.log("one");
        output.log("two");
        output.view(Box::new(|canvas| {
            let bar = "-".repeat(usize::from(canvas.width) - 1);
            vec![Line::plain(&bar), Line::plain("nobody")]
        }));
        settled(&output);
        fake.resize(narrow, height);
        output.log("three");
        settled(&output);
        let wanted = ["one", "two", "three", &"-".repeat(narrow - 1), "nobody"];
        assert_eq!(fake.rows(), wanted, "{narrow} columns");
        fake.resize(20, 12);
        output.view(rows(&["-- view --"]));
        settled(&output);
        assert_eq!(
            fake.rows(),
            ["one", "two", "three", "-- view --"],
            "back from {narrow}"
        );
    }
}

#[test]
fn the_end_takes_the_view_away_and_leaves_the_lines() {
    let fake = Fake {
        coloured: true,
        ..Fake::new(20, 6)
    };
    let output = fake.output();
    output.log("one");
    let row = Line::plain("-- ")
        .and(Style::Accent, "view")
        .and(Style::Dim, " --");
    output.view(Box::new(move |_| vec![row.clone()]));
    settled(&output);
    assert!(
        fake.last_write()
            .contains("\x1b[36mview\x1b[0m\x1b[2m --\x1b[0m")
    );
    output.log("stopped");
    output.finish();
    assert_eq!(fake.rows(), ["one", "stopped"]);
    assert!(fake.rests_on_a_fresh_row());
    // A ticker that is late.
    output.view(rows(&["-- view --"]));
    settled(&output);
    assert_eq!(fake.rows(), ["one", "stopped"]);
}

#[test]
fn without_a_view_there_is_no_sequence_of_any_kind() {
    let fake = Fake::new(20, 6);
    let output = fake.output();
    output.log("one");
    output.data("two\nthree");
    output.finish();
    assert_eq!(fake.rows(), ["one", "two", "three"]);
    let seen = fake.seen.lock().unwrap();
    assert!(!seen.writes.concat().contains('\x1b'), "{:?}", seen.writes);
}

#[test]
fn a_name_from_outside_does_not_move_the_cursor() {
    let fake = Fake::new(60, 6);
    let output = fake.output();
    output.view(rows(&["-- view --"]));
    output.log("one");
    output.log("dialled evil\x1b[2J\x1b[H\u{9b}2Jname\r.example.org");
    settled(&output);
    let dialled = r"dialled evil\u001b[2J\u001b[H\u009b2Jname\u000d.example.org";
    assert_eq!(fake.rows(), ["one", dialled, "-- view --"]);
}

/// What stands above the cursor is the shell's then.
#[test]
fn in_the_background_nothing_is_drawn_or_erased() {
    let fake = Fake::new(20, 12);
    let output = fake.output();
    output.view(rows(&["-- view --"]));
    settled(&output);
    fake.background.store(true, Ordering::Relaxed);
    fake.clone().write_all(b"$ bg\r\n$ ").unwrap();
    let before = fake.writes();
    output.view(rows(&["-- another --"]));
    settled(&output);
    assert_eq!(fake.writes(), before);
    output.log("a line");
    settled(&output);
    fake.clone().write_all(b"$ fg\r\n").unwrap();
    fake.background.store(false, Ordering::Relaxed);
    output.view(rows(&["-- view --"]));
    settled(&output);
    let wanted = ["-- view --", "$ bg", "$ a line", "$ fg", "-- view --"];
    assert_eq!(fake.rows(), wanted);
}

/// Ctrl-Z, then `fg`: nothing was written in between, so nobody saw that the terminal was away.
#[test]
fn after_ctrl_z_the_lines_of_the_shell_stay() {
    let fake = Fake::new(20, 12);
    let output = fake.output();
    output.view(rows(&["-- view --", "nobody"]));
    settled(&output);
    fake.clone().write_all(b"^Z\r\n$ fg\r\n").unwrap();
    output.resumed();
    settled(&output);
    let wanted = ["-- view --", "nobody", "^Z", "$ fg", "-- view --", "nobody"];
    assert_eq!(fake.rows(), wanted);
}

/// A console that takes nothing until it is let go, and says when it is first written to.
struct Stuck(Fake, Option<(SyncSender<()>, Receiver<()>)>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((begun, go)) = self.1.take() {
            begun.send(()).unwrap();
            // An error as well lets it go.
            let _ = go.recv();
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_console_with_selected_text_is_shown_only_the_newest_when_it_goes_on() {
    let fake = Fake::new(40, 12);
    let (begun, begins) = sync_channel(1);
    let (go, gate) = sync_channel(0);
    let output = Output::on(Stuck(fake.clone(), Some((begun, gate))), fake.clone());
    output.log("one");
    begins.recv().unwrap();
    for n in 0..100_000 {
        output.view(rows(&[&format!("view {n}")]));
    }
    output.log("two");
    drop(go);
    settled(&output);
    // Nothing was dropped: the views took one place in the queue.
    assert_eq!(fake.rows(), ["one", "two", "view 99999"]);
    assert!(fake.writes() <= 3, "{} writes", fake.writes());
}

/// A full server that is restarted: thousands of lines in one moment.
#[test]
fn many_lines_at_once_are_not_a_drawing_each() {
    let fake = Fake::new(40, 12);
    let (begun, begins) = sync_channel(1);
    let (go, gate) = sync_channel(0);
    let output = Output::on(Stuck(fake.clone(), Some((begun, gate))), fake.clone());
    output.view(rows(&["-- view --"]));
    begins.recv().unwrap();
    for n in 0..4000 {
        output.log(format!("session {n} ended: the player broke it off"));
    }
    drop(go);
    settled(&output);
    let rows = fake.rows();
    assert!(fake.writes() < 12, "{} writes", fake.writes());
    let count = rows
        .iter()
        .filter(|row| row.starts_with("session "))
        .count();
    assert_eq!(
        (count, rows.last().map(String::as_str)),
        (4000, Some("-- view --"))
    );
}
