//! docs/reference/cli.md and the help of the program name the same commands, flags, variables and
//! defaults.

use std::collections::BTreeSet;

use via6_core::limits::DRAIN_TIMEOUT;

/// Of a host that was.
const INVITE: &str = "via6:105rfzec3thrq51gyxetf5e0zypr3bnxwwe5k2n3snwwj3ngqtn02s6xh00000000000000000000000005e1sx8x";

use crate::markdown::{read, section};
use crate::support::{understand, via6};

/// The help of a command, or of the program itself.
fn help(command: &str) -> String {
    let ended = via6(&format!("via6 {command} --help")).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

/// The help pages of a command: its own, and those of the commands below it. What `via6 config` takes is that
/// of `run`, and stands there.
fn pages(command: &str) -> Vec<String> {
    let own = help(command);
    if command == "config" {
        return vec![own];
    }
    let below = listed(&own).into_iter();
    let below = below.map(|word| help(&format!("{command} {word}")));
    let below: Vec<_> = below.collect();
    std::iter::once(own).chain(below).collect()
}

/// Its lines joined: it is wrapped anywhere.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Its commands, in the order of the help.
fn commands() -> Vec<String> {
    let names = listed(&help(""));
    assert!(names.len() >= 4, "{names:?}");
    names
}

/// The commands that a help page lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.split_once("Commands:\n");
    let lines = list.map_or("", |(_, list)| list).lines();
    let lines = lines.take_while(|line| line.starts_with("  "));
    // Where a description is wrapped, it goes on further to the right.
    let lines = lines.filter(|line| !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
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
        let pages = pages(&command);
        let all = || pages.iter().flat_map(|help| flags(help));
        let own: BTreeSet<_> = all().filter(|flag| !general.contains(flag)).collect();
        let part = section(&text, &format!("`via6 {command}"));
        assert_eq!(words(part, "--"), own, "of via6 {command}");
        let listed: BTreeSet<_> = all().filter(|flag| general.contains(flag)).collect();
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
    let helps: Vec<_> = commands()
        .iter()
        .flat_map(|command| pages(command))
        .collect();
    let known: BTreeSet<_> = helps.iter().flat_map(|help| words(help, "VIA6_")).collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(words(&text, "VIA6_"), known);
}

#[test]
fn the_reference_has_the_defaults_and_the_arguments_of_the_help() {
    let text = read("docs/reference/cli.md");
    let mut seen = 0;
    for command in commands() {
        let part = section(&text, &format!("`via6 {command}"));
        for help in pages(&command).iter().map(|help| joined(help)) {
            seen += named(&help, part, &command);
        }
    }
    assert!(seen >= 8, "only {seen} defaults and arguments");
    let wait = format!("for {} s", DRAIN_TIMEOUT.as_secs());
    assert!(section(&text, "Stopping").contains(&wait), "{wait}");
}

/// Checks that the section has every default and argument of the help page. Returns how many there were.
fn named(help: &str, part: &str, command: &str) -> usize {
    let defaults = help.split("[default: ").skip(1);
    // An address has brackets of its own.
    let defaults = defaults.map(|rest| rest.split("] [env").next().unwrap_or_default());
    let usage = help.split("Usage: ").nth(1);
    let usage = usage.and_then(|rest| rest.split(':').next());
    let names = usage.unwrap_or_default().split(['<', '[']).skip(1);
    let names = names.filter_map(|name| name.split(['>', ']']).next());
    let all = defaults.chain(names.filter(|name| *name != "OPTIONS"));
    let all: Vec<_> = all.collect();
    for one in &all {
        assert!(part.contains(one), "via6 {command}: {one}");
    }
    all.len()
}

#[test]
fn the_examples_of_the_help_are_understood() {
    let all = commands().into_iter();
    let all = all.flat_map(|command| pages(&command));
    let mut lines = BTreeSet::new();
    for page in all.chain([help("")]) {
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
