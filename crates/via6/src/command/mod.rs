//! One file a command; what they share is here: turning typed addresses into listeners, running
//! a relay until it is told to stop, and the account of what it did.

mod config;
mod demo;
mod host;
mod join;
mod relay;
mod run;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::net::{TcpListener, UdpSocket};
use via6_core::addr::{HostPort, Listen, Network};
use via6_relay::{
    BindError, Descriptors, Engine, Policy, Protocol, Relay, Report, Shutdown, Splicing,
    listen_tcp, listen_udp, raise_descriptor_limit, zone_index,
};

use crate::args::{Args, Carried, Command, Splice, Trusted};
use crate::failure::Failure;
use crate::narrator::{Narrator, Role, protocol_label};
use crate::output::Output;
use crate::reading::Sources;
use crate::stop::Stop;

/// Carries out what was typed.
pub(crate) async fn run(
    args: Args,
    sources: &Sources,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    // Before anything is announced: a script may stop us as soon as it reads that we listen.
    let stop = Stop::listen().map_err(|error| cannot_go_on(&error))?;
    let new = |role| Narrator::new(Arc::clone(output), args.shown, role);
    let narrator = |role| Arc::new(new(role));
    match args.command {
        Command::Host(host) => host::run(&host, sources, stop, narrator(Role::Host)).await,
        Command::Join(join) => join::run(&join, sources, stop, narrator(Role::Join)).await,
        Command::Relay(relay) => relay::run(&relay, sources, stop, narrator(Role::Relay)).await,
        Command::Run(run) => run::run(&run, args.shown, sources),
        Command::Config(config) => config::run(&config.action, args.shown, sources, output),
        Command::Demo(demo) => demo::run(demo, stop, &new).await,
    }
}

/// Bound listeners on one address: of both protocols, on the same port, if both are carried.
struct Bound {
    addr: SocketAddr,
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
}

impl Bound {
    /// Listens on `at` for what is `carried`; both if neither is asked for.
    fn new(at: SocketAddr, carried: Carried) -> Result<Self, BindError> {
        let both = carried.tcp == carried.udp;
        let (with_tcp, with_udp) = (both || carried.tcp, both || carried.udp);
        // A port that is free for TCP may be taken for UDP: with port 0, look for another.
        let mut tries = if at.port() == 0 && both { 16 } else { 1 };
        loop {
            tries -= 1;
            match Self::once(at, with_tcp, with_udp) {
                Err(_) if tries > 0 => {}
                result => return result,
            }
        }
    }

    fn once(at: SocketAddr, with_tcp: bool, with_udp: bool) -> Result<Self, BindError> {
        let local = |protocol, read: std::io::Result<SocketAddr>| {
            read.map_err(|source| BindError {
                addr: at,
                protocol,
                source,
            })
        };
        let (mut addr, mut tcp, mut udp) = (at, None, None);
        if with_tcp {
            let listener = listen_tcp(addr)?;
            addr = local("TCP", listener.local_addr())?;
            tcp = Some(listener);
        }
        if with_udp {
            let socket = listen_udp(addr)?;
            addr = local("UDP", socket.local_addr())?;
            udp = Some(socket);
        }
        Ok(Self { addr, tcp, udp })
    }

    fn protocols(&self) -> impl Iterator<Item = Protocol> {
        let tcp = self.tcp.is_some().then_some(Protocol::Tcp);
        tcp.into_iter()
            .chain(self.udp.is_some().then_some(Protocol::Udp))
    }

    /// `TCP and UDP`, `TCP` or `UDP`.
    fn carried(&self) -> String {
        let names: Vec<_> = self
            .protocols()
            .map(|protocol| protocol.to_string())
            .collect();
        names.join(" and ")
    }
}

/// Reads an address to listen on, typed as `what`.
fn listen_address(what: &str, text: &str) -> Result<SocketAddr, Failure> {
    let listen = Listen::parse(text).map_err(|error| Failure::address(what, &error))?;
    let mut addr = SocketAddr::new(listen.ip, listen.port);
    if let (SocketAddr::V6(v6), Some(zone)) = (&mut addr, &listen.zone) {
        let index = zone_index(zone).ok_or_else(|| {
            Failure::usage(format!(
                "cannot listen on {listen}: no network interface {zone}"
            ))
            .hint("list them with `ip link`, on Windows with `netsh interface ipv6 show interface`")
        })?;
        v6.set_scope_id(index);
    }
    Ok(addr)
}

fn trusted(typed: &Trusted, sources: &Sources) -> Result<Policy, Failure> {
    let networks: Result<Vec<_>, _> = typed
        .relays
        .iter()
        .map(|text| Network::parse(text))
        .collect();
    let what = sources.name("relays", "--trust-relay", "VIA6_TRUST_RELAY");
    let trusted = networks.map_err(|error| Failure::address(what, &error))?;
    Ok(Policy {
        trusted,
        ..Policy::default()
    })
}

/// The flags that ask for what `typed` does, to repeat in a hint.
fn trust_flags(typed: &Trusted) -> String {
    let flag = " --trust-relay ";
    typed
        .relays
        .iter()
        .flat_map(|relay| [flag, relay])
        .collect()
}

/// The flags that ask for just these protocols.
fn carried_flags(tcp: bool, udp: bool) -> &'static str {
    match (tcp, udp) {
        (true, false) => " --tcp",
        (false, true) => " --udp",
        _ => "",
    }
}

/// Tells scripts where it listens, one event for each protocol.
fn announce(
    narrator: &Narrator,
    bound: &Bound,
    upstream: &HostPort,
    paste: impl Fn(Protocol) -> Option<String>,
) {
    for protocol in bound.protocols() {
        let mut event = json!({
            "event": "listening", "role": narrator.role().label(),
            "protocol": protocol_label(protocol), "address": bound.addr.to_string(),
            "upstream": upstream.to_string(),
        });
        if let (Some(paste), Some(fields)) = (paste(protocol), event.as_object_mut()) {
            fields.insert("paste".into(), paste.into());
        }
        narrator.emit(event);
    }
}

/// Relays from `bound` to `upstream` until Ctrl-C or a failure, and says what was done.
async fn serve(
    bound: Bound,
    upstream: HostPort,
    policy: Policy,
    splice: Splice,
    stop: Stop,
    narrator: Arc<Narrator>,
) -> Result<(), Failure> {
    let shutdown = Shutdown::new();
    let plane = Plane::start(splice)?;
    let relay = relay_of(bound, upstream, policy, &plane, &narrator);
    let report = tokio::select! {
        report = relay.run(&shutdown) => report.map_err(|error| cannot_go_on(&error))?,
        never = stop.watch(&shutdown) => match never {},
    };
    conclude(&report, &narrator)
}

fn relay_of(
    bound: Bound,
    upstream: HostPort,
    policy: Policy,
    plane: &Plane,
    narrator: &Arc<Narrator>,
) -> Relay {
    let Plane {
        engine,
        descriptors,
    } = plane.clone();
    let observer = Arc::clone(narrator) as _;
    Relay {
        tcp: bound.tcp,
        udp: bound.udp,
        upstream,
        engine,
        policy,
        descriptors,
        observer,
    }
}

/// What all relays of this process share.
#[derive(Clone)]
struct Plane {
    engine: Engine,
    descriptors: Descriptors,
}

impl Plane {
    fn start(splice: Splice) -> Result<Self, Failure> {
        let descriptors = Descriptors::new(raise_descriptor_limit());
        let splicing = match splice {
            Splice::Auto => Splicing::Adaptive,
            Splice::Always => Splicing::Always,
            Splice::Never => Splicing::Never,
        };
        let engine = Engine::start(&descriptors, splicing).map_err(|error| cannot_go_on(&error))?;
        Ok(Self {
            engine,
            descriptors,
        })
    }
}

fn conclude(report: &Report, narrator: &Narrator) -> Result<(), Failure> {
    narrator.emit(json!({
        "event": "drained", "sessions": report.sessions, "flows": report.flows,
        "ended": report.sessions - report.cut, "cut": report.cut,
    }));
    if let Some((listener, protocol, error)) = &report.failed {
        let cause = via6_relay::describe(error);
        return Err(Failure::runtime(format!(
            "cannot go on listening on {listener} ({protocol}): {cause}"
        )));
    }
    let cut = match report.cut {
        0 => String::new(),
        1 => ", 1 of them cut off".into(),
        cut => format!(", {cut} of them cut off"),
    };
    let sessions = if report.sessions == 1 {
        "session"
    } else {
        "sessions"
    };
    let flows = if report.flows == 1 { "flow" } else { "flows" };
    narrator.say(&format!(
        "stopped after {} {sessions}{cut}, and {} UDP {flows}",
        report.sessions, report.flows
    ));
    Ok(())
}

fn cannot_go_on(error: &std::io::Error) -> Failure {
    Failure::runtime(format!("cannot go on: {}", via6_relay::describe(error)))
}
