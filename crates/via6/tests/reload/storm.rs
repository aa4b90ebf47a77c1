//! Many edits, valid and not, while fifty sessions and twenty flows go on.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;

use serde_json::Value;

use crate::edits::{Book, Random, Wanted, spoil};
use crate::running::Filed;
use crate::support::PATIENCE;
use crate::support::game::{Game, free_port, persistently, player_of};

/// Edits of one storm; `VIA6_EDITS` asks for more.
const EDITS: usize = 200;
const SESSIONS: usize = 50;
const FLOWS: usize = 20;

/// A game that answers each byte, and each datagram, with its own letter.
fn game(letter: u8) -> SocketAddr {
    let game = Game::on("::1");
    let at = game.address;
    let (tcp, udp) = (game.tcp, Arc::new(game.udp));
    thread::spawn(move || {
        for player in tcp.incoming() {
            let mut player = player.expect("a player");
            thread::spawn(move || {
                let mut byte = [0];
                while player.read_exact(&mut byte).is_ok() {
                    // Who is gone needs no answer.
                    let _ = player.write_all(&[letter]);
                }
            });
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 16];
        loop {
            if let Ok((_, player)) = udp.recv_from(&mut buffer) {
                // Nor this one.
                let _ = udp.send_to(&[letter], player);
            }
        }
    });
    at
}

fn hears_over_tcp(stream: &mut TcpStream) -> u8 {
    let mut letter = [0];
    stream.write_all(b"?").expect("a session that goes on");
    stream.read_exact(&mut letter).expect("an answer");
    letter[0]
}

fn hears_over_udp(player: &UdpSocket) -> u8 {
    let mut letter = [0];
    let ask = || {
        player.send(b"?").expect("sending");
    };
    persistently(ask, || player.recv(&mut letter).ok());
    letter[0]
}

fn session(entry: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(entry).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Who plays all the while.
struct Players {
    sessions: Vec<(TcpStream, u8)>,
    flows: Vec<(UdpSocket, u8)>,
}

impl Players {
    fn all_go_on(&mut self) {
        for (stream, letter) in &mut self.sessions {
            assert_eq!(hears_over_tcp(stream), *letter);
        }
        for (player, letter) in &self.flows {
            assert_eq!(hears_over_udp(player), *letter);
        }
    }
}

/// What `status` has to tell of the live entries.
fn expected(book: &Book, games: &[SocketAddr]) -> BTreeSet<String> {
    let of = |entry: &Wanted| {
        let at = entry.entry();
        let tcp = entry.tcp.then(|| format!("tcp {at}"));
        let udp = entry.udp.then(|| format!("udp {at}"));
        let listeners: Vec<_> = tcp.into_iter().chain(udp).collect();
        let game = games[entry.game];
        format!("{} {} {listeners:?} {game}", entry.role, entry.name)
    };
    book.entries.iter().map(of).collect()
}

fn told(status: &[Value]) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let live = status.iter().filter(|entry| entry["draining"] == false);
    live.map(|entry| {
        let listeners = entry["listeners"].as_array().expect("listeners").iter();
        let listeners: Vec<_> = listeners
            .map(|one| text(&one["protocol"]) + " " + &text(&one["address"]))
            .collect();
        let (role, name) = (text(&entry["role"]), text(&entry["name"]));
        format!("{role} {name} {listeners:?} {}", text(&entry["upstream"]))
    })
    .collect()
}

/// Who came on the way.
#[derive(Default)]
struct Newcomers {
    sessions: Vec<(TcpStream, u8)>,
    /// All are kept: a system that gave a port again would make somebody new a player who is known.
    flows: Vec<UdpSocket>,
}

impl Newcomers {
    /// A newcomer at this entry finds the game that it leads to.
    fn come(&mut self, entry: &Wanted, letters: [u8; 2]) {
        let letter = letters[entry.game];
        if entry.tcp {
            let mut stream = session(entry.entry());
            assert_eq!(hears_over_tcp(&mut stream), letter, "{entry:?}");
            self.sessions.push((stream, letter));
        } else {
            let player = player_of(entry.entry());
            assert_eq!(hears_over_udp(&player), letter, "{entry:?}");
            self.flows.push(player);
        }
    }
}

fn steady(role: &'static str, name: &str, game: usize) -> Wanted {
    Wanted {
        role,
        name: name.to_owned(),
        port: free_port(),
        game,
        tcp: true,
        udp: true,
        trusts: false,
    }
}

#[test]
fn whatever_is_written_who_plays_goes_on_and_the_last_valid_file_holds() {
    let storm = || {
        // Two dozen ports that nobody else takes for a while are easily had there. Without root, the
        // usual network has to do.
        let _ = via6_lab::system::enter_own_network();
        storm();
    };
    let thread = thread::Builder::new().name("storm".into()).spawn(storm);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

fn storm() {
    let edits = std::env::var("VIA6_EDITS").map_or(EDITS, |text| text.parse().expect("a number"));
    let seed = std::env::var("VIA6_SIM_SEED").map_or(1, |text| text.parse().expect("a number"));
    let mut random = Random::new(seed);
    let letters = [b'a', b'b'];
    let games = letters.map(game);
    let taken = TcpListener::bind("[::1]:0").expect("a port");
    let taken = taken.local_addr().expect("its address").port();
    let _taken = TcpListener::bind(("::1", taken));
    let ports = (0..24).map(|_| free_port()).collect();
    let stay = vec![steady("host", "steady-a", 0), steady("join", "steady-b", 1)];
    let entries: Vec<_> = stay
        .iter()
        .map(|entry| (entry.entry(), letters[entry.game]))
        .collect();
    let mut book = Book::new(stay, ports);
    let filed = Filed::start(&book.text(&games, &mut random));
    let mut players = Players {
        sessions: (0..SESSIONS)
            .map(|n| (session(entries[n % 2].0), entries[n % 2].1))
            .collect(),
        flows: (0..FLOWS)
            .map(|n| (player_of(entries[n % 2].0), entries[n % 2].1))
            .collect(),
    };
    players.all_go_on();
    let mut newcomers = Newcomers::default();
    let mut refused = 0;
    for edit in 0..edits {
        let mut next = book.clone();
        next.change(&mut random);
        let mut text = next.text(&games, &mut random);
        let is_valid = random.below(3) > 0;
        if !is_valid {
            text = spoil(&text, taken, &mut random);
        }
        if random.below(2) == 0 {
            filed.write(&text);
        } else {
            filed.replace(&text);
        }
        let answer = filed.reload();
        let context = || {
            format!(
                "edit {edit} of seed {seed}: {answer}\n{text}\n{}",
                filed.via6.stderr.so_far()
            )
        };
        if is_valid {
            assert_eq!(answer["event"], "reloaded", "{}", context());
            book = next;
        } else {
            assert_eq!(answer["event"], "reload_failed", "{}", context());
            refused += 1;
        }
        assert_eq!(
            told(&filed.status()),
            expected(&book, &games),
            "{}",
            context()
        );
        newcomers.come(random.one_of(&book.entries), letters);
        // Those who came on the way stay for a while, whatever becomes of the entry they came by.
        for (stream, letter) in &mut newcomers.sessions {
            assert_eq!(
                hears_over_tcp(stream),
                *letter,
                "edit {edit} of seed {seed}"
            );
        }
        let sessions = &mut newcomers.sessions;
        if sessions.len() > 8 {
            sessions.remove(random.below(sessions.len()));
        }
        if edit % 10 == 0 {
            players.all_go_on();
        }
    }
    players.all_go_on();
    assert!(refused > edits / 6, "{refused}");
    // Nobody who was there from the start has been touched.
    let of_steady = |event: &&Value| {
        event["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("steady"))
    };
    let events = filed.via6.events();
    let count = |kind: &str| {
        let of_kind = events.iter().filter(|event| event["event"] == kind);
        of_kind.filter(of_steady).count()
    };
    assert_eq!(
        count("listening"),
        4,
        "the listeners are those of the start"
    );
    assert_eq!(count("flow_ended"), 0);
    assert!(count("session_opened") - count("session_ended") >= SESSIONS);
    drop(newcomers);
    drop(players);
    filed.via6.stop();
}
