//! The link of a join, and the listeners for the games that its host shares: they come and go with these.
//!
//! ```text
//!  Joiner ──the host's games──▶ Joining ──settle──▶ a relay with a listener for each
//!     ▲                                                       │
//!     └───────────────────────── Way ◀──── a local game ──────┘
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use via6_core::invite::Fingerprint;
use via6_relay::{Listening, Outlet, Running, describe, listen_tcp, listen_udp};
use via6_sealed::{JoinConfig, Joiner, LinkLook};

use super::ended::outcome;
use super::places::{self, Game, Places};
use super::told::Told;
use crate::announce;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::link::Invited;
use crate::narrator::Narrator;
use crate::state::Home;

/// See the module's own words. Clones are the same.
#[derive(Clone)]
pub(crate) struct Joining {
    joiner: Joiner,
    places: Arc<Places>,
    host: Fingerprint,
    /// On which address of this computer games are found.
    ip: IpAddr,
    /// The place that was asked for, if one was. It is listened on from the start.
    asked: Option<SocketAddr>,
}

impl Joining {
    /// Begins to reach the host. Must be called inside a runtime.
    pub(crate) async fn start(
        invited: &Invited,
        at: SocketAddr,
        home: &Home,
        narrator: &Arc<Narrator>,
    ) -> Result<Self, Failure> {
        let identity = home.identity().await?;
        let host = invited.invite.fingerprint();
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let udp = listen_udp(any)
            .map_err(|error| Failure::bind(&error, "via6 join INVITE --transport tls"))?;
        let narrators = vec![Arc::clone(narrator)];
        let joiner = Joiner::start(JoinConfig {
            identity,
            invite: invited.invite.clone(),
            name: invited.player.clone(),
            known: home.known(host).await,
            udp,
            transports: invited.transport.into(),
            observer: Arc::new(Told::new(move || narrators.clone())),
        })
        .map_err(|error| Failure::cannot_go_on(&error))?;
        Ok(Self {
            joiner,
            places: Arc::default(),
            host,
            ip: at.ip(),
            asked: (at.port() != 0).then_some(at),
        })
    }

    /// Where connections of local games go.
    pub(crate) fn way(&self) -> Arc<dyn Outlet> {
        Arc::new(places::Way {
            joiner: self.joiner.clone(),
            places: Arc::clone(&self.places),
        })
    }

    /// How the link is now.
    pub(crate) fn look(&self) -> LinkLook {
        self.joiner.look()
    }

    /// Says goodbye to the host; [`run`](Self::run) then returns.
    pub(crate) fn close(&self) {
        self.joiner.close();
    }

    /// Keeps the link, and listens for the host's games, until the link is over for good. To be called once.
    pub(crate) async fn run(
        &self,
        relay: &Running,
        (instance, home): (&Instance, &Home),
        narrator: &Narrator,
    ) -> Result<(), Failure> {
        let (mut services, mut known) = (self.joiner.services(), self.joiner.known());
        let mut running = std::pin::pin!(self.joiner.run());
        loop {
            tokio::select! {
                end = &mut running => return outcome(end),
                // Neither sender goes while the joiner is here.
                Ok(()) = services.changed() => {
                    let shared = services.borrow_and_update().clone().unwrap_or_default();
                    let games: Vec<_> = shared.iter().filter(|one| one.tcp).map(Game::of).collect();
                    self.settle(&games, relay, (instance, home), narrator).await;
                }
                Ok(()) = known.changed() => {
                    let known = known.borrow_and_update().clone();
                    home.hear(self.host, known).await;
                }
            }
        }
    }

    /// Has a listener for each of these games, and none for others.
    async fn settle(
        &self,
        games: &[Game],
        relay: &Running,
        (instance, home): (&Instance, &Home),
        narrator: &Narrator,
    ) {
        let (gone, new) = self.places.take(games);
        // A place that was asked for stays, whatever is shared.
        let held: BTreeSet<_> = self.taken().into_iter().chain(self.asked).collect();
        let (mut added, mut listeners) = (Vec::new(), Vec::new());
        for game in new {
            match self.listen(&game, home).await {
                Ok((at, listening)) => {
                    self.places.put(at, game.clone());
                    listeners.extend(listening);
                    let key = (game.name.clone(), game.port);
                    home.place(self.host, key, at).await;
                    added.push((at, game));
                }
                Err(error) => {
                    let (name, cause) = (&game.name, describe(&error));
                    let text = format!("cannot listen for {name} on this computer: {cause}");
                    narrator.warn("no-place", &text);
                }
            }
        }
        for at in instance.listen(relay, held, listeners).await {
            let text = format!("cannot go on listening on {at} (TCP): it has ended");
            narrator.warn("listener-ended", &text);
        }
        for game in gone {
            narrator.tell(&format!("the host no longer shares {}", game.name));
        }
        let found = added.iter().map(|(at, game)| announce::Found {
            at: *at,
            name: &game.name,
            port: game.port,
        });
        let found: Vec<_> = found.collect();
        announce::found(&found, self.places.all().len(), relay, narrator);
    }

    fn taken(&self) -> Vec<SocketAddr> {
        self.places.all().into_iter().map(|(at, _)| at).collect()
    }

    /// Finds a place for a game: the one that was asked for; where it was the last time; its own port; or any.
    /// No listener comes with the first of these, which is there from the start.
    async fn listen(
        &self,
        game: &Game,
        home: &Home,
    ) -> io::Result<(SocketAddr, Option<Listening>)> {
        let taken = self.taken();
        if let Some(asked) = self.asked.filter(|asked| !taken.contains(asked)) {
            return Ok((asked, None));
        }
        let before = home.local(self.host, (&game.name, game.port)).await;
        let before = before.filter(|at| at.ip() == self.ip);
        let (own, any) = (game.port, 0);
        let others = [own, any].map(|port| SocketAddr::new(self.ip, port));
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for at in before.into_iter().chain(others) {
            if taken.contains(&at) {
                continue;
            }
            match listen_tcp(at) {
                Ok(listener) => {
                    let at = listener.local_addr()?;
                    return Ok((at, Some(Listening::Tcp(listener))));
                }
                Err(error) => last = error.source,
            }
        }
        Err(last)
    }
}
