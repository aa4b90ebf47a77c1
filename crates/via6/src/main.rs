//! The via6 program: parse, run, exit code. Nothing else.

mod announce;
mod args;
mod ask;
mod command;
mod config;
mod control;
mod entry;
mod failure;
mod global_address;
mod instance;
mod link;
mod metrics;
mod mistake;
mod narrator;
mod output;
mod reading;
mod roster;
mod sealed;
mod secrets;
mod state;
mod status;
mod stop;
mod suggest;
mod view;
mod wanted;
mod watch;
mod window;

use std::process::ExitCode;
use std::sync::Arc;

use crate::failure::{As, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let (args, sources) = match reading::read() {
        Ok(read) => read,
        Err(failure) => return finish(&Output::start(false), Some(failure)),
    };
    let output = Arc::new(Output::start(args.shown.is_live()));
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("cannot start: {error}")))
        .and_then(|runtime| {
            let outcome = runtime.block_on(command::run(args, &sources, &output));
            // Dropping it would wait for name look-ups that nobody needs any more.
            runtime.shutdown_background();
            outcome
        });
    finish(&output, outcome.err())
}

fn finish(output: &Output, failure: Option<Failure>) -> ExitCode {
    let code = failure.map_or(ExitCode::SUCCESS, |failure| {
        match failure.shown() {
            As::Error => output.log(failure.to_string()),
            As::Help => output.data(failure.message()),
            As::Nothing => {}
        }
        ExitCode::from(failure.code())
    });
    output.finish();
    window::keep_open(output);
    code
}
