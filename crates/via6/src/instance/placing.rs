//! Has relays listen as it was decided, though some of what they were to take over has closed since: a
//! UDP listener that was kept for its last flows does so by itself.

use std::io;

use tokio::net::{TcpListener, UdpSocket};
use via6_relay::{
    BindError, Change, Listening, Protocol, Running, Settings, listen_tcp, listen_udp, settle,
};

use super::bound::Held;

/// Carries out all changes in one moment. Returns the listeners that have closed meanwhile and cannot be
/// opened again. To be called while no other change is made.
pub(super) async fn place(changes: Vec<Change>) -> io::Result<Vec<Held>> {
    let decided = changes
        .iter()
        .map(decided)
        .collect::<io::Result<Vec<_>>>()?;
    let missing = settle(changes).await?;
    let (mut again, mut lost) = (Vec::new(), Vec::new());
    for (relay, settings, places) in decided {
        if !places.iter().any(|held| missing.contains(held)) {
            continue;
        }
        let mut listeners = Vec::new();
        for held in places {
            if !missing.contains(&held) {
                listeners.push(Listening::Held(held.0, held.1));
            } else if let Ok(opened) = open(held) {
                listeners.push(opened);
            } else {
                lost.push(held);
            }
        }
        again.push(Change {
            relay,
            settings,
            listeners,
        });
    }
    lost.extend(settle(again).await?);
    Ok(lost)
}

fn decided(change: &Change) -> io::Result<(Running, Settings, Vec<Held>)> {
    let held = |listening: &Listening| {
        Ok(match listening {
            Listening::Tcp(tcp) => (Protocol::Tcp, TcpListener::local_addr(tcp)?),
            Listening::Udp(udp) => (Protocol::Udp, UdpSocket::local_addr(udp)?),
            Listening::Held(protocol, address) => (*protocol, *address),
        })
    };
    let places = change.listeners.iter().map(held);
    let places = places.collect::<io::Result<_>>()?;
    Ok((change.relay.clone(), change.settings.clone(), places))
}

fn open((protocol, address): Held) -> Result<Listening, BindError> {
    Ok(match protocol {
        Protocol::Tcp => Listening::Tcp(listen_tcp(address)?),
        Protocol::Udp => Listening::Udp(listen_udp(address)?),
    })
}
