//! One file a command; what they share is here: turning what was typed into an entry.

mod alongside;
mod asking;
mod columns;
mod config;
mod demo;
mod everyday;
mod host;
mod join;
mod relay;
mod roster;
mod run;
mod status;
mod stop;

use std::sync::Arc;

use via6_core::addr::{Listen, Network};

use self::everyday::Everyday;
use self::run::Run;
use crate::args::{Args, Command, Place, Trusted, Watched};
use crate::failure::Failure;
use crate::metrics;
use crate::output::Output;
use crate::reading::{self, Sources};
use crate::stop::Stop;
use crate::wanted::Wanted;

/// Carries out what was typed.
pub(crate) async fn run(
    args: Args,
    sources: &Sources,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    // They wait for nothing of their own: Ctrl-C ends them as it ends any program.
    match &args.command {
        Some(Command::Status) => return status::run(&args, output).await,
        Some(Command::Stop(typed)) => return stop::run(typed, &args, output).await,
        Some(
            command @ (Command::Invite(_)
            | Command::Players
            | Command::Kick(_)
            | Command::Ban(_)
            | Command::Unban(_)),
        ) => return roster::run(command, &args, sources, output).await,
        Some(Command::Config(config)) => {
            return config::run(&config.action, args.shown, sources, output);
        }
        Some(Command::Run(run)) => return Run::new(run, &args, sources, output)?.run().await,
        None if !asking::is_possible(args.shown) => return Err(reading::help()),
        _ => {}
    }
    // Before anything is announced: a script may stop us as soon as it reads that we listen.
    let mut stop = Stop::listen().map_err(|error| Failure::cannot_go_on(&error))?;
    let (wanted, shown) = match &args.command {
        Some(Command::Demo(demo)) => return demo::run(*demo, args.shown, output, stop).await,
        Some(command) => (wanted(command, sources, &args.place)?, args.shown),
        None => asking::run(&args, output, &mut stop).await?,
    };
    let Some(wanted) = wanted else {
        return Ok(());
    };
    if let Some(note) = &wanted.note
        && !shown.json
        && !shown.quiet
    {
        output.log(note);
    }
    let everyday = Everyday {
        entry: wanted.entry,
        any_port: wanted.any_port,
        metrics: wanted.metrics,
        shown,
        place: &args.place,
        output,
    };
    everyday.run(stop).await
}

/// What a command asks for, if it is one of those that relay.
fn wanted(command: &Command, sources: &Sources, place: &Place) -> Result<Option<Wanted>, Failure> {
    let (wanted, watched) = match command {
        Command::Host(host) => (Wanted::new(host::entry(host, sources)?), &host.watched),
        Command::Join(join) => (join::wanted(join, sources, place)?, &join.watched),
        Command::Relay(relay) => (Wanted::new(relay::entry(relay, sources)?), &relay.watched),
        _ => return Ok(None),
    };
    Ok(Some(Wanted {
        metrics: metrics_at(watched, sources)?,
        ..wanted
    }))
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
