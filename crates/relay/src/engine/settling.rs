//! Who listens where, changed in one moment: a relay begins, moves, is given other terms, or stops
//! listening. Sessions and flows that live go on under the terms they began with.
//!
//! A listener that is wanted still is never closed and opened again, be it by another relay: nobody
//! who is just connecting is turned away.

use std::sync::Arc;

use super::worker::Worker;
use super::{Held, Place, Plan};
use crate::event::Protocol;
use crate::terms::Terms;

/// The listeners that were there before and have an owner again: their entries.
#[derive(Default)]
struct Kept {
    tcp: Vec<usize>,
    udp: Vec<usize>,
}

impl Worker {
    /// Carries out all plans. Returns the listeners that were to be kept and are not there.
    pub(super) fn settle(&mut self, plans: Vec<Plan>) -> Vec<Held> {
        let (mut kept, mut missing, mut new) = (Kept::default(), Vec::new(), Vec::new());
        let mut settled = Vec::new();
        for Plan { terms, places } in plans {
            // One that drains meanwhile gets nothing: nobody would take it away again.
            let places = if terms.shared.shutdown.is_draining() {
                Vec::new()
            } else {
                places
            };
            for place in places {
                match place {
                    Place::Held(held) if !self.keep(held, &terms, &mut kept) => missing.push(held),
                    Place::Held(_) => {}
                    place => new.push((Arc::clone(&terms), place)),
                }
            }
            settled.push(terms);
        }
        self.give_up(&settled, &kept);
        for (terms, place) in new {
            match place {
                Place::Tcp(address, listener) => self.listen(&terms, address, listener),
                Place::Udp(address, socket) => self.receive_for(&terms, address, socket),
                Place::Held(_) => {}
            }
        }
        missing
    }

    /// Puts a listener that is there under these terms; the relay's own sooner than another's.
    fn keep(&mut self, (protocol, address): Held, terms: &Arc<Terms>, kept: &mut Kept) -> bool {
        match protocol {
            Protocol::Tcp => {
                let free = self.listeners.iter().filter(|(entry, listener)| {
                    listener.address == address && !kept.tcp.contains(entry)
                });
                let found = free
                    .max_by_key(|(_, listener)| listener.terms.are_of(&terms.shared))
                    .map(|(entry, _)| entry);
                let Some(entry) = found else { return false };
                kept.tcp.push(entry);
                if let Some(listener) = self.listeners.get_mut(entry) {
                    listener.terms = Arc::clone(terms);
                }
            }
            Protocol::Udp => {
                let free = self.flows.iter().filter(|(entry, (_, flows))| {
                    flows.address == address && !kept.udp.contains(entry)
                });
                let found = free
                    .max_by_key(|(_, (_, flows))| flows.terms.are_of(&terms.shared))
                    .map(|(entry, _)| entry);
                let Some(entry) = found else { return false };
                kept.udp.push(entry);
                self.serial += 1;
                let serial = self.serial;
                if let Some((of_flows, flows)) = self.flows.get_mut(entry)
                    && flows.terms.settings.upstream != terms.settings.upstream
                {
                    // What the resolver was asked until now is no answer any more.
                    *of_flows = serial;
                }
                self.with_flows(entry, |flows, _, lent| flows.come_under(terms, lent));
            }
        }
        true
    }

    /// Closes what these relays listened on and no longer want. A UDP listener serves the flows it
    /// has to their end.
    fn give_up(&mut self, settled: &[Arc<Terms>], kept: &Kept) {
        let is_settled =
            |theirs: &Arc<Terms>| settled.iter().any(|terms| theirs.are_of(&terms.shared));
        let closing: Vec<_> = self
            .listeners
            .iter()
            .filter(|(entry, listener)| is_settled(&listener.terms) && !kept.tcp.contains(entry))
            .map(|(entry, _)| entry)
            .collect();
        for entry in closing {
            self.close_listener(entry);
        }
        let retiring: Vec<_> = self
            .flows
            .iter()
            .filter(|(entry, (_, flows))| is_settled(&flows.terms) && !kept.udp.contains(entry))
            .map(|(entry, _)| entry)
            .collect();
        for entry in retiring {
            if let Some((_, flows)) = self.flows.get_mut(entry) {
                flows.retiring = true;
            }
            self.close_if_done(entry);
        }
    }
}
