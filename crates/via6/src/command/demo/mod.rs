//! `via6 demo`: the whole way on this computer alone. A tiny game (a line chat), a host beside it,
//! a join beside the players, and the link between them over `[::1]`.

mod chat;
mod check;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use via6_core::addr::{Host as Machine, HostPort};
use via6_core::limits::DEFAULT_JOIN_PORT;
use via6_relay::{Policy, Report, Shutdown};

use super::{Bound, Plane, announce, cannot_go_on, conclude, relay_of};
use crate::args::{Carried, Demo, Splice};
use crate::failure::Failure;
use crate::narrator::{Narrator, Role, size, span};
use crate::stop::Stop;

const BOTH: Carried = Carried {
    tcp: true,
    udp: true,
};

/// The listeners of the three parts, and where each leads.
struct Parts {
    game: Bound,
    host: Bound,
    join: Bound,
}

impl Parts {
    fn new() -> Result<Self, Failure> {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let link = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_JOIN_PORT));
        let failed = |error| Failure::bind(&error, "via6 demo");
        Ok(Self {
            game: Bound::new(local, BOTH).map_err(failed)?,
            host: Bound::new(link, BOTH).map_err(failed)?,
            // Somebody may be playing through a real join meanwhile.
            join: Bound::new(usual, BOTH)
                .or_else(|_| Bound::new(local, BOTH))
                .map_err(failed)?,
        })
    }
}

pub(super) async fn run(
    typed: Demo,
    stop: Stop,
    narrator: &impl Fn(Role) -> Narrator,
) -> Result<(), Failure> {
    let parts = Parts::new()?;
    let (game, host, join) = (parts.game.addr, parts.host.addr, parts.join.addr);
    let narrator = |role| Arc::new(narrator(role).labelled());
    let (hosting, joining) = (narrator(Role::Host), narrator(Role::Join));
    announce(&hosting, &parts.host, &target(game), |_| None);
    announce(&joining, &parts.join, &target(host), |_| None);
    joining.say(&format!(
        "game server   {game}   a line chat, IPv4 only\n       |"
    ));
    joining.say(&format!("via6 host     {host}"));
    joining.say("       |      the IPv6 link, here within this computer");
    joining.say(&format!(
        "via6 join     {join}\n       |\ngame client   you\n"
    ));

    let shutdown = Shutdown::new();
    let plane = Plane::start(Splice::Auto)?;
    let policy = Policy::default;
    let hosted = relay_of(parts.host, target(game), policy(), &plane, &hosting);
    let joined = relay_of(parts.join, target(host), policy(), &plane, &joining);
    let chat = chat::serve(parts.game);
    let relays = async { tokio::try_join!(hosted.run(&shutdown), joined.run(&shutdown)) };
    let session = async {
        check(join, &joining).await?;
        if typed.check {
            shutdown.drain();
        } else {
            invite(join, &joining);
        }
        // Until somebody presses Ctrl-C.
        std::future::pending::<Result<(), Failure>>().await
    };
    let (hosted, report): (Report, Report) = tokio::select! {
        reports = relays => reports.map_err(|error| cannot_go_on(&error))?,
        never = stop.watch(&shutdown) => match never {},
        failure = session => return failure,
        () = chat => return Ok(()),
    };
    if hosted.failed.is_some() {
        return conclude(&hosted, &hosting);
    }
    conclude(&report, &joining)
}

/// Plays through the whole chain and says how it went.
async fn check(join: SocketAddr, narrator: &Narrator) -> Result<(), Failure> {
    let checked = check::run(join).await.map_err(|error| {
        Failure::runtime(format!("cannot play through {join}: {error}"))
            .hint("a firewall on this computer may forbid connections within it")
    })?;
    let rate = size(checked.bytes_per_second);
    narrator.emit(serde_json::json!({
        "event": "checked", "round_trip_us": checked.round_trip.as_secs_f64() * 1e6,
        "bytes_per_second": checked.bytes_per_second, "datagrams": checked.datagrams,
    }));
    narrator.say(&format!(
        "self-check    round trip {} (median of {}), throughput {rate}/s, {} of {} datagrams came back",
        span(checked.round_trip), check::ROUND_TRIPS, checked.datagrams, check::DATAGRAMS,
    ));
    Ok(())
}

fn invite(join: SocketAddr, narrator: &Narrator) {
    let (ip, port) = (join.ip(), join.port());
    let client = if cfg!(windows) { "telnet" } else { "nc" };
    narrator.say("\nNow you: chat with yourself from two terminals, each connected to\n");
    narrator.give(&format!("  {join}"));
    narrator.say(&format!("\nfor instance with: {client} {ip} {port}"));
    narrator.say("Press Ctrl-C to stop. To share a real game: via6 host --open PORT");
}

fn target(addr: SocketAddr) -> HostPort {
    let host = match addr {
        SocketAddr::V4(v4) => Machine::V4(*v4.ip()),
        SocketAddr::V6(v6) => Machine::V6(*v6.ip(), None),
    };
    HostPort {
        host,
        port: addr.port(),
    }
}
