//! How relays are at one moment. Sums over all that lives are taken from memory, in one pass however many
//! relays there are; what the system has to be asked for is bounded by how many are wanted one by one.

use std::collections::HashMap;
use std::sync::Arc;

use super::Held;
use super::session::Session;
use super::worker::Worker;
use crate::elsewhere::look_elsewhere;
use crate::event::Protocol;
use crate::look::Look;
use crate::shared::Shared;
use crate::terms::Terms;

/// Looks at some relays, each found by where it is kept.
struct Looks {
    of: HashMap<*const Shared, usize>,
    looks: Vec<Look>,
}

impl Looks {
    /// None: nobody asked for this one.
    fn of(&mut self, relay: *const Shared) -> Option<&mut Look> {
        self.looks.get_mut(*self.of.get(&relay)?)
    }

    fn of_terms(&mut self, terms: &Terms) -> Option<&mut Look> {
        self.of(Arc::as_ptr(&terms.shared))
    }
}

impl Worker {
    /// Looks at these relays, with at most so many sessions, and as many flows, of each one by one.
    pub(super) fn look(&mut self, relays: &[Arc<Shared>], most: usize) -> Vec<Look> {
        for (_, (_, flows)) in &mut self.flows {
            flows.tell_drops();
        }
        let numbered = relays.iter().enumerate();
        let mut looks = Looks {
            of: numbered.map(|(at, one)| (Arc::as_ptr(one), at)).collect(),
            looks: relays.iter().map(|relay| begun(relay)).collect(),
        };
        self.look_at_listeners(&mut looks);
        self.look_at_sessions(most, &mut looks);
        self.look_at_flows_of(most, &mut looks);
        for (relay, look) in relays.iter().zip(&mut looks.looks) {
            look_elsewhere(relay, most, self.now, look);
        }
        looks.looks
    }

    /// Every listener there is, whosever it is.
    pub(super) fn held(&self) -> Vec<Held> {
        let tcp = self.listeners.iter().map(|(_, listener)| listener.address);
        let udp = self.flows.iter().map(|(_, (_, flows))| flows.address);
        let tcp = tcp.map(|address| (Protocol::Tcp, address));
        tcp.chain(udp.map(|address| (Protocol::Udp, address)))
            .collect()
    }

    fn look_at_listeners(&self, looks: &mut Looks) {
        for (_, listener) in &self.listeners {
            if let Some(look) = looks.of_terms(&listener.terms) {
                look.listeners.push((Protocol::Tcp, listener.address));
            }
        }
        for (_, (_, flows)) in &self.flows {
            let Some(look) = looks.of_terms(&flows.terms) else {
                continue;
            };
            let place = (Protocol::Udp, flows.address);
            if flows.retiring {
                look.retiring.push(place);
            } else {
                look.listeners.push(place);
            }
        }
    }

    fn look_at_sessions(&self, most: usize, looks: &mut Looks) {
        let mut all: HashMap<*const Shared, Vec<&Session>> = HashMap::new();
        for (_, session) in &self.sessions {
            let relay = session.relay();
            let Some(look) = looks.of(relay) else {
                continue;
            };
            let (up, down) = session.traffic();
            look.totals.session_bytes_up += up;
            look.totals.session_bytes_down += down;
            look.sessions_live += 1;
            if most > 0 {
                all.entry(relay).or_default().push(session);
            }
        }
        for (relay, mut theirs) in all {
            theirs.sort_unstable_by_key(|session| session.id());
            let shown = theirs.into_iter().take(most);
            if let Some(look) = looks.of(relay) {
                look.sessions
                    .extend(shown.map(|session| session.look(self.now)));
            }
        }
    }

    fn look_at_flows_of(&self, most: usize, looks: &mut Looks) {
        for (_, (_, flows)) in &self.flows {
            for (terms, view) in flows.views(self.now) {
                let Some(look) = looks.of_terms(terms) else {
                    continue;
                };
                look.totals.flow_bytes_up += view.bytes_up;
                look.totals.flow_bytes_down += view.bytes_down;
                look.totals.datagrams_up += view.datagrams_up;
                look.totals.datagrams_down += view.datagrams_down;
                look.flows_live += 1;
                if most > 0 {
                    look.flows.push(view);
                }
            }
        }
        for look in &mut looks.looks {
            look.flows.sort_unstable_by_key(|view| view.id);
            look.flows.truncate(most);
        }
    }
}

/// A look at what a relay has done; what lives is not in it yet.
fn begun(relay: &Shared) -> Look {
    Look {
        totals: relay.notices.tally.ended(),
        ..Look::default()
    }
}
