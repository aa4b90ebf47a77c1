//! Keeping the host in reach: when a new transport is needed, and what becomes of the link without one.

use std::net::SocketAddrV6;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use via6_core::frame::{Addrs, Closed, LinkId, Refusal};
use via6_core::limits::{ADDRESS_LOOK, LAST_WORDS, LINK_HOLD, LINK_RETRY};
use via6_core::link::{Heard, Link, LinkError, LinkLimits, Role};
use via6_relay::route_to;

use super::attaching::{Attached, Missed};
use super::{Carried, Inner, JoinEnd, Known, Shared};
use crate::books::Books;
use crate::cable::{Cable, Owner};
use crate::carry::{Over, carry};
use crate::event::LinkEvent;
use crate::identity::{NoRandomness, random};

/// Violations in a row after which it is given up: one may be a bug that a new link does not meet.
const VIOLATIONS_MAX: u32 = 3;

/// A link without channels.
pub(super) fn new_link() -> Result<Link, NoRandomness> {
    let id = LinkId(random()?);
    let now = Instant::now().into_std();
    Ok(Link::new(Role::Joiner, id, LinkLimits::default(), now))
}

pub(super) fn cable(link: Link, joiner: Weak<Inner>) -> Arc<Cable> {
    Cable::new(Books::own(link), Arc::new(Keeper(joiner)))
}

/// The owner of the joiner's link.
struct Keeper(Weak<Inner>);

impl Owner for Keeper {
    fn heard(&self, _: &Arc<Cable>, heard: Heard<'_>) -> Result<(), LinkError> {
        let Some(joiner) = self.0.upgrade() else {
            return Ok(());
        };
        match heard {
            Heard::Services(services) => {
                let services = services.iter().map(|service| Shared {
                    id: service.id,
                    name: service.name.to_owned(),
                    port: service.port,
                    tcp: service.tcp,
                    udp: service.udp,
                });
                joiner.services.send_replace(Some(services.collect()));
            }
            Heard::Addrs(addrs) => joiner.located(&addrs)?,
            // Of one transport alone: the link goes on.
            Heard::Closed { code, message } if code != Closed::Superseded => {
                joiner.now().closed = Some((code, message.to_owned()));
            }
            // Not agreed on, and never sent to a joiner.
            Heard::Flow(_) | Heard::Opened { .. } => return Err(LinkError::Unexpected),
            _ => {}
        }
        Ok(())
    }
}

/// How the transport of a generation ended.
type HowOver = (u64, Over);

type Reaching = Pin<Box<dyn Future<Output = Result<Attached, Missed>> + Send>>;

/// What the loop knows besides the link.
struct Watching {
    cable: Arc<Cable>,
    reaching: Option<Reaching>,
    /// When to try again, if nothing else comes before.
    retry_at: Instant,
    pause: Duration,
    /// Another transport is wanted although the one there is works.
    wants_other: bool,
    /// Since when nothing is heard; told once.
    silent_since: Option<Instant>,
    violations: u32,
    over: (mpsc::Sender<HowOver>, mpsc::Receiver<HowOver>),
}

impl Inner {
    pub(super) async fn run(self: &Arc<Self>) -> JoinEnd {
        let cable = Arc::clone(&self.now().cable);
        let mut watching = Watching {
            cable,
            reaching: None,
            retry_at: Instant::now(),
            pause: LINK_RETRY.0,
            wants_other: false,
            silent_since: None,
            violations: 0,
            // The one before, the one that takes over, and one that was reached too late.
            over: mpsc::channel(4),
        };
        let end = loop {
            if let Some(end) = self.step(&mut watching).await {
                break end;
            }
        };
        self.leave(&mut watching).await;
        end
    }

    /// Waits for the next thing to happen, and acts on it.
    async fn step(self: &Arc<Self>, watching: &mut Watching) -> Option<JoinEnd> {
        let look_at = self.look(watching);
        let Watching { reaching, over, .. } = &mut *watching;
        let reached = async {
            match reaching {
                Some(reaching) => reaching.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.closing.cancelled() => return Some(JoinEnd::Stopped),
            reached = reached => {
                watching.reaching = None;
                return match reached {
                    Ok(attached) => self.attached(watching, attached),
                    Err(missed) => self.missed(watching, missed),
                };
            }
            Some((generation, over)) = over.1.recv() => {
                watching.cable.with(|link| link.on_cut(generation));
                if let Over::Broken(broken) = &over && broken.is_violation() {
                    self.now().closed.get_or_insert((Closed::Protocol, broken.to_string()));
                }
            }
            () = self.hurry.notified() => {
                watching.retry_at = Instant::now();
            }
            () = sleep_until(look_at) => {}
        }
        let ended = watching.cable.with(|link| {
            link.on_time(Instant::now().into_std());
            link.ended()
        });
        let code = ended.flatten()?;
        self.ended(watching, code)
    }

    /// Begins to reach the host if that is needed, and gives it up if it no longer is. Returns when to look
    /// again.
    fn look(self: &Arc<Self>, watching: &mut Watching) -> Instant {
        let now = Instant::now();
        let asked = watching.cable.look(|link| {
            let clock = now.into_std();
            let next = link.next_deadline(clock);
            (
                link.is_suspect(clock),
                link.is_detached(),
                link.channels().count(),
                next,
            )
        });
        let (is_suspect, is_detached, sessions, next) = asked.unwrap_or((true, true, 0, None));
        if is_detached {
            self.now().carried = None;
        }
        self.tell_silent(watching, is_suspect, is_detached, sessions);
        if !is_suspect && !watching.wants_other {
            watching.wants_other = self.has_moved();
        }
        if !is_suspect && !watching.wants_other {
            watching.reaching = None;
        } else if watching.reaching.is_none() && now >= watching.retry_at {
            let cable = Arc::clone(&watching.cable);
            watching.reaching = Some(Box::pin(Arc::clone(self).reach(cable)));
        }
        let next = next.map(Instant::from_std).filter(|next| *next > now);
        let look_at = now + ADDRESS_LOOK;
        let look_at = next.map_or(look_at, |next| next.min(look_at));
        if watching.retry_at > now {
            look_at.min(watching.retry_at)
        } else {
            look_at
        }
    }

    /// Whether one of the two ends is no longer where it was when the transport was made.
    fn has_moved(&self) -> bool {
        let Some(carried) = self.now().carried.clone() else {
            return false;
        };
        // Without a route there is nothing to move to.
        let local = route_to(carried.remote).ok();
        (local.is_some() && local != carried.local) || self.places.is_left(carried.remote)
    }

    fn tell_silent(
        &self,
        watching: &mut Watching,
        is_suspect: bool,
        is_detached: bool,
        sessions: usize,
    ) {
        if !is_suspect {
            watching.silent_since = None;
        } else if watching.silent_since.is_none() && self.now().host.is_some() {
            watching.silent_since = Some(Instant::now());
            let state = self.now();
            // Without sessions nobody misses it.
            if let Some(peer) = state.host.filter(|_| sessions > 0) {
                self.observer.observe(&LinkEvent::Lost {
                    peer,
                    player: state.called.as_deref().unwrap_or_default(),
                    cause: if is_detached {
                        "the connection was lost"
                    } else {
                        "the host has fallen silent"
                    },
                    hold: LINK_HOLD,
                });
            }
        }
    }

    /// A transport has taken the link over.
    fn attached(self: &Arc<Self>, watching: &mut Watching, attached: Attached) -> Option<JoinEnd> {
        let Attached {
            transport,
            generation,
            taken_over,
        } = attached;
        watching.pause = LINK_RETRY.0;
        watching.wants_other = false;
        watching.violations = 0;
        let after = watching.silent_since.take().map(|since| since.elapsed());
        self.places.reached(transport.remote);
        {
            let mut state = self.now();
            state.carried = Some(Carried {
                kind: transport.kind,
                remote: transport.remote,
                connection: transport.connection.clone(),
                local: route_to(transport.remote).ok(),
            });
            self.observer.observe(&LinkEvent::Attached {
                peer: transport.peer,
                player: state.called.as_deref().unwrap_or_default(),
                kind: transport.kind,
                remote: transport.remote,
                generation,
                after,
            });
        }
        let cable = Arc::clone(&watching.cable);
        let over = watching.over.0.clone();
        self.tasks.spawn(async move {
            let how = carry(&cable, generation, transport, taken_over).await;
            // The loop is over, and nobody asks any more.
            let _ = over.send((generation, how)).await;
        });
        None
    }

    /// There is no new transport; the one before goes on, if it can.
    fn missed(&self, watching: &mut Watching, missed: Missed) -> Option<JoinEnd> {
        let again = watching.pause;
        watching.pause = (again * 2).min(LINK_RETRY.1);
        watching.retry_at = Instant::now() + again;
        match missed {
            Missed::Unreachable(attempts) => {
                let attempts = &attempts[..];
                self.observer
                    .observe(&LinkEvent::Unreachable { attempts, again });
            }
            Missed::Refused(code @ (Refusal::Full | Refusal::Stopping), message) => {
                let again = LINK_RETRY.1;
                watching.retry_at = Instant::now() + again;
                self.observer.observe(&LinkEvent::TurnedAway {
                    code,
                    message: &message,
                    again,
                });
            }
            // A transport of ours got there before this one.
            Missed::Refused(Refusal::Generation, _) | Missed::Late => {}
            Missed::Refused(Refusal::Link, _) => return self.begin_anew(watching),
            Missed::Refused(code, message) => return Some(JoinEnd::Refused { code, message }),
            Missed::Closed(code, message) => {
                self.now().closed = Some((code, message));
                return self.ended(watching, code);
            }
            Missed::Broken(broken) if broken.is_violation() => {
                self.now().closed = Some((Closed::Protocol, broken.to_string()));
                return self.ended(watching, Closed::Protocol);
            }
            Missed::Broken(_) => {}
        }
        None
    }

    /// The link is over; whether that is for good.
    fn ended(&self, watching: &mut Watching, code: Closed) -> Option<JoinEnd> {
        let said = self.now().closed.take();
        let (code, message) = said.unwrap_or((code, String::new()));
        let sessions = watching.cable.with(|link| {
            link.end(code, Instant::now().into_std());
            link.channels().count()
        });
        {
            let mut state = self.now();
            state.carried = None;
            if let Some(peer) = state.host {
                self.observer.observe(&LinkEvent::Ended {
                    peer,
                    player: state.called.as_deref().unwrap_or_default(),
                    code,
                    message: &message,
                    sessions: sessions.unwrap_or_default(),
                });
            }
        }
        match code {
            Closed::Kicked | Closed::Banned | Closed::Revoked => {
                return Some(JoinEnd::SentAway { code, message });
            }
            Closed::Protocol => {
                watching.violations += 1;
                if watching.violations >= VIOLATIONS_MAX {
                    return Some(JoinEnd::Protocol(message));
                }
            }
            _ => {}
        }
        // A host that stops may be back in a moment.
        watching.retry_at = Instant::now() + LINK_RETRY.0;
        self.begin_anew(watching)
    }

    /// Goes on with a link that has no channels; whoever has the old one has it to its end.
    fn begin_anew(&self, watching: &mut Watching) -> Option<JoinEnd> {
        let link = match new_link() {
            Ok(link) => link,
            Err(error) => return Some(error.into()),
        };
        let mut state = self.now();
        let fresh = state.cable.renewed(link);
        state.cable = Arc::clone(&fresh);
        state.carried = None;
        watching.cable = fresh;
        watching.reaching = None;
        watching.wants_other = false;
        watching.silent_since = None;
        None
    }

    /// Where the host says it is.
    fn located(&self, addrs: &Addrs<'_>) -> Result<(), LinkError> {
        let host = self.now().host;
        let is_signed = match (host, addrs.signed()) {
            (Some(host), Ok(signed)) => host.has_signed(&signed, &addrs.signature),
            _ => false,
        };
        if !is_signed {
            return Err(LinkError::Unexpected);
        }
        let known = Known {
            number: addrs.number,
            addresses: addrs.addresses.clone(),
            name: addrs.name.to_owned(),
        };
        if self.places.hear(&known) {
            let addresses: &[SocketAddrV6] = &known.addresses;
            let name = &known.name;
            self.observer.observe(&LinkEvent::Moved { addresses, name });
            self.known.send_replace(known);
            self.hurry.notify_one();
        }
        Ok(())
    }

    /// Says goodbye.
    async fn leave(&self, watching: &mut Watching) {
        watching.reaching = None;
        let is_carried = self.now().carried.is_some();
        if is_carried {
            watching.cable.close(Closed::Stopped, "");
            // A host that does not take the goodbye finds out by silence.
            let _ = timeout(2 * LAST_WORDS, watching.over.1.recv()).await;
        }
        let now = Instant::now().into_std();
        watching.cable.with(|link| link.end(Closed::Stopped, now));
        self.tasks.close();
        // Sessions end with the link.
        let _ = timeout(LAST_WORDS, self.tasks.wait()).await;
        let _ = timeout(LAST_WORDS, self.quic.close()).await;
    }
}
