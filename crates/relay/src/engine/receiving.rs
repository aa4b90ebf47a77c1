//! The engine's UDP listeners and the sockets of their flows.

use std::net::SocketAddr;
use std::sync::Arc;

use super::worker::Worker;
use super::{Concern, Key};
use crate::event::Protocol;
use crate::shared::Shared;
use crate::socket::Batch;
use crate::terms::Terms;
use crate::udp::{Answer, Flows, Heard, Lent};

impl Worker {
    pub(super) fn receive_for(
        &mut self,
        terms: &Arc<Terms>,
        address: SocketAddr,
        socket: std::net::UdpSocket,
    ) {
        self.serial += 1;
        let entry = self.flows.vacant_key();
        let lent = Lent {
            registry: self.poll.registry(),
            routes: &mut self.routes,
            key: Key {
                entry,
                serial: self.serial,
            },
            inbox: &self.inbox,
            now: self.now,
        };
        let token = Concern::Flows(entry).token();
        match Flows::new(Arc::clone(terms), address, socket, token, &lent) {
            Ok(flows) => {
                self.flows.insert((self.serial, flows));
                // What came before it was registered.
                self.due.push_back(Concern::Flows(entry));
            }
            Err(error) => terms.shared.listener_ended(address, Protocol::Udp, error),
        }
    }

    /// Lets the flows of a listener act, and looks after their timer.
    pub(super) fn with_flows<T>(
        &mut self,
        entry: usize,
        act: impl FnOnce(&mut Flows, &mut Batch, &mut Lent<'_>) -> T,
    ) -> Option<T> {
        let (serial, flows) = self.flows.get_mut(entry)?;
        let mut lent = Lent {
            registry: self.poll.registry(),
            routes: &mut self.routes,
            key: Key {
                entry,
                serial: *serial,
            },
            inbox: &self.inbox,
            now: self.now,
        };
        let done = act(flows, &mut self.batch, &mut lent);
        if let Some(at) = flows.next_timer() {
            self.timers.arm(&mut flows.timer, at, Concern::Flows(entry));
        }
        Some(done)
    }

    /// Handles what players have sent to a listener.
    pub(super) fn hear(&mut self, entry: usize) {
        let now = self.now;
        let heard = self.with_flows(entry, |flows, batch, lent| {
            if flows.paused_until.is_some_and(|until| now < until) {
                return Heard::All;
            }
            flows.paused_until = None;
            let heard = flows.receive(batch, lent);
            if let Heard::Troubled(pause) = &heard {
                flows.paused_until = Some(now + *pause);
            }
            heard
        });
        match heard {
            None | Some(Heard::All | Heard::Troubled(_)) => {}
            Some(Heard::Share) => self.again.push_back(Concern::Flows(entry)),
            Some(Heard::Ended(error)) => {
                // One that is kept for its last flows alone is no loss to its relay.
                if let Some(flows) = self.close_flows(entry).filter(|flows| !flows.retiring) {
                    let (address, protocol) = (flows.address, Protocol::Udp);
                    flows.terms.shared.listener_ended(address, protocol, error);
                }
            }
        }
    }

    /// Handles what the game has answered to a flow.
    pub(super) fn carry_replies(&mut self, route: usize) {
        let Some(&(entry, id)) = self.routes.get(route) else {
            return;
        };
        let Some((_, flows)) = self.flows.get_mut(entry) else {
            return;
        };
        if flows.carry_replies(id, &mut self.batch, self.now) {
            self.again.push_back(Concern::FlowUpstream(route));
        }
    }

    /// A deadline of a flow may have come, or a pause is over.
    pub(super) fn look_at_flows(&mut self, entry: usize) {
        self.with_flows(entry, |flows, _, lent| {
            flows.timer = None;
            flows.expire(lent);
        });
        self.close_if_done(entry);
        self.hear(entry);
    }

    pub(super) fn looked_up(&mut self, key: Key, answer: Answer) {
        let is_it = |(serial, _): &(u64, Flows)| *serial == key.serial;
        if self.flows.get(key.entry).is_some_and(is_it) {
            self.with_flows(key.entry, |flows, _, lent| flows.looked_up(answer, lent));
            self.close_if_done(key.entry);
        }
    }

    /// Ends the flows that began under a relay's terms, whoever has their listener by now.
    pub(super) fn end_flows_of(&mut self, shared: &Arc<Shared>) {
        let all: Vec<_> = self.flows.iter().map(|(entry, _)| entry).collect();
        for entry in all {
            self.with_flows(entry, |flows, _, lent| {
                flows.end_those(|terms| terms.are_of(shared), lent);
                // The relay's last account is about to be given, and this may outlive it for the
                // flows of others.
                flows.tell_drops();
            });
            self.close_if_done(entry);
        }
    }

    /// Closes a listener that is kept open for its last flows alone, and has none.
    pub(super) fn close_if_done(&mut self, entry: usize) {
        if self
            .flows
            .get(entry)
            .is_some_and(|(_, flows)| flows.is_done())
        {
            self.close_flows(entry);
        }
    }

    /// Ends all flows of a listener, and closes it.
    fn close_flows(&mut self, entry: usize) -> Option<Flows> {
        self.with_flows(entry, |flows, _, lent| {
            flows.end_those(|_| true, lent);
            flows.tell_drops();
        });
        let (_, mut flows) = self.flows.try_remove(entry)?;
        self.timers.disarm(&mut flows.timer, Concern::Flows(entry));
        Some(flows)
    }

    /// All that there are.
    pub(super) fn end_all_flows(&mut self) {
        let all: Vec<_> = self.flows.iter().map(|(entry, _)| entry).collect();
        for entry in all {
            self.close_flows(entry);
        }
    }
}
