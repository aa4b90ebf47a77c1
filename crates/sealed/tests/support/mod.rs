//! A host and joiners in one process, with real sockets on `[::1]` and 127.0.0.1 between them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "shared by several test programs, which make their own games"
)]

pub mod path;
#[cfg(target_os = "linux")]
pub mod python;

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout};
use via6_core::addr::HostPort;
use via6_core::frame::{Refusal, ServiceId};
use via6_core::invite::{Invite, Secret};
use via6_relay::{
    Arrival, Descriptors, Ending, Engine, Event, Listening, Observer, Outlet, Policy, Relay,
    Running, Settings, Shutdown, listen_tcp, listen_udp,
};
use via6_sealed::{
    Applicant, Doorkeeper, Host, HostConfig, Identity, JoinConfig, JoinEnd, Joiner, Kind, Known,
    LinkEvent, LinkObserver, Offer, Transports,
};

pub const SECRET: Secret = Secret([7; 16]);
/// No condition that a test waits for takes as long.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        // Between two looks.
        sleep(Duration::from_millis(5)).await;
    }
}

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(DEADLINE, future).await;
    done.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Lets in whoever knows the secret, but for those who are named.
#[derive(Default)]
pub struct Doors(pub Mutex<HashMap<String, Refusal>>);

impl Doorkeeper for Doors {
    fn admit(&self, applicant: &Applicant<'_>) -> Result<String, Refusal> {
        if let Some(refusal) = self.0.lock().unwrap().get(applicant.name) {
            return Err(*refusal);
        }
        let is_invited = applicant.invite == via6_sealed::invite_id(&SECRET);
        if is_invited && (applicant.knows)(&SECRET) {
            Ok(applicant.name.to_owned())
        } else {
            Err(Refusal::Invite)
        }
    }
}

/// Keeps what links tell, as text.
#[derive(Default)]
pub struct Told(pub Mutex<Vec<String>>);

impl LinkObserver for Told {
    fn observe(&self, event: &LinkEvent<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Told {
    pub fn has(&self, what: &str) -> bool {
        self.count(what) > 0
    }

    pub fn count(&self, what: &str) -> usize {
        let told = self.0.lock().unwrap();
        told.iter().filter(|event| event.contains(what)).count()
    }
}

/// Keeps how sessions ended.
#[derive(Default)]
pub struct Sessions(pub Mutex<Vec<String>>);

impl Observer for Sessions {
    fn observe(&self, event: &Event<'_>) {
        if let Event::SessionEnded { end, .. } = event {
            self.0.lock().unwrap().push(end.reason.label().to_owned());
        }
    }
}

/// What all relays of a test share.
pub struct Ground {
    pub engine: Engine,
    pub descriptors: Descriptors,
    pub shutdown: Shutdown,
}

impl Default for Ground {
    fn default() -> Self {
        let descriptors = Descriptors::new(via6_relay::raise_descriptor_limit());
        Self {
            engine: Engine::start(&descriptors).unwrap(),
            descriptors,
            shutdown: Shutdown::new(),
        }
    }
}

impl Ground {
    fn relay(&self, to: SocketAddr, listeners: Vec<Listening>, observer: &Arc<Sessions>) -> Relay {
        Relay {
            listeners,
            settings: Settings::new(HostPort::from(to)),
            engine: self.engine.clone(),
            policy: Policy::default(),
            descriptors: self.descriptors.clone(),
            observer: Arc::clone(observer) as Arc<dyn Observer>,
        }
    }
}

pub struct Hosting {
    pub host: Host,
    pub told: Arc<Told>,
    pub doors: Arc<Doors>,
    pub sessions: Arc<Sessions>,
    pub identity: Arc<Identity>,
    pub game: Running,
    pub service: ServiceId,
    pub ending: Ending,
}

/// One port for TCP and UDP; another program may be quicker with one of the two.
pub fn both_on(port: u16) -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = listen_tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).unwrap();
        if let Ok(udp) = listen_udp(tcp.local_addr().unwrap()) {
            return (tcp, udp);
        }
    }
    panic!("no port that is free for both");
}

impl Hosting {
    /// Shares the game at this address.
    pub fn start(ground: &Ground, game: SocketAddr) -> Self {
        Self::start_at(ground, game, 0, [1; 32])
    }

    pub fn start_at(ground: &Ground, game: SocketAddr, port: u16, seed: [u8; 32]) -> Self {
        let (tcp, udp) = both_on(port);
        let (told, doors, sessions) = <(Arc<Told>, Arc<Doors>, Arc<Sessions>)>::default();
        let identity = Arc::new(Identity::from_seed(seed).unwrap());
        let (host, ending) = Host::start(HostConfig {
            identity: Arc::clone(&identity),
            udp,
            tcp,
            engine: ground.engine.clone(),
            policy: Policy::default(),
            descriptors: ground.descriptors.clone(),
            doorkeeper: Arc::clone(&doors) as Arc<dyn Doorkeeper>,
            observer: Arc::clone(&told) as Arc<dyn LinkObserver>,
            warnings: Arc::new(Sessions::default()),
        })
        .unwrap();
        let relay = ground.relay(game, Vec::new(), &sessions);
        let (running, _) = relay.start(&ground.shutdown).unwrap();
        let offer = Offer {
            name: "echo".into(),
            port: game.port(),
            tcp: true,
            udp: false,
        };
        let service = host.share(offer, running.clone()).unwrap();
        Self {
            host,
            told,
            doors,
            sessions,
            identity,
            game: running,
            service,
            ending,
        }
    }

    /// Ends it; its port is free then.
    pub async fn close(self) {
        self.host.close().await;
        let _ = self.ending.wait().await;
    }

    pub fn invite(&self) -> Invite {
        let at = self.host.listener();
        self.invite_to(vec![Ipv6Addr::LOCALHOST], at.port())
    }

    pub fn invite_to(&self, addresses: Vec<Ipv6Addr>, port: u16) -> Invite {
        let fingerprint = self.identity.public().fingerprint();
        let port = NonZeroU16::new(port).unwrap();
        Invite::new(fingerprint, SECRET, port, addresses, None).unwrap()
    }
}

/// Hands what a local listener accepts to a joiner.
struct ToHost(Joiner, ServiceId);

impl Outlet for ToHost {
    fn take(&self, arrival: Arrival) {
        self.0.carry(arrival, self.1);
    }
}

pub struct Joining {
    pub joiner: Joiner,
    pub told: Arc<Told>,
    pub sessions: Arc<Sessions>,
    /// Where the game client connects.
    pub address: SocketAddr,
    pub ended: tokio::task::JoinHandle<JoinEnd>,
}

impl Joining {
    pub fn start(ground: &Ground, hosting: &Hosting, transports: Transports) -> Self {
        Self::start_as(ground, hosting.invite(), transports, "alice", [2; 32])
    }

    pub fn start_as(
        ground: &Ground,
        invite: Invite,
        transports: Transports,
        name: &str,
        seed: [u8; 32],
    ) -> Self {
        let told = Arc::<Told>::default();
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let joiner = Joiner::start(JoinConfig {
            identity: Arc::new(Identity::from_seed(seed).unwrap()),
            invite,
            name: name.into(),
            known: Known::default(),
            udp: listen_udp(any).unwrap(),
            transports,
            observer: Arc::clone(&told) as Arc<dyn LinkObserver>,
        })
        .unwrap();
        let listener = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = Arc::<Sessions>::default();
        let relay = ground.relay(address, vec![Listening::Tcp(listener)], &sessions);
        let outlet = Arc::new(ToHost(joiner.clone(), ServiceId(1)));
        let _running = relay.start_to(outlet, &ground.shutdown).unwrap();
        let running = joiner.clone();
        let ended = tokio::spawn(async move { running.run().await });
        Self {
            joiner,
            told,
            sessions,
            address,
            ended,
        }
    }

    pub async fn attached(&self) {
        until("attached", || self.joiner.look().carried.is_some()).await;
    }
}

/// Says back what it hears, until that ends.
pub async fn echo_game() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

/// Says something, and hears it said back.
pub async fn say(stream: &mut TcpStream, words: &[u8]) {
    stream.write_all(words).await.unwrap();
    let mut heard = vec![0; words.len()];
    soon("an echo", stream.read_exact(&mut heard))
        .await
        .unwrap();
    assert_eq!(heard, words);
}

pub const BOTH: [Kind; 2] = [Kind::Quic, Kind::Tls];

pub fn v6(ip: Ipv6Addr, port: u16) -> SocketAddrV6 {
    SocketAddrV6::new(ip, port, 0, 0)
}
