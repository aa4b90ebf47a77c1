//! A host whose answers make no sense, and what the joiner says to it.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;
use via6_core::frame::{Admitted, Closed, Features, Frame};
use via6_core::invite::{Invite, Secret};
use via6_relay::{listen_tcp, listen_udp};

use super::{JoinConfig, Joiner, Known, Transports};
use crate::identity::Identity;
use crate::transport::{Kind, Transport, accept_tls};
use crate::{LinkEvent, LinkObserver, tls};

struct Nobody;

impl LinkObserver for Nobody {
    fn observe(&self, _: &LinkEvent<'_>) {}
}

const ADMITTED: Frame<'static> = Frame::Admitted(Admitted {
    version: 1,
    features: Features(0),
    hold_ms: 25_000,
    name: "",
});

fn attached(generation: u64, since: u64) -> Frame<'static> {
    Frame::Attached {
        generation,
        since,
        standings: Vec::new(),
    }
}

/// A joiner that asks a host of this seed, and the next of its transports that gets there.
async fn asked(listener: &TcpListener, host: &Identity) -> (Joiner, Transport) {
    let port = NonZeroU16::new(listener.local_addr().unwrap().port()).unwrap();
    let fingerprint = host.public().fingerprint();
    let here = vec![Ipv6Addr::LOCALHOST];
    let invite = Invite::new(fingerprint, Secret([7; 16]), port, here, None).unwrap();
    let joiner = Joiner::start(JoinConfig {
        identity: Arc::new(Identity::from_seed([2; 32]).unwrap()),
        invite,
        name: String::new(),
        known: Known::default(),
        udp: listen_udp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).unwrap(),
        transports: Transports::Only(Kind::Tls),
        observer: Arc::new(Nobody),
    })
    .unwrap();
    let running = joiner.clone();
    joiner.0.tasks.spawn(async move { running.run().await });
    let (stream, _) = listener.accept().await.unwrap();
    let config = tls::server(host).unwrap();
    (joiner, accept_tls(stream, &config).await.unwrap())
}

#[tokio::test]
async fn answers_to_another_question_are_told_to_break_the_protocol() {
    let listener = listen_tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).unwrap();
    let host = Identity::from_seed([1; 32]).unwrap();
    let other_version = Frame::Admitted(Admitted {
        version: 2,
        features: Features(0),
        hold_ms: 25_000,
        name: "",
    });
    for answers in [
        [other_version, attached(1, 1)],
        [attached(1, 1), ADMITTED],
        [ADMITTED, ADMITTED],
        [ADMITTED, attached(0, 0)],
        [ADMITTED, attached(2, 1)],
        [ADMITTED, attached(1, 2)],
        [ADMITTED, Frame::Ping(1)],
    ] {
        let (joiner, mut transport) = asked(&listener, &host).await;
        for answer in &answers {
            // It may have had enough after the first.
            let _ = transport.outlet.send(answer).await;
        }
        let closed = transport.inlet.one(|frame| match frame {
            Frame::Close { code, .. } => Some(code),
            _ => None,
        });
        let closed = timeout(Duration::from_secs(20), closed).await;
        assert_eq!(closed.unwrap().unwrap(), Closed::Protocol, "{answers:?}");
        joiner.close();
    }
}
