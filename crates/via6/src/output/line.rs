//! One row of the live view: text in a few styles, and how many columns it takes. Styles only
//! decorate: what matters is in the text.

use super::harmless::harmless;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    Plain,
    /// There for whoever looks for it.
    Dim,
    /// The one colour: what the eye should find.
    Accent,
}

/// A row without its end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Line(Vec<(Style, String)>);

impl Line {
    pub(crate) fn plain(text: &str) -> Self {
        Self::default().and(Style::Plain, text)
    }

    /// With `text` at its end.
    pub(crate) fn and(mut self, style: Style, text: &str) -> Self {
        self.push(style, text);
        self
    }

    pub(crate) fn push(&mut self, style: Style, text: &str) {
        let text = harmless(text).replace(['\n', '\t'], " ");
        self.0.push((style, text));
    }

    /// The columns that it takes, or fewer are taken.
    pub(crate) fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| columns(text)).sum()
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The text with the sequences of ECMA-48 §8.3.117 around what has a style.
    pub(crate) fn painted(&self) -> String {
        let paint = |(style, text): &(Style, String)| match style {
            Style::Plain => text.clone(),
            Style::Dim => format!("\x1b[2m{text}\x1b[0m"),
            Style::Accent => format!("\x1b[36m{text}\x1b[0m"),
        };
        self.0.iter().map(paint).collect()
    }
}

/// The columns that `text` takes, or fewer are taken: marks that stand on the letter before them
/// count as one, so that a row may come out short but never too long.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(is_wide(c))).sum()
}

/// Characters of East Asian Width W or F (UAX #11), by whole blocks: the gaps count as wide.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x17a4 | 0x231a..=0x23ff | 0x25fd..=0x27bf | 0x2b1b..=0x2b55 | 0x2e80..=0xa4cf
        | 0xa960..=0xa97f | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xfe10..=0xfe6f | 0xff00..=0xffe7
        | 0x1_6fe0..=0x1_b2ff | 0x1_d300..=0x1_d37f | 0x1_f000..=0x1_faff | 0x2_0000..=0x3_ffff)
}

/// `text` in at most `max` columns: what does not fit is left out at the end, and `gap` says so.
pub(crate) fn cut_end(text: &str, max: usize, gap: &str) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let kept = head(text, max.saturating_sub(columns(gap)));
    head(&format!("{kept}{gap}"), max).to_owned()
}

/// The same, left out in the middle: an address is known by both of its ends.
pub(crate) fn cut_middle(text: &str, max: usize, gap: &str) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(columns(gap));
    let front = head(text, room.div_ceil(2));
    let mut back = text.len();
    let mut left = room.saturating_sub(columns(front));
    for (at, c) in text.char_indices().rev() {
        let Some(rest) = left.checked_sub(columns(c.encode_utf8(&mut [0; 4]))) else {
            break;
        };
        (left, back) = (rest, at);
    }
    let back = text.get(back..).unwrap_or_default();
    head(&format!("{front}{gap}{back}"), max).to_owned()
}

/// As much of the beginning as `max` columns hold.
fn head(text: &str, max: usize) -> &str {
    let mut left = max;
    for (at, c) in text.char_indices() {
        match left.checked_sub(1 + usize::from(is_wide(c))) {
            Some(rest) => left = rest,
            None => return text.get(..at).unwrap_or_default(),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The emulator has the tables of Unicode; ours are short.
    #[test]
    fn no_letter_takes_more_columns_than_are_counted() {
        let (mut seen, mut wider) = (0, Vec::new());
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphanumeric()) {
            let mut terminal = avt::Terminal::new(10, 2).unwrap();
            terminal.feed(format!("a{c}b").as_str());
            if terminal.cursor_position().col > 2 + columns(&c.to_string()) {
                wider.push(u32::from(c));
            }
            seen += 1;
        }
        assert!(wider.is_empty(), "{wider:x?}");
        assert!(seen > 100_000, "{seen}");
    }

    #[test]
    fn common_letters_are_counted_exactly() {
        for (text, width) in [
            ("minecraft", 9),
            ("Zürich-Łódź", 11),
            ("Игра", 4),
            ("漢字ゲーム", 10),
        ] {
            assert_eq!(columns(text), width, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_too_long_keeps_both_ends() {
        let address = "2a02:8109:9a40:1a2b:c3d4:e5f6:1789:2abc";
        assert_eq!(cut_middle(address, 39, "…"), address);
        assert_eq!(cut_middle(address, 21, "…"), "2a02:8109:…:1789:2abc");
        assert_eq!(cut_end("minecraft", 5, "…"), "mine…");
    }

    #[test]
    fn what_is_cut_fits_always() {
        for text in ["", "a", "漢字ゲーム", "a漢b字c", "[2001:db8::1]:43325"] {
            for (max, gap) in (0..12).flat_map(|max| [(max, "…"), (max, "..")]) {
                for cut in [cut_end(text, max, gap), cut_middle(text, max, gap)] {
                    assert!(columns(&cut) <= max, "{text} in {max}: {cut}");
                }
            }
        }
    }

    #[test]
    fn a_row_stays_one_row() {
        let line = Line::plain("a\nb\tc\x1b[2J");
        assert_eq!(line.text(), "a b c\\u001b[2J");
    }
}
