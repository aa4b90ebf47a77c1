//! A chain as a line of text: `NAME [tcp|udp] = COMMAND ;; COMMAND`.
//!
//! A command is `VARIABLE=value … PROGRAM argument …`, cut at spaces; quotes, single or double, keep
//! them. It is not a shell: nothing is expanded except the placeholders (`places`).

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::{Chain, Protocol, places};

/// One command of a chain, its placeholders not yet filled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct CommandLine {
    pub(super) environment: Vec<(String, String)>,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

pub(super) fn parse(line: &str, folder: &Path) -> anyhow::Result<Chain> {
    let (head, commands) = line
        .split_once('=')
        .context("there is no `=` after the name")?;
    let mut words = head.split_whitespace();
    let name = words
        .next()
        .context("there is no name before the `=`")?
        .to_owned();
    let protocol = words.next().map_or(Ok(Protocol::Tcp), str::parse)?;
    ensure!(
        words.next().is_none(),
        "more than a name and a protocol before the `=`"
    );
    let hops = if commands.trim().is_empty() {
        Vec::new()
    } else {
        commands
            .split(";;")
            .map(CommandLine::parse)
            .collect::<anyhow::Result<_>>()?
    };
    Ok(Chain {
        name,
        protocol,
        hops,
        folder: folder.to_owned(),
    })
}

impl CommandLine {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut words = split_words(text)?.into_iter().peekable();
        let mut environment = Vec::new();
        while let Some((variable, value)) = words.peek().and_then(|word| word.split_once('=')) {
            environment.push((variable.to_owned(), value.to_owned()));
            words.next();
        }
        let program = words.next().context("there is an empty command")?;
        Ok(Self {
            environment,
            program,
            arguments: words.collect(),
        })
    }

    /// The program and its arguments.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.program)
            .chain(&self.arguments)
            .map(String::as_str)
    }

    pub(super) fn is_own(&self) -> bool {
        self.program == "{via6}"
    }

    pub(super) fn is_bare(&self) -> bool {
        self.program == "{bare}"
    }

    /// Whether another command must have printed an invite before it can be run.
    pub(super) fn needs_invite(&self) -> bool {
        let in_words = self.words().any(|word| word.contains("{invite}"));
        let mut values = self.environment.iter().map(|(_, value)| value);
        in_words || values.any(|value| value.contains("{invite}"))
    }

    fn locate(&self, via6: Option<&Path>) -> Option<PathBuf> {
        if self.is_own() {
            return via6.map(Path::to_owned);
        }
        if self.is_bare() {
            return places::bare().ok().filter(|program| program.is_file());
        }
        let program = Path::new(&self.program);
        if program.components().count() > 1 {
            return program.is_file().then(|| program.to_owned());
        }
        on_path(program)
    }

    pub(super) fn missing(&self, via6: Option<&Path>) -> Option<String> {
        if self.locate(via6).is_some() {
            return None;
        }
        Some(if self.is_own() {
            "there is no via6 beside this program, and --via6 names none".to_owned()
        } else if self.is_bare() {
            "the bare relays have not been built beside this program".to_owned()
        } else {
            format!("{} is not installed", self.program)
        })
    }

    /// What the program says when asked for its version; where it does not say it, what Debian's
    /// package of that name has.
    pub(super) fn version(&self, via6: Option<&Path>) -> Option<String> {
        let program = self.locate(via6)?;
        let name = program.file_name()?.to_str()?;
        let flag = match name {
            "socat" => "-V",
            "haproxy" | "nginx" => "-v",
            _ => "--version",
        };
        let output = Command::new(&program)
            .arg(flag)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        // nginx answers on stderr.
        let text = [output.stdout, output.stderr].concat();
        version_line(name, &String::from_utf8_lossy(&text)).or_else(|| package_version(name))
    }
}

fn on_path(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether a program can be run by its name.
pub(crate) fn is_installed(program: &str) -> bool {
    on_path(Path::new(program)).is_some()
}

/// The line with a number like 1.2 in it, rather one that calls it a version; with the program's
/// name in front if it does not say that.
fn version_line(name: &str, text: &str) -> Option<String> {
    let is_numbered = |line: &&str| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        line.bytes().enumerate().any(|(index, byte)| {
            let bytes = line.as_bytes();
            byte == b'.' && digit(bytes.get(index.wrapping_sub(1))) && digit(bytes.get(index + 1))
        })
    };
    let says_version = |line: &&str| line.to_ascii_lowercase().contains("version");
    let mut numbered = text.lines().filter(is_numbered);
    let line = numbered
        .clone()
        .find(says_version)
        .or_else(|| numbered.next())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(80).collect();
    let names_itself = line.to_ascii_lowercase().contains(name);
    Some(if names_itself {
        line
    } else {
        format!("{name}: {line}")
    })
}

fn package_version(name: &str) -> Option<String> {
    let output = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat=${Package} ${Version} (Debian)",
            name,
        ])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let known = output.status.success() && !output.stdout.is_empty();
    known.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (variable, value) in &self.environment {
            write!(f, "{variable}={} ", quoted(value))?;
        }
        write!(f, "{}", self.program)?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// With quotes where [`split_words`] would need them.
fn quoted(word: &str) -> Cow<'_, str> {
    if word.is_empty() || word.contains(char::is_whitespace) {
        Cow::Owned(format!("'{word}'"))
    } else {
        Cow::Borrowed(word)
    }
}

fn split_words(text: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    ensure!(quote.is_none(), "a quote is not closed");
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(line: &str) -> anyhow::Result<Chain> {
        parse(line, Path::new("."))
    }

    #[test]
    fn a_line_is_a_name_a_protocol_and_commands() {
        let chain =
            chain("two udp = A=1 B='x y' relay -l {listen} ;; other \"\" '{target} z'").unwrap();
        assert_eq!(
            (chain.name.as_str(), chain.protocol),
            ("two", Protocol::Udp)
        );
        assert_eq!(
            chain.hops[0].environment,
            [("A".into(), "1".into()), ("B".into(), "x y".into())]
        );
        assert_eq!(chain.hops[0].arguments, ["-l", "{listen}"]);
        assert_eq!(chain.hops[1].arguments, ["", "{target} z"]);
        assert_eq!(chain.commands()[0], "A=1 B='x y' relay -l {listen}");
        assert_eq!(chain.commands()[1], "other '' '{target} z'");
    }

    #[test]
    fn a_command_says_whether_it_waits_for_an_invite() {
        let chain = chain("x = join {invite} ;; I={invite} join ;; host {target}").unwrap();
        let waits: Vec<_> = chain.hops.iter().map(CommandLine::needs_invite).collect();
        assert_eq!(waits, [true, true, false]);
    }

    #[test]
    fn arguments_may_hold_an_equals_sign() {
        let chain = chain("x = socat TCP4-LISTEN:1,bind=::1 --a=b").unwrap();
        assert_eq!(chain.hops[0].arguments, ["TCP4-LISTEN:1,bind=::1", "--a=b"]);
    }

    #[test]
    fn a_version_is_found_among_what_programs_print() {
        let line = |name, text| version_line(name, text);
        let rathole = "rathole\nBuild Timestamp:  23.9\nBuild Version:    0.5.0";
        assert_eq!(
            line("rathole", rathole).unwrap(),
            "rathole: Build Version: 0.5.0"
        );
        assert_eq!(line("realm", "Realm 2.9.4 [x]").unwrap(), "Realm 2.9.4 [x]");
        assert_eq!(line("6tunnel", "usage: 6tunnel [-146dvh] [-s host]"), None);
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "",
            "x",
            "= a",
            "x sctp = a",
            "x tcp y = a",
            "x = a ;;",
            "x = 'a",
            "x = A=1",
        ] {
            assert!(chain(line).is_err(), "{line:?}");
        }
        assert!(chain("direct tcp =").unwrap().is_direct());
    }
}
