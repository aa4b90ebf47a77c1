//! `host`, `join` and `relay`: one entry, until Ctrl-C.

use std::sync::Arc;

use via6_core::addr::Listen;

use crate::args::Shown;
use crate::entry::{Entry, Origin};
use crate::failure::Failure;
use crate::instance::{Asked, Instance};
use crate::metrics;
use crate::narrator::{Role, Showing, Sink};
use crate::output::Output;
use crate::stop::Stop;

pub(super) async fn run(
    entry: Entry,
    metrics: Option<Listen>,
    shown: Shown,
    output: &Arc<Output>,
    stop: Stop,
) -> Result<(), Failure> {
    let instance = Instance::start()?;
    // Before anything is announced that would then not come about.
    let metrics = metrics
        .map(|at| metrics::Bound::new(&at, Origin::Command, [&entry]))
        .transpose()?;
    let asked = Asked {
        origin: Origin::Command,
        sink: Arc::clone(output) as Arc<dyn Sink>,
        shown: Showing::new(shown),
        labelled: false,
    };
    let (narrator, role) = (asked.narrator(&entry), entry.role);
    let carried = async {
        let added = instance.add(entry, &asked).await?;
        let _served = metrics.map(|bound| bound.serve(&instance, &asked));
        if role != Role::Relay {
            narrator.say("Press Ctrl-C to stop.");
        }
        // Its end is told before the sender goes.
        let outcome = added.ended.await.unwrap_or(Ok(()));
        instance.close().await;
        outcome
    };
    tokio::select! {
        outcome = carried => outcome,
        never = stop.watch(instance.shutdown()) => match never {},
    }
}
