//! `via6 config show`: every value with its source, in a form that is a file again.

use serde_json::Value;

use crate::support::Ended;
use crate::{Folder, examples};

const FILE: &str = r#"
splice = "never"
metrics = 9646
verbose = 1

[host.minecraft]
game = 25565
open = true
trust-relay = "2001:db8::/64"

[join."Jürgen"]
host = "via6 join '[2001:db8::1234]:43325' --udp"
splice = "always"
listen = "127.0.0.1:7777"

[relay.web]
protocol = "UDP"
listen = "[::]:5"
target = "localhost:6"
"#;

fn right(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
    ended.stdout
}

#[test]
fn every_value_stands_there_with_its_source() {
    let folder = Folder::with(FILE);
    let shown = right(
        folder.run("VIA6_QUIET=1 VIA6_VERBOSE= via6 config show via6.toml --metrics [::1]:9"),
    );
    assert_eq!(
        shown,
        r#"verbose = 0                      # VIA6_QUIET
quiet = true                     # VIA6_QUIET
json = false                     # default
plain = false                    # default
metrics = "[::1]:9"              # --metrics
splice = "never"                 # via6.toml:2

[host.minecraft]                 # via6.toml:6
game = "127.0.0.1:25565"         # via6.toml:7
open = true                      # via6.toml:8
port = 43325                     # default
tcp = true                       # default
udp = true                       # default
trust-relay = ["2001:db8::/64"]  # via6.toml:9
splice = "never"                 # via6.toml:2

[join."Jürgen"]                  # via6.toml:11
host = "[2001:db8::1234]:43325"  # via6.toml:12
listen = "127.0.0.1:7777"        # via6.toml:14
tcp = false                      # via6.toml:12
udp = true                       # via6.toml:12
splice = "always"                # via6.toml:13

[relay.web]                      # via6.toml:16
protocol = "udp"                 # via6.toml:17
listen = "[::]:5"                # via6.toml:18
target = "localhost:6"           # via6.toml:19
trust-relay = []                 # default
splice = "never"                 # via6.toml:2
"#
    );
}

/// The object without what says where a value is from: names of files and lines.
fn values(object: &Value) -> Value {
    match object {
        Value::Object(fields) if fields.contains_key("source") => fields["value"].clone(),
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(key, _)| *key != "line" && *key != "file");
            kept.map(|(key, value)| (key.clone(), values(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(values).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_is_shown_is_a_file_that_comes_to_the_same() {
    let files = examples()
        .into_iter()
        .map(|path| std::fs::read_to_string(path).expect("text"));
    for file in files.chain([FILE.to_owned()]) {
        for over in ["", "--splice never --quiet", "--metrics 1234 -vv --plain"] {
            let folder = Folder::with(&file);
            let shown = right(folder.run(&format!("via6 config show via6.toml {over}")));
            // An invite is covered, and has to be put back in.
            let invite = file.split('"').find(|word| word.starts_with("via6:1"));
            let shown = shown.replace("via6:1…", invite.unwrap_or_default());
            folder.write("again.toml", &shown);
            let object = |line: &str| -> Value {
                serde_json::from_str(&right(folder.run(line))).expect("an object")
            };
            // The flag `--json` would be part of what is shown.
            let first = object(&format!("via6 config show via6.toml --json {over}"));
            let second = object("via6 config show again.toml --json");
            assert_eq!(values(&first), values(&second), "{shown}");
            let again = right(folder.run("via6 config show again.toml"));
            let again = again.replace("via6:1…", invite.unwrap_or_default());
            let without_source = |text: &str| -> String {
                text.lines()
                    .map(|line| line.split(" #").next().unwrap_or("").trim_end())
                    .collect()
            };
            assert_eq!(without_source(&again), without_source(&shown));
        }
    }
}

#[test]
fn a_sealed_link_is_shown_without_what_lets_in() {
    let invite = "via6:10781h6je7fwj8v8hsskbc5cd77t9jx3nfva3acc25exj7rjny3g9sa9x400gve00000000000000000j6j420b0r";
    let folder = Folder::with(format!(
        "[host.a]\ngame = 5\n[host.b]\ngame = 6\nport = 43326\ndns-name = \"a.example.org\"\n\
         [join.c]\ninvite = \"{invite}\"\nas = \"Ann\"\ntransport = \"tls\"\n"
    ));
    let shown = right(folder.run("via6 config show via6.toml"));
    for line in [
        "open = false",
        "# dns-name = none",
        "port = 43326",
        "dns-name = \"a.example.org\"",
        "invite = \"via6:1…\"",
        "as = \"Ann\"",
        "transport = \"tls\"",
        "listen = \"127.0.0.1:0\"",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
    // Both go through the port that one of them says.
    assert_eq!(shown.matches("port = 43326").count(), 2, "{shown}");
    let object = right(folder.run("via6 config show via6.toml --json"));
    for text in [shown, object] {
        assert!(!text.contains(&invite[8..]), "{text}");
    }
}

/// What wins, and what is then said of it: a command and the line that it shows.
const SOURCES: &[(&str, &str)] = &[
    ("", "verbose = 1 # via6.toml:4"),
    ("VIA6_VERBOSE=2 via6", "verbose = 2 # VIA6_VERBOSE"),
    ("VIA6_VERBOSE=2 via6 -v", "verbose = 1 # --verbose"),
    ("VIA6_VERBOSE=0 via6", "verbose = 0 # VIA6_VERBOSE"),
    ("via6 -vvvv", "verbose = 2 # --verbose"),
    ("via6 --quiet", "verbose = 0 # --quiet"),
    ("via6 --quiet", "quiet = true # --quiet"),
    ("", "json = false # default"),
    ("", "plain = false # default"),
    ("via6 --plain", "plain = true # --plain"),
    ("VIA6_PLAIN=1 via6", "plain = true # VIA6_PLAIN"),
    ("VIA6_JSON=0 via6", "json = false # VIA6_JSON"),
    ("", "metrics = \"127.0.0.1:9646\" # via6.toml:3"),
    (
        "VIA6_METRICS=[::1]:7 via6",
        "metrics = \"[::1]:7\" # VIA6_METRICS",
    ),
    (
        "VIA6_METRICS=7 via6 --metrics 8",
        "metrics = \"127.0.0.1:8\" # --metrics",
    ),
    (
        "VIA6_METRICS= via6",
        "metrics = \"127.0.0.1:9646\" # via6.toml:3",
    ),
    ("", "splice = \"always\" # via6.toml:13"),
    ("VIA6_SPLICE=auto via6", "splice = \"auto\" # VIA6_SPLICE"),
    (
        "VIA6_SPLICE=auto via6 --splice never",
        "splice = \"never\" # --splice",
    ),
    ("VIA6_SPLICE= via6", "splice = \"never\" # via6.toml:2"),
];

#[test]
fn a_flag_beats_a_variable_that_the_file_and_that_the_default() {
    let folder = Folder::with(FILE);
    for (typed, wanted) in SOURCES {
        let (variables, flags) = typed.split_once("via6").unwrap_or_default();
        let line = format!("{variables}via6 config show via6.toml{flags}");
        let shown = right(folder.run(&line));
        let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = shown.lines().any(|line| plain(line) == *wanted);
        assert!(found, "$ {line}\nno {wanted} in\n{shown}");
    }
    // Typed for all, it leaves no entry out.
    let shown = right(folder.run("via6 config show via6.toml --splice auto"));
    assert_eq!(shown.matches("splice = \"auto\"").count(), 4, "{shown}");
}

#[test]
fn an_object_names_each_source() {
    let folder = Folder::with(FILE);
    let line = "VIA6_SPLICE=auto via6 config show via6.toml --json";
    let object: Value = serde_json::from_str(&right(folder.run(line))).expect("an object");
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    for (pointer, wanted) in [
        ("/verbose", r#"{"value":1,"source":"file","line":4}"#),
        ("/json", r#"{"value":true,"source":"flag","name":"--json"}"#),
        ("/quiet", r#"{"value":false,"source":"default"}"#),
        (
            "/entries/1/splice",
            r#"{"value":"auto","source":"environment","name":"VIA6_SPLICE"}"#,
        ),
        ("/entries/1/name", "\"Jürgen\""),
        ("/entries/1/role", "\"join\""),
        ("/entries/2/line", "16"),
    ] {
        assert_eq!(object.pointer(pointer), Some(&json(wanted)), "{pointer}");
    }
}

#[test]
fn metrics_that_are_typed_cannot_be_where_an_entry_listens() {
    let ended = Folder::with(FILE).run("via6 config show via6.toml --metrics [::1]:43325");
    assert_eq!(
        ended.stderr,
        "error: cannot serve metrics on [::1]:43325: [host.minecraft] in line 6 listens there\n\n\
         hint: for instance: --metrics 9646\n"
    );
    assert_eq!(ended.code, Some(2));
}
