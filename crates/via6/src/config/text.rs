//! The text of a file and the places in it: lines, columns, what is shown of a line. Knows nothing
//! of TOML.

use std::ops::Range;

use via6_core::invite::PREFIX;
use via6_core::limits::CONFIG_LINE_SHOWN;

/// A text, and where its lines begin.
pub(super) struct Text {
    all: String,
    /// Of each line, in bytes; the first is 0.
    starts: Vec<usize>,
}

/// A line of a file as it is shown, with the place in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// Characters before the mark.
    pub(super) before: usize,
    /// Characters of the mark; at least one, which may stand behind the end.
    pub(super) marked: usize,
}

impl Text {
    pub(super) fn new(all: String) -> Self {
        let ends = all.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self { all, starts }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.all
    }

    pub(super) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The number of the line that the byte at `offset` is in; the first is 1.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Where a line is, without its end.
    pub(super) fn span(&self, line: usize) -> Range<usize> {
        let start = self.start(line);
        let text = self.all.get(start..self.start(line + 1)).unwrap_or("");
        start..start + text.trim_end_matches(['\n', '\r']).len()
    }

    /// Where a line is, with all of its end but the line feed.
    pub(super) fn whole(&self, line: usize) -> Range<usize> {
        let start = self.start(line);
        let text = self.all.get(start..self.start(line + 1)).unwrap_or("");
        start..start + text.trim_end_matches('\n').len()
    }

    /// The text of a line, without its end.
    pub(super) fn line(&self, line: usize) -> &str {
        self.all.get(self.span(line)).unwrap_or("")
    }

    /// Line and column of a byte; both begin at 1, and columns count characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_at(offset);
        let before = self.cut(self.start(line)..offset);
        (line, before.chars().count() + 1)
    }

    /// The line in which `place` begins, with the part of `place` that is in it. A long line is
    /// cut down to the surroundings of the place, and what would move a terminal's cursor becomes `�`.
    pub(super) fn shown(&self, place: &Range<usize>) -> Shown {
        let line = self.span(self.line_at(place.start));
        let start = place.start.clamp(line.start, line.end);
        let end = place.end.clamp(start, line.end);
        let chars = |range| self.cut(range).chars().count();
        let (before, marked) = (chars(line.start..start), chars(start..end).max(1));
        let all: Vec<char> = masked(self.cut(line)).map(harmless).collect();
        // A third of the room is for what leads to the place.
        let skipped = if all.len() <= CONFIG_LINE_SHOWN {
            0
        } else {
            before.saturating_sub(CONFIG_LINE_SHOWN / 3)
        };
        let mut text: Vec<char> = all.iter().copied().skip(skipped).collect();
        if text.len() > CONFIG_LINE_SHOWN {
            text.truncate(CONFIG_LINE_SHOWN - 1);
            text.push('…');
        }
        if let (1.., Some(first)) = (skipped, text.first_mut()) {
            *first = '…';
        }
        let before = before - skipped;
        let room = text.len().saturating_sub(before).max(1);
        Shown {
            text: text.into_iter().collect(),
            before,
            marked: marked.min(room),
        }
    }

    fn start(&self, line: usize) -> usize {
        let start = line
            .checked_sub(1)
            .and_then(|index| self.starts.get(index).copied());
        start.unwrap_or(self.all.len())
    }

    /// The text in `range`, as far as that is made of whole characters.
    fn cut(&self, range: Range<usize>) -> &str {
        let floor = |at: usize| {
            let at = at.min(self.all.len());
            (0..=at).rev().find(|at| self.all.is_char_boundary(*at))
        };
        let range = floor(range.start).unwrap_or(0)..floor(range.end).unwrap_or(0);
        self.all.get(range).unwrap_or("")
    }
}

/// The characters of a line, those of an invite but the first covered: whoever reads one can play.
fn masked(line: &str) -> impl Iterator<Item = char> {
    // As long as the line, byte for byte.
    let lower = line.to_ascii_lowercase();
    let mut covered = vec![false; line.len()];
    for (at, _) in lower.match_indices(PREFIX) {
        let secret = at + PREFIX.len() + 1;
        let rest = lower.get(secret..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_alphanumeric());
        let end = secret + length.unwrap_or(rest.len());
        for byte in covered.iter_mut().take(end).skip(secret) {
            *byte = true;
        }
    }
    let chars = line.char_indices();
    chars.map(move |(at, c)| match covered.get(at) {
        Some(true) => '*',
        _ => c,
    })
}

/// One character for one, so that the mark below stays in its column.
pub(super) fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        '\'' | '"' | '\\' => c,
        c if c.escape_debug().count() > 1 => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_begin_at_one() {
        let text = Text::new("ä = 1\r\n\n\tport = \"ü\" # x".to_owned());
        assert_eq!(text.position(0), (1, 1));
        assert_eq!(text.position(2), (1, 2));
        assert_eq!(text.line(1), "ä = 1");
        assert_eq!(text.line(2), "");
        let x = text.as_str().find('x').unwrap();
        assert_eq!(text.position(x), (3, 15));
        assert_eq!(text.position(999), (3, 16));
        assert_eq!((text.line(0), text.line(9)), ("", ""));
        assert_eq!(Text::new(String::new()).position(0), (1, 1));
    }

    #[test]
    fn a_mark_stands_under_its_place() {
        let text = Text::new("\tport = \u{1b}x\n".to_owned());
        let shown = text.shown(&(1..5));
        assert_eq!(shown.text, " port = \u{fffd}x");
        assert_eq!((shown.before, shown.marked), (1, 4));
        // Behind the end, and beyond the line.
        let end = text.as_str().len() - 1;
        assert_eq!((text.shown(&(end..end)).before, end), (10, 10));
        assert_eq!(text.shown(&(8..999)).marked, 2);
    }

    #[test]
    fn an_invite_is_not_shown() {
        let text = Text::new("invite = \"VIA6:1abcdef\" # via6:1x é\n".into());
        let shown = text.shown(&(9..10));
        assert_eq!(shown.text, "invite = \"VIA6:1******\" # via6:1* é");
        assert_eq!((shown.before, shown.marked), (9, 1));
    }

    #[test]
    fn a_long_line_is_cut_down_to_its_place() {
        let text = Text::new(format!("{}key{}", "a".repeat(500), "b".repeat(500)));
        let shown = text.shown(&(500..503));
        assert_eq!(shown.text.chars().count(), CONFIG_LINE_SHOWN);
        assert!(shown.text.starts_with("…a") && shown.text.ends_with("b…"));
        let marked: String = shown.text.chars().skip(shown.before).take(3).collect();
        assert_eq!((marked.as_str(), shown.marked), ("key", 3));
        let text = Text::new("c".repeat(1000));
        assert_eq!(text.shown(&(0..1000)).marked, CONFIG_LINE_SHOWN);
    }
}
