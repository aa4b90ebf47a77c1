//! Reads the project's own Markdown: as much of it as these documents use.

use std::path::{Path, PathBuf};

/// The folder of the whole project.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the project's folder")
}

/// A file of the project.
pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Markdown file with its path.
pub(crate) fn documents() -> Vec<(PathBuf, String)> {
    let documents = files(&root(), "md");
    assert!(documents.len() >= 5, "{documents:?}");
    documents
}

/// The source of the program and its libraries.
pub(crate) fn sources() -> Vec<String> {
    let folders = ["crates/core/src", "crates/relay/src", "crates/via6/src"];
    let sources = folders
        .iter()
        .flat_map(|folder| files(&root().join(folder), "rs"));
    sources.map(|(_, text)| text).collect()
}

/// All files below `folder` with this ending. What is built, or begins with a dot, is left out.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).expect("a folder");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        let built = name.starts_with("target") || name == "node_modules";
        if path.is_dir() && !built && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
    found
}

/// The part under the `##` heading that begins like this.
pub(crate) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text
        .find(&format!("\n## {heading}"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let body = &text[start + 1..];
    body.find("\n## ").map_or(body, |end| &body[..end])
}

/// The rows of all tables, without their heads, as cells.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut in_body) = (Vec::new(), false);
    for line in text.lines() {
        if !line.starts_with('|') {
            in_body = false;
        } else if line.starts_with("| ---") {
            in_body = true;
        } else if in_body {
            let cells = line.trim_matches('|').split(" | ");
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}

/// What stands between backticks.
pub(crate) fn codes(text: &str) -> Vec<String> {
    let mut codes = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            codes.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    codes
}

/// The same without what stands in parentheses.
pub(crate) fn codes_outside_parentheses(text: &str) -> Vec<String> {
    let (mut outside, mut depth) = (String::new(), 0_u32);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    codes(&outside)
}
