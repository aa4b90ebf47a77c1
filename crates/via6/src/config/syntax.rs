//! Reads TOML and goes on behind what is not: every line that the parser refuses is explained
//! once, blanked out, and the rest read again. So the problems of a file come together, and one
//! forgotten quote does not hide the others.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};
use via6_core::limits::{CONFIG_BROKEN_MAX, CONFIG_PROBLEMS_MAX};

use super::keys::{TABLES, anywhere};
use super::line::{self, is_bare};
use super::problem::Found;
use super::text::Text;

/// Lines that were refused.
#[derive(Default)]
pub(super) struct Broken(Vec<usize>);

impl Broken {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, line: usize) -> bool {
        self.0.contains(&line)
    }

    /// Whether one of the lines may have been for `key`: it begins with it, or cannot be told.
    pub(super) fn may_be(&self, key: &str, text: &Text, lines: &Range<usize>) -> bool {
        let mut within = self.0.iter().filter(|line| lines.contains(line));
        within.any(|line| {
            let line = text.line(*line).trim_start();
            let end = line.find(|c: char| !is_bare(c)).unwrap_or(line.len());
            let word = line.get(..end).unwrap_or("");
            word.is_empty() || word == key || anywhere(word).is_none()
        })
    }
}

/// A text that is TOML, or was made to be; what was not is in `broken`.
pub(super) struct Mended {
    pub(super) toml: String,
    pub(super) broken: Broken,
}

/// Explains every line of `text` that is not TOML, and takes it out.
pub(super) fn mend(text: &Text, found: &mut Found) -> Mended {
    let mut toml = text.as_str().to_owned();
    let mut broken = Broken::default();
    while let Some((place, message)) = first_fault(&toml) {
        if broken.0.len() >= CONFIG_BROKEN_MAX {
            let rest = text.line_at(place.start)..text.lines() + 1;
            let message = "what follows was not read: too many lines are not TOML";
            found.add(place, message);
            blank(&mut toml, text, rest);
            break;
        }
        let (problem, lines) = explain(text, &toml, &place, &message);
        let first = lines.start;
        if broken.has(first) {
            // What was put in its place does not stand there either.
            let before = toml.clone();
            blank(&mut toml, text, first..body_end(text, first));
            if toml == before {
                blank(&mut toml, text, 1..text.lines() + 1);
                break;
            }
            continue;
        }
        found.hint(problem.place, problem.message, problem.hint);
        broken.0.push(first);
        if !restore_header(&mut toml, text, first) {
            blank(&mut toml, text, lines);
        }
    }
    Mended { toml, broken }
}

/// Keys that stand twice: TOML forbids it, but nothing around them is in doubt.
pub(super) fn repeated(text: &Text, errors: &[Error], broken: &Broken, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for error in errors.iter().filter(|error| is_repetition(error)) {
        let Some(place) = error.span() else { continue };
        let line = text.line_at(place.start);
        if broken.has(line) || !seen.insert(place.start) {
            continue;
        }
        if seen.len() > CONFIG_PROBLEMS_MAX {
            // Counted, but not listed: the search for what it repeats is not worth it.
            found.add(place, "this stands in the file already");
            continue;
        }
        let key = text.as_str().get(place.clone()).unwrap_or_default();
        let shown = text.line(line).trim();
        if shown.starts_with('[') && error.message() == "duplicate key" {
            let mut before = 1..line;
            let first = before.find(|line| text.line(*line).trim() == shown);
            let place_of_first = first.map_or(String::new(), |line| format!(", in line {line}"));
            let message = format!("{shown} stands in this file already{place_of_first}");
            let hint = "give this one another name, or put the two together".to_owned();
            found.hint(text.span(line), message, hint);
        } else if error.message() != "duplicate key" {
            let message = format!("`{key}` has a value above, and cannot be a table as well");
            found.hint(place, message, None);
        } else {
            let first = earlier(text, line, key);
            let place_of_first = first.map_or(String::new(), |line| format!(", in line {line}"));
            let message = format!("`{key}` is set already{place_of_first}");
            found.hint(place, message, "leave one of the two out".to_owned());
        }
    }
}

/// The line of the same table that sets `key` before `line` does.
fn earlier(text: &Text, line: usize, key: &str) -> Option<usize> {
    let sets = |line: &usize| {
        let rest = text.line(*line).trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    let mut above = (1..line).rev();
    let own = above
        .by_ref()
        .take_while(|line| !text.line(*line).trim_start().starts_with('['));
    own.filter(sets).last()
}

fn is_repetition(error: &Error) -> bool {
    let message = error.message();
    message == "duplicate key" || message.starts_with("cannot extend value")
}

/// The first place where `toml` is not TOML, and what the parser says of it.
fn first_fault(toml: &str) -> Option<(Range<usize>, String)> {
    let (table, errors) = DeTable::parse_recoverable(toml);
    let faults = errors.iter().filter(|error| !is_repetition(error));
    let place = |error: &Error| error.span().unwrap_or(0..0);
    let first = faults.min_by_key(|error| place(error).start)?;
    let place = place(first);
    // In a list or a long text that was never closed everything is wrong, but its beginning.
    let opened = open_at(table.get_ref(), toml, place.start);
    Some(match opened {
        Some(opened) => (opened, "unclosed".to_owned()),
        None => (place, first.message().to_owned()),
    })
}

/// The value over several lines that `offset` is in, if it is probably not closed where its writer
/// meant to: it reaches over what looks like another key or table.
fn open_at(table: &DeTable<'_>, toml: &str, offset: usize) -> Option<Range<usize>> {
    for (_, value) in table {
        let span = value.span();
        let below = match value.get_ref() {
            DeValue::Table(table) => open_at(table, toml, offset),
            _ => None,
        };
        if below.is_some() {
            return below;
        }
        let text = toml.get(span.clone()).unwrap_or_default();
        let begins_value = !text.starts_with('[') || !is_header(value);
        let inside = span.start < offset && offset <= span.end;
        if inside && begins_value && reaches_too_far(text, span.end >= toml.trim_end().len()) {
            return Some(span);
        }
    }
    None
}

/// The span of a table with a header is that header, of an implicit one a key; neither is a value.
fn is_header(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(list) => list
            .iter()
            .all(|item| matches!(item.get_ref(), DeValue::Table(_))),
        _ => false,
    }
}

fn reaches_too_far(value: &str, to_the_end: bool) -> bool {
    let mut lines = value.lines();
    lines.next();
    let closed = value.len() > 1 && value.trim_end().ends_with([']', '}']);
    (to_the_end && !closed) || lines.any(is_key_or_header)
}

/// Whether a line looks like the beginning of something else.
fn is_key_or_header(line: &str) -> bool {
    let line = line.trim();
    let is_header = line.starts_with('[') && line.ends_with(']') && line.len() > 2;
    let is_key = |(key, _): (&str, &str)| {
        let key = key.trim();
        !key.is_empty() && key.chars().all(is_bare)
    };
    is_header || line.split_once('=').is_some_and(is_key)
}

/// The problem at `place`, and the lines to be taken out.
fn explain(
    text: &Text,
    toml: &str,
    place: &Range<usize>,
    message: &str,
) -> (line::Verdict, Range<usize>) {
    let line = text.line_at(place.start);
    if message == "unclosed" {
        let value = toml.get(place.clone()).unwrap_or_default();
        let sign: String = value.chars().take_while(|c| "[{\"'".contains(*c)).collect();
        let (sign, close) = match &*sign {
            "\"\"\"" | "'''" | "\"" | "'" => (sign.clone(), sign),
            _ if sign.starts_with('{') => ("{".into(), "}".into()),
            _ => ("[".into(), "]".into()),
        };
        let long_text = sign.len() == 3;
        let rest = (line + 1..=text.lines()).take_while(|line| {
            let text = text.line(*line).trim();
            let of_list = text.is_empty() || text.starts_with(['"', '\'', '#', ']', '}']);
            of_list || (long_text && !is_key_or_header(text))
        });
        let end = rest.last().unwrap_or(line) + 1;
        let place = place.start..place.start + sign.len();
        let problem = line::Verdict {
            place,
            message: format!("`{sign}` is not closed"),
            hint: Some(format!("`{close}` is missing")),
        };
        return (problem, line..end);
    }
    let start = text.span(line).start;
    // What is missing is missing behind the last letter, not behind blanks that nobody sees.
    let end = start + text.line(line).trim_end().len();
    let place = &(place.start.min(end)..place.end.min(end));
    let problem = line::judge(text.line(line)).map_or_else(
        || line::Verdict {
            place: place.clone(),
            message: in_our_words(message, text.line(line)),
            hint: None,
        },
        |verdict| line::Verdict {
            place: start + verdict.place.start..start + verdict.place.end,
            ..verdict
        },
    );
    (problem, line..line + 1)
}

/// What the parser says, for somebody who has never heard of TOML.
fn in_our_words(message: &str, line: &str) -> String {
    let (cause, _) = message.split_once(", expected ").unwrap_or((message, ""));
    let quoted = line.contains(['"', '\'']);
    match cause {
        "unexpected key or value" => "this stands behind the value".into(),
        "extra comma in array" | "extra comma in inline table" => "a comma too many".into(),
        "missing comma between array elements" | "missing comma between key-value pairs" => {
            "a comma is missing before this".into()
        }
        "missing escaped value" => {
            "`\\` begins a special character; for a plain one write `\\\\`".into()
        }
        "invalid basic string" | "invalid literal string" if quoted => {
            "this cannot stand in a text in quotes".into()
        }
        // A value that the parser put there to go on.
        "invalid basic string" | "invalid literal string" => {
            "this is not TOML: a value is missing".into()
        }
        "invalid comment character" => "this cannot stand in a comment".into(),
        "carriage return must be followed by newline" => {
            "a line ends in a lone carriage return: save the file with usual line ends".into()
        }
        "unquoted keys cannot be empty" => "a key is missing".into(),
        "invalid unquoted key" => "a key is made of letters, digits, `-` and `_`".into(),
        "key with no value" => "`=` and a value are missing".into(),
        "string values must be quoted" => "a text has to stand in quotes".into(),
        "cannot recurse further; max recursion depth met" | "recursion limit" => {
            "brackets are nested too deep".into()
        }
        cause => format!("this is not TOML: {cause}"),
    }
}

/// Puts spaces in the place of lines, so that all others keep their places.
fn blank(toml: &mut String, text: &Text, lines: Range<usize>) {
    for line in lines {
        // With every carriage return: one alone is a fault itself.
        let span = text.whole(line);
        replace(toml, &span, &" ".repeat(span.len()));
    }
}

/// Replaces by as many bytes.
fn replace(toml: &mut String, span: &Range<usize>, by: &str) {
    if toml.is_char_boundary(span.start)
        && toml.is_char_boundary(span.end)
        && by.len() == span.len()
    {
        toml.replace_range(span.clone(), by);
    }
}

/// The line behind the last of the table that `header` begins.
pub(super) fn body_end(text: &Text, header: usize) -> usize {
    let mut below = header + 1..=text.lines();
    below
        .find(|line| text.line(*line).trim_start().starts_with('['))
        .unwrap_or(text.lines() + 1)
}

/// Makes a header of a line that was meant as one, of the same length, so that what stands below it is
/// not taken for a part of the table above. False if the line is no header; if it cannot be made one,
/// all of its table is blanked out.
fn restore_header(toml: &mut String, text: &Text, line: usize) -> bool {
    let span = text.span(line);
    let written = text.line(line);
    let inside = written.trim();
    if !inside.starts_with('[') || inside.starts_with("[[") {
        return false;
    }
    let inside = inside.split('#').next().unwrap_or("").trim_end();
    let closed = inside.ends_with(']');
    let inside = inside.trim_matches(['[', ']']);
    let (role, name) = inside.split_once(['.', ' ', ':', '/']).unwrap_or_default();
    let name: String = name
        .bytes()
        .map(|byte| {
            if is_bare(char::from(byte)) {
                char::from(byte)
            } else {
                '_'
            }
        })
        .collect();
    let kept = if closed {
        name.len()
    } else {
        name.len().saturating_sub(1)
    };
    let name = name.get(..kept).unwrap_or("");
    let header = format!("[{role}.{name}]");
    if TABLES.contains(&role) && !name.is_empty() && header.len() <= span.len() {
        replace(toml, &span, &format!("{header:<0$}", span.len()));
    } else {
        blank(toml, text, line..body_end(text, line));
    }
    true
}
