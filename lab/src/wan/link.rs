//! How via6 is started at both ends: all that differs between an open link, a sealed one and none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::game::Game;
use super::homes::{HOST_NAME, Homes, PORT, RELAY};
use super::place::Place;
use crate::chain::Protocol;
use crate::failure::{During, Failure, Outcome};
use crate::process::{Output, Start, Via6};
use crate::{system, wire};

/// Events of each side that explain a failure: what has carried the link lately, and its sessions.
const EXPLAINING: usize = 12;

/// How long the host may take to tell what the friend is to paste.
const PATIENCE: Duration = Duration::from_secs(20);

/// What lets the joiner find the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finds {
    /// The host's address alone.
    ByAddress,
    /// The host's name, with or instead of the address.
    ByName,
}

/// Where the host says what the friend is to paste.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Paste {
    /// An event of this kind has it in this field, perhaps as a whole command.
    Event(&'static str, &'static str),
    /// There is no via6 at all.
    None,
}

/// A kind of link. In its command lines `{game}` is the game server's port and `{paste}` what the host
/// said; with `ByName`, the words of `named` are added to the host's line.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The name used in tables and on the command line.
    pub name: &'static str,
    host: &'static [&'static str],
    named: &'static [&'static str],
    paste: Paste,
    join: &'static [&'static str],
    /// An open link has no host's name in what is pasted: it is typed instead.
    types_name: bool,
    /// Words that must be in what the friend reads when the host cannot be found any more.
    cures: &'static [&'static str],
}

/// No via6: the game's own connection over IPv6. The control that shows what a scenario does.
pub const DIRECT: Link = Link {
    name: "direct",
    host: &[],
    named: &[],
    paste: Paste::None,
    join: &[],
    types_name: false,
    cures: &[],
};

/// `via6 host --open`.
pub const OPEN: Link = Link {
    name: "open",
    host: &["host", "--open", "{game}"],
    named: &[],
    paste: Paste::Event("listening", "paste"),
    join: &["join", "{paste}", "--listen", "127.0.0.1:0"],
    types_name: true,
    cures: &[],
};

/// `via6 host`, with an invite.
pub const SEALED: Link = Link {
    name: "sealed",
    host: &["host", "{game}"],
    named: &["--dns-name", HOST_NAME],
    paste: Paste::Event("invite", "invite"),
    join: &["join", "{paste}", "--listen", "127.0.0.1:0"],
    types_name: false,
    cures: &["a new invite", "a DNS name"],
};

/// The same, carried by TLS over TCP alone, as where UDP never gets through.
pub const SEALED_TLS: Link = Link {
    name: "sealed-tls",
    join: &[
        "join",
        "{paste}",
        "--listen",
        "127.0.0.1:0",
        "--transport",
        "tls",
    ],
    ..SEALED
};

impl Link {
    /// Every kind.
    pub const ALL: &'static [Self] = &[DIRECT, OPEN, SEALED, SEALED_TLS];

    /// Starts via6 in both homes, in front of a game server in the host's. `joiner`: what becomes of
    /// what the joiner's via6 says.
    pub fn start(
        self,
        program: &Path,
        homes: &Homes,
        finds: Finds,
        joiner: Output,
    ) -> Outcome<Linked> {
        let Paste::Event(kind, field) = self.paste else {
            let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            let game = Game::start(&homes.host, any, PORT)?;
            let entry = SocketAddr::new(homes.host_address().into(), PORT);
            return Ok(Linked {
                entry,
                join: None,
                host: None,
                game,
                cures: self.cures,
            });
        };
        let game = Game::start(&homes.host, Ipv4Addr::LOCALHOST.into(), 0)?;
        let mut line = fill(self.host, "{game}", &game.address.port().to_string());
        if finds == Finds::ByName {
            line.extend(self.named.iter().map(ToString::to_string));
        }
        let host = start(&homes.host, program, Protocol::Tcp, line, Output::Collected)?;
        let said = host.events.wait(PATIENCE, kind, |events| {
            let mut said = events.iter().filter(|event| event["event"] == kind);
            said.find_map(|event| event[field].as_str().map(pasted))
        })?;
        let paste = match finds {
            Finds::ByName if self.types_name => HOST_NAME.to_owned(),
            _ => said,
        };
        let line = fill(self.join, "{paste}", &paste);
        let join = start(&homes.joiner, program, Protocol::Tcp, line, joiner)?;
        Ok(Linked {
            entry: join.address,
            join: Some(join),
            host: Some(host),
            game,
            cures: self.cures,
        })
    }
}

/// A link in use.
#[derive(Debug)]
pub struct Linked {
    /// Where the game client connects to, in the joiner's home.
    pub entry: SocketAddr,
    /// The joiner's via6.
    pub join: Option<Via6>,
    /// The host's.
    pub host: Option<Via6>,
    /// The game server.
    pub game: Game,
    cures: &'static [&'static str],
}

impl Linked {
    /// The game client's connection.
    pub fn connect(&self, homes: &Homes) -> Outcome<TcpStream> {
        let entry = self.entry;
        homes.joiner.run(move || wire::connect(entry))
    }

    /// Ends both via6 by SIGTERM, and fails unless both end cleanly.
    pub fn stop(&mut self) -> Outcome {
        for via6 in [&mut self.join, &mut self.host].into_iter().flatten() {
            via6.stop()?;
        }
        Ok(())
    }

    /// Fails unless the friend reads what can be done, and the host gives an invite that leads to where
    /// it is now. For a joiner whose log is read.
    pub fn tells_the_cure(&self, homes: &Homes) -> Outcome {
        let (Some(join), Some(host)) = (&self.join, &self.host) else {
            return Ok(());
        };
        let what = format!("{:?} in what the friend reads", self.cures);
        let told = system::wait_for(PATIENCE, &what, || {
            let log = join.log();
            let is_told = self.cures.iter().all(|cure| log.contains(cure));
            Ok(is_told.then_some(()))
        });
        told.map_err(|failure| self.explain(failure))?;
        let now = homes.host_address().to_string();
        let newer = host
            .events
            .wait(PATIENCE, "invite to the new address", |events| {
                let invites = events.iter().filter(|event| event["event"] == "invite");
                let mut leading = invites.filter_map(|event| event["addresses"].as_array());
                leading
                    .any(|all| all.iter().any(|one| *one == now))
                    .then_some(())
            });
        newer.map_err(|failure| self.explain(failure))
    }

    /// What carries the link, as the host says: the transport, and how many there have been.
    #[must_use]
    pub fn carried(&self) -> Option<(String, u64)> {
        let attached = self.host.as_ref()?.events.of("link_attached");
        let last = attached.last()?;
        let transport = last["transport"].as_str()?.to_owned();
        Some((transport, last["generation"].as_u64()?))
    }

    /// Adds what both sides said last, without which a failure is a riddle.
    #[must_use]
    pub fn explain(&self, failure: Failure) -> Failure {
        let Failure::Failed(mut what) = failure else {
            return failure;
        };
        for (side, via6) in [("joiner", &self.join), ("host", &self.host)] {
            let Some(via6) = via6 else {
                continue;
            };
            let events = via6.events.last(EXPLAINING);
            let log = via6.log();
            let lines: Vec<_> = log.lines().rev().take(EXPLAINING).collect();
            let events = events.iter().map(ToString::to_string);
            let lines = lines.into_iter().rev().map(str::to_owned);
            for said in events.chain(lines) {
                what = format!("{what}\n    {side}: {said}");
            }
        }
        Failure::Failed(what)
    }

    /// Fails if a via6 has ended.
    pub fn ensure_alive(&mut self) -> Outcome {
        for via6 in [&mut self.join, &mut self.host].into_iter().flatten() {
            via6.ensure_alive()?;
        }
        Ok(())
    }
}

/// Relays in the Internet, from the host's port there to the host, for datagrams and for connections.
pub fn relays(program: &Path, homes: &Homes) -> Outcome<[Via6; 2]> {
    let (at, to) = (RELAY, homes.host_address());
    let relay = |protocol: Protocol| {
        let words = ["relay".into(), protocol.label().into()];
        let ends = [at, to].map(|ip| SocketAddr::new(ip.into(), PORT).to_string());
        let line = words.into_iter().chain(ends).collect();
        start(&homes.internet, program, protocol, line, Output::Collected)
    };
    Ok([relay(Protocol::Udp)?, relay(Protocol::Tcp)?])
}

fn start(
    place: &Place,
    program: &Path,
    protocol: Protocol,
    line: Vec<String>,
    output: Output,
) -> Outcome<Via6> {
    let program: PathBuf = program.to_owned();
    let name = place.name;
    let start = Start {
        output,
        ..Start::default()
    };
    place
        .run(move || Via6::start(&program, protocol, &line, start))
        .during(name)
}

fn fill(words: &[&str], blank: &str, value: &str) -> Vec<String> {
    let filled = words.iter().map(|word| word.replace(blank, value));
    filled.collect()
}

/// What follows `via6 join` in a line for the friend, without a shell's quotes; anything else as it is.
fn pasted(said: &str) -> String {
    let argument = said.strip_prefix("via6 join ").unwrap_or(said);
    argument.trim_matches('\'').to_owned()
}
