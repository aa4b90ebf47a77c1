//! The one port of this process for sealed links: begun with the first game that is shared, ended with the
//! last. It knows the invite, and sees to it that friends know where this computer is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use via6_core::addr::{DnsName, Listen};
use via6_core::frame::{ServiceId, fitting};
use via6_core::invite::{Invite, InviteError, Secret};
use via6_core::limits::{HOST_ADDRESS_LOOK, LINK_NAME_MAX, LINKS_MAX, PLAYERS_NOTED};
use via6_relay::{Descriptors, Engine, Listening, Policy, Running};
use via6_sealed::{Host, HostConfig, Identity, Offer, PlayerLook, PublicKey};

use super::located::Located;
use super::told::Told;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::instance::Bound;
use crate::narrator::unix_ms;
use crate::roster::{Doors, OpenDoors};
use crate::secrets::draw_invite;
use crate::state::Keeper;

/// A port that is open for sealed links, and nothing shared there yet.
pub(crate) struct Opened {
    pub(crate) identity: Arc<Identity>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) bound: Bound,
    pub(crate) listen: Listen,
}

/// See the module's own words.
pub(crate) struct Hosting {
    host: Host,
    listen: Listen,
    identity: Arc<Identity>,
    keeper: Arc<Keeper>,
    /// The same host for commands about players and invites.
    doors: Arc<OpenDoors>,
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
    /// By the serial of their relays, with what friends see them called.
    games: HashMap<u64, (ServiceId, String)>,
}

impl Hosting {
    /// Begins to take players in. Must be called inside a runtime.
    pub(crate) fn start(
        opened: Opened,
        name: Option<DnsName>,
        (engine, descriptors): (Engine, Descriptors),
        told: Told,
    ) -> Result<Arc<Self>, Failure> {
        let Opened {
            identity,
            keeper,
            bound,
            listen,
        } = opened;
        let (udp, tcp) = sockets(bound)?;
        let (come, coming) = mpsc::channel(LINKS_MAX);
        let told = Arc::new(told.and_who_comes(come));
        let (host, ending) = Host::start(HostConfig {
            identity: Arc::clone(&identity),
            udp,
            tcp,
            engine,
            policy: Policy::default(),
            descriptors,
            doorkeeper: Arc::clone(&keeper) as _,
            observer: Arc::clone(&told) as _,
            warnings: Arc::clone(&told) as _,
        })
        .map_err(|error| Failure::cannot_go_on(&error))?;
        let tasks = TaskTracker::new();
        // It ends with the host; if by itself, that was told as a warning, and QUIC goes on.
        tasks.spawn(async move { drop(ending.wait().await) });
        let located = Located::now(host.listener());
        let hosting = Arc::new_cyclic(|hosting: &Weak<Self>| {
            let hosting = Weak::clone(hosting);
            let text = move |secret: &Secret| hosting.upgrade()?.invite_with(*secret).ok();
            let text = move |secret: &Secret| text(secret).map(|invite| invite.to_text());
            let doors = OpenDoors::new(host.clone(), Arc::clone(&keeper), Box::new(text));
            Self {
                host,
                listen,
                identity,
                keeper,
                doors: Arc::new(doors),
                now: Mutex::new(Now {
                    name,
                    located,
                    number: 0,
                    games: HashMap::new(),
                }),
                over: CancellationToken::new(),
                tasks,
                told,
            }
        });
        hosting.locate();
        let watched = Arc::clone(&hosting).watch(coming);
        hosting.tasks.spawn(watched);
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

    /// For commands about players and invites.
    pub(crate) fn doors(&self) -> Arc<dyn Doors> {
        Arc::clone(&self.doors) as _
    }

    /// Who is here.
    pub(crate) fn players(&self) -> Vec<PlayerLook> {
        self.host.players()
    }

    /// The next start has the same invite.
    pub(crate) fn is_kept(&self) -> bool {
        self.keeper.is_kept()
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
        let keeper = &self.keeper;
        let known = keeper.look(|roster| roster.default_invite(now_ms).map(|one| one.secret));
        let secret = if let Some(secret) = known {
            secret
        } else {
            let drawn = draw_invite().map_err(|error| cannot(&error))?;
            let made = keeper.change(|roster| {
                let made = roster.make_default_invite(drawn, now_ms);
                made.map(|invite| invite.secret)
            });
            made.map_err(|error| cannot(&error))?.0
        };
        self.invite_with(secret)
            .map_err(|error| cannot(&error).hint(error.hint()))
    }

    /// An invite with this secret.
    fn invite_with(&self, secret: Secret) -> Result<Invite, InviteError> {
        let (name, located) = {
            let now = self.now();
            (now.name.clone(), now.located.clone())
        };
        let fingerprint = self.identity.public().fingerprint();
        let port = NonZeroU16::new(self.listener().port()).unwrap_or(NonZeroU16::MIN);
        let addresses = if located.addresses.is_empty() && name.is_some() {
            Vec::new()
        } else {
            located.invited()
        };
        Invite::new(fingerprint, secret, port, addresses, name)
    }

    /// Shares a game with everybody who is in or comes in.
    pub(crate) fn share(&self, serial: u64, entry: &Entry, relay: Running) -> Result<(), Failure> {
        let mut now = self.now();
        now.games.remove(&serial);
        let name = offered(&entry.name, entry.upstream.port);
        let is_free = |name: &String| !now.games.values().any(|(_, taken)| taken == name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(is_free);
        let name = name.unwrap_or_default();
        let offer = Offer {
            name: name.clone(),
            port: entry.upstream.port,
            tcp: true,
            udp: false,
        };
        let service = self.host.share_as(number(&offer), offer, relay);
        let service = service.ok_or_else(|| {
            Failure::runtime(format!(
                "cannot share {}: there are as many games as a host can share",
                entry.upstream
            ))
        })?;
        now.games.insert(serial, (service, name));
        Ok(())
    }

    /// Shares a game no longer; sessions that live go on.
    pub(crate) fn withdraw(&self, serial: u64) {
        let service = self.now().games.get(&serial).map(|(service, _)| *service);
        if let Some(service) = service {
            self.host.withdraw(service);
        }
    }

    /// The relay of a game has ended. True if there is nothing left to be shared.
    pub(crate) fn forget(&self, serial: u64) -> bool {
        let mut now = self.now();
        now.games.remove(&serial);
        now.games.is_empty()
    }

    /// Says goodbye to everybody.
    pub(crate) async fn close(&self) {
        self.over.cancel();
        self.told.part();
        self.host.close().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Looks whether this computer is elsewhere, and notes who is here, until it is over.
    async fn watch(self: Arc<Self>, mut coming: mpsc::Receiver<PublicKey>) {
        let mut looks = interval(HOST_ADDRESS_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = interval(PLAYERS_NOTED);
        loop {
            tokio::select! {
                () = self.over.cancelled() => break,
                _ = looks.tick() => self.look_around().await,
                _ = notes.tick() => {
                    for player in self.host.players() {
                        self.doors.is_here(player.identity);
                    }
                }
                Some(player) = coming.recv() => self.doors.is_here(player),
            }
        }
    }

    async fn look_around(&self) {
        let listener = self.listener();
        if !listener.ip().is_unspecified() {
            return;
        }
        // Fails only while the program ends.
        let Ok(found) = spawn_blocking(move || Located::now(listener)).await else {
            return;
        };
        if self.located() == found {
            return;
        }
        let old = self.invite();
        self.now().located = found.clone();
        self.locate();
        if let (Ok(old), Ok(new)) = (old, self.invite()) {
            let mut addresses = old.addresses().iter();
            let is_gone = addresses.any(|ip| !new.addresses().contains(ip));
            self.told.moved(&found, &new, is_gone);
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

/// The number that a game has each time it is shared, unless another one has it already (FNV-1a).
fn number(offer: &Offer) -> ServiceId {
    let bytes = offer.name.bytes().chain(offer.port.to_be_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let folded = (hash >> 16) ^ (hash & 0xffff);
    ServiceId(u16::try_from(folded).unwrap_or_default())
}

/// What friends see a game called: as its entry, if that was given a name; else by its port.
fn offered(name: &str, port: u16) -> String {
    let number = name.strip_prefix("host").unwrap_or("?");
    let number = number.strip_prefix('-').unwrap_or(number);
    if number.chars().all(|c| c.is_ascii_digit()) {
        return format!("port-{port}");
    }
    // With room for a number behind it.
    fitting(name, LINK_NAME_MAX - 3).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_is_called_as_its_entry_or_by_its_port() {
        for (name, seen) in [
            ("host", "port-5"),
            ("host-2", "port-5"),
            ("host-x", "host-x"),
            ("minecraft", "minecraft"),
            (
                "müllers-minecraft-server-in-der-küche",
                "müllers-minecraft-server-in-",
            ),
        ] {
            assert_eq!(offered(name, 5), seen);
        }
    }
}
