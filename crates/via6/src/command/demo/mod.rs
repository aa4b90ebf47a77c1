//! `via6 demo`: the whole way on this computer alone. A tiny game (a line chat), a host beside it,
//! a join beside the players, and the link between them over `[::1]`.

mod chat;
mod check;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use via6_core::limits::DEFAULT_JOIN_PORT;

use via6_relay::Shutdown;

use crate::announce::listening;
use crate::args::{Demo, Shown, Splice};
use crate::entry::{Entry, Origin, Protocols};
use crate::failure::Failure;
use crate::instance::{Asked, Bound, Instance};
use crate::link::Link;
use crate::narrator::{Narrator, Role, Showing, Sink, size, span};
use crate::output::Output;
use crate::state::Home;
use crate::stop::Stop;

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
            game: Bound::new(local, Protocols::BOTH, &[]).map_err(failed)?,
            host: Bound::new(link, Protocols::BOTH, &[]).map_err(failed)?,
            // Somebody may be playing through a real join meanwhile.
            join: Bound::new(usual, Protocols::BOTH, &[])
                .or_else(|_| Bound::new(local, Protocols::BOTH, &[]))
                .map_err(failed)?,
        })
    }
}

pub(super) async fn run(
    typed: Demo,
    shown: Shown,
    output: &Arc<Output>,
    stop: Stop,
) -> Result<(), Failure> {
    let parts = Parts::new()?;
    let (game, host, join) = (parts.game.addr, parts.host.addr, parts.join.addr);
    let asked = Asked {
        origin: Origin::Command,
        sink: Arc::clone(output) as Arc<dyn Sink>,
        shown: Showing::new(shown),
        labelled: true,
    };
    let hosted = entry(Role::Host, &parts.host, game);
    let joined = entry(Role::Join, &parts.join, host);
    let (hosting, joining) = (asked.narrator(&hosted), asked.narrator(&joined));
    listening(&hosted, &parts.host, &hosting, |_| None);
    listening(&joined, &parts.join, &joining, |_| None);
    joining.say(&format!(
        "game server   {game}   a line chat, IPv4 only\n       |"
    ));
    joining.say(&format!("via6 host     {host}"));
    joining.say("       |      the IPv6 link, here within this computer");
    joining.say(&format!(
        "via6 join     {join}\n       |\ngame client   you\n"
    ));

    let sink = Arc::clone(&asked.sink);
    let process = Narrator::of_process(sink, Arc::clone(&asked.shown));
    let instance = Instance::start(&Shutdown::new(), Home::open(None, Arc::new(process)))?;
    let chat = chat::serve(parts.game);
    let begin = |entry, bound, narrator: &Arc<Narrator>| {
        instance.begin(entry, bound, Origin::Command, Arc::clone(narrator))
    };
    let hosted = begin(hosted, parts.host, &hosting)?;
    let joined = begin(joined, parts.join, &joining)?;
    let relays = async {
        let (hosted, joined) = tokio::join!(hosted.ended, joined.ended);
        // Each end is told before its sender goes.
        hosted.unwrap_or(Ok(())).and(joined.unwrap_or(Ok(())))
    };
    let session = async {
        check(join, &joining).await?;
        if typed.check {
            instance.idle(check::PATIENCE).await;
            instance.shutdown().drain();
        } else {
            invite(join, &joining);
        }
        // Until somebody presses Ctrl-C.
        std::future::pending::<Result<(), Failure>>().await
    };
    tokio::select! {
        outcome = relays => outcome,
        never = stop.watch(instance.shutdown()) => match never {},
        failure = session => failure,
        () = chat => Ok(()),
    }
}

/// One of the two relays of the chain.
fn entry(role: Role, bound: &Bound, upstream: SocketAddr) -> Entry {
    Entry {
        name: role.label().into(),
        role,
        listen: bound.addr.into(),
        upstream: upstream.into(),
        carried: Protocols::BOTH,
        trusted: Vec::new(),
        splice: Splice::Auto,
        link: Link::Open,
    }
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
    narrator.say("Press Ctrl-C to stop. To share a real game: via6 host PORT");
}
