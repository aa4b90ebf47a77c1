//! `via6 stop`: has the running via6 stop, and waits until it has.

use std::sync::Arc;

use serde_json::json;
use tokio::time::timeout;
use via6_core::limits::{DRAIN_TIMEOUT, STOP_MARGIN};

use crate::args::{Args, StopArgs};
use crate::control::{Stop, Stopping, connect};
use crate::entry::check_name;
use crate::failure::Failure;
use crate::narrator;
use crate::output::Output;
use crate::state::Folder;
use crate::status::Status;

pub(super) async fn run(
    typed: &StopArgs,
    args: &Args,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    if let Some(name) = &typed.name {
        check_name(name).map_err(|why| {
            Failure::usage(format!("cannot stop {name}: {why}"))
                .hint("`via6 status` shows the names")
        })?;
    }
    let folder = Folder::find(args.place.state.as_deref()).map_err(|trouble| trouble.failure())?;
    let name = typed.name.iter().map(|name| format!("{name} "));
    let at_once = format!("via6 stop {}--now", name.collect::<String>());
    let stop = Stop {
        now: typed.now,
        name: typed.name.clone(),
    };
    let say = |text: &str| {
        if !args.shown.json && !args.shown.quiet {
            output.log(text);
        }
    };
    let asked = async {
        let mut connection = connect(&folder).await?;
        let stopping = connection.stop(&stop).await?;
        Ok((connection, stopping))
    };
    let (mut connection, live) = asked
        .await
        .map_err(|error: crate::control::Unreachable| error.failure(&folder))?;
    if live != Stopping::default() && !typed.now {
        let wait = DRAIN_TIMEOUT.as_secs();
        say(&format!(
            "stopping: {} may finish within {wait} s; `{at_once}` ends at once",
            described(live)
        ));
    }
    let wait = DRAIN_TIMEOUT + STOP_MARGIN;
    let stopped = timeout(wait, connection.stopped()).await.is_ok();
    if !stopped {
        let left = async { connect(&folder).await?.status().await };
        let left = left
            .await
            .map_or(live, |status| live_in(&status, typed.name.as_deref()));
        return Err(Failure::runtime(format!(
            "still running after {} s: {}",
            wait.as_secs(),
            described(left)
        ))
        .hint(format!("end it at once with `{at_once}`")));
    }
    if args.shown.json {
        let stopped = json!({
            "stopped": true, "sessions": live.sessions, "flows": live.flows,
        });
        output.data(stopped.to_string());
    }
    say("stopped");
    Ok(())
}

fn live_in(status: &Status, name: Option<&str>) -> Stopping {
    let entries = status.entries.iter();
    let meant = entries.filter(|entry| name.is_none_or(|name| entry.name == name));
    meant.fold(Stopping::default(), |sum, entry| Stopping {
        sessions: sum.sessions.saturating_add(entry.sessions_live),
        flows: sum.flows.saturating_add(entry.flows_live),
    })
}

/// `2 sessions and 1 flow`, of those there are.
fn described(live: Stopping) -> String {
    if live == Stopping::default() {
        "nothing is live".into()
    } else {
        narrator::live(live.sessions, live.flows)
    }
}
