//! An entry ends, and what it says then.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;
use via6_relay::{Ending, Report, Totals, describe};

use super::{Carried, Instance};
use crate::failure::Failure;
use crate::narrator::Narrator;

impl Instance {
    /// Waits for the end of a relay, says how it was, and takes it off the list.
    pub(super) fn watch(
        &self,
        carried: &Carried,
        ending: Ending,
    ) -> oneshot::Receiver<Result<(), Failure>> {
        let (tell, ended) = oneshot::channel();
        let (instance, serial) = (self.clone(), carried.serial);
        let narrator = Arc::clone(&carried.narrator);
        let relay = (carried.linked.clone(), carried.running.clone());
        self.0.endings.spawn(async move {
            let ended = instance.end_of(serial, relay, ending, &narrator).await;
            let (report, linked) = ended;
            let outcome = conclude(&report, &narrator).and(linked);
            instance.forget(serial, &report.totals);
            // Nobody need wait for it.
            let _ = tell.send(outcome);
        });
        ended
    }

    /// Takes a relay off the list. What it did counts on with the one that has its name by now: what
    /// is counted of a name never falls.
    fn forget(&self, serial: u64, did: &Totals) {
        let mut carried = self.carried();
        let Some(at) = carried.iter().position(|one| one.serial == serial) else {
            return;
        };
        let gone = carried.remove(at);
        let is_next = |one: &&mut Carried| {
            one.entry.name == gone.entry.name && one.entry.role == gone.entry.role
        };
        if let Some(next) = carried.iter_mut().rev().find(is_next) {
            next.before.add_all(&gone.before);
            next.before.add_all(did);
        }
        drop(carried);
        self.0.gone.notify_waiters();
    }
}

/// Says what a relay has done.
fn conclude(report: &Report, narrator: &Narrator) -> Result<(), Failure> {
    narrator.emit(json!({
        "event": "drained", "sessions": report.sessions, "flows": report.flows,
        "ended": report.sessions - report.cut, "cut": report.cut,
    }));
    if let Some((listener, protocol, error)) = &report.failed {
        let cause = describe(error);
        return Err(Failure::runtime(format!(
            "cannot go on listening on {listener} ({protocol}): {cause}"
        )));
    }
    narrator.tell(&farewell(report.sessions, report.cut, report.flows));
    Ok(())
}

/// `stopped after 3 sessions (2 cut off) and 1 UDP flow`
fn farewell(sessions: u64, cut: u64, flows: u64) -> String {
    let cut = if cut == 0 {
        String::new()
    } else {
        format!(" ({cut} cut off)")
    };
    let sessions = match sessions {
        0 => None,
        1 => Some(format!("1 session{cut}")),
        count => Some(format!("{count} sessions{cut}")),
    };
    let flows = match flows {
        0 => None,
        1 => Some("1 UDP flow".to_owned()),
        count => Some(format!("{count} UDP flows")),
    };
    let parts: Vec<_> = sessions.into_iter().chain(flows).collect();
    if parts.is_empty() {
        return "stopped; nobody came".into();
    }
    format!("stopped after {}", parts.join(" and "))
}
