//! docs/reference/cli.md and the help of the program name the same commands, flags, variables and
//! defaults.

use std::collections::BTreeSet;

use via6_core::limits::DRAIN_TIMEOUT;

/// Of a host that was.
const INVITE: &str = "via6:105rfzec3thrq51gyxetf5e0zypr3bnxwwe5k2n3snwwj3ngqtn02s6xh00000000000000000000000005e1sx8x";

use crate::markdown::{read, section};
use crate::support::{understand, via6};

/// The help of a command, or of the program itself, with its lines joined: it is wrapped anywhere.
fn help(command: &str) -> String {
    let ended = via6(&format!("via6 {command} --help")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Its commands, in the order of the help.
fn commands() -> Vec<String> {
    let help = help("");
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    names
}

/// Words of the text that begin like this and are made of what names are made of.
fn words<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| word.starts_with(start) && !word.trim_matches('-').is_empty())
        .collect()
}

/// The flags that a help page lists, without its examples.
fn flags(help: &str) -> BTreeSet<&str> {
    let (_, options) = help.split_once("Options:\n").expect("options");
    let lines = options.lines().take_while(|line| !line.is_empty());
    let lines = lines.filter(|line| line.trim_start().starts_with('-'));
    lines
        .flat_map(|line| words(line.trim_start().split("  ").next().unwrap_or(line), "--"))
        .collect()
}

#[test]
fn each_command_has_a_section_and_each_section_a_command() {
    let text = read("docs/reference/cli.md");
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix("## `via6 "));
    let documented: BTreeSet<_> = headings
        .filter_map(|heading| heading.split([' ', '`']).next())
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, commands().into_iter().collect());
}

#[test]
fn the_reference_has_the_flags_of_each_command_and_no_others() {
    let text = read("docs/reference/cli.md");
    let general = words(section(&text, "Of every command"), "--");
    assert_eq!(general, flags(&help("")), "of every command");
    for command in commands() {
        let help = help(&command);
        let own: BTreeSet<_> = flags(&help).difference(&general).copied().collect();
        let part = section(&text, &format!("`via6 {command}"));
        assert_eq!(words(part, "--"), own, "of via6 {command}");
        let listed: BTreeSet<_> = flags(&help).intersection(&general).copied().collect();
        let everywhere: BTreeSet<_> = general
            .iter()
            .copied()
            .filter(|flag| *flag != "--version")
            .collect();
        assert_eq!(listed, everywhere, "of via6 {command}");
    }
}

#[test]
fn the_reference_has_every_variable_and_no_others() {
    let text = read("docs/reference/cli.md");
    let helps: Vec<_> = commands().iter().map(|command| help(command)).collect();
    let known: BTreeSet<_> = helps.iter().flat_map(|help| words(help, "VIA6_")).collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(words(&text, "VIA6_"), known);
}

#[test]
fn the_reference_has_the_defaults_and_the_arguments_of_the_help() {
    let text = read("docs/reference/cli.md");
    let mut seen = 0;
    for command in commands() {
        let help = joined(&help(&command));
        let part = section(&text, &format!("`via6 {command}"));
        for default in help.split("[default: ").skip(1) {
            // An address has brackets of its own.
            let default = default.split("] [env").next().unwrap_or_default();
            seen += 1;
            assert!(part.contains(default), "via6 {command}: {default}");
        }
        let usage = help
            .split("Usage: ")
            .nth(1)
            .and_then(|rest| rest.split(':').next());
        let names = usage.unwrap_or_default().split(['<', '[']).skip(1);
        let names = names.filter_map(|name| name.split(['>', ']']).next());
        for name in names.filter(|name| *name != "OPTIONS") {
            seen += 1;
            assert!(part.contains(name), "via6 {command}: {name}");
        }
    }
    assert!(seen >= 8, "only {seen} defaults and arguments");
    let wait = format!("for {} s", DRAIN_TIMEOUT.as_secs());
    assert!(section(&text, "Stopping").contains(&wait), "{wait}");
}

#[test]
fn the_examples_of_the_help_are_understood() {
    let pages = commands().into_iter().chain([String::new()]);
    let mut lines = BTreeSet::new();
    for page in pages.map(|command| help(&command)) {
        let examples = page
            .split_once("Examples:\n")
            .map_or("", |(_, examples)| examples);
        let examples = examples.lines().map(str::trim_start);
        let examples = examples.filter(|line| line.starts_with("via6 "));
        // What stands for an invite, and the one that takes up the last time.
        let examples = examples.map(|line| line.replace("via6:1…", INVITE));
        let examples: Vec<_> = examples
            .filter(|line| line != "via6 join" && !line.starts_with("via6 join   "))
            .collect();
        let examples = examples.iter().map(String::as_str);
        lines.extend(examples.filter_map(|line| Some(line.split("   ").next()?.trim().to_owned())));
    }
    assert!(lines.len() >= 8, "{lines:?}");
    for line in lines {
        if let Err(answer) = understand(&line) {
            panic!("not understood:\n{answer}");
        }
    }
}
