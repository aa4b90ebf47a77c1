//! docs/reference/events.md is the schema of `--json`: what is emitted is documented there, and
//! what is documented there is emitted, word by word.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::OnceLock;

use serde_json::Value;
use via6_core::frame::{Closed, Refusal};
use via6_core::invite::{Invite, Secret};
use via6_core::limits;
use via6_core::reason::{CloseReason, DropReason, FlowEndReason, ShedReason};

use crate::markdown::{codes, codes_outside_parentheses, read, rows, section, sources};
use crate::support::game::{Game, player_of};
use crate::support::{PATIENCE, Text, events, via6};

/// The fields of one kind.
#[derive(Debug, Default)]
struct Fields {
    /// In each event.
    always: BTreeSet<String>,
    /// In some: they stand behind a semicolon.
    sometimes: BTreeSet<String>,
}

fn documented() -> BTreeMap<String, Fields> {
    let text = read("docs/reference/events.md");
    let table = text.split("\n## ").next().unwrap_or_default();
    let kinds = rows(table).into_iter().map(|row| {
        let (always, sometimes) = row[2].split_once("; ").unwrap_or((&row[2], ""));
        let fields = Fields {
            always: codes_outside_parentheses(always).into_iter().collect(),
            sometimes: codes_outside_parentheses(sometimes).into_iter().collect(),
        };
        (codes(&row[0]).concat(), fields)
    });
    kinds.collect()
}

/// An address that nothing listens on, as long as the other is kept.
fn nobody() -> (Game, SocketAddr) {
    let game = Game::on("127.0.0.2");
    let address = SocketAddr::new([127, 0, 0, 1].into(), game.address.port());
    (game, address)
}

/// The events of several runs in which everything happens that can be made to happen.
fn emitted() -> &'static [Value] {
    static EMITTED: OnceLock<Vec<Value>> = OnceLock::new();
    EMITTED.get_or_init(|| {
        let demo = via6("via6 demo --check --json").start().ended(PATIENCE);
        let runs = [
            played(),
            failed(),
            handed_over(),
            reloaded(),
            linked(),
            demo.stdout,
            unread(),
        ];
        runs.iter().flat_map(|stdout| events(stdout)).collect()
    })
}

/// A host that is played on.
fn played() -> String {
    let game = Game::on("127.0.0.1");
    let line = format!(
        "via6 host --open {} --listen [::1]:0 --metrics 0 --json -v",
        game.address
    );
    let via6 = via6(&line).start();
    drop(game.session(via6.address()));
    game.flow(via6.address());
    via6.event("session_ended");
    via6.stop().stdout
}

/// A join that leads nowhere.
fn failed() -> String {
    let (_kept, nobody) = nobody();
    let host = via6(&format!(
        "via6 host --open {nobody} --listen [::1]:0 --json"
    ))
    .start();
    // Its connection is reset, at once or as soon as that is known.
    let _ = std::net::TcpStream::connect(host.address());
    host.event("session_ended");
    player_of(host.address())
        .send(b"anybody?")
        .expect("sending");
    host.event("warning");
    host.stop().stdout
}

/// A join whose work another via6 does, until that ends.
fn handed_over() -> String {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().to_str().expect("a path in UTF-8");
    let start = |line: &str| via6(line).with("VIA6_STATE", folder).start();
    let host = start("via6 host --open 25565 --listen [::1]:0 --json");
    host.event("listening");
    let join = start("via6 join ::1 --listen 127.0.0.1:0 --json");
    join.event("listening");
    host.stop();
    join.event("handed_back");
    join.until("a second start", |events| {
        let of_kind = events.iter().filter(|event| event["event"] == "listening");
        (of_kind.count() == 4).then_some(())
    });
    join.stop().stdout
}

/// A sealed host that is played on, and falls silent; and others who find no way to it.
fn linked() -> String {
    let game = Game::on("127.0.0.1");
    let host = via6(&format!(
        "via6 host {} --listen [::1]:0 --json",
        game.address
    ))
    .start();
    let invite = host.event("invite")["invite"]
        .as_str()
        .expect("text")
        .to_owned();
    let (text, other) = (invite.clone(), Invite::parse(&invite).expect("an invite"));
    let join = via6(&format!("via6 join {text} --as Ann --json")).start();
    let (player, _game) = game.session(join.address());
    join.signal("SIGSTOP");
    host.event("link_lost");
    join.signal("SIGCONT");
    host.event_where("link_attached", |event| event["after_ms"].is_number());
    drop(player);
    // As many links of one player as there may be, and one more.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("via6.toml");
    let joins = 0..=limits::LINKS_PER_IDENTITY;
    let joins = joins.map(|number| format!("[join.j{number}]\ninvite = \"{text}\"\n"));
    std::fs::write(&path, joins.collect::<String>()).expect("writing the file");
    let many = via6(&format!("via6 run {} --json", path.display())).start();
    many.event("link_turned_away");
    let wrong = Invite::new(
        other.fingerprint(),
        Secret([0; 16]),
        other.port().try_into().expect("a port"),
        other.addresses().to_vec(),
        None,
    );
    let wrong = wrong.expect("an invite").to_text();
    let stranger = via6(&format!("via6 join {wrong} --json"))
        .start()
        .ended(PATIENCE);
    assert_eq!(stranger.code, Some(4), "{stranger:?}");
    host.event("link_refused");
    let all = [host.stop().stdout, join.stop().stdout, many.stop().stdout].concat();
    let late = via6(&format!("via6 join {text} --transport tls --json")).start();
    late.event("link_unreachable");
    all + &late.stop().stdout
}

/// A file that changes, for the better and for the worse.
fn reloaded() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("via6.toml");
    let entry = |name: &str| format!("[join.{name}]\nhost = \"::1\"\nlisten = \"127.0.0.1:0\"\n");
    std::fs::write(&path, entry("one")).expect("writing the file");
    let via6 = via6(&format!("via6 run {} --json", path.display())).start();
    via6.event("listening");
    std::fs::write(&path, entry("two")).expect("writing the file");
    via6.event("reloaded");
    std::fs::write(&path, "nonsense").expect("writing the file");
    via6.event("reload_failed");
    via6.stop().stdout
}

/// A relay whose output is not read for a while.
fn unread() -> String {
    let (_kept, nobody) = nobody();
    let reserved = crate::support::game::free_port();
    let entry: SocketAddr = ([127, 0, 0, 1], reserved).into();
    let mut child = via6(&format!("via6 relay tcp {entry} {nobody} --json"))
        .command()
        .spawn()
        .expect("starting via6");
    let stdout = child.stdout.take().expect("a piped stdout");
    let connect = || {
        if let Ok(mut player) = std::net::TcpStream::connect(entry) {
            // Refused, since nobody is there to play with; or not yet listening.
            let _ = player.read(&mut [0]);
        }
    };
    // Each is two events, of which the pipe holds some hundred.
    for _ in 0..limits::OUTPUT_QUEUE {
        connect();
    }
    let stdout = Text::collect(stdout);
    let seen = stdout.wait(PATIENCE, "a count of what is missing", |text| {
        connect();
        text.contains("output_dropped").then(|| text.to_owned())
    });
    child.kill().expect("ending via6");
    child.wait().expect("its end");
    seen
}

#[test]
fn every_event_is_documented_with_its_fields() {
    let documented = documented();
    assert!(emitted().len() > 20);
    for event in emitted() {
        let kind = event["event"].as_str().expect("a kind");
        let Some(fields) = documented.get(kind) else {
            panic!("not documented: {event}");
        };
        let object = event.as_object().expect("an object");
        let own: BTreeSet<_> = object.keys().cloned().collect();
        let common: BTreeSet<_> = ["event", "time_ms"].map(str::to_owned).into();
        assert!(own.is_superset(&common), "each has a time: {event}");
        // Whose it is, of all that is about one relay.
        let common = common.into_iter().chain(["name".to_owned()]).collect();
        let own: BTreeSet<_> = own.difference(&common).cloned().collect();
        assert!(own.is_superset(&fields.always), "lacks a field: {event}");
        let all: BTreeSet<_> = fields.always.union(&fields.sometimes).cloned().collect();
        assert!(all.is_superset(&own), "has an undocumented field: {event}");
    }
}

#[test]
fn every_documented_event_and_field_is_emitted() {
    let documented = documented();
    assert!(documented.len() >= 10, "{documented:?}");
    for (kind, fields) in documented {
        let of_kind = emitted().iter().filter(|event| event["event"] == *kind);
        let mut of_kind = of_kind.peekable();
        assert!(of_kind.peek().is_some(), "never emitted: {kind}");
        let seen: BTreeSet<_> = of_kind
            .flat_map(|event| event.as_object().expect("an object").keys())
            .collect();
        for field in fields.always.union(&fields.sometimes) {
            assert!(seen.contains(field), "never emitted: {field} of {kind}");
        }
    }
}

/// The words in the first column of a section's table.
fn words_of(heading: &str) -> BTreeSet<String> {
    let text = read("docs/reference/events.md");
    let rows = rows(section(&text, heading));
    rows.iter().flat_map(|row| codes(&row[0])).collect()
}

#[test]
fn every_reason_is_documented() {
    fn labels<T: ToString>(all: &[T]) -> BTreeSet<String> {
        all.iter().map(ToString::to_string).collect()
    }
    assert_eq!(words_of("Why a session ended"), labels(CloseReason::ALL));
    assert_eq!(
        words_of("Why a connection was refused"),
        labels(ShedReason::ALL)
    );
    assert_eq!(words_of("Why a link ended"), labels(Closed::ALL));
    assert_eq!(
        words_of("Why somebody was not let in"),
        labels(Refusal::ALL)
    );
    assert_eq!(words_of("Why a flow ended"), labels(FlowEndReason::ALL));
    assert_eq!(
        words_of("Why a datagram was dropped"),
        labels(DropReason::ALL)
    );
}

/// The bounds that people read are those that hold.
#[test]
fn numbers_of_the_reasons_are_the_limits() {
    let text = read("docs/reference/events.md");
    let check = |heading: &str, reason: &str, numbers: &[u64]| {
        let rows = rows(section(&text, heading));
        let row = rows.iter().find(|row| codes(&row[0]) == [reason]);
        let meaning = &row.expect("a row")[1];
        let told: Vec<u64> = meaning
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '/')
            .filter_map(|word| word.parse().ok())
            .collect();
        assert_eq!(told, numbers, "{reason}: {meaning}");
    };
    let of = |rate: limits::Rate| [u64::from(rate.per_second), u64::from(rate.burst)];
    let refused = "Why a connection was refused";
    check(
        refused,
        "address-full",
        &[limits::SESSIONS_PER_ADDRESS.into()],
    );
    check(
        refused,
        "prefix-full",
        &[limits::SESSIONS_PER_PREFIX.into()],
    );
    check(refused, "prefix-rate", &of(limits::SESSION_RATE_PER_PREFIX));
    check(refused, "total-rate", &of(limits::SESSION_RATE));
    let dropped = "Why a datagram was dropped";
    check(dropped, "flows-full", &[limits::FLOWS_MAX as u64]);
    check(dropped, "prefix-full", &[limits::FLOWS_PER_PREFIX.into()]);
    check(dropped, "prefix-rate", &of(limits::FLOW_RATE_PER_PREFIX));
    check(dropped, "total-rate", &of(limits::FLOW_RATE));
    let idle = [
        limits::FLOW_IDLE_TIMEOUT,
        limits::FLOW_IDLE_TIMEOUT_UNPROVEN,
    ];
    check("Why a flow ended", "idle", &idle.map(|span| span.as_secs()));
}

/// The kinds of warning that the source knows: those of the library, each in `Warning::kind`, those
/// of the state folder, and those of the announcements and of metrics, which are the only words with
/// hyphens there.
fn kinds_in_the_source() -> BTreeSet<String> {
    let is_kind = |word: &&str| {
        let parts = word.split('-');
        word.contains('-')
            && parts.clone().all(|part| !part.is_empty())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let library = read("crates/relay/src/event.rs");
    let state = read("crates/via6/src/state/trouble.rs");
    let of_kind = |source: &str| -> String {
        let kind = source.split("fn kind(").nth(1).expect("a function kind");
        kind.split("fn ").next().unwrap_or_default().to_owned()
    };
    let announcing = [
        "announce/host",
        "announce/join",
        "announce/mod",
        "announce/sealed",
        "sealed/joining",
        "metrics/mod",
    ];
    let commands: String = announcing
        .map(|file| read(&format!("crates/via6/src/{file}.rs")))
        .concat();
    let quoted = |text: &str, is_kind: &dyn Fn(&&str) -> bool| -> BTreeSet<String> {
        let quoted = text.split('"').skip(1).step_by(2);
        quoted.filter(is_kind).map(str::to_owned).collect()
    };
    let mut kinds = quoted(&of_kind(&library), &|_| true);
    kinds.extend(quoted(&of_kind(&state), &|_| true));
    // Line by line, so that a quote inside of a text misleads nobody beyond its line.
    kinds.extend(commands.lines().flat_map(|line| quoted(line, &is_kind)));
    kinds
}

#[test]
fn every_kind_of_warning_is_documented() {
    let mut documented = words_of("Other kinds of warning");
    documented.extend(["shed", "dropped"].map(str::to_owned));
    assert!(documented.len() > 8, "{documented:?}");
    assert_eq!(documented, kinds_in_the_source());
}

/// A kind of event that no run above brings about would be found here.
#[test]
fn every_event_of_the_source_is_documented() {
    let documented = documented();
    let mut seen = BTreeSet::new();
    for source in sources() {
        for after in source.split("\"event\": \"").skip(1) {
            let kind = after.split('"').next().unwrap_or_default();
            // What a version of the program that knows more would be answered with.
            if kind != "unknown" {
                assert!(documented.contains_key(kind), "not documented: {kind}");
                seen.insert(kind.to_owned());
            }
        }
    }
    assert!(seen.len() >= 10, "{seen:?}");
}
