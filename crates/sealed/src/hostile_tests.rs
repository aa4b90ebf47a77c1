//! A joiner that does not keep to the protocol, frame by frame, against a real host.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use via6_core::frame::{
    Admit, ChannelId, Closed, Features, Frame, LinkId, Refusal, ServiceId, Standing,
};
use via6_core::invite::Secret;
use via6_core::limits::{ADMIT_TIME, CHANNEL_WINDOW_FIRST, LINK_CHANNELS_MAX};
use via6_relay::{Descriptors, Engine, Event, Observer, Policy, dial, listen_tcp, listen_udp};

use crate::host::{Applicant, Doorkeeper, Host, HostConfig};
use crate::identity::Identity;
use crate::proof::{invite_id, proof};
use crate::transport::{Broken, Kind, Quic, Transport, dial_tls, quic_transport};
use crate::{LinkEvent, LinkObserver, Offer, tls};

const SECRET: Secret = Secret([7; 16]);
const SERVICE: ServiceId = ServiceId(1);
const BOTH: [Kind; 2] = [Kind::Quic, Kind::Tls];

#[derive(Default)]
struct Doors {
    proofs: Mutex<HashSet<String>>,
}

impl Doorkeeper for Doors {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<String, Refusal> {
        let knows = (applicant.knows)(&SECRET);
        let mut proofs = self.proofs.lock().unwrap();
        proofs.insert(format!("{} {knows}", applicant.name));
        if knows && applicant.invite == invite_id(&SECRET) {
            Ok(applicant.name.into())
        } else {
            Err(Refusal::Invite)
        }
    }
}

struct Nobody;

impl LinkObserver for Nobody {
    fn observe(&self, _: &LinkEvent<'_>) {}
}

impl Observer for Nobody {
    fn observe(&self, _: &Event<'_>) {}
}

/// A host with one game, that nobody plays.
struct Ground {
    host: Host,
    identity: Arc<Identity>,
    engine: Engine,
    descriptors: Descriptors,
}

impl Ground {
    fn new() -> Self {
        let descriptors = Descriptors::new(via6_relay::raise_descriptor_limit());
        let engine = Engine::start(&descriptors).unwrap();
        let identity = Arc::new(Identity::from_seed([1; 32]).unwrap());
        let any = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let (tcp, udp) = loop {
            let tcp = listen_tcp(any).unwrap();
            if let Ok(udp) = listen_udp(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        let (host, _) = Host::start(HostConfig {
            identity: Arc::clone(&identity),
            udp,
            tcp,
            engine: engine.clone(),
            policy: Policy::default(),
            descriptors: descriptors.clone(),
            doorkeeper: Arc::new(Doors::default()),
            observer: Arc::new(Nobody),
            warnings: Arc::new(Nobody),
        })
        .unwrap();
        let ground = Self {
            host,
            identity,
            engine,
            descriptors,
        };
        let game = ground.game();
        let offer = Offer {
            name: "game".into(),
            port: 1,
            tcp: true,
            udp: false,
        };
        assert_eq!(ground.host.share(offer, game), Some(SERVICE));
        ground
    }

    fn game(&self) -> via6_relay::Running {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = via6_relay::Relay {
            listeners: Vec::new(),
            settings: via6_relay::Settings::new(listener.local_addr().unwrap().into()),
            engine: self.engine.clone(),
            policy: Policy::default(),
            descriptors: self.descriptors.clone(),
            observer: Arc::new(Nobody),
        };
        // Takes connections, and never looks at them.
        std::mem::forget(listener);
        relay.start(&via6_relay::Shutdown::new()).unwrap().0
    }

    async fn dial(&self, kind: Kind, device: &Identity) -> Transport {
        let config = tls::client(device, self.identity.public().fingerprint()).unwrap();
        let at = self.host.listener();
        match kind {
            Kind::Quic => {
                let any = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
                let udp = listen_udp(any).unwrap().into_std().unwrap();
                let quic = Quic::joiner(udp).unwrap();
                let connecting = quic.connect(at, &config).unwrap();
                quic_transport(connecting, false).await.unwrap()
            }
            Kind::Tls => {
                let (stream, _) = dial(&at.into()).await.unwrap();
                dial_tls(stream, &config).await.unwrap()
            }
        }
    }

    /// A transport of this device that carries this link, as its first.
    async fn attached(&self, kind: Kind, device: &Identity, link: LinkId) -> Transport {
        let mut transport = self.dial(kind, device).await;
        let admit = admit(&transport, device, SECRET);
        transport.outlet.send(&Frame::Admit(admit)).await.unwrap();
        transport.outlet.send(&attach(link, 1)).await.unwrap();
        let answers = answers(&mut transport, |frame| {
            matches!(frame, Frame::Attached { .. })
        });
        assert!(answers.await.is_some(), "{kind}: not attached");
        transport
    }

    /// Somebody who keeps to the protocol still gets an answer.
    async fn is_well(&self) {
        for kind in BOTH {
            let device = Identity::from_seed([99; 32]).unwrap();
            let link = LinkId(crate::random().unwrap());
            let mut transport = self.attached(kind, &device, link).await;
            transport.outlet.send(&Frame::Ping(5)).await.unwrap();
            let pong = answers(&mut transport, |frame| *frame == Frame::Pong(5));
            assert!(pong.await.is_some(), "{kind}: no answer");
        }
    }
}

fn admit<'a>(transport: &Transport, device: &Identity, secret: Secret) -> Admit<'a> {
    Admit {
        version_min: 1,
        version_max: 1,
        features: Features::default(),
        invite: invite_id(&secret),
        proof: proof(
            &secret,
            &transport.exporter,
            transport.peer,
            device.public(),
        ),
        name: "mallory",
    }
}

fn attach(link: LinkId, generation: u64) -> Frame<'static> {
    Frame::Attach {
        link,
        generation,
        next: ChannelId(0),
        standings: Vec::new(),
    }
}

/// Reads until such a frame comes; `None`: the transport ends before.
async fn answers(transport: &mut Transport, is_it: impl Fn(&Frame<'_>) -> bool) -> Option<String> {
    let read = transport
        .inlet
        .one(|frame| is_it(&frame).then(|| format!("{frame:?}")));
    timeout(Duration::from_secs(20), read).await.unwrap().ok()
}

async fn refused(transport: &mut Transport) -> Option<String> {
    answers(transport, |frame| matches!(frame, Frame::Refused { .. })).await
}

/// The transport is closed for a violation.
async fn closed(transport: &mut Transport) -> bool {
    let is_it = |frame: &Frame<'_>| {
        matches!(
            frame,
            Frame::Close {
                code: Closed::Protocol,
                ..
            }
        )
    };
    answers(transport, is_it).await.is_some()
}

#[tokio::test]
async fn an_admission_is_worthless_on_another_transport() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    for kind in BOTH {
        let first = ground.dial(kind, &device).await;
        let mut second = ground.dial(kind, &device).await;
        let replayed = admit(&first, &device, SECRET);
        second.outlet.send(&Frame::Admit(replayed)).await.unwrap();
        let refusal = refused(&mut second).await.unwrap();
        assert!(refusal.contains("code: Invite"), "{kind}: {refusal}");
    }
    ground.is_well().await;
}

#[tokio::test]
async fn a_guessed_secret_and_none_are_refused() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    for kind in BOTH {
        let mut transport = ground.dial(kind, &device).await;
        let guessed = admit(&transport, &device, Secret([8; 16]));
        transport.outlet.send(&Frame::Admit(guessed)).await.unwrap();
        assert!(refused(&mut transport).await.is_some());
        let mut transport = ground.dial(kind, &device).await;
        let none = Admit {
            invite: [0; 8],
            proof: [0; 32],
            ..admit(&transport, &device, SECRET)
        };
        transport.outlet.send(&Frame::Admit(none)).await.unwrap();
        assert!(refused(&mut transport).await.is_some());
    }
    assert!(ground.host.players().is_empty());
}

#[tokio::test]
async fn versions_that_have_none_in_common_are_told_so() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    for (min, max) in [(2, 9), (0, 0)] {
        let mut transport = ground.dial(Kind::Tls, &device).await;
        let other = Admit {
            version_min: min,
            version_max: max,
            ..admit(&transport, &device, SECRET)
        };
        transport.outlet.send(&Frame::Admit(other)).await.unwrap();
        let refusal = refused(&mut transport).await.unwrap();
        assert!(refusal.contains("code: Version"), "{refusal}");
    }
}

#[tokio::test]
async fn the_link_of_another_player_is_out_of_reach() {
    let ground = Ground::new();
    let (owner, thief) = (Identity::from_seed([2; 32]), Identity::from_seed([3; 32]));
    let (owner, thief) = (owner.unwrap(), thief.unwrap());
    let link = LinkId([5; 16]);
    for kind in BOTH {
        let mut mine = ground.attached(kind, &owner, link).await;
        let mut stolen = ground.dial(kind, &thief).await;
        let admit = admit(&stolen, &thief, SECRET);
        stolen.outlet.send(&Frame::Admit(admit)).await.unwrap();
        stolen.outlet.send(&attach(link, 1000)).await.unwrap();
        let refusal = refused(&mut stolen).await.unwrap();
        assert!(refusal.contains("code: Link"), "{kind}: {refusal}");
        mine.outlet.send(&Frame::Ping(1)).await.unwrap();
        let pong = answers(&mut mine, |frame| *frame == Frame::Pong(1)).await;
        assert!(pong.is_some(), "{kind}: the owner was cut off");
        mine.outlet
            .send(&Frame::Close {
                code: Closed::Stopped,
                message: "",
            })
            .await
            .unwrap();
        while !ground.host.players().is_empty() {
            // Between two looks.
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn an_old_generation_does_not_take_over() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    let link = LinkId([5; 16]);
    let mut newest = ground.attached(Kind::Tls, &device, link).await;
    let mut old = ground.dial(Kind::Quic, &device).await;
    let admit = admit(&old, &device, SECRET);
    old.outlet.send(&Frame::Admit(admit)).await.unwrap();
    old.outlet.send(&attach(link, 1)).await.unwrap();
    let refusal = refused(&mut old).await.unwrap();
    assert!(refusal.contains("code: Generation"), "{refusal}");
    newest.outlet.send(&Frame::Ping(1)).await.unwrap();
    let pong = answers(&mut newest, |frame| *frame == Frame::Pong(1)).await;
    assert!(pong.is_some());
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_its_own_link_alone() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    let honest = Identity::from_seed([3; 32]).unwrap();
    let mut other = ground.attached(Kind::Tls, &honest, LinkId([1; 16])).await;
    let (channel, offset) = (ChannelId(0), 0);
    let open = Frame::Open {
        channel,
        service: SERVICE,
    };
    let over = vec![0; 16_000];
    let written = |frames: &[&Frame<'_>]| {
        let mut bytes = Vec::new();
        for frame in frames {
            frame.write(&mut bytes).unwrap();
        }
        bytes
    };
    let data = |offset| Frame::Data {
        channel,
        offset,
        bytes: &over,
    };
    let standing = Standing {
        channel,
        received: 10,
        limit: 0,
        fin: false,
        reset: false,
        done: false,
        deaf: false,
    };
    let window = CHANNEL_WINDOW_FIRST as u64;
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("a frame that is too long", vec![0x11, 0xff, 0xff]),
        ("an unknown type", vec![0x7f, 0, 0]),
        ("a body that is too short", vec![0x06, 0, 1, 0]),
        ("admission twice", written(&[&attach(LinkId([6; 16]), 9)])),
        (
            "a frame of a host's",
            written(&[&Frame::Services(Vec::new())]),
        ),
        ("bytes with a gap", written(&[&open, &data(1)])),
        (
            "bytes above the limit",
            written(&[&open, &data(0), &data(16_000), &data(32_000)]),
        ),
        ("bytes far above", written(&[&open, &data(window)])),
        (
            "what was never sent",
            written(&[&open, &Frame::Ack(standing)]),
        ),
        (
            "bytes after the end",
            written(&[&open, &Frame::Fin { channel, offset }, &data(0)]),
        ),
    ];
    for (what, bytes) in attacks {
        let link = LinkId(crate::random().unwrap());
        let mut transport = ground.attached(Kind::Tls, &device, link).await;
        transport.outlet.write(&bytes).await.unwrap();
        assert!(closed(&mut transport).await, "{what}: nothing was said");
    }
    other.outlet.send(&Frame::Ping(1)).await.unwrap();
    let pong = answers(&mut other, |frame| *frame == Frame::Pong(1)).await;
    assert!(pong.is_some(), "an honest player was cut off");
    ground.is_well().await;
}

#[tokio::test]
async fn channels_without_end_are_refused_and_kept_within_bounds() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    let mut transport = ground.attached(Kind::Tls, &device, LinkId([1; 16])).await;
    let mut bytes = Vec::new();
    let most = u32::try_from(LINK_CHANNELS_MAX).unwrap();
    for channel in (0..most + 50).map(ChannelId) {
        let service = SERVICE;
        let open = Frame::Open { channel, service };
        open.write(&mut bytes).unwrap();
    }
    transport.outlet.write(&bytes).await.unwrap();
    let last = ChannelId(most + 49);
    let is_refusal = |frame: &Frame<'_>| match frame {
        Frame::Rst { channel, code, .. } => *channel == last && code.is_refusal(),
        _ => false,
    };
    assert!(answers(&mut transport, is_refusal).await.is_some());
    let sessions = ground.host.players().first().map(|player| player.sessions);
    assert!(sessions.is_some_and(|sessions| sessions <= LINK_CHANNELS_MAX));
}

#[tokio::test]
async fn who_says_nothing_after_the_handshake_is_let_go() {
    let (ground, device) = (Ground::new(), Identity::from_seed([2; 32]).unwrap());
    let mut silent = Vec::new();
    for kind in BOTH {
        silent.push(ground.dial(kind, &device).await);
    }
    let began = Instant::now();
    for mut transport in silent {
        let read = transport.inlet.one(|_| Some(()));
        let broken = timeout(3 * ADMIT_TIME, read).await.unwrap().unwrap_err();
        assert!(matches!(broken, Broken::Lost(_)), "{broken}");
    }
    assert!(began.elapsed() >= ADMIT_TIME.mul_f32(0.8));
}
