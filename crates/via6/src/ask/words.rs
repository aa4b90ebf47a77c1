//! A line as a shell would split it, after what chat programs and telephones do to it. Knows quotes,
//! and nothing else of what shells know: nothing is expanded, joined or run.

/// `line` with the characters that were meant: typographic quotes, dashes and blanks are what people
/// typed before a program thought it knew better.
pub(super) fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '‘' | '’' | '‚' | '‛' | '′' => plain.push('\''),
            '“' | '”' | '„' | '‟' | '″' | '«' | '»' => plain.push('"'),
            // Two hyphens that became one dash.
            '–' | '—' => plain.push_str("--"),
            '\u{2010}' | '\u{2011}' => plain.push('-'),
            // Blanks of no width, and what turns the direction of the text.
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {}
            c if c.is_whitespace() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

/// The words of a line. A quote keeps a word together if it opens one and is closed; else it is an
/// apostrophe, or a piece is missing, and it stays.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = first(rest);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// The first word, and what is behind it.
fn first(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut rest = text;
    loop {
        // `--listen='127.0.0.1:5'` has its quote behind the sign.
        let opens = word.is_empty() || word.ends_with('=');
        if opens
            && let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))
            && let Some((inside, after)) = rest.get(1..).and_then(|rest| rest.split_once(quote))
            && after.chars().next().is_none_or(|c| !c.is_alphanumeric())
        {
            word.push_str(inside);
            rest = after;
            if inside.is_empty() && word.is_empty() {
                return (word, rest);
            }
        }
        match rest.chars().next() {
            None | Some(' ') => return (word, rest),
            Some(c) => {
                word.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_keep_words_together_and_go() {
        for (line, words) in [
            ("a  b ", &["a", "b"][..]),
            (" '[::1]:5' --tcp", &["[::1]:5", "--tcp"]),
            ("\"a b\" c", &["a b", "c"]),
            ("--listen='127.0.0.1:5' x", &["--listen=127.0.0.1:5", "x"]),
            ("'' x", &["", "x"]),
            ("it's fun, isn't it", &["it's", "fun,", "isn't", "it"]),
            ("'[::1", &["'[::1"]),
            ("x' y", &["x'", "y"]),
            ("''''a", &["", "''a"]),
            ("", &[]),
        ] {
            assert_eq!(split(line), words, "{line}");
        }
    }

    #[test]
    fn what_was_typed_before_a_program_knew_better() {
        assert_eq!(
            plain("via6\u{a0}join ‘[::1]:5’ —tcp \u{200b}“x”"),
            "via6 join '[::1]:5' --tcp \"x\""
        );
    }

    proptest! {
        #[test]
        fn every_line_is_split_and_no_letter_is_lost(line in ".{0,60}") {
            let line = plain(&line);
            let letters = |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
            let words = split(&line);
            prop_assert_eq!(letters(&line), letters(&words.concat()));
        }
    }
}
