//! Sealed links from end to end: real hosts and joins, each with a state folder of its own, through `[::1]`.
//!
//! What links are made of is tested in via6-core and via6-sealed; here it is what a person or a script sees.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stands outside of via6: it is the game, the player and the clock, and may panic"
)]

mod support;

#[path = "sealed/changes.rs"]
mod changes;
#[path = "sealed/ends.rs"]
mod ends;
#[path = "sealed/flags.rs"]
mod flags;
#[path = "sealed/play.rs"]
mod play;
#[path = "sealed/refused.rs"]
mod refused;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use support::game::Game;
use support::{Running, via6};

/// A state folder that outlives the via6 that uses it: a computer of somebody.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn start(&self, line: &str) -> Running {
        let folder = self.path().to_str().expect("a path in UTF-8");
        via6(line).with("VIA6_STATE", folder).start()
    }

    /// Shares a game, on any port unless `flags` say which.
    fn host(&self, game: SocketAddr, flags: &str) -> Running {
        let listen = if flags.contains("--listen") {
            ""
        } else {
            "--listen [::1]:0"
        };
        self.start(&format!("via6 host {game} {listen} {flags} --json"))
    }

    fn join(&self, invite: &str, flags: &str) -> Running {
        self.start(&format!("via6 join {invite} {flags} --json"))
    }
}

/// What a friend needs.
fn invite(host: &Running) -> String {
    let event = host.event("invite");
    event["invite"].as_str().expect("an invite").to_owned()
}

/// Where a join has a game of the host, once it has.
fn found(join: &Running, game: &Game) -> SocketAddr {
    let port = game.address.port();
    let is_it = |event: &Value| event["service_port"] == port;
    let event = join.event_where("listening", is_it);
    assert_eq!(event["service"], format!("port-{port}"));
    let address = event["address"].as_str().expect("an address");
    address.parse().expect("a socket address")
}

/// How many events of this kind there are so far.
fn count(running: &Running, kind: &str) -> usize {
    let events = running.events();
    events.iter().filter(|event| event["event"] == kind).count()
}
