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
use crate::args::{Args, Command, Trusted};
use crate::failure::Failure;
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
        _ => {}
    }
    if let Command::Config(config) = &args.command {
        return config::run(&config.action, args.shown, sources, output);
    }
    let everyday = |entry| Everyday {
        entry,
        shown: args.shown,
        place: &args.place,
        output,
    };
    // Before anything is announced: a script may stop us as soon as it reads that we listen.
    let stop = || Stop::listen().map_err(|error| Failure::cannot_go_on(&error));
    match &args.command {
        Command::Host(host) => everyday(host::entry(host, sources)?).run(stop()?).await,
        Command::Join(join) => everyday(join::entry(join, sources)?).run(stop()?).await,
        Command::Relay(relay) => everyday(relay::entry(relay, sources)?).run(stop()?).await,
        Command::Run(run) => Run::new(run, &args, sources, output)?.run().await,
        Command::Demo(demo) => demo::run(*demo, args.shown, output, stop()?).await,
        Command::Config(_) | Command::Status | Command::Stop(_) => Ok(()),
    }
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
