//! The joiner's side of sealed links: one host, kept in reach.
//!
//! ```text
//!            ┌──────── lost, silent, an address changed ────────┐
//!            ▼                                                   │
//!        reaching ──race won──▶ ADMIT, ATTACH ──▶ carried ───────┤
//!            │                        │                          │
//!            │ again, later           └─ refused for good ─▶ end │ closed ─▶ end, or reaching
//!            └─ hold time over: sessions are reset, and it goes on with a new link
//! ```
//! Local listeners are not made here: connections come in by [`Joiner::carry`].

mod attaching;
mod place;
mod race;
mod watching;

#[cfg(test)]
mod answer_tests;

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::Connection;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::frame::{Closed, Refusal, ServiceId};
use via6_core::invite::Invite;
use via6_relay::{Arrival, Stream};

use self::place::Places;
use crate::cable::Cable;
use crate::event::LinkObserver;
use crate::identity::{Identity, NoRandomness, PublicKey};
use crate::session;
use crate::tls;
use crate::transport::{Kind, Quic};

/// What a joiner is made of.
pub struct JoinConfig {
    /// This device's key.
    pub identity: Arc<Identity>,
    /// Of whom, and where.
    pub invite: Invite,
    /// What the player wants to be called; at most 32 bytes.
    pub name: String,
    /// Where the host has said it is, if it has.
    pub known: Known,
    /// For QUIC, on every address and any port.
    pub udp: UdpSocket,
    /// How it may be carried.
    pub transports: Transports,
    /// Who is told.
    pub observer: Arc<dyn LinkObserver>,
}

/// How a link may be carried.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transports {
    /// QUIC, and TLS where that does not get through.
    #[default]
    Any,
    /// One alone.
    Only(Kind),
}

impl Transports {
    fn has(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == kind,
        }
    }
}

/// Where a host has said it is: the newest of what it signed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// Rises with each change; 0: nothing is known.
    pub number: u64,
    /// In the order to try.
    pub addresses: Vec<SocketAddrV6>,
    /// A DNS name, or nothing.
    pub name: String,
}

/// A game that the host shares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shared {
    /// Its number on this link.
    pub id: ServiceId,
    /// For people.
    pub name: String,
    /// The port that it has on the host's side.
    pub port: u16,
    /// It has TCP sessions.
    pub tcp: bool,
    /// It has UDP flows.
    pub udp: bool,
}

/// Why a joiner has ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoinEnd {
    /// It was told to.
    #[error("stopped")]
    Stopped,
    /// The host does not let this device in, and asking again would not help.
    #[error("refused: {code}")]
    Refused {
        /// Why.
        code: Refusal,
        /// In the host's words; may be empty.
        message: String,
    },
    /// The host has sent this player away.
    #[error("sent away: {code}")]
    SentAway {
        /// Why.
        code: Closed,
        /// In the host's words; may be empty.
        message: String,
    },
    /// What is there is not the host that the invite is of, or speaks something else.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The system gives no random numbers.
    #[error("{0}")]
    NoRandomness(#[from] NoRandomness),
}

/// How the link is now.
#[derive(Clone, Debug)]
pub struct LinkLook {
    /// How it is carried, and where the host is; `None`: it is being reached.
    pub carried: Option<(Kind, SocketAddr)>,
    /// Smoothed, of QUIC.
    pub round_trip: Option<Duration>,
    /// Nothing was heard for a while: sessions wait.
    pub is_suspect: bool,
    /// Sessions that it carries.
    pub sessions: usize,
    /// What the host calls this player, once it has.
    pub name: Option<String>,
}

/// A running joiner. Clones are the same; [`close`](Self::close) ends it.
#[derive(Clone)]
pub struct Joiner(Arc<Inner>);

struct Inner {
    identity: Arc<Identity>,
    invite: Invite,
    name: String,
    tls: Arc<rustls::ClientConfig>,
    quic: Quic,
    transports: Transports,
    observer: Arc<dyn LinkObserver>,
    places: Places,
    now: Mutex<Now>,
    services: watch::Sender<Option<Vec<Shared>>>,
    known: watch::Sender<Known>,
    /// A session waits for the link, or the network has changed: no time to lose.
    hurry: Notify,
    tasks: TaskTracker,
    runtime: Handle,
    closing: CancellationToken,
}

/// What changes.
struct Now {
    cable: Arc<Cable>,
    carried: Option<Carried>,
    /// What the host calls this player.
    called: Option<String>,
    /// The host's key, once it has shown it.
    host: Option<PublicKey>,
    /// What the host closed the link with.
    closed: Option<(Closed, String)>,
}

#[derive(Clone)]
struct Carried {
    kind: Kind,
    remote: SocketAddr,
    connection: Option<Connection>,
    /// Our own address toward it, when it was reached.
    local: Option<IpAddr>,
}

impl Joiner {
    /// Begins to reach the host. Must be called inside a tokio runtime. Errors are the system's.
    pub fn start(config: JoinConfig) -> io::Result<Self> {
        let JoinConfig {
            identity,
            invite,
            name,
            known,
            udp,
            transports,
            observer,
        } = config;
        let tls = tls::client(&identity, invite.fingerprint()).map_err(io::Error::other)?;
        let link = watching::new_link().map_err(io::Error::other)?;
        let quic = Quic::joiner(udp.into_std()?)?;
        let places = Places::new(&invite, &known);
        let inner = Arc::new_cyclic(|weak| Inner {
            identity,
            invite,
            name,
            tls,
            quic,
            transports,
            observer,
            places,
            now: Mutex::new(Now {
                cable: watching::cable(link, weak.clone()),
                carried: None,
                called: None,
                host: None,
                closed: None,
            }),
            services: watch::Sender::new(None),
            known: watch::Sender::new(known),
            hurry: Notify::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            closing: CancellationToken::new(),
        });
        Ok(Self(inner))
    }

    /// Keeps the host in reach until that is over, and says why it is. To be called once; not cancel safe:
    /// nothing is carried any more then.
    pub async fn run(&self) -> JoinEnd {
        self.0.run().await
    }

    /// Carries a connection to one of the host's games. May be called on any thread.
    pub fn carry(&self, arrival: Arrival, service: ServiceId) {
        let inner = Arc::clone(&self.0);
        let carried = async move { inner.carry(arrival, service).await };
        self.0.tasks.spawn_on(carried, &self.0.runtime);
    }

    /// The games that the host shares: the newest list, `None` before there was one.
    #[must_use]
    pub fn services(&self) -> watch::Receiver<Option<Vec<Shared>>> {
        self.0.services.subscribe()
    }

    /// Where the host is, as it says; to be kept.
    #[must_use]
    pub fn known(&self) -> watch::Receiver<Known> {
        self.0.known.subscribe()
    }

    /// How the link is now.
    #[must_use]
    pub fn look(&self) -> LinkLook {
        let now = self.0.now();
        let clock = Instant::now().into_std();
        let asked = now
            .cable
            .look(|link| (link.is_suspect(clock), link.channels().count()));
        let (is_suspect, sessions) = asked.unwrap_or((true, 0));
        let carried = now.carried.as_ref();
        LinkLook {
            carried: carried.map(|carried| (carried.kind, carried.remote)),
            round_trip: carried.and_then(|carried| Some(carried.connection.as_ref()?.rtt())),
            is_suspect,
            sessions,
            name: now.called.clone(),
        }
    }

    /// Says goodbye to the host; [`run`](Self::run) then returns.
    pub fn close(&self) {
        self.0.closing.cancel();
    }
}

impl Inner {
    async fn carry(self: Arc<Self>, arrival: Arrival, service: ServiceId) {
        let (cable, host) = {
            let now = self.now();
            let host = now.carried.as_ref().map(|carried| carried.remote);
            (Arc::clone(&now.cable), host)
        };
        let clock = Instant::now().into_std();
        let opened = cable.with(|link| link.open(service, clock)).flatten();
        let Some(channel) = opened else {
            return arrival.refuse(None);
        };
        if host.is_none() {
            self.hurry.notify_one();
        }
        let host = host.unwrap_or_else(|| self.places.first());
        let Arrival { stream, seat, .. } = arrival;
        // The system has no room for it: dropped, and told of as stopped.
        if let Ok(game) = Stream::from_std(stream) {
            session::joined(cable, channel, game, host, seat).await;
        } else {
            crate::port::Port::new(&cable, channel).abort(via6_core::frame::Reset::Stopped);
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
