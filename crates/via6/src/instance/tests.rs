//! Moments between a decision about listeners and its being carried out.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests play the players' and the games' parts themselves"
)]

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use via6_core::addr::{HostPort, Listen};
use via6_relay::Protocol;

use super::*;
use crate::args::{Shown, Splice};
use crate::entry::Protocols;
use crate::link::Link;
use crate::narrator::{Role, Showing, Sink};

const PATIENCE: Duration = Duration::from_secs(10);

/// Nobody reads.
struct Nowhere;

impl Sink for Nowhere {
    fn data(&self, _: String) {}
    fn log(&self, _: String) {}
}

fn instance() -> Instance {
    let asked = asked(Origin::Command);
    let process = Narrator::of_process(asked.sink, asked.shown);
    Instance::start(&Shutdown::new(), Home::open(None, Arc::new(process))).unwrap()
}

fn asked(origin: Origin) -> Asked {
    Asked {
        origin,
        sink: Arc::new(Nowhere),
        shown: Showing::new(Shown {
            verbose: 0,
            quiet: false,
            json: false,
            plain: false,
        }),
        labelled: false,
    }
}

fn relay(name: &str, listen: &str, game: SocketAddr, carried: Protocols) -> Entry {
    Entry {
        name: name.to_owned(),
        role: Role::Relay,
        listen: Listen::parse(listen).unwrap(),
        upstream: HostPort::from(game),
        carried,
        trusted: Vec::new(),
        splice: Splice::Auto,
        link: Link::Open,
    }
}

const TCP: Protocols = Protocols {
    tcp: true,
    udp: false,
};

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            // Between two looks.
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, looking).await.expect(what)
}

async fn listeners(instance: &Instance, name: &str) -> Vec<Held> {
    let is_it = |carried: &Carried| carried.entry.name == name;
    instance.listeners_of(is_it).await
}

/// A relay that drains keeps its UDP listener for the flows it has. Who comes next takes that over, and
/// it may close before that is done.
#[tokio::test]
async fn a_place_that_closes_while_it_is_taken_over_is_opened_again() {
    let instance = instance();
    let game = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = game.local_addr().unwrap();
    let asked = asked(Origin::Command);
    let old = relay("old", "127.0.0.1:0", to, Protocols::BOTH);
    let prepared = instance.prepare(old, false, Origin::Command).await.unwrap();
    let old = instance.commit(prepared, &asked).await.unwrap();
    let at = listeners(&instance, "old").await.pop().unwrap().1;
    // A session, which keeps the relay, and a flow, which keeps the listener.
    let session = TcpStream::connect(at).unwrap();
    let player = UdpSocket::bind("127.0.0.1:0").unwrap();
    player.send_to(b"?", at).unwrap();
    until("both", async || {
        (instance.live(None) == (1, 1)).then_some(())
    })
    .await;
    instance.stop(Some("old"), false);
    until("the end of listening", async || {
        listeners(&instance, "old").await.is_empty().then_some(())
    })
    .await;
    let new = relay("new", &at.to_string(), to, Protocols::BOTH);
    let prepared = instance.prepare(new, false, Origin::Command).await.unwrap();
    drop(session);
    drop(game);
    timeout(PATIENCE, old.ended)
        .await
        .expect("its end")
        .unwrap()
        .unwrap();
    assert_eq!(instance.0.engine.listeners().await, []);
    let _new = instance.commit(prepared, &asked).await.unwrap();
    let both = [(Protocol::Tcp, at), (Protocol::Udp, at)];
    assert_eq!(listeners(&instance, "new").await, both);
}

#[tokio::test]
async fn a_new_entry_takes_no_place_of_one_that_stays() {
    let instance = instance();
    let asked = asked(Origin::File);
    let game = SocketAddr::from(([127, 0, 0, 1], 9));
    // Any port: which one it has stands nowhere.
    let stays = relay("stays", "127.0.0.1:0", game, TCP);
    let applied = instance.apply(std::slice::from_ref(&stays), &asked).await;
    assert_eq!(applied.unwrap_or_else(|_| panic!("refused")).added.len(), 1);
    let held = listeners(&instance, "stays").await;
    let new = relay("new", &held[0].1.to_string(), game, TCP);
    for upstream in [9, 10] {
        let mut stays = stays.clone();
        stays.upstream.port = upstream;
        let applied = instance.apply(&[new.clone(), stays], &asked).await;
        assert!(applied.is_err(), "two listen at one place");
        assert_eq!(listeners(&instance, "stays").await, held);
    }
}

/// Linux lets nobody listen on an address beside one that listens on all.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nobody_else_is_blamed_for_a_port_that_is_our_own() {
    let instance = instance();
    let asked = asked(Origin::File);
    let game = SocketAddr::from(([127, 0, 0, 1], 9));
    let first = relay("one", "127.0.0.1:0", game, TCP);
    let applied = instance.apply(&[first], &asked).await;
    let _applied = applied.unwrap_or_else(|_| panic!("refused"));
    let held = listeners(&instance, "one").await;
    let at = held[0].1;
    let everywhere = relay("one", &format!("0.0.0.0:{}", at.port()), game, TCP);
    let Err(failures) = instance.apply(&[everywhere], &asked).await else {
        panic!("it listens on both");
    };
    let [failure] = &failures[..] else {
        panic!("one failure")
    };
    let told = failure.to_string();
    assert!(
        told.contains(&format!("this via6 listens on {at} itself")),
        "{told}"
    );
    assert_eq!(listeners(&instance, "one").await, held);
}
