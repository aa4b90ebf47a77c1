//! The relays of a status, each name and role once: after a reload one relay may drain beside its
//! successor, and Prometheus refuses a page with two series of the same labels.

use std::collections::BTreeMap;

use crate::narrator::Role;
use crate::status::{Dials, EntryStatus, Status, Totals};

/// All that go by one name and role.
pub(super) struct Relay<'a> {
    name: &'a str,
    role: Role,
    pub(super) sessions_live: u64,
    pub(super) flows_live: u64,
    pub(super) totals: Totals,
}

impl Relay<'_> {
    /// The labels that each of its samples has.
    pub(super) fn labels(&self) -> [(&str, &str); 2] {
        [("relay", self.name), ("role", self.role.label())]
    }
}

/// In the order in which they are first met.
pub(super) fn merged(status: &Status) -> Vec<Relay<'_>> {
    let mut relays: Vec<Relay<'_>> = Vec::with_capacity(status.entries.len());
    for entry in &status.entries {
        let is_same = |relay: &&mut Relay<'_>| relay.name == entry.name && relay.role == entry.role;
        match relays.iter_mut().find(is_same) {
            Some(relay) => add(relay, entry),
            None => relays.push(Relay {
                name: &entry.name,
                role: entry.role,
                sessions_live: entry.sessions_live,
                flows_live: entry.flows_live,
                totals: entry.totals.clone(),
            }),
        }
    }
    relays
}

fn add(relay: &mut Relay<'_>, entry: &EntryStatus) {
    relay.sessions_live += entry.sessions_live;
    relay.flows_live += entry.flows_live;
    add_totals(&mut relay.totals, &entry.totals);
}

/// A field that is added to [`Totals`] and not here is a compile error.
fn add_totals(totals: &mut Totals, more: &Totals) {
    let Totals {
        sessions_opened,
        sessions_ended,
        session_bytes_up,
        session_bytes_down,
        flows_opened,
        flows_ended,
        flow_bytes_up,
        flow_bytes_down,
        datagrams_up,
        datagrams_down,
        shed,
        dropped,
        accept_errors,
        dials,
    } = more;
    totals.sessions_opened += sessions_opened;
    add_counts(&mut totals.sessions_ended, sessions_ended);
    totals.session_bytes_up += session_bytes_up;
    totals.session_bytes_down += session_bytes_down;
    totals.flows_opened += flows_opened;
    add_counts(&mut totals.flows_ended, flows_ended);
    totals.flow_bytes_up += flow_bytes_up;
    totals.flow_bytes_down += flow_bytes_down;
    totals.datagrams_up += datagrams_up;
    totals.datagrams_down += datagrams_down;
    add_counts(&mut totals.shed, shed);
    add_counts(&mut totals.dropped, dropped);
    add_counts(&mut totals.accept_errors, accept_errors);
    add_dials(&mut totals.dials, dials);
}

fn add_counts(counts: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (label, count) in more {
        *counts.entry(label.clone()).or_default() += count;
    }
}

fn add_dials(dials: &mut Dials, more: &Dials) {
    let mut buckets: BTreeMap<u64, u64> = dials.buckets.iter().copied().collect();
    for (bound, count) in &more.buckets {
        *buckets.entry(*bound).or_default() += count;
    }
    dials.buckets = buckets.into_iter().collect();
    dials.count += more.count;
    dials.sum_us += more.sum_us;
}
