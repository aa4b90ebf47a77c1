//! From a handshake to a link: ADMIT, ATTACH, and then the transport carries.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use via6_core::frame::{
    Admitted, ChannelId, Closed, Features, Frame, LinkId, Refusal, Standing, VERSION, fitting,
};
use via6_core::limits::{ADMIT_TIME, LINK_HOLD, LINK_NAME_MAX};
use via6_core::link::{AttachError, LinkError};

use super::guest::Guest;
use super::members::Member;
use super::{Applicant, Inner};
use crate::books::Books;
use crate::cable::{Announced, Cable};
use crate::carry::{Over, carry};
use crate::event::LinkEvent;
use crate::proof::is_proven;
use crate::transport::{Broken, Transport};

/// ADMIT, as it is kept until it is answered.
struct Admit {
    versions: (u8, u8),
    features: Features,
    invite: [u8; 8],
    proof: [u8; 32],
    name: String,
}

/// ATTACH, the same.
struct Attach {
    link: LinkId,
    generation: u64,
    next: ChannelId,
    standings: Vec<Standing>,
}

/// A transport that has taken a link over.
struct Attached {
    cable: Arc<Cable>,
    link: LinkId,
    generation: u64,
    transport: Transport,
    taken_over: CancellationToken,
}

impl Inner {
    /// Takes a transport in: its handshake, its admission, and what it then carries.
    pub(super) async fn receive(
        self: Arc<Self>,
        remote: SocketAddr,
        transport: impl Future<Output = io::Result<Transport>>,
    ) {
        let place = self.anteroom.enter(remote.ip());
        let attached = tokio::select! {
            attached = self.let_in(transport) => attached,
            () = place.is_needed() => None,
            () = self.closing.cancelled() => None,
        };
        drop(place);
        if let Some(attached) = attached {
            self.carried(attached).await;
        }
    }

    async fn let_in(
        self: &Arc<Self>,
        transport: impl Future<Output = io::Result<Transport>>,
    ) -> Option<Attached> {
        // Whoever does not get through the handshake is nobody that could be told of.
        let mut transport = transport.await.ok()?;
        let admitted = timeout(ADMIT_TIME, self.admit(&mut transport));
        match admitted.await {
            Ok(Ok(Some((name, attach)))) => self.attach(transport, name, attach).await,
            // Refused, and told so; silent for too long, or gone; or it breaks the protocol.
            Ok(Ok(None)) | Err(_) => None,
            Ok(Err(broken)) => {
                if broken.is_violation() {
                    let message = broken.to_string();
                    let frame = Frame::Close {
                        code: Closed::Protocol,
                        message: &message,
                    };
                    transport.say_last(&frame).await;
                }
                None
            }
        }
    }

    /// Reads ADMIT and ATTACH, and answers the first. `None`: refused.
    async fn admit(&self, transport: &mut Transport) -> Result<Option<(String, Attach)>, Broken> {
        let admit = transport
            .inlet
            .one(|frame| Some(read_admit(&frame)))
            .await??;
        let name = match self.decide(transport, &admit) {
            Ok(name) => name,
            Err(code) => {
                self.refuse(transport, code, &admit.name).await;
                return Ok(None);
            }
        };
        let admitted = Admitted {
            version: VERSION,
            // None is offered yet.
            features: Features::default().and(admit.features),
            hold_ms: u32::try_from(LINK_HOLD.as_millis()).unwrap_or(u32::MAX),
            name: fitting(&name, LINK_NAME_MAX),
        };
        transport.outlet.send(&Frame::Admitted(admitted)).await?;
        let attach = transport
            .inlet
            .one(|frame| Some(read_attach(frame)))
            .await??;
        Ok(Some((name, attach)))
    }

    fn decide(&self, transport: &Transport, admit: &Admit) -> Result<String, Refusal> {
        if self.closing.is_cancelled() {
            return Err(Refusal::Stopping);
        }
        let (min, max) = admit.versions;
        if !(min..=max).contains(&VERSION) {
            return Err(Refusal::Version);
        }
        let keys = (self.identity.public(), transport.peer);
        let knows = |secret: &_| is_proven(secret, &transport.exporter, keys, &admit.proof);
        self.doorkeeper.admit(&Applicant {
            identity: transport.peer,
            invite: admit.invite,
            name: &admit.name,
            remote: transport.remote,
            knows: &knows,
        })
    }

    /// Says no, and who was told so.
    async fn refuse(&self, transport: &mut Transport, code: Refusal, name: &str) {
        if code != Refusal::Generation {
            self.observer.observe(&LinkEvent::Refused {
                peer: transport.peer,
                player: name,
                remote: transport.remote,
                code,
            });
        }
        let message = "";
        transport.say_last(&Frame::Refused { code, message }).await;
    }

    /// The transport takes its link over, or makes a new one.
    async fn attach(
        self: &Arc<Self>,
        mut transport: Transport,
        name: String,
        attach: Attach,
    ) -> Option<Attached> {
        let now = Instant::now();
        let Attach {
            link,
            generation,
            next,
            standings,
        } = attach;
        let taken = self.registry.attach(
            transport.peer,
            (link, generation),
            (next, &standings),
            now.into_std(),
        );
        let (took, replaced) = match taken {
            Ok(taken) => taken,
            Err(AttachError::Refused(code)) => {
                self.refuse(&mut transport, code, &name).await;
                return None;
            }
            Err(AttachError::Broken(error)) => {
                self.over(link, Closed::Protocol, &error.to_string());
                let message = error.to_string();
                let code = Closed::Protocol;
                let message = &message;
                transport.say_last(&Frame::Close { code, message }).await;
                return None;
            }
        };
        // No wait from here to the token: the newest transport is the one that carries.
        for old in replaced {
            self.dismiss(old, Closed::Replaced, "");
        }
        let cable = self.seat(link, &transport, &name, now);
        let taken_over = cable.take_over();
        self.tell_attached(link, &transport, generation, now);
        let said = transport.outlet.send(&took.frame).await;
        if said.is_err() {
            cable.with(|link| link.on_cut(generation));
            return None;
        }
        if let Some(services) = self.services() {
            cable.announce(Announced::Services, services);
        }
        if let Some(addrs) = self.shared().addrs.clone() {
            cable.announce(Announced::Addrs, addrs);
        }
        // What came for its channels with ATTACH.
        cable.with(|_| ());
        Some(Attached {
            cable,
            link,
            generation,
            transport,
            taken_over,
        })
    }

    /// The link's entry among the players, with how it is carried now.
    fn seat(
        self: &Arc<Self>,
        link: LinkId,
        transport: &Transport,
        name: &str,
        now: Instant,
    ) -> Arc<Cable> {
        let mut members = self.members.lock();
        let member = members.entry(link).or_insert_with(|| {
            let books = Books::Hosted(Arc::clone(&self.registry), link);
            let host = Arc::downgrade(self);
            Member {
                cable: Cable::new(books, Arc::new(Guest { host, link })),
                identity: transport.peer,
                name: String::new(),
                kind: transport.kind,
                remote: transport.remote,
                connection: None,
                began: now,
                silent_since: None,
            }
        });
        name.clone_into(&mut member.name);
        member.kind = transport.kind;
        member.remote = transport.remote;
        member.connection.clone_from(&transport.connection);
        Arc::clone(&member.cable)
    }

    fn tell_attached(&self, link: LinkId, transport: &Transport, generation: u64, now: Instant) {
        let mut members = self.members.lock();
        let Some(member) = members.get_mut(&link) else {
            return;
        };
        let after = member.silent_since.take();
        let after = after.map(|since| now.duration_since(since));
        self.observer.observe(&LinkEvent::Attached {
            peer: transport.peer,
            player: &member.name,
            kind: transport.kind,
            remote: transport.remote,
            generation,
            after,
        });
    }

    /// Carries until that is over.
    async fn carried(&self, attached: Attached) {
        let Attached {
            cable,
            link,
            generation,
            transport,
            taken_over,
        } = attached;
        let over = carry(&cable, generation, transport, taken_over).await;
        if let Over::Broken(broken) = over {
            let ended = cable.with(|link| {
                link.on_cut(generation);
                link.ended()
            });
            if let Some(Some(code)) = ended {
                self.over(link, code, &broken.to_string());
            }
        }
    }
}

fn read_admit(frame: &Frame<'_>) -> Result<Admit, LinkError> {
    let Frame::Admit(admit) = frame else {
        return Err(LinkError::Unexpected);
    };
    Ok(Admit {
        versions: (admit.version_min, admit.version_max),
        features: admit.features,
        invite: admit.invite,
        proof: admit.proof,
        name: admit.name.to_owned(),
    })
}

fn read_attach(frame: Frame<'_>) -> Result<Attach, LinkError> {
    let Frame::Attach {
        link,
        generation,
        next,
        standings,
    } = frame
    else {
        return Err(LinkError::Unexpected);
    };
    Ok(Attach {
        link,
        generation,
        next,
        standings,
    })
}
