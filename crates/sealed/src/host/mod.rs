//! The host's side of sealed links: one port for all games and all players.
//!
//! ```text
//!  QUIC, TLS ──handshake──▶ anteroom ──ADMIT, ATTACH──▶ member ──OPEN──▶ a session of a game's relay
//!                 bounded, 10 s + 5 s     doorkeeper        │
//!                                                          └── one link each; outlives its transports
//! ```
//! Who may play is decided by a [`Doorkeeper`]. Games are relays that have no listener: what is carried here
//! counts as theirs.

mod admitting;
mod anteroom;
mod guest;
mod members;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::addr::{DnsName, HostPort};
use via6_core::frame::{Addrs, Closed, Frame, FrameError, Refusal, Service, ServiceId};
use via6_core::invite::Secret;
use via6_core::limits::{HOLD_LOOK, HOST_ADDRESSES_MAX, LAST_WORDS};
use via6_relay::{
    Arrival, Descriptors, Ending, Engine, Listening, Observer, Outlet, Policy, Relay, Running,
    Settings, Shutdown,
};

use self::anteroom::Anteroom;
use self::members::Members;
use crate::books::Registry;
use crate::cable::Announced;
use crate::event::LinkObserver;
use crate::identity::{Identity, PublicKey};
use crate::tls;
use crate::transport::{Kind, Quic, accept_tls, quic_transport};

/// Somebody who asks to be let in. The key is proven already.
pub struct Applicant<'a> {
    /// Whose device it is.
    pub identity: PublicKey,
    /// Which invite it names; zeros for none.
    pub invite: [u8; 8],
    /// What the player wants to be called. Anything that fits 32 bytes.
    pub name: &'a str,
    /// Where it comes from.
    pub remote: SocketAddr,
    /// Whether it has proven to know this secret.
    pub knows: &'a dyn Fn(&Secret) -> bool,
}

/// Decides who may play.
pub trait Doorkeeper: Send + Sync {
    /// What the player is called from now on, or why it may not play. Called inside the runtime: must not
    /// block.
    fn admit(&self, applicant: &Applicant<'_>) -> Result<String, Refusal>;
}

/// What a host is made of.
pub struct HostConfig {
    /// Whose key the invites are of.
    pub identity: Arc<Identity>,
    /// For QUIC; of the same port as `tcp`.
    pub udp: UdpSocket,
    /// For TLS.
    pub tcp: TcpListener,
    /// Accepts for TLS.
    pub engine: Engine,
    /// Bounds on connections for TLS.
    pub policy: Policy,
    /// The process's account of sockets.
    pub descriptors: Descriptors,
    /// Who may play.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// Who is told of links.
    pub observer: Arc<dyn LinkObserver>,
    /// Who is told of trouble with accepting for TLS.
    pub warnings: Arc<dyn Observer>,
}

/// A game to be shared.
#[derive(Clone, Debug)]
pub struct Offer {
    /// For people; at most 32 bytes.
    pub name: String,
    /// The port that the game has here.
    pub port: u16,
    /// It has TCP sessions.
    pub tcp: bool,
    /// It has UDP flows.
    pub udp: bool,
}

/// A player's link, as it is now.
#[derive(Clone, Debug)]
pub struct PlayerLook {
    /// Whose device it is.
    pub identity: PublicKey,
    /// What the player is called.
    pub name: String,
    /// How it is carried, or was last.
    pub kind: Kind,
    /// Where the player is.
    pub remote: SocketAddr,
    /// Smoothed, of QUIC.
    pub round_trip: Option<Duration>,
    /// Live sessions.
    pub sessions: usize,
    /// Since the link began.
    pub age: Duration,
    /// Nothing was heard for a while: its sessions wait.
    pub is_suspect: bool,
}

/// A running host. Clones are the same; [`close`](Self::close) ends it.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

pub(crate) struct Inner {
    identity: Arc<Identity>,
    tls: Arc<rustls::ServerConfig>,
    quic: Quic,
    listener: SocketAddr,
    registry: Arc<Registry>,
    members: Members,
    anteroom: Anteroom,
    shared: Mutex<Shared>,
    doorkeeper: Arc<dyn Doorkeeper>,
    observer: Arc<dyn LinkObserver>,
    runtime: Handle,
    tasks: TaskTracker,
    closing: CancellationToken,
    tls_shutdown: Shutdown,
}

#[derive(Default)]
struct Shared {
    games: Vec<(ServiceId, Offer, Running)>,
    /// What each number stands for, or stood for: name and port of a game.
    numbers: HashMap<u16, (String, u16)>,
    addrs: Option<Arc<[u8]>>,
}

impl Host {
    /// Begins to take players in. Must be called inside a tokio runtime. Errors are the system's, of taking
    /// the sockets over.
    ///
    /// The second value is the end of what accepts for TLS: it ends by itself only if the system no longer
    /// lets it accept.
    pub fn start(config: HostConfig) -> io::Result<(Self, Ending)> {
        let HostConfig {
            identity,
            udp,
            tcp,
            engine,
            policy,
            descriptors,
            doorkeeper,
            observer,
            warnings,
        } = config;
        let tls = tls::server(&identity).map_err(io::Error::other)?;
        let listener = udp.local_addr()?;
        let quic = Quic::host(udp.into_std()?, Arc::clone(&tls))?;
        let inner = Arc::new(Inner {
            identity,
            tls,
            quic,
            listener,
            registry: Arc::default(),
            members: Members::default(),
            anteroom: Anteroom::default(),
            shared: Mutex::default(),
            doorkeeper,
            observer,
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            tls_shutdown: Shutdown::new(),
        });
        let relay = Relay {
            listeners: vec![Listening::Tcp(tcp)],
            // Nothing is dialled for what goes to an outlet.
            settings: Settings::new(HostPort::from(listener)),
            engine,
            policy,
            descriptors,
            observer: warnings,
        };
        let door = Arc::new(TlsDoor(Arc::clone(&inner)));
        let (_, ending) = relay.start_to(door, &inner.tls_shutdown)?;
        inner.tasks.spawn(Arc::clone(&inner).accept_quic());
        inner.tasks.spawn(Arc::clone(&inner).watch());
        Ok((Self(inner), ending))
    }

    /// Where it listens, with UDP and TCP.
    #[must_use]
    pub fn listener(&self) -> SocketAddr {
        self.0.listener
    }

    /// Shares one more game, at once and with everybody. `relay` has no listener of its own. Returns its
    /// number, or `None` if there are as many as there can be.
    #[must_use]
    pub fn share(&self, offer: Offer, relay: Running) -> Option<ServiceId> {
        self.share_as(ServiceId(1), offer, relay)
    }

    /// The same under this number, or the first behind it that is free. A host that starts anew should say the
    /// number that the game had before: joiners open sessions on a new link before they have the new list.
    #[must_use]
    pub fn share_as(&self, wanted: ServiceId, offer: Offer, relay: Running) -> Option<ServiceId> {
        let id = {
            let mut shared = self.0.shared();
            if shared.games.len() >= via6_core::limits::SERVICES_MAX {
                return None;
            }
            let game = (offer.name.clone(), offer.port);
            // Never used again for another game while this host runs.
            let is_free = |number: &u16| {
                let is_taken = shared.games.iter().any(|(id, ..)| id.0 == *number);
                !is_taken
                    && shared
                        .numbers
                        .get(number)
                        .is_none_or(|known| *known == game)
            };
            let mut numbers = (wanted.0..=u16::MAX).chain(0..wanted.0);
            let number = numbers.find(is_free)?;
            shared.numbers.insert(number, game);
            let id = ServiceId(number);
            shared.games.push((id, offer, relay));
            id
        };
        self.0.announce_services();
        Some(id)
    }

    /// Shares a game no longer. Sessions that live go on, until its relay ends them.
    pub fn withdraw(&self, service: ServiceId) {
        self.0.shared().games.retain(|(id, ..)| *id != service);
        self.0.announce_services();
    }

    /// How many games are shared.
    #[must_use]
    pub fn games(&self) -> usize {
        self.0.shared().games.len()
    }

    /// Tells everybody where this host is from now on. `number` is higher than any before, across restarts.
    pub fn locate(&self, number: u64, addresses: &[SocketAddrV6], name: Option<&DnsName>) {
        let mut addrs = Addrs {
            number,
            addresses: addresses.iter().take(HOST_ADDRESSES_MAX).copied().collect(),
            name: name.map_or("", DnsName::as_str),
            signature: [0; 64],
        };
        let Ok(signed) = addrs.signed() else {
            return;
        };
        addrs.signature = self.0.identity.sign(&signed);
        let Ok(bytes) = written(&Frame::Addrs(addrs)) else {
            return;
        };
        self.0.shared().addrs = Some(Arc::clone(&bytes));
        for cable in self.0.members.cables() {
            cable.announce(Announced::Addrs, Arc::clone(&bytes));
        }
    }

    /// Who is here.
    #[must_use]
    pub fn players(&self) -> Vec<PlayerLook> {
        self.0.members.look()
    }

    /// Sends a device away, with all its links. Returns how many there were.
    #[allow(
        clippy::must_use_candidate,
        reason = "who sends them away need not count them"
    )]
    pub fn send_away(&self, identity: PublicKey, code: Closed, message: &str) -> usize {
        self.0.send_away(|owner| owner == identity, code, message)
    }

    /// Says goodbye to everybody, and ends. Cancel safe; the ends of sessions are told by their relays.
    pub async fn close(&self) {
        let inner = &self.0;
        inner.closing.cancel();
        inner.tls_shutdown.now();
        inner.send_away(|_| true, Closed::Stopped, "");
        inner.tasks.close();
        // Whoever does not take the last words finds out by silence.
        let _ = timeout(2 * LAST_WORDS, inner.tasks.wait()).await;
        let _ = timeout(LAST_WORDS, inner.quic.close()).await;
    }
}

fn written(frame: &Frame<'_>) -> Result<Arc<[u8]>, FrameError> {
    let mut bytes = Vec::new();
    frame.write(&mut bytes)?;
    Ok(bytes.into())
}

impl Inner {
    async fn accept_quic(self: Arc<Self>) {
        loop {
            let incoming = tokio::select! {
                incoming = self.quic.accept() => incoming,
                () = self.closing.cancelled() => return,
            };
            let Some(incoming) = incoming else {
                return;
            };
            let remote = incoming.remote_address();
            if !incoming.remote_address_validated() && self.anteroom.is_busy() {
                // Fails only for one that has done so already.
                let _ = incoming.retry();
                continue;
            }
            // An error is of this connection, and of nobody else.
            if let Ok(connecting) = incoming.accept() {
                let transport = quic_transport(connecting, true);
                self.tasks
                    .spawn(Arc::clone(&self).receive(remote, transport));
            }
        }
    }

    /// Ends links whose hold time is over, and tells of those that have fallen silent.
    async fn watch(self: Arc<Self>) {
        let mut ticks = interval(HOLD_LOOK);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.closing.cancelled() => return,
            }
            let now = tokio::time::Instant::now();
            for id in self.registry.on_time(now.into_std()) {
                self.dismiss(id, Closed::Hold, "");
            }
            self.tell_silent(now);
        }
    }

    fn announce_services(&self) {
        if let Some(bytes) = self.services() {
            for cable in self.members.cables() {
                cable.announce(Announced::Services, Arc::clone(&bytes));
            }
        }
    }

    /// The list of games, as it is sent.
    fn services(&self) -> Option<Arc<[u8]>> {
        let shared = self.shared();
        let services = shared.games.iter().map(|(id, offer, _)| Service {
            id: *id,
            tcp: offer.tcp,
            udp: offer.udp,
            port: offer.port,
            name: &offer.name,
        });
        // All of it was checked when it was shared.
        written(&Frame::Services(services.collect())).ok()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where connections for TLS come in.
struct TlsDoor(Arc<Inner>);

impl Outlet for TlsDoor {
    fn take(&self, arrival: Arrival) {
        let inner = Arc::clone(&self.0);
        let remote = arrival.seat.downstream();
        let config = Arc::clone(&inner.tls);
        let received = async move {
            let Arrival { stream, seat, .. } = arrival;
            let transport = async {
                let stream = tokio::net::TcpStream::from_std(stream)?;
                accept_tls(stream, &config).await
            };
            inner.receive(remote, transport).await;
            // Counts as a connection for as long as it is one.
            drop(seat);
        };
        self.0.tasks.spawn_on(received, &self.0.runtime);
    }
}
