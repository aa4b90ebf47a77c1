//! The one port of this process for sealed links: begun with the first game that is shared, ended with the
//! last. It knows the invite, and sees to it that friends know where this computer is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::addr::{DnsName, Listen};
use via6_core::frame::ServiceId;
use via6_core::invite::Invite;
use via6_core::limits::{HOST_ADDRESS_LOOK, LINK_NAME_MAX};
use via6_relay::{Descriptors, Engine, Listening, Policy, Running};
use via6_sealed::{Host, HostConfig, Offer};

use super::door::Door;
use super::located::Located;
use super::told::Told;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::instance::Bound;
use crate::narrator::unix_ms;
use crate::secrets::draw_invite;
use crate::state::Keys;

/// A port that is open for sealed links, and nothing shared there yet.
pub(crate) struct Opened {
    pub(crate) keys: Keys,
    pub(crate) bound: Bound,
    pub(crate) listen: Listen,
}

/// See the module's own words.
pub(crate) struct Hosting {
    host: Host,
    listen: Listen,
    keys: Keys,
    now: Mutex<Now>,
    /// Ends the looking for other addresses.
    over: CancellationToken,
    tasks: TaskTracker,
    told: Arc<Told>,
}

/// What changes.
struct Now {
    name: Option<DnsName>,
    located: Located,
    /// Of the last list of addresses that friends were told.
    number: u64,
    /// By the serial of their relays.
    games: HashMap<u64, ServiceId>,
}

impl Hosting {
    /// Begins to take players in. Must be called inside a runtime.
    pub(crate) fn start(
        opened: Opened,
        name: Option<DnsName>,
        (engine, descriptors): (Engine, Descriptors),
        told: Arc<Told>,
    ) -> Result<Arc<Self>, Failure> {
        let Opened {
            keys,
            bound,
            listen,
        } = opened;
        let (udp, tcp) = sockets(bound)?;
        let (host, ending) = Host::start(HostConfig {
            identity: Arc::clone(&keys.identity),
            udp,
            tcp,
            engine,
            policy: Policy::default(),
            descriptors,
            doorkeeper: Arc::new(Door(Arc::clone(&keys.keeper))),
            observer: Arc::clone(&told) as _,
            warnings: Arc::clone(&told) as _,
        })
        .map_err(|error| Failure::cannot_go_on(&error))?;
        // It ends with the host; if by itself, that was told as a warning, and QUIC goes on.
        let tasks = TaskTracker::new();
        tasks.spawn(async move { drop(ending.wait().await) });
        let located = Located::now(host.listener());
        let hosting = Arc::new(Self {
            host,
            listen,
            keys,
            now: Mutex::new(Now {
                name,
                located,
                number: 0,
                games: HashMap::new(),
            }),
            over: CancellationToken::new(),
            tasks,
            told,
        });
        hosting.locate();
        if hosting.host.listener().ip().is_unspecified() {
            hosting.tasks.spawn(Arc::clone(&hosting).watch());
        }
        Ok(hosting)
    }

    /// Where it listens, for both transports.
    pub(crate) fn listener(&self) -> SocketAddr {
        self.host.listener()
    }

    /// What was asked for when it began.
    pub(crate) fn listen(&self) -> &Listen {
        &self.listen
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The next start has the same invite.
    pub(crate) fn is_kept(&self) -> bool {
        self.keys.are_kept
    }

    pub(crate) fn name(&self) -> Option<DnsName> {
        self.now().name.clone()
    }

    /// Has a name in invites from now on.
    pub(crate) fn call(&self, name: DnsName) {
        self.now().name = Some(name);
        self.locate();
    }

    pub(crate) fn located(&self) -> Located {
        self.now().located.clone()
    }

    /// The invite for everybody, with where this computer is now. The first time it is made.
    pub(crate) fn invite(&self) -> Result<Invite, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::runtime(format!("cannot make an invite: {error}"))
        };
        let now_ms = unix_ms();
        let keeper = &self.keys.keeper;
        let known = keeper.look(|roster| roster.default_invite(now_ms).map(|one| one.secret));
        let secret = match known {
            Some(secret) => secret,
            None => {
                let drawn = draw_invite().map_err(|error| cannot(&error))?;
                let made = keeper.change(|roster| {
                    let made = roster.make_default_invite(drawn, now_ms);
                    made.map(|invite| invite.secret)
                });
                made.map_err(|error| cannot(&error))?.0
            }
        };
        let (name, located) = {
            let now = self.now();
            (now.name.clone(), now.located.clone())
        };
        let fingerprint = self.keys.identity.public().fingerprint();
        let port = NonZeroU16::new(self.listener().port()).unwrap_or(NonZeroU16::MIN);
        let addresses = if located.addresses.is_empty() && name.is_some() {
            Vec::new()
        } else {
            located.invited()
        };
        Invite::new(fingerprint, secret, port, addresses, name)
            .map_err(|error| cannot(&error).hint(error.hint()))
    }

    /// Shares a game with everybody who is in or comes in.
    pub(crate) fn share(&self, serial: u64, entry: &Entry, relay: Running) -> Result<(), Failure> {
        let offer = Offer {
            name: shortened(&entry.name),
            port: entry.upstream.port,
            tcp: true,
            udp: false,
        };
        let shared = self.host.share(offer, relay);
        let service = shared.ok_or_else(|| {
            Failure::runtime(format!(
                "cannot share {}: there are as many games as a host can share",
                entry.upstream
            ))
        })?;
        self.now().games.insert(serial, service);
        Ok(())
    }

    /// Shares a game no longer; sessions that live go on.
    pub(crate) fn withdraw(&self, serial: u64) {
        let service = self.now().games.get(&serial).copied();
        if let Some(service) = service {
            self.host.withdraw(service);
        }
    }

    /// Its relay has ended. True if there is nothing left to be shared.
    pub(crate) fn forget(&self, serial: u64) -> bool {
        self.withdraw(serial);
        let mut now = self.now();
        now.games.remove(&serial);
        now.games.is_empty()
    }

    /// Says goodbye to everybody.
    pub(crate) async fn close(&self) {
        self.over.cancel();
        self.host.close().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.keys.keeper.close().await;
    }

    /// Looks whether this computer is elsewhere by now, until it is over.
    async fn watch(self: Arc<Self>) {
        let mut ticks = interval(HOST_ADDRESS_LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.over.cancelled() => return,
            }
            let listener = self.listener();
            // Fails only while the program ends.
            let Ok(found) = spawn_blocking(move || Located::now(listener)).await else {
                return;
            };
            if self.located() != found {
                let old = self.invite();
                self.now().located = found.clone();
                self.locate();
                if let (Ok(old), Ok(new)) = (old, self.invite()) {
                    let mut addresses = old.addresses().iter();
                    let is_gone = addresses.any(|ip| !new.addresses().contains(ip));
                    self.told.moved(&found, &new, is_gone);
                }
            }
        }
    }

    /// Tells everybody where it is.
    fn locate(&self) {
        let (number, addresses, name) = {
            let mut now = self.now();
            // Rises across restarts, with the clock.
            now.number = unix_ms().max(now.number + 1);
            let addresses = now.located.told(self.host.listener().port());
            (now.number, addresses, now.name.clone())
        };
        self.host.locate(number, &addresses, name.as_ref());
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The two sockets of a port.
fn sockets(bound: Bound) -> Result<(UdpSocket, TcpListener), Failure> {
    let (mut udp, mut tcp) = (None, None);
    for listener in bound.listeners {
        match listener {
            Listening::Udp(socket) => udp = Some(socket),
            Listening::Tcp(listener) => tcp = Some(listener),
            Listening::Held(..) => {}
        }
    }
    udp.zip(tcp).ok_or_else(|| {
        Failure::runtime(format!(
            "cannot listen on {}: this via6 uses it for something else",
            bound.addr
        ))
    })
}

/// As much of a name as a frame has room for.
fn shortened(name: &str) -> String {
    let mut end = name.len().min(LINK_NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_owned()
}
