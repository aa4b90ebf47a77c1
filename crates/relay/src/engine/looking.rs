//! How relays are at one moment. Sums over all that lives are taken from memory; what the system has
//! to be asked for is bounded by how many are wanted one by one.

use std::sync::Arc;

use super::Held;
use super::session::Session;
use super::worker::Worker;
use crate::event::Protocol;
use crate::look::Look;
use crate::shared::Shared;

impl Worker {
    /// Looks at these relays, with at most so many sessions, and as many flows, of each one by one.
    pub(super) fn look(&mut self, relays: &[Arc<Shared>], most: usize) -> Vec<Look> {
        for (_, (_, flows)) in &mut self.flows {
            flows.tell_drops();
        }
        relays
            .iter()
            .map(|relay| {
                let mut look = Look {
                    totals: relay.notices.tally.ended(),
                    ..Look::default()
                };
                self.look_at_listeners(relay, &mut look);
                self.look_at_sessions(relay, most, &mut look);
                self.look_at_flows_of(relay, most, &mut look);
                look
            })
            .collect()
    }

    /// Every listener there is, whosever it is.
    pub(super) fn held(&self) -> Vec<Held> {
        let tcp = self.listeners.iter().map(|(_, listener)| listener.address);
        let udp = self.flows.iter().map(|(_, (_, flows))| flows.address);
        let tcp = tcp.map(|address| (Protocol::Tcp, address));
        tcp.chain(udp.map(|address| (Protocol::Udp, address)))
            .collect()
    }

    fn look_at_listeners(&self, relay: &Arc<Shared>, look: &mut Look) {
        let tcp = self.listeners.iter().map(|(_, listener)| listener);
        let tcp = tcp.filter(|listener| listener.terms.are_of(relay));
        let tcp = tcp.map(|listener| (Protocol::Tcp, listener.address));
        look.listeners.extend(tcp);
        let udp = self.flows.iter().map(|(_, (_, flows))| flows);
        for flows in udp.filter(|flows| flows.terms.are_of(relay)) {
            let place = (Protocol::Udp, flows.address);
            if flows.retiring {
                look.retiring.push(place);
            } else {
                look.listeners.push(place);
            }
        }
    }

    fn look_at_sessions(&self, relay: &Arc<Shared>, most: usize, look: &mut Look) {
        let mut theirs: Vec<&Session> = self
            .sessions
            .iter()
            .map(|(_, session)| session)
            .filter(|session| session.belongs_to(relay))
            .collect();
        for session in &theirs {
            let (up, down) = session.traffic();
            look.totals.session_bytes_up += up;
            look.totals.session_bytes_down += down;
        }
        look.sessions_live = theirs.len();
        theirs.sort_unstable_by_key(|session| session.id());
        let shown = theirs.iter().take(most);
        look.sessions
            .extend(shown.map(|session| session.look(self.now)));
    }

    fn look_at_flows_of(&self, relay: &Arc<Shared>, most: usize, look: &mut Look) {
        for (_, (_, flows)) in &self.flows {
            let theirs = flows.views(self.now);
            let theirs = theirs.filter(|(terms, _)| terms.are_of(relay));
            look.flows.extend(theirs.map(|(_, view)| view));
        }
        for view in &look.flows {
            look.totals.flow_bytes_up += view.bytes_up;
            look.totals.flow_bytes_down += view.bytes_down;
            look.totals.datagrams_up += view.datagrams_up;
            look.totals.datagrams_down += view.datagrams_down;
        }
        look.flows_live = look.flows.len();
        look.flows.sort_unstable_by_key(|view| view.id);
        look.flows.truncate(most);
    }
}
