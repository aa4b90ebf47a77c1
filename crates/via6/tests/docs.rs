//! What README.md and docs/ say is what the program does: commands run, flags and events are all
//! there, in both directions, and links lead somewhere.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/events.rs"]
mod events;
#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/metrics.rs"]
mod metrics;

use std::collections::BTreeSet;

use via6_core::addr::HostPort;

use markdown::{codes, documents, read, rows, section, sources};
use support::{understand, via6};

#[test]
fn relative_links_lead_somewhere() {
    let mut seen = 0;
    for (path, text) in documents() {
        let folder = path.parent().expect("a folder");
        for target in text.split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            seen += 1;
            let to = folder.join(target);
            assert!(to.exists(), "{}: no {}", path.display(), to.display());
        }
    }
    assert!(seen > 10, "only {seen} links");
}

/// The lines behind a `$` in blocks of `console`.
fn typed() -> Vec<(String, String)> {
    let mut typed = Vec::new();
    for (path, text) in documents() {
        for block in text.split("```console\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
            typed.extend(lines.map(|line| (path.display().to_string(), line.to_owned())));
        }
    }
    typed
}

#[test]
fn commands_in_the_documents_are_understood() {
    let typed = typed();
    let lines = typed.iter().filter(|(_, line)| line.starts_with("via6 "));
    let lines: BTreeSet<_> = lines.map(|(_, line)| line).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        if let Err(answer) = understand(line) {
            panic!("not understood:\n{answer}");
        }
    }
}

/// Whoever reads only the README gets as far as these two.
#[test]
fn readme_has_the_first_command_and_the_tests() {
    let readme = read("README.md");
    let typed = typed();
    for line in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(&format!("$ {line}\n")), "no `{line}`");
        assert!(typed.iter().any(|(_, typed)| typed == line));
    }
    let first = readme
        .find("$ ")
        .map(|at| &readme[at..])
        .unwrap_or_default();
    assert!(first.starts_with("$ cargo run --release -- demo\n"));
}

/// Scripts and folders that are named between backticks.
#[test]
fn files_that_are_named_exist() {
    let mut seen = 0;
    for (path, text) in documents() {
        let scripts = codes(&text)
            .into_iter()
            .filter(|code| code.starts_with("scripts/"));
        for script in scripts {
            seen += 1;
            let file = script.split(' ').next().unwrap_or_default();
            assert!(
                markdown::root().join(file).exists(),
                "{}: {file}",
                path.display()
            );
        }
    }
    assert!(seen > 0, "no script is named");
}

/// What people look up when it does not work must be what they have read on their screen.
#[test]
fn troubles_in_the_readme_are_quoted_as_they_are_told() {
    let readme = read("README.md");
    let sources = sources();
    let troubles = rows(section(&readme, "It does not work?"));
    let quoted: Vec<_> = troubles.iter().flat_map(|row| codes(&row[0])).collect();
    assert!(quoted.len() >= 4, "{quoted:?}");
    for words in quoted {
        // An address in it is an example.
        let said = words
            .split(|c: char| c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let told = sources.iter().any(|source| source.contains(said));
        assert!(told, "nothing says `{words}`");
    }
}

#[test]
fn addresses_in_the_picture_are_the_defaults() {
    use via6_core::limits::{DEFAULT_JOIN_PORT, DEFAULT_LINK_PORT};
    let readme = read("README.md");
    assert!(readme.contains(&format!("127.0.0.1:{DEFAULT_JOIN_PORT}")));
    let line = typed()
        .into_iter()
        .find_map(|(_, line)| HostPort::parse_link(line.strip_prefix("via6 join ")?).ok());
    let host = line.expect("a join of an open host");
    assert_eq!(host.port, DEFAULT_LINK_PORT);
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let text = read("docs/reference/exit-codes.md");
    let documented: Vec<_> = rows(&text).iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, ["0", "1", "2", "4", "130"]);
    for (line, code) in [
        ("via6 --version", 0),
        ("via6 host --help", 0),
        ("via6 relay tcp [2001:db8::99]:0 [::1]:1", 1),
        ("via6 relay tcp [::1]:0", 2),
        ("via6 relay tcp [::1] [::1]:1", 2),
    ] {
        assert_eq!(via6(line).end().code, Some(code), "{line}");
    }
}
