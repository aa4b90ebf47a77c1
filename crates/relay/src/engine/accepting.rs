//! The engine's TCP listeners: who comes in becomes a session, or is refused.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use socket2::SockRef;
use via6_core::limits::ACCEPT_TURN;

use super::listener::{Accepted, Listener};
use super::session::{Place, Session};
use super::worker::{Worker, enqueue};
use super::{Concern, Key};
use crate::elsewhere::Arrival;
use crate::event::{Protocol, Warning};
use crate::socket;
use crate::terms::Terms;
use crate::ticket::Ticket;

impl Worker {
    pub(super) fn listen(
        &mut self,
        terms: &Arc<Terms>,
        address: SocketAddr,
        socket: std::net::TcpListener,
    ) {
        let entry = self.listeners.vacant_key();
        let token = Concern::Listener(entry).token();
        let registry = self.poll.registry();
        match Listener::new(Arc::clone(terms), address, socket, registry, token) {
            Ok(listener) => {
                self.listeners.insert(listener);
                // What came before it was registered.
                self.due.push_back(Concern::Listener(entry));
            }
            Err(error) => terms.shared.listener_ended(address, Protocol::Tcp, error),
        }
    }

    pub(super) fn close_listener(&mut self, entry: usize) -> Option<Listener> {
        let mut listener = self.listeners.try_remove(entry)?;
        self.timers
            .disarm(&mut listener.timer, Concern::Listener(entry));
        Some(listener)
    }

    /// Accepts for a listener, up to [`ACCEPT_TURN`] connections.
    pub(super) fn accept(&mut self, entry: usize) {
        for number in 0..ACCEPT_TURN {
            let Some(listener) = self.listeners.get_mut(entry) else {
                return;
            };
            // In its pause after an error; or the event told of one, who has come in.
            if listener.timer.is_some() || (number > 0 && !listener.has_caller()) {
                return;
            }
            let (address, protocol) = (listener.address, Protocol::Tcp);
            let accepted = listener.accept();
            let terms = Arc::clone(&listener.terms);
            let notices = &terms.shared.notices;
            let pause = match accepted {
                Accepted::Connection(stream, peer) => {
                    self.admit(&terms, address, stream, peer);
                    continue;
                }
                Accepted::None => return,
                Accepted::Exhausted(error, pause) => {
                    let (listener, error) = (address, &error);
                    notices.warn(&Warning::AcceptExhausted { listener, error });
                    pause
                }
                Accepted::Troubled(error, pause) => {
                    notices.warn(&Warning::ListenerTroubled {
                        listener: address,
                        protocol,
                        error: &error,
                    });
                    pause
                }
                Accepted::Ended(error) => {
                    self.close_listener(entry);
                    return terms.shared.listener_ended(address, protocol, error);
                }
            };
            let at = self.now + pause;
            if let Some(listener) = self.listeners.get_mut(entry) {
                self.timers
                    .arm(&mut listener.timer, at, Concern::Listener(entry));
            }
            return;
        }
        self.again.push_back(Concern::Listener(entry));
    }

    /// Starts a session, or refuses it by RST.
    fn admit(
        &mut self,
        terms: &Arc<Terms>,
        listener: SocketAddr,
        stream: TcpStream,
        downstream: SocketAddr,
    ) {
        let outlet = terms.shared.outlet.as_ref();
        let sockets = if outlet.is_some() { 1 } else { 2 };
        let taken = Ticket::take(terms, listener, downstream, sockets, self.now);
        let ticket = match taken {
            Ok(ticket) => ticket,
            Err(reason) => {
                socket::reset_on_close(&SockRef::from(&stream));
                drop(stream);
                let shed = Warning::Shed { reason, downstream };
                terms.shared.notices.warn(&shed);
                return;
            }
        };
        socket::tune_accepted(&SockRef::from(&stream), listener.ip(), downstream.ip());
        if let Some(outlet) = outlet {
            outlet.take(Arrival::new(stream.into(), listener, ticket));
            return;
        }
        self.serial += 1;
        let entry = self.sessions.vacant_key();
        let place = Place {
            registry: self.poll.registry(),
            inbox: &self.inbox,
            key: Key {
                entry,
                serial: self.serial,
            },
        };
        if let Some(session) = Session::open(ticket, stream, &place, self.now) {
            let session = self.sessions.vacant_entry().insert(session);
            enqueue(&mut self.due, session, entry);
        }
    }
}
