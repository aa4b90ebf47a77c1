//! What `host` tells the person who runs it: the line for the friend, and whether the game is up.

use std::net::SocketAddr;

use crate::support::game::Game;
use crate::support::network::in_own_network;
use crate::support::{PATIENCE, Running, via6};
use via6_lab::system;

/// Starts `via6 host` until it has said everything.
fn host(line: &str) -> Running {
    let via6 = via6(line).start();
    via6.says("Press Ctrl-C to stop.");
    via6
}

/// The line to paste.
fn pasted(via6: &Running) -> String {
    let line = |text: &str| text.lines().next().map(str::to_owned);
    let line = via6.stdout.wait(PATIENCE, "a line to paste", line);
    let command = line.strip_prefix("  ").expect("set apart by two blanks");
    command.to_owned()
}

#[test]
fn it_says_whether_the_game_answers_and_the_game_does_not_notice() {
    for (tcp, udp) in [(true, true), (true, false), (false, true), (false, false)] {
        for ip in ["127.0.0.1", "::1"] {
            let game = Game::on(ip);
            let (at, mut game) = (game.address, Some(game));
            let mut kept = (None, None);
            if !tcp || !udp {
                let game = game.take().expect("a game");
                kept = (tcp.then_some(game.tcp), udp.then_some(game.udp));
            }
            let via6 = host(&format!("via6 host --open {at} --listen [::1]:0"));
            let said = via6.stderr.so_far();
            let sentences = match (tcp, udp) {
                (true, true) => {
                    format!("The game answers on {at} (TCP).\nThe game answers on {at} (UDP).\n")
                }
                (true, false) => format!(
                    "The game answers on {at}: TCP yes, UDP no (many games use only one).\n"
                ),
                (false, true) => format!(
                    "The game answers on {at}: UDP yes, TCP no (many games use only one).\n"
                ),
                (false, false) => format!(
                    "Nothing answers on {at} yet. Start the game, and players can come in.\n"
                ),
            };
            assert!(said.contains(&sentences), "{tcp} {udp}: {said}");
            assert_eq!(said.contains("Start the game"), !tcp && !udp, "{said}");
            assert!(game.is_none_or(|game| game.is_untouched()));
            drop(kept);
        }
    }
}

#[test]
fn it_tells_scripts_whether_the_game_answers() {
    let game = Game::on("127.0.0.1");
    let at = game.address;
    let up = |line: &str| {
        let via6 = via6(line).start();
        ["tcp", "udp"].map(|protocol| {
            let event = via6.event_where("game", |event| event["protocol"] == protocol);
            assert_eq!(event["address"], at.to_string());
            event["up"].clone()
        })
    };
    let line = format!("via6 host --open {at} --json --listen [::1]:0");
    assert_eq!(up(&line), [true, true]);
    assert!(game.is_untouched());
    drop(game);
    assert_eq!(up(&line), [false, false]);
}

/// A game on another computer has to be asked over the network, and UDP cannot be.
#[test]
fn a_game_elsewhere_is_asked_by_tcp_alone() {
    in_own_network(&["192.0.2.1/32"], || {
        let game = Game::on("192.0.2.1");
        let line = format!("via6 host --open {} --listen [::1]:0", game.address);
        let said = host(&line).stderr.so_far();
        let tcp = format!("The game answers on {} (TCP).", game.address);
        assert!(said.contains(&tcp), "{said}");
        assert!(!said.contains("(UDP)"), "{said}");
    });
}

/// The order in which people do things is theirs.
#[test]
fn the_game_may_be_started_after_the_host() {
    let game = Game::on("127.0.0.1");
    let at = game.address;
    drop(game);
    let via6 = host(&format!("via6 host --open --tcp {at} --listen [::1]:0"));
    let nothing = format!("Nothing answers on {at} (TCP) yet. Start the game, and players can");
    assert!(via6.stderr.so_far().contains(&nothing));
    let entry = pasted(&via6);
    let entry: SocketAddr = entry
        .split('\'')
        .nth(1)
        .expect("quotes")
        .parse()
        .expect("it");
    let game = std::net::TcpListener::bind(at).expect("the game's port");
    drop(via6_lab::wire::connect(entry).expect("a connection"));
    via6_lab::wire::accept(&game, PATIENCE).expect("a player");
}

/// Flags of a host, and the line that a friend pastes.
const PASTED: &[(&str, &str)] = &[
    ("", "via6 join '[2a00:1::7]:43325'"),
    ("--port 43326", "via6 join '[2a00:1::7]:43326'"),
    ("--listen [::]:43326", "via6 join '[2a00:1::7]:43326'"),
    ("--tcp", "via6 join '[2a00:1::7]:43325' --tcp"),
    ("--udp", "via6 join '[2a00:1::7]:43325' --udp"),
    ("--tcp --udp", "via6 join '[2a00:1::7]:43325'"),
    ("--listen [2a00:1::7]:5000", "via6 join '[2a00:1::7]:5000'"),
    ("--listen [fd00::7]:5000", "via6 join '[fd00::7]:5000'"),
    (
        "--listen [::1]:43325 --tcp",
        "via6 join '[::1]:43325' --tcp",
    ),
];

/// It is right if a friend can play with it, so one does.
#[test]
fn the_pasted_line_leads_to_the_game() {
    in_own_network(&["fd00::7/128", "2a00:1::7/128"], || {
        for (flags, line) in PASTED {
            let game = Game::on("127.0.0.1");
            let host = host(&format!("via6 host --open {} {flags}", game.address));
            assert_eq!(pasted(&host), *line, "{flags}");
            let join = via6(&format!("{line} --json --listen 127.0.0.1:0")).start();
            let protocol = if flags.contains("--udp") {
                "udp"
            } else {
                "tcp"
            };
            game.is_reached(join.address(), protocol);
            host.stop();
        }
    });
}

#[test]
fn scripts_get_the_same_line() {
    in_own_network(&["2a00:1::7/128"], || {
        let via6 = via6("via6 host --open 7777 --json").start();
        for protocol in ["tcp", "udp"] {
            let event = via6.event_where("listening", |event| event["protocol"] == protocol);
            assert_eq!(event["paste"], "via6 join '[2a00:1::7]:43325'");
        }
    });
}

/// An address that works at home only, or not at all, is not given away without a word.
#[test]
fn it_says_how_far_the_line_reaches() {
    let expect = |address: &str, line: &str, warning: &str| {
        let via6 = host("via6 host --open 7777");
        assert_eq!(pasted(&via6), line, "{address}");
        let said = via6.stop().stderr;
        let warnings: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with("warning"))
            .collect();
        assert_eq!(warnings, [warning], "{address}");
    };
    in_own_network(&[], || {
        expect(
            "none",
            "via6 join '[::1]:43325'",
            "warning: this computer has no IPv6 address: the line above works on this computer \
             only. Look for IPv6 in the network settings and in your router's",
        );
    });
    in_own_network(&["fd00::7/128"], || {
        // On its way out: the provider has given this home another prefix.
        let old = "-6 addr add 2a00:1::7/128 dev lo nodad valid_lft 3600 preferred_lft 0";
        system::ip(old).expect("an address");
        expect(
            "one for the home",
            "via6 join '[fd00::7]:43325'",
            "warning: this computer has no global IPv6 address: the line above works inside your \
             own network only. Ask your provider, or look for IPv6 in your router's settings",
        );
    });
}

#[test]
fn a_join_says_when_there_is_no_way_to_the_host() {
    in_own_network(&[], || {
        let via6 = via6("via6 join 2a00:1::7").start();
        via6.says("Press Ctrl-C to stop.");
        via6.says(
            "warning: this computer cannot reach [2a00:1::7]:43325: no route (network \
             unreachable). Without IPv6 there is no way to this host; a phone's hotspot often has \
             it\n",
        );
    });
    in_own_network(&["2a00:1::7/128"], || {
        let via6 = via6("via6 join 2a00:1::7").start();
        via6.says("Press Ctrl-C to stop.");
        assert!(!via6.stderr.so_far().contains("warning"));
    });
}

/// What both streams show on a terminal, where one runs between the lines of the other.
#[test]
fn the_line_to_paste_stands_under_its_sentence() {
    let game = Game::on("127.0.0.1");
    let at = game.address;
    for _ in 0..5 {
        let line = format!("via6 host --open {at} --tcp --listen [::1]:0");
        let via6 = via6(&line)
            .through(
                "sh -c 'exec \"$0\" \"$@\" 2>&1'",
                env!("CARGO_BIN_EXE_via6"),
            )
            .start();
        let whole = |text: &str| text.contains("Ctrl-C").then(|| text.to_owned());
        let text = via6.stdout.wait(PATIENCE, "all of it", whole);
        let entry = text.split('\'').nth(1).expect("an address");
        assert_eq!(
            text,
            format!(
                "sharing {at} (TCP) on {entry}\n\n\
                 Your friend installs via6 and pastes this line:\n\n  \
                 via6 join '{entry}' --tcp\n\n\
                 The game answers on {at} (TCP).\nPress Ctrl-C to stop.\n"
            )
        );
    }
}
