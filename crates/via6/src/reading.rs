//! Reads the command line and the environment. What is typed wins over what is set, and a variable
//! that is set to nothing counts as not set (service managers pass those).

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};
use via6_core::invite::{Invite, PREFIX};
use via6_core::roster::clean_name;

use crate::args::{Args, Command, Host};
use crate::config::Source;
use crate::failure::{Failure, code};
use crate::mistake;

/// Which values were typed and which came from the environment, so that a mistake is blamed on what
/// was written.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    typed: Vec<String>,
    set: Vec<String>,
}

impl Sources {
    /// What to call the value `id` of the command line: as it is `typed`, or its variable.
    pub(crate) fn name(
        &self,
        id: &str,
        typed: &'static str,
        variable: &'static str,
    ) -> &'static str {
        if self.set.iter().any(|set| set == id) {
            variable
        } else {
            typed
        }
    }

    /// Where the value `id` comes from; `None` if nobody said it.
    pub(crate) fn of(
        &self,
        id: &str,
        typed: &'static str,
        variable: &'static str,
    ) -> Option<Source> {
        let is_in = |ids: &[String]| ids.iter().any(|known| known == id);
        if is_in(&self.typed) {
            Some(Source::Flag(typed))
        } else if is_in(&self.set) {
            Some(Source::Environment(variable))
        } else {
            None
        }
    }
}

/// What was typed and set.
pub(crate) fn read() -> Result<(Args, Sources), Failure> {
    read_with(&[])
}

/// The same, with words that were typed later behind those of the command line.
pub(crate) fn read_with(words: &[&str]) -> Result<(Args, Sources), Failure> {
    let typed: Vec<OsString> = std::env::args_os()
        .chain(words.iter().map(OsString::from))
        .collect();
    let typed = with_command(typed);
    let explain = |error| mistake::explain(&error, &typed);
    let parsed = without_empty_variables(Args::command()).try_get_matches_from(&typed);
    let matches = parsed.map_err(explain)?;
    let mut args = Args::from_arg_matches(&matches).map_err(explain)?;
    let mut command = &matches;
    while let Some((_, below)) = command.subcommand() {
        command = below;
    }
    prefer_typed(&mut args, command)?;
    let sources = Sources {
        typed: said(command, ValueSource::CommandLine),
        set: said(command, ValueSource::EnvVariable),
    };
    Ok((args, sources))
}

/// `via6 INVITE` is `via6 join INVITE`: what a friend sent may be all that somebody pastes.
fn with_command(mut typed: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = typed.get(at) {
        let word = word.to_string_lossy();
        if !word.starts_with('-') {
            let begins = |word: &str| {
                let word = word.trim_start_matches(['\'', '"', '`', '<', '(']);
                word.get(..PREFIX.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
            };
            if begins(&word) || Invite::parse(&word).is_ok() {
                typed.insert(at, "join".into());
            }
            return typed;
        }
        // The only flag of all commands that a value follows.
        at += if word == "--state" { 2 } else { 1 };
    }
    typed
}

/// The same command and all below it.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(without_empty_variable)
        .mut_subcommands(without_empty_variables)
}

/// What the system calls whoever plays here, or else this computer.
#[allow(
    clippy::disallowed_methods,
    reason = "they are the system's variables, and no flags stand for them"
)]
pub(crate) fn login_name() -> String {
    const NAMES: [&str; 5] = ["USER", "LOGNAME", "USERNAME", "HOSTNAME", "COMPUTERNAME"];
    let mut said = NAMES.iter().filter_map(|name| std::env::var(name).ok());
    let found = said.find(|name| !name.trim().is_empty());
    let found = found.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    clean_name(&found.unwrap_or_default())
}

/// What `via6 --help` prints, as a failure: a script that names no command wanted something else.
pub(crate) fn help() -> Failure {
    Failure::help(&Args::command().render_help().to_string(), code::USAGE)
}

/// Whether `--flag` of `command` is followed by a value; `None` if there is no such flag.
pub(crate) fn takes_value(command: &str, flag: &str) -> Option<bool> {
    let mut all = Args::command();
    // Global flags come to the commands only now.
    all.build();
    let mut args = all.find_subcommand(command)?.get_arguments();
    let arg = args.find(|arg| {
        let short = flag.strip_prefix('-').and_then(|rest| rest.chars().next());
        match flag.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => short.is_some() && arg.get_short() == short,
        }
    })?;
    Some(arg.get_action().takes_values())
}

/// The names of all commands.
pub(crate) fn commands() -> Vec<String> {
    let all = Args::command();
    let commands = all.get_subcommands();
    commands
        .map(|command| command.get_name().to_owned())
        .collect()
}

fn without_empty_variable(arg: Arg) -> Arg {
    let empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if empty {
        arg.env(Resettable::Reset)
    } else {
        arg
    }
}

/// The values that came in this way.
fn said(matches: &ArgMatches, source: ValueSource) -> Vec<String> {
    let is_from = |id: &&str| matches.value_source(id) == Some(source);
    matches
        .ids()
        .map(clap::Id::as_str)
        .filter(is_from)
        .map(str::to_owned)
        .collect()
}

/// How the value `id` came in: as it is `typed`, or its variable.
fn name_of(
    matches: &ArgMatches,
    id: &str,
    typed: &'static str,
    variable: &'static str,
) -> &'static str {
    if matches.value_source(id) == Some(ValueSource::EnvVariable) {
        variable
    } else {
        typed
    }
}

/// Settles what contradicts itself, if one of the two was typed.
fn prefer_typed(args: &mut Args, matches: &ArgMatches) -> Result<(), Failure> {
    let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    if let Some(Command::Host(Host { port, listen, .. })) = &mut args.command
        && let (Some(number), Some(_)) = (&port, &listen)
    {
        match (typed("port"), typed("listen")) {
            (true, false) => *listen = None,
            (false, true) => *port = None,
            _ => {
                let port_name = name_of(matches, "port", "--port", "VIA6_PORT");
                let listen_name = name_of(matches, "listen", "--listen", "VIA6_LISTEN");
                let message = format!("{port_name} and {listen_name} cannot be used together");
                let hint = format!("--listen '[::]:{number}' says both; leave {port_name} out");
                return Err(Failure::usage(message).hint(hint));
            }
        }
    }
    if args.shown.quiet && args.shown.verbose > 0 {
        match (typed("quiet"), typed("verbose")) {
            (true, false) => args.shown.verbose = 0,
            (false, true) => args.shown.quiet = false,
            _ => {
                let quiet_name = name_of(matches, "quiet", "--quiet", "VIA6_QUIET");
                let verbose_name = name_of(matches, "verbose", "--verbose", "VIA6_VERBOSE");
                let message = format!("{quiet_name} and {verbose_name} cannot be used together");
                return Err(Failure::usage(message).hint("leave one of them out"));
            }
        }
    }
    Ok(())
}
