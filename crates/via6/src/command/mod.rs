//! One file a command; what they share is here: turning what was typed into an entry.

mod alongside;
mod config;
mod demo;
mod everyday;
mod host;
mod join;
mod relay;
mod run;
mod status;
mod stop;

use std::sync::Arc;

use via6_core::addr::{Listen, Network};

use self::everyday::Everyday;
use self::run::Run;
use crate::args::{Args, Command, Trusted, Watched};
use crate::failure::Failure;
use crate::metrics;
use crate::output::Output;
use crate::reading::Sources;
use crate::stop::Stop;

/// Carries out what was typed.
pub(crate) async fn run(
    args: Args,
    sources: &Sources,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    // They wait for nothing of their own: Ctrl-C ends them as it ends any program.
    match &args.command {
        Command::Status => return status::run(&args, output).await,
        Command::Stop(typed) => return stop::run(typed, &args, output).await,
        Command::Config(config) => {
            return config::run(&config.action, args.shown, sources, output);
        }
        Command::Run(run) => return Run::new(run, &args, sources, output)?.run().await,
        Command::Host(_) | Command::Join(_) | Command::Relay(_) | Command::Demo(_) => {}
    }
    // Before anything is announced: a script may stop us as soon as it reads that we listen.
    let stop = Stop::listen().map_err(|error| Failure::cannot_go_on(&error))?;
    let (entry, watched) = match &args.command {
        Command::Host(host) => (host::entry(host, sources)?, &host.watched),
        Command::Join(join) => (join::entry(join, sources)?, &join.watched),
        Command::Relay(relay) => (relay::entry(relay, sources)?, &relay.watched),
        Command::Demo(demo) => return demo::run(*demo, args.shown, output, stop).await,
        Command::Run(_) | Command::Config(_) | Command::Status | Command::Stop(_) => return Ok(()),
    };
    let everyday = Everyday {
        entry,
        metrics: metrics_at(watched, sources)?,
        shown: args.shown,
        place: &args.place,
        output,
    };
    everyday.run(stop).await
}

/// Reads an address to listen on, typed as `what`.
fn listen_address(what: &str, text: &str) -> Result<Listen, Failure> {
    Listen::parse(text).map_err(|error| Failure::address(what, &error))
}

fn trusted(typed: &Trusted, sources: &Sources) -> Result<Vec<Network>, Failure> {
    let networks: Result<Vec<_>, _> = typed
        .relays
        .iter()
        .map(|text| Network::parse(text))
        .collect();
    let what = sources.name("relays", "--trust-relay", "VIA6_TRUST_RELAY");
    networks.map_err(|error| Failure::address(what, &error))
}

/// Where metrics are to be served, if anywhere.
fn metrics_at(typed: &Watched, sources: &Sources) -> Result<Option<Listen>, Failure> {
    let Some(text) = &typed.metrics else {
        return Ok(None);
    };
    let what = sources.name("metrics", "--metrics", "VIA6_METRICS");
    let listen = metrics::address(text).map_err(|error| {
        Failure::usage(format!("cannot read {what}: {error}")).hint(metrics::EXAMPLE)
    })?;
    Ok(Some(listen))
}
