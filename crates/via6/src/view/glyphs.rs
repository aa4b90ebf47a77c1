//! The characters that are not ASCII, and what stands in for them where the terminal has no others.

/// One set of them.
#[derive(Debug)]
pub(super) struct Glyphs {
    pub(super) rule: &'static str,
    pub(super) arrow: &'static str,
    /// Between the parts of a sentence.
    pub(super) dot: &'static str,
    /// Where there is no number.
    pub(super) none: &'static str,
    /// Where something was left out.
    pub(super) gap: &'static str,
    ascii: bool,
}

static UNICODE: Glyphs = Glyphs {
    rule: "─",
    arrow: "→",
    dot: "·",
    none: "–",
    gap: "…",
    ascii: false,
};

static ASCII: Glyphs = Glyphs {
    rule: "-",
    arrow: "->",
    dot: "|",
    none: "-",
    gap: "..",
    ascii: true,
};

impl Glyphs {
    pub(super) fn of(unicode: bool) -> &'static Self {
        if unicode { &UNICODE } else { &ASCII }
    }

    /// A name as this terminal can show it.
    pub(super) fn name(&self, name: &str) -> String {
        if !self.ascii {
            return name.to_owned();
        }
        let shown = |c: char| if c.is_ascii() { c } else { '?' };
        name.chars().map(shown).collect()
    }
}
