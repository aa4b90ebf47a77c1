//! One line that is not TOML: what its writer meant, as far as the line alone tells. The usual
//! ones are an address without quotes, `yes` for `true`, a colon for `=`, a comment of another
//! language. What the parser itself has to say is for the rest; see `syntax`.

use std::ops::Range;

use super::keys::{TABLES, Takes, anywhere};

/// What is wrong with a line: where in it, in bytes.
pub(super) struct Verdict {
    pub(super) place: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

fn verdict(place: Range<usize>, message: impl Into<String>, hint: Option<String>) -> Verdict {
    Verdict {
        place,
        message: message.into(),
        hint,
    }
}

/// The verdict on a line that the parser refuses; `None` if it takes the parser to tell.
pub(super) fn judge(line: &str) -> Option<Verdict> {
    let start = line.len() - line.trim_start().len();
    let text = line.trim();
    let whole = start..start + text.len();
    if text.starts_with("//") || text.starts_with(';') {
        let hint = format!("# {}", text.trim_start_matches(['/', ';']).trim_start());
        return Some(verdict(whole, "a comment begins with `#`", Some(hint)));
    }
    let mut letters = without_comment(line).char_indices();
    if let Some((at, quote)) = letters.find(|(_, c)| is_curly(*c))
        && !in_quotes(line, at)
    {
        let straight = line.replace(is_curly, "\"");
        let place = at..at + quote.len_utf8();
        let message = "the quotes of TOML are straight";
        return Some(verdict(place, message, Some(straight.trim().to_owned())));
    }
    if text.starts_with('[') {
        return Some(header(text, start));
    }
    let end = text.find(|c: char| !is_bare(c)).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() {
        return None;
    }
    let after = start + key.len();
    let sign = rest.trim_start();
    let at = after + (rest.len() - sign.len());
    match sign.chars().next() {
        Some('=') => {
            let value = sign.get(1..).unwrap_or("");
            let blank = value.len() - value.trim_start().len();
            assigned(key, value.trim(), at + 1 + blank, start..after)
        }
        Some(':') => {
            let value = sign.get(1..).unwrap_or("").trim();
            let message = format!("between `{key}` and its value belongs `=`, not `:`");
            Some(verdict(at..at + 1, message, written(key, value)))
        }
        Some('#') | None => Some(no_value(key, start..after)),
        Some('.' | '"' | '\'') => None,
        Some(_) if rest.starts_with([' ', '\t']) => {
            let message = format!("`=` is missing after `{key}`");
            Some(verdict(start..after, message, written(key, sign.trim())))
        }
        Some(_) => None,
    }
}

/// `key = value` with a value that the parser refuses; `at` is where that is.
fn assigned(key: &str, value: &str, at: usize, named: Range<usize>) -> Option<Verdict> {
    if value.is_empty() || value.starts_with('#') {
        return Some(no_value(key, named));
    }
    let place = at..at + value.len();
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let body = value.get(1..).unwrap_or("");
        let Some(end) = body.find(quote) else {
            let text = body.split('#').next().unwrap_or("").trim();
            let hint = format!("{key} = {quote}{text}{quote}");
            return Some(verdict(place, "the quote is not closed", Some(hint)));
        };
        let rest = body.get(end + 1..).unwrap_or("");
        let behind = rest.trim_start();
        // Three quotes are a text over several lines.
        if behind.is_empty() || behind.starts_with('#') || rest.starts_with(quote) {
            return None;
        }
        let from = at + value.len() - behind.len();
        let message = format!("this stands behind the value of `{key}`");
        let hint = value.get(..end + 2).map(|value| format!("{key} = {value}"));
        return Some(verdict(from..place.end, message, hint));
    }
    let bare = without_comment(value);
    let place = at..at + bare.len();
    let takes = anywhere(key).map(|key| key.takes);
    let alone = bare.trim_end_matches([',', ';', ' ']);
    let behind = at + alone.len()..at + bare.len();
    if matches!(alone, "true" | "false") && alone != bare {
        let message = format!("this stands behind the value of `{key}`");
        return Some(verdict(behind, message, Some(format!("{key} = {alone}"))));
    }
    if let Some(yes) = boolean(bare)
        && matches!(takes, None | Some(Takes::YesNo | Takes::Level))
    {
        let message = format!("`{key}` is true or false, in small letters");
        return Some(verdict(place, message, Some(format!("{key} = {yes}"))));
    }
    if let Ok(number) = alone.parse::<u64>()
        && takes.is_none_or(|takes| !takes.is_text() || takes.or_number())
    {
        let hint = Some(format!("{key} = {number}"));
        return Some(if bare.starts_with('0') {
            verdict(place, "a number has no zeros before it", hint)
        } else {
            let message = format!("this stands behind the value of `{key}`");
            verdict(behind, message, hint)
        });
    }
    match takes {
        // A list of texts has some other fault.
        Some(_) if bare.starts_with(['[', '{']) && bare.contains(['"', '\'']) => None,
        Some(takes) if takes.is_text() => {
            let message = format!("the value of `{key}` has to stand in quotes");
            Some(verdict(place, message, written(key, bare)))
        }
        Some(takes) => {
            let message = format!("`{key}` is {}", takes.described());
            Some(verdict(place, message, example(key)))
        }
        None => None,
    }
}

fn no_value(key: &str, place: Range<usize>) -> Verdict {
    verdict(place, format!("`{key}` has no value"), example(key))
}

fn example(key: &str) -> Option<String> {
    let known = anywhere(key)?;
    Some(format!("for instance: {key} = {}", known.example))
}

/// `key = value` as it should have been written, as far as that can be told.
fn written(key: &str, value: &str) -> Option<String> {
    let value = without_comment(value).trim_end_matches([',', ';', ' ']);
    let value = value.trim_matches(['"', '\'']);
    if value.is_empty() {
        return example(key);
    }
    let quoted = !value.contains(['"', '\\']);
    let takes = anywhere(key)?.takes;
    match (takes, boolean(value)) {
        (Takes::YesNo, Some(yes)) => Some(format!("{key} = {yes}")),
        (Takes::Level | Takes::Port | Takes::Game | Takes::Metrics, _)
            if value.parse::<u16>().is_ok() =>
        {
            Some(format!("{key} = {value}"))
        }
        _ if takes == Takes::Networks && value.starts_with('[') => {
            // Perhaps a list; it was not closed, or its texts have no quotes.
            Some(format!(
                "for instance: {key} = [\"2001:db8::1\", \"2001:db8::2\"]"
            ))
        }
        _ if takes.is_text() && quoted => Some(format!("{key} = \"{value}\"")),
        _ => example(key),
    }
}

/// A line that begins with a bracket.
fn header(text: &str, start: usize) -> Verdict {
    let text = without_comment(text);
    let whole = start..start + text.len();
    let inside = text.trim_matches(['[', ']']).trim();
    let mut parts = inside.splitn(2, ['.', ' ', ':', '/', '=']);
    let role = parts.next().unwrap_or("").trim();
    let name = parts.next().unwrap_or("").trim();
    let name = name.trim_matches(['"', '\'', ' ']);
    let Some(role) = TABLES.into_iter().find(|table| *table == role) else {
        let message = if text.ends_with(']') {
            "this cannot head a table"
        } else {
            "`]` is missing"
        };
        let hint = "for instance: [host.minecraft]".to_owned();
        return verdict(whole, message, Some(hint));
    };
    let joined = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let fixed: String = name.chars().map(joined).collect();
    let fixed = fixed.trim_matches(['-', '.', '_']);
    let hint = match fixed {
        "" => format!("for instance: [{role}.minecraft]"),
        name if name.chars().all(is_bare) => format!("[{role}.{name}]"),
        name => format!("[{role}.\"{name}\"]"),
    };
    let message = if !text.ends_with(']') {
        "`]` is missing"
    } else if fixed.is_empty() {
        "a name is missing"
    } else if !name.is_ascii() {
        "a name with other letters than a–z has to stand in quotes"
    } else {
        "a name is made of letters, digits, `-` and `_`, and stands behind a dot"
    };
    verdict(whole, message, Some(hint))
}

/// What a key is made of that stands without quotes.
pub(super) fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn is_curly(c: char) -> bool {
    matches!(
        c,
        '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»' | '`' | '´'
    )
}

/// Whether a straight quote is open at `at`.
fn in_quotes(line: &str, at: usize) -> bool {
    let before = line.get(..at).unwrap_or("");
    before.matches(['"', '\'']).count() % 2 == 1
}

fn without_comment(value: &str) -> &str {
    value.split('#').next().unwrap_or("").trim_end()
}

/// What people write for true and false.
fn boolean(word: &str) -> Option<bool> {
    let word = word.trim_end_matches([',', ';', ' ']).to_ascii_lowercase();
    match &*word {
        "true" | "yes" | "on" | "y" | "enabled" => Some(true),
        "false" | "no" | "off" | "n" | "disabled" => Some(false),
        _ => None,
    }
}
