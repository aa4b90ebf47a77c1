//! Sessions that something else than the engine carries count, show and stop like all others.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what a test does not expect ends it"
)]
#![allow(clippy::disallowed_methods, reason = "a test makes its own players")]

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use via6_core::addr::HostPort;
use via6_core::reason::CloseReason;
use via6_relay::{
    Arrival, Descriptors, Ending, Engine, Event, Listening, Observer, Outlet, Policy, Relay,
    Running, SessionState, Settings, Shutdown, Stream, Traffic, listen_tcp, look, splice,
};

const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Ends(Mutex<Vec<(CloseReason, u64, u64)>>);

impl Observer for Ends {
    fn observe(&self, event: &Event<'_>) {
        if let Event::SessionEnded { end, .. } = event {
            let end = (end.reason, end.bytes_up, end.bytes_down);
            self.0.lock().unwrap().push(end);
        }
    }
}

struct Handed(SyncSender<Arrival>);

impl Outlet for Handed {
    fn take(&self, arrival: Arrival) {
        self.0.try_send(arrival).ok().unwrap();
    }
}

struct Ground {
    running: Running,
    ending: Ending,
    address: SocketAddr,
    arrivals: Receiver<Arrival>,
    ends: Arc<Ends>,
    shutdown: Shutdown,
}

fn ground() -> Ground {
    let descriptors = Descriptors::new(via6_relay::raise_descriptor_limit());
    let listener = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let ends = Arc::<Ends>::default();
    let relay = Relay {
        listeners: vec![Listening::Tcp(listener)],
        settings: Settings::new(HostPort::parse_target("192.0.2.1:1").unwrap()),
        engine: Engine::start(&descriptors).unwrap(),
        policy: Policy::default(),
        descriptors,
        observer: Arc::clone(&ends) as Arc<dyn Observer>,
    };
    let (sender, arrivals) = sync_channel(8);
    let shutdown = Shutdown::new();
    let outlet = Arc::new(Handed(sender));
    let (running, ending) = relay.start_to(outlet, &shutdown).unwrap();
    Ground {
        running,
        ending,
        address,
        arrivals,
        ends,
        shutdown,
    }
}

impl Ground {
    /// A player connects.
    async fn arrival(&self) -> (TcpStream, Arrival) {
        let player = TcpStream::connect(self.address).await.unwrap();
        let arrival = self.arrivals.recv_timeout(DEADLINE).unwrap();
        (player, arrival)
    }
}

#[tokio::test]
async fn what_arrives_is_seen_until_it_ends_and_counted_then() {
    let ground = ground();
    let (mut player, arrival) = ground.arrival().await;
    assert_eq!(arrival.listener, ground.address);
    assert_eq!(arrival.seat.downstream(), player.local_addr().unwrap());
    let looks = look(std::slice::from_ref(&ground.running), 10).await;
    assert_eq!(looks[0].sessions_live, 1);
    assert_eq!(looks[0].sessions[0].state, SessionState::Dialling);
    let upstream = "192.0.2.7:7".parse().unwrap();
    arrival.seat.dialled(upstream);

    // Its other side is a socket of ours, which stands for anything.
    let (near, far) = pair().await;
    let game = Stream::from_std(arrival.stream).unwrap();
    let seat = arrival.seat;
    let carried = tokio::spawn(async move {
        let patience = seat.patience();
        let reason = splice(&game, &near, seat.traffic(), patience).await;
        drop((game, near));
        seat.end(reason, None);
    });
    let mut far = far;
    player.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    far.read_exact(&mut heard).await.unwrap();
    let looks = look(std::slice::from_ref(&ground.running), 10).await;
    let session = &looks[0].sessions[0];
    assert_eq!(session.state, SessionState::Open);
    assert_eq!(session.upstream, Some(upstream));
    assert_eq!((session.bytes_up, looks[0].totals.session_bytes_up), (5, 5));

    far.write_all(b"bye").await.unwrap();
    drop(far);
    let mut all = Vec::new();
    player.read_to_end(&mut all).await.unwrap();
    drop(player);
    timeout(DEADLINE, carried).await.unwrap().unwrap();
    assert_eq!(
        *ground.ends.0.lock().unwrap(),
        [(CloseReason::Finished, 5, 3)]
    );
    let looks = look(std::slice::from_ref(&ground.running), 10).await;
    assert_eq!(
        (looks[0].sessions_live, looks[0].totals.session_bytes_down),
        (0, 3)
    );
}

#[tokio::test]
async fn a_stop_waits_for_them_and_then_cuts_them() {
    let ground = ground();
    let (_player, arrival) = ground.arrival().await;
    let seat = arrival.seat;
    let cut = seat.cut();
    ground.shutdown.drain();
    let ended = tokio::spawn(ground.ending.wait());
    tokio::task::yield_now().await;
    assert!(!ended.is_finished());
    ground.shutdown.now();
    timeout(DEADLINE, cut).await.unwrap();
    seat.end(CloseReason::Stopped, None);
    let report = timeout(DEADLINE, ended).await.unwrap().unwrap();
    assert_eq!((report.sessions, report.cut), (1, 1));
}

#[tokio::test]
async fn one_that_is_dropped_is_told_of_as_stopped_and_a_refused_one_as_not_dialled() {
    let ground = ground();
    let (_player, arrival) = ground.arrival().await;
    drop(arrival);
    let (mut player, arrival) = ground.arrival().await;
    arrival.refuse(None);
    let error = timeout(DEADLINE, player.read(&mut [0; 1])).await.unwrap();
    assert_eq!(
        error.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    let ends = ground.ends.0.lock().unwrap();
    let reasons: Vec<_> = ends.iter().map(|end| end.0).collect();
    assert_eq!(reasons, [CloseReason::Stopped, CloseReason::DialFailed]);
}

#[tokio::test]
async fn who_comes_by_no_listener_has_a_seat_as_well() {
    let ground = ground();
    let player = "[2001:db8::5]:1000".parse().unwrap();
    let seat = ground.running.arrive(ground.address, player).unwrap();
    assert_eq!(seat.downstream(), player);
    assert_eq!(seat.traffic().bytes(), (0, 0));
    assert_eq!(ground.running.live(), (1, 0));
    seat.end(CloseReason::Finished, None);
    assert_eq!(ground.running.live(), (0, 0));
}

/// An RST while the other direction is still open is noticed though nobody reads.
#[tokio::test]
async fn a_reset_after_the_end_of_one_direction_is_noticed() {
    let (near, far) = pair().await;
    let (other, _kept) = pair().await;
    let patience = Policy::default().patience;
    let traffic = Traffic::default();
    let carried = splice(near, other, &traffic, patience);
    let breaks = async {
        let mut far = far;
        far.shutdown().await.unwrap();
        while traffic.state() != SessionState::HalfClosed {
            // Between two looks.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        far.set_zero_linger().unwrap();
        drop(far);
    };
    let both = async { tokio::join!(carried, breaks).0 };
    let reason = timeout(Duration::from_secs(3), both).await.unwrap();
    assert_eq!(reason, CloseReason::DownstreamReset);
}

async fn pair() -> (Stream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await;
    let (near, _) = listener.accept().await.unwrap();
    (Stream::new(near), far.unwrap())
}
