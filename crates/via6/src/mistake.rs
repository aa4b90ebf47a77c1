//! What the command line parser has to say, in our words: what is wrong, and a line to start from.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use via6_core::addr::HostPort;

use crate::failure::Failure;

/// As they are listed in the help.
const COMMANDS: [&str; 13] = [
    "host", "join", "relay", "run", "config", "demo", "status", "invite", "players", "kick", "ban",
    "unban", "stop",
];

const EXAMPLE_RELAY: &str = "for instance: via6 relay tcp '[::]:43325' 127.0.0.1:25565";

const EXAMPLE_CONFIG: &str = "for instance: via6 config check via6.toml";

const EXAMPLE_INVITE: &str = "for instance: via6 invite new --name alice";

/// The parser's error about what was `typed`, as a failure; help and version are of that kind too, as
/// far as it knows.
pub(crate) fn explain(error: &clap::Error, typed: &[OsString]) -> Failure {
    let text = error.render().to_string();
    let found = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (argument, value) = (
        found(ContextKind::InvalidArg),
        found(ContextKind::InvalidValue),
    );
    let failure = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Failure::help(&text, 0),
        ErrorKind::MissingRequiredArgument => missing(&argument),
        ErrorKind::MissingSubcommand => Failure::usage(match command_of(error) {
            "invite" => "a word is missing: new, list, show or revoke",
            _ => "a word is missing: check or show",
        }),
        // Flags take no value, so it was their variable's.
        ErrorKind::ValueValidation => return bad_variable(name_of(&argument), &value),
        ErrorKind::InvalidSubcommand => {
            let word = found(ContextKind::InvalidSubcommand);
            return unknown_command(command_of(error), &word, &text);
        }
        ErrorKind::UnknownArgument => return unknown_argument(error, &argument, &text),
        ErrorKind::InvalidValue if value.is_empty() => {
            let name = name_of(&argument).trim_matches(['<', '>']);
            Failure::usage(format!("{name} needs a value"))
        }
        ErrorKind::InvalidValue if argument == "<tcp|udp>" => {
            Failure::usage(format!("cannot relay {value}: tcp or udp"))
        }
        ErrorKind::InvalidValue if name_of(&argument) == "--splice" => {
            let name = written("--splice", "VIA6_SPLICE", typed);
            Failure::usage(format!("cannot read {name}{value}: auto, always or never"))
        }
        ErrorKind::InvalidValue if name_of(&argument) == "--transport" => {
            let name = written("--transport", "VIA6_TRANSPORT", typed);
            Failure::usage(format!("cannot read {name}{value}: auto, quic or tls"))
        }
        _ => Failure::usage(first_paragraph(&text)),
    };
    failure.hint(match name_of(&argument) {
        "--port" => "for instance: --port 43326".into(),
        "--listen" if command_of(error) == "join" => {
            "for instance: --listen 127.0.0.1:25565".into()
        }
        "--listen" => "for instance: --listen '[::]:43326'".into(),
        "<tcp|udp>" => EXAMPLE_RELAY.into(),
        "--trust-relay" => "for instance: --trust-relay 2001:db8::1".into(),
        "<FILE>" if command_of(error).is_empty() => "for instance: via6 run via6.toml".into(),
        "--metrics" => crate::metrics::EXAMPLE.into(),
        "--splice" => "for instance: --splice never".into(),
        "--transport" => "for instance: --transport tls".into(),
        "--as" => "for instance: --as Alice".into(),
        "--dns-name" => "for instance: --dns-name play.example.org".into(),
        "--name" => "for instance: --name alice".into(),
        "--uses" => "for instance: --uses 1".into(),
        "--expires" => "for instance: --expires 7d".into(),
        "--state" => "for instance: --state via6-state".into(),
        _ => example(error),
    })
}

fn missing(arguments: &str) -> Failure {
    let names = arguments.replace(['<', '>'], "");
    let names: Vec<_> = names.split(", ").collect();
    Failure::usage(match names[..] {
        [.., _] if names.len() > 1 => {
            let (last, others) = names.split_last().unwrap_or((&"", &[]));
            format!("{} and {last} are missing", others.join(", "))
        }
        _ => format!("{} is missing", names.concat()),
    })
}

/// A variable that stands for a flag is set to something that is neither yes nor no.
fn bad_variable(flag: &str, value: &str) -> Failure {
    let name = flag
        .trim_start_matches('-')
        .trim_end_matches('.')
        .to_uppercase();
    let (takes, example) = if name == "VERBOSE" {
        ("a number, 0 to 2", "1")
    } else {
        ("yes or no", "yes")
    };
    let name = format!("VIA6_{name}");
    Failure::usage(format!("cannot read {name}={value}: {takes}"))
        .hint(format!("for instance: {name}={example}"))
}

/// What stands before the value of `flag` where that was written: a variable counts only where the
/// flag was not typed.
fn written(flag: &str, variable: &str, typed: &[OsString]) -> String {
    let is_flag = |word: &str| {
        word.strip_prefix(flag)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    if typed.iter().any(|word| word.to_str().is_some_and(is_flag)) {
        format!("{flag} ")
    } else {
        format!("{variable}=")
    }
}

/// The first word is no command; perhaps it is what a command needs.
fn unknown_command(command: &str, word: &str, text: &str) -> Failure {
    let failure = Failure::usage(first_paragraph(text));
    if std::path::Path::new(word)
        .extension()
        .is_some_and(|ending| ending == "toml")
    {
        let command = if command == "config" {
            "config check"
        } else {
            "run"
        };
        return failure.hint(format!("try: via6 {command} {word}"));
    }
    if command == "config" {
        return failure.hint(tip(text).unwrap_or_else(|| EXAMPLE_CONFIG.into()));
    }
    if command == "invite" {
        return failure.hint(tip(text).unwrap_or_else(|| EXAMPLE_INVITE.into()));
    }
    if word.parse::<u16>().is_ok() {
        return failure.hint(format!("to share a game: via6 host {word}"));
    }
    match HostPort::parse_link(word) {
        Ok(link) if word.contains([':', '.']) => failure.hint(format!("try: via6 join '{link}'")),
        _ => failure.hint(tip(text).unwrap_or_else(|| "see `via6 --help`".into())),
    }
}

fn unknown_argument(error: &clap::Error, argument: &str, text: &str) -> Failure {
    let failure = Failure::usage(first_paragraph(text));
    let command = command_of(error);
    let hint = match (command, argument) {
        ("join", "--port") => {
            Some("the port belongs to the address: via6 join '[2001:db8::1]:43325'".into())
        }
        ("host", number) if number.parse::<u16>().is_ok() => Some(format!(
            "a game on another computer is one word: via6 host HOST:{number}"
        )),
        _ => tip(text),
    };
    failure.hint(hint.unwrap_or_else(|| example(error)))
}

/// What the parser itself proposes, unless it is how to pass a flag as a value.
fn tip(text: &str) -> Option<String> {
    let mut tips = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("tip: "));
    tips.find(|tip| !tip.starts_with("to pass "))
        .map(str::to_owned)
}

/// What clap says before it goes on about usage, in one line.
fn first_paragraph(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let more = lines.take_while(|line| line.starts_with("  "));
    more.fold(first.to_owned(), |all, line| all + " " + line.trim())
}

/// `--port` of `--port <N>`.
fn name_of(argument: &str) -> &str {
    argument.split(' ').next().unwrap_or_default()
}

/// The command that the parser was in.
fn command_of(error: &clap::Error) -> &'static str {
    let usage = error
        .get(ContextKind::Usage)
        .map(ToString::to_string)
        .unwrap_or_default();
    let of = |command: &&&str| usage.contains(&format!("via6 {command}"));
    COMMANDS.iter().find(of).copied().unwrap_or_default()
}

/// A line to start from, of the command that was meant.
fn example(error: &clap::Error) -> String {
    match command_of(error) {
        "host" => "for instance: via6 host 25565".into(),
        "join" => "for instance: via6 join '[2001:db8::1234]:43325'".into(),
        "relay" => EXAMPLE_RELAY.into(),
        "run" => "for instance: via6 run via6.toml".into(),
        "config" => EXAMPLE_CONFIG.into(),
        "demo" => "see `via6 demo --help`".into(),
        "status" => "for instance: via6 status".into(),
        "invite" => example_invite(error),
        "players" => "for instance: via6 players".into(),
        command @ ("kick" | "ban" | "unban") => format!("for instance: via6 {command} alice"),
        "stop" => "for instance: via6 stop --now".into(),
        _ => "see `via6 --help`".into(),
    }
}

/// The same, of one of the commands below `via6 invite`.
fn example_invite(error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage);
    let usage = usage.map(ToString::to_string).unwrap_or_default();
    let of = |word: &str| usage.contains(&format!("via6 invite {word}"));
    let examples = [
        ("list", "via6 invite list"),
        ("show", "via6 invite show alice"),
        ("revoke", "via6 invite revoke alice"),
    ];
    let found = examples.iter().find(|(word, _)| of(word));
    found.map_or(EXAMPLE_INVITE.into(), |(_, line)| {
        format!("for instance: {line}")
    })
}
