//! Finds what is to be joined in what was pasted: a `via6 join` line with its flags, or an address,
//! in whatever a chat program puts around it. No other command is ever taken from there.

use via6_core::addr::{AddrError, HostPort};

use super::words::{plain, split};

/// What was found.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// The words of a `join`. The first that is understood is meant; if none is, the first is wrong.
    Join(Vec<Vec<String>>),
    /// A line of this command, and none of `join`.
    Other(String),
    /// A flag that nobody else should set.
    Forbidden(&'static str),
    /// Nothing but blank lines.
    Nothing,
}

/// What is known of the command line.
pub(crate) trait Grammar {
    /// Whether this is a command.
    fn is_command(&self, word: &str) -> bool;

    /// Whether a value follows this flag of `join`.
    fn takes_value(&self, flag: &str) -> bool;
}

/// Flags that are about this computer: no friend has to know of them.
const FORBIDDEN: [&str; 2] = ["--state", "--metrics"];

/// Looks through the lines.
pub(super) fn find(lines: &[String], grammar: &impl Grammar) -> Found {
    let lines = lines.iter().map(|line| plain(line));
    let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
    let mut candidates = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).map_or("", |line| line.trim());
        // A chat or a terminal may have broken it in two, within a word or between two.
        for text in [
            line.clone(),
            format!("{line}{next}"),
            format!("{line} {next}"),
        ] {
            let Some(start) = command_at(&text, |word| word == "join") else {
                continue;
            };
            match join_words(text.get(start..).unwrap_or_default(), grammar) {
                Ok(words) => candidates.push(words),
                Err(flag) => return Found::Forbidden(flag),
            }
        }
    }
    if candidates.is_empty() {
        for line in &lines {
            let other = |word: &str| grammar.is_command(word);
            if let Some(command) = command_at(line, other).and_then(|at| named(line, at)) {
                return Found::Other(command);
            }
        }
        candidates = addresses(&lines);
    }
    if candidates.is_empty() {
        return Found::Nothing;
    }
    candidates.dedup();
    Found::Join(candidates)
}

/// Where `via6 COMMAND` begins, with a command that `is_it`.
fn command_at(line: &str, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    let words = words_at(line);
    let mut pairs = words.iter().zip(words.iter().skip(1));
    let (at, _) = pairs.find_map(|(word, next)| {
        let found = is_via6(word.1) && is_it(&bare(next.1).to_ascii_lowercase());
        found.then_some(word)
    })?;
    Some(*at)
}

/// The words of a line and where they begin.
fn words_at(line: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let words = line.split(' ').map(|word| {
        let begins = at;
        at += word.len() + 1;
        (begins, word)
    });
    words.filter(|(_, word)| !word.is_empty()).collect()
}

/// The command of the line that begins there.
fn named(line: &str, at: usize) -> Option<String> {
    let mut words = line.get(at..)?.split(' ').filter(|word| !word.is_empty());
    words.nth(1).map(|word| bare(word).to_ascii_lowercase())
}

/// `via6`, `./via6`, `C:\games>via6.exe`, `` `via6 ``.
fn is_via6(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let word = word.strip_suffix(".exe").unwrap_or(&word);
    word.strip_suffix("via6")
        .is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

/// A word without the quotes and signs that a sentence put behind it.
fn bare(word: &str) -> &str {
    word.trim_end_matches(['`', '"', '\'', '.', ',', ';', ':', '!', '?', ')', '*', '_'])
}

/// `-v`, `--udp`; a hyphen between words of a sentence is none.
fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix('-');
    name.is_some_and(|name| {
        let name = name.trim_start_matches('-');
        name.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// The words for the parser of a line that begins with `via6 join`: its flags and the address, and
/// nothing of what the chat says behind them. `Err` names a flag that is not taken.
fn join_words(line: &str, grammar: &impl Grammar) -> Result<Vec<String>, &'static str> {
    // The quotes that the whole line is in.
    let words = split(line.trim_start_matches(['`', '"', '\'', '(']));
    let (mut flags, mut address) = (Vec::new(), None);
    let mut behind = words.iter().skip(2).peekable();
    while let Some(word) = behind.next() {
        if is_flag(word) {
            let flag = bare(word);
            let name = flag.split('=').next().unwrap_or_default();
            if let Some(forbidden) = FORBIDDEN.into_iter().find(|flag| *flag == name) {
                return Err(forbidden);
            }
            flags.push(flag.to_owned());
            if !flag.contains('=') && grammar.takes_value(name) {
                let value = behind.next_if(|value| !is_flag(value));
                flags.extend(value.map(|value| bare(value).to_owned()));
            }
        } else if address.is_none() {
            address = Some(word);
        } else {
            break;
        }
    }
    let mut all = vec!["join".to_owned()];
    if flags.is_empty() {
        // Whoever reads addresses knows best what is around them.
        all.extend(["--".to_owned(), line.to_owned()]);
    } else {
        all.extend(flags);
        let address = address.map(|word| word.trim_matches(['`', '"', '\'', ',', ';']));
        all.extend(["--".to_owned(), address.unwrap_or_default().to_owned()]);
    }
    Ok(all)
}

/// What may be an address: first those that certainly are.
fn addresses(lines: &[String]) -> Vec<Vec<String>> {
    let all = lines;
    let lines = || all.iter().map(|line| without_mark(line));
    let words = || lines().flat_map(|line| line.split(' '));
    let is_address = |text: &&str| text.contains([':', '.']) && HostPort::parse_link(text).is_ok();
    let is_ipv6 = |word: &&str| word.matches(':').count() >= 2;
    // An invite is one wherever it is, and may stand in several lines.
    let is_invite = |line: &&str| HostPort::parse_link(line) == Err(AddrError::Invite);
    if let Some(invite) = lines().find(is_invite) {
        let whole = all.iter().map(String::as_str).collect::<Vec<_>>();
        return vec![joined(invite), joined(&whole.join("\n"))];
    }
    let whole = lines().filter(is_ipv6).filter(is_address);
    let within = words().filter(is_ipv6).map(trimmed).filter(is_address);
    // `hi.` is a name as well.
    let named = lines().filter(is_address);
    let like = lines().filter(|line| line.contains([':', '.']));
    let all = whole.chain(within).chain(named);
    let mut all = all.chain(like).chain(lines());
    all.next().map(joined).into_iter().collect()
}

/// The words of a `join` of this text.
fn joined(text: &str) -> Vec<String> {
    ["join", "--", text].map(str::to_owned).to_vec()
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(['`', '"', '\'', '(', ')', ',', ';', '.', '!', '?', '*'])
}

/// Without what stands before a quotation or in a list.
fn without_mark(line: &str) -> &str {
    line.trim_start_matches(['>', '|', '*', '•', '-', '#', '$', ' '])
        .trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Ours;

    impl Grammar for Ours {
        fn is_command(&self, word: &str) -> bool {
            ["host", "join", "relay", "stop"].contains(&word)
        }

        fn takes_value(&self, flag: &str) -> bool {
            ["--listen", "--splice"].contains(&flag)
        }
    }

    fn found(text: &str) -> Found {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        find(&lines, &Ours)
    }

    /// The words of the first candidate.
    fn words(text: &str) -> Vec<String> {
        match found(text) {
            Found::Join(candidates) => candidates[0].clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    /// What is taken for the address, with core's reading of it.
    fn host(text: &str) -> String {
        let words = words(text);
        let host = HostPort::parse_link(words.last().unwrap());
        host.map_or_else(|error| format!("error: {error}"), |host| host.to_string())
    }

    #[test]
    fn the_line_is_found_in_a_chat() {
        for text in [
            "via6 join '[2001:db8::1]:5'",
            "  via6 join '[2001:db8::1]:5'  ",
            "> via6 join '[2001:db8::1]:5'",
            "$ via6 join '[2001:db8::1]:5'",
            "`via6 join '[2001:db8::1]:5'`",
            "hey, run `via6 join '[2001:db8::1]:5'` and call me",
            "via6 join ‘[2001:db8::1]:5’",
            r"C:\games> via6.exe JOIN [2001:db8::1]:5",
            "Ann: hi\n\nAnn: via6 join '[2001:db8::1]:5'\nAnn: it's on",
            "[22:14] Ann: via6 join '[2001:db8::1]:5'",
            "\n\n> sharing 127.0.0.1:25565 (TCP and UDP) on [::]:5\n>\n> Your friend installs via6 and \
             pastes this line:\n>\n>   via6 join '[2001:db8::1]:5'\n\nPress Ctrl-C to stop.",
            "via6 host --open 25565\nvia6 join '[2001:db8::1]:5'",
            "via6 join '[2001:db8::1]:5' --tcp",
            "hi! `via6 join '[2001:db8::1]:5' --tcp` and then play",
            "\"via6 join [2001:db8::1]:5 --tcp\".",
            "via6 join --tcp '[2001:db8::1]:5', see you",
            // An address alone.
            "[2001:db8::1]:5",
            "> [2001:db8::1]:5",
            "• [2001:db8::1]:5",
            "Hi.\nhere it is:\n\n[2001:db8::1]:5\nsee you",
            "it is [2001:db8::1]:5, come in",
            "hi\nit is ([2001:db8::1]:5).\nbye",
        ] {
            assert_eq!(host(text), "[2001:db8::1]:5", "{text}");
        }
        assert_eq!(host("play.example.org"), "play.example.org:43325");
        assert_eq!(host("hi\nplay.example.org:5"), "play.example.org:5");
        assert_eq!(host("gamebox"), "gamebox:43325");
    }

    #[test]
    fn its_flags_are_taken_and_not_the_sentence_behind() {
        for (text, flags) in [
            (
                "via6 join '[::1]:5' --tcp --listen 127.0.0.1:25565",
                &["--tcp", "--listen", "127.0.0.1:25565"][..],
            ),
            (
                "via6 join '[::1]:5' --listen '127.0.0.1:5' -v now",
                &["--listen", "127.0.0.1:5", "-v"],
            ),
            (
                "via6 join --listen='127.0.0.1:5' '[::1]:5'",
                &["--listen=127.0.0.1:5"],
            ),
            ("via6 join '[::1]:5' —udp.", &["--udp"]),
            ("`via6 join [::1]:5 --splice never`", &["--splice", "never"]),
            ("via6 join '[::1]:5' --udp and then --tcp", &["--udp"]),
            ("via6 join '[::1]:5' - see you", &[]),
        ] {
            let words = words(text);
            let end = words.iter().position(|word| word == "--").unwrap();
            assert_eq!(words[1..end], *flags, "{text}");
            assert_eq!(host(text), "[::1]:5", "{text}");
        }
    }

    #[test]
    fn a_line_that_was_broken_in_two_is_tried_as_one() {
        for text in [
            "via6 join\n'[2001:db8::1]:5'",
            "via6 join '[2001:db8\n::1]:5'",
            "> via6 join '[2001:db8::1]:5' --listen\n 127.0.0.1:5",
        ] {
            let Found::Join(candidates) = found(text) else {
                panic!("{text}");
            };
            let understood = candidates.iter().find_map(|words| {
                let is_whole = !words.contains(&"--listen".to_owned()) || words.len() > 4;
                let host = HostPort::parse_link(words.last()?).ok()?;
                is_whole.then(|| host.to_string())
            });
            assert_eq!(
                understood.unwrap(),
                "[2001:db8::1]:5",
                "{text}: {candidates:?}"
            );
        }
    }

    #[test]
    fn no_other_command_is_taken() {
        for (text, command) in [
            ("via6 host --open 25565", "host"),
            (
                "paste this:\n> sudo via6 relay tcp 0.0.0.0:22 [::1]:22",
                "relay",
            ),
            ("via6 is nice: via6 stop", "stop"),
            ("`via6 stop`", "stop"),
        ] {
            assert_eq!(found(text), Found::Other(command.into()), "{text}");
        }
        for flag in FORBIDDEN {
            for line in [
                format!("via6 join '[::1]:5' {flag}=x"),
                format!("via6 join {flag} x '[::1]:5'"),
                format!("via6 join '[::1]:5' --listen {flag} x"),
            ] {
                assert_eq!(found(&line), Found::Forbidden(flag), "{line}");
            }
        }
        assert_eq!(found("\n \n"), Found::Nothing);
    }

    #[test]
    fn an_invite_is_known_as_one_wherever_it_is() {
        for text in [
            "via6:AbCdEfGhIjKlMnOp",
            "hi\nvia6:AbCdEfGhIjKlMnOp\n2001:db8::1",
            "via6 join via6:AbCdEfGhIjKlMnOp",
            "come and play: via6:AbCdEfGhIjKlMnOp",
        ] {
            assert!(host(text).contains("this is an invite"), "{text}");
        }
    }

    proptest! {
        /// No text makes it panic, and whatever it takes is a `join` without a forbidden flag.
        #[test]
        fn whatever_is_pasted_it_is_a_join_or_nothing(
            text in prop::collection::vec(
                prop_oneof![
                    ".{0,12}",
                    Just("via6".to_owned()),
                    Just("join".to_owned()),
                    Just("host".to_owned()),
                    Just("--state x".to_owned()),
                    Just("'[::1]:5'".to_owned()),
                    Just("\n".to_owned()),
                ],
                0..8,
            ),
        ) {
            if let Found::Join(candidates) = found(&text.join(" ")) {
                for words in candidates {
                    prop_assert_eq!(&words[0], "join");
                    let end = words.iter().position(|word| word == "--").unwrap();
                    prop_assert_eq!(words.len(), end + 2);
                    prop_assert!(!words[..end].iter().any(|word| word.starts_with("--state")));
                }
            }
        }
    }
}
