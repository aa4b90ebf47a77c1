//! What a text comes to, and what holds for any text whatever.

use proptest::prelude::*;

use super::{Config, Overrides, Problems, Source, Sourced, parse};
use crate::args::Splice;
use crate::entry::Protocols;
use crate::narrator::Role;

fn read(text: &str) -> Config {
    parse("f", text.to_owned()).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

fn refused(text: &str) -> Problems {
    parse("f", text.to_owned()).expect_err(text)
}

const HOST: &str = "[host.a]\ngame = 5\nopen = true\n";

#[test]
fn entries_keep_the_order_of_the_file() {
    let config = read(
        "relay.z = { protocol = \"udp\", listen = \"[::]:1\", target = \"[::1]:2\" }\n\
         [join.y]\nhost = \"2001:db8::1\"\n[host.x]\ngame = \"h:5\"\nopen = true\n\
         [join.w]\nhost = \"2001:db8::1\"\nlisten = \"127.0.0.1:0\"\n",
    );
    let resolved = config.resolve(Overrides::default()).unwrap();
    let seen: Vec<_> = resolved
        .entries()
        .map(|entry| {
            let (name, role) = (entry.name.as_str(), entry.role);
            (
                name,
                role,
                entry.listen.to_string(),
                entry.upstream.to_string(),
            )
        })
        .collect();
    let entry = |name, role, listen: &str, upstream: &str| {
        (name, role, listen.to_owned(), upstream.to_owned())
    };
    assert_eq!(
        seen,
        [
            entry("z", Role::Relay, "[::]:1", "[::1]:2"),
            entry("y", Role::Join, "127.0.0.1:46666", "[2001:db8::1]:43325"),
            entry("x", Role::Host, "[::]:43325", "h:5"),
            entry("w", Role::Join, "127.0.0.1:0", "[2001:db8::1]:43325"),
        ]
    );
    let lines: Vec<_> = resolved
        .settings
        .iter()
        .map(|settings| settings.line)
        .collect();
    assert_eq!(lines, [1, 2, 4, 7]);
}

#[test]
fn what_is_carried_is_what_is_said() {
    for (keys, tcp, udp) in [
        ("", true, true),
        ("tcp = true", true, false),
        ("udp = true", false, true),
        ("tcp = false", false, true),
        ("udp = false", true, false),
        ("tcp = true\nudp = true", true, true),
        ("tcp = true\nudp = false", true, false),
    ] {
        let config = read(&format!("{HOST}{keys}"));
        let carried = config.entries[0].entry.carried;
        assert_eq!(carried, Protocols { tcp, udp }, "{keys}");
    }
    // The line that a host prints says it as well, unless a key does.
    for (keys, tcp, udp) in [("", true, false), ("udp = true", false, true)] {
        let config = read(&format!(
            "[join.a]\nhost = \"via6 join '[::1]:5' --tcp\"\n{keys}"
        ));
        let carried = config.entries[0].entry.carried;
        assert_eq!(carried, Protocols { tcp, udp }, "{keys}");
    }
}

/// The same precedence as `config show` tells, on values alone.
#[test]
fn splice_of_an_entry_beats_that_of_the_top_and_what_was_typed_beats_both() {
    let text = format!("splice = \"never\"\n{HOST}[join.b]\nhost = \"::1\"\nsplice = \"always\"\n");
    let splices = |over: Option<Splice>| -> Vec<Splice> {
        let source = Source::Flag("--splice");
        let splice = over.map(|value| Sourced { value, source });
        let over = Overrides {
            splice,
            ..Overrides::default()
        };
        let resolved = read(&text).resolve(over).unwrap();
        resolved.entries().map(|entry| entry.splice).collect()
    };
    assert_eq!(splices(None), [Splice::Never, Splice::Always]);
    assert_eq!(splices(Some(Splice::Auto)), [Splice::Auto, Splice::Auto]);
}

#[test]
fn quiet_and_verbose_of_different_sources_are_settled() {
    let over = |verbose, quiet, source| Overrides {
        verbose: Some(Sourced {
            value: verbose,
            source,
        }),
        quiet: Some(Sourced {
            value: quiet,
            source,
        }),
        ..Overrides::default()
    };
    let loudness = |text: &str, over: Overrides| {
        let shown = read(&format!("{text}\n{HOST}"))
            .resolve(over)
            .unwrap()
            .shown();
        (shown.verbose, shown.quiet)
    };
    let flag = Source::Flag("--quiet");
    assert_eq!(loudness("quiet = true", Overrides::default()), (0, true));
    assert_eq!(loudness("verbose = 2", Overrides::default()), (2, false));
    assert_eq!(loudness("quiet = true", over(1, false, flag)), (1, false));
    let quiet = Overrides {
        verbose: None,
        ..over(0, true, flag)
    };
    assert_eq!(loudness("verbose = 2", quiet), (0, true));
    let verbose = Overrides {
        quiet: None,
        ..over(2, false, Source::Environment("VIA6_VERBOSE"))
    };
    assert_eq!(loudness("quiet = true", verbose), (2, false));
}

#[test]
fn so_many_entries_and_no_more() {
    use std::fmt::Write;
    use via6_core::limits::CONFIG_ENTRIES_MAX;
    let text = |count: usize| {
        (0..count).fold(String::new(), |mut text, n| {
            writeln!(text, "[join.a{n}]\nhost = \"::1\"\nlisten = \"[::1]:0\"").unwrap();
            text
        })
    };
    assert_eq!(
        read(&text(CONFIG_ENTRIES_MAX)).entries.len(),
        CONFIG_ENTRIES_MAX
    );
    let problems = refused(&text(CONFIG_ENTRIES_MAX + 1)).to_string();
    assert!(
        problems.starts_with("f:769:1: a file has at most 256 entries\n"),
        "{problems}"
    );
}

#[test]
fn more_problems_than_are_listed_are_counted() {
    use via6_core::limits::CONFIG_PROBLEMS_MAX;
    let keys: Vec<_> = (0..CONFIG_PROBLEMS_MAX + 3)
        .map(|n| format!("zzzzzz{n} = 1"))
        .collect();
    let keys = keys.join(
        "
",
    );
    let problems = refused(&format!("{HOST}{keys}"));
    assert_eq!(problems.objects().len(), CONFIG_PROBLEMS_MAX);
    assert_eq!(problems.title(), "53 problems in f");
    assert!(problems.to_string().ends_with("\n\nand 3 more"));
}

const EXAMPLES: [&str; 6] = [
    include_str!("../../../../docs/examples/game-on-nas.toml"),
    include_str!("../../../../docs/examples/headless-server.toml"),
    include_str!("../../../../docs/examples/join-two-hosts.toml"),
    include_str!("../../../../docs/examples/lan-party-relay.toml"),
    include_str!("../../../../docs/examples/minecraft-host.toml"),
    include_str!("../../../../docs/examples/two-games.toml"),
];

/// What holds for any text: an answer, each place of which is in the text, in order.
fn check(text: &str) {
    let Err(problems) = parse("f", text.to_owned()) else {
        return;
    };
    let lines: Vec<_> = text.split('\n').collect();
    let mut last = (0, 0);
    let report = problems.to_string();
    assert!(!problems.objects().is_empty());
    for problem in problems.objects() {
        let number = |key: &str| usize::try_from(problem[key].as_u64().unwrap()).unwrap();
        let place = (number("line"), number("column"));
        assert!(place.0 >= 1 && place.1 >= 1, "{problem}");
        let line = lines.get(place.0 - 1).expect("a line of the text");
        // One behind the end is where something is missing.
        assert!(place.1 <= line.chars().count() + 1, "{problem}\n{text:?}");
        assert!(place >= last, "{report}");
        last = place;
        assert!(!problem["message"].as_str().unwrap().is_empty());
    }
    assert!(
        !report.contains('\u{1b}') && !report.contains('\r'),
        "{report:?}"
    );
    // The mark is never behind the line that is shown.
    for pair in report.lines().collect::<Vec<_>>().windows(2) {
        let is_mark = pair[1].trim_start().chars().all(|c| c == '^') && pair[1].contains('^');
        if is_mark && pair[0].contains(" |") {
            assert!(
                pair[1].chars().count() <= pair[0].chars().count() + 2,
                "{report}"
            );
        }
    }
}

/// Pieces that mean something somewhere.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "#",
        "\n",
        "\r\n",
        "\r",
        "\\",
        ":",
        ";",
        "//",
        " ",
        "\t",
        "host",
        "join",
        "relay",
        "game",
        "open",
        "port",
        "listen",
        "target",
        "protocol",
        "trust-relay",
        "splice",
        "metrics",
        "quiet",
        "true",
        "yes",
        "25565",
        "043",
        "-1",
        "1.5",
        "[::]:43325",
        "127.0.0.1:5",
        "2001:db8::1",
        "[host.a]\n",
        "[join.b]\n",
        "game = 5\n",
        "open = true\n",
        "host = \"::1\"\n",
        "“",
        "ü",
        "\u{0}",
        "\u{1b}",
        "\u{202e}",
        "\u{feff}",
        "1979-05-27",
        "inf",
    ];
    prop_oneof![
        4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// Found by the tests below, each of them once an endless loop or a mark in the wrong place.
#[test]
fn these_texts_get_an_answer() {
    for text in [
        "x\r\r\n",
        "\r",
        "host.  ",
        "[host.a\r",
        "x = [\r\r\n",
        "\u{feff}\u{feff}= 1",
    ] {
        check(text);
    }
}

/// What is done to an example: from where, how much of it goes, and what comes instead.
fn change() -> impl Strategy<Value = (usize, usize, String)> {
    (any::<usize>(), 0_usize..30, piece())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // What fails is worth a test of its own above.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_pieces_get_an_answer(pieces in proptest::collection::vec(piece(), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn a_changed_example_gets_an_answer(
        example in 0..EXAMPLES.len(),
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let mut text: Vec<char> = EXAMPLES[example].chars().collect();
        for (at, gone, piece) in changes {
            let from = at % (text.len() + 1);
            let to = (from + gone).min(text.len());
            text.splice(from..to, piece.chars());
        }
        check(&text.into_iter().collect::<String>());
    }
}
