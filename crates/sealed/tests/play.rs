//! Games over sealed links: what goes through, and how it ends.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test makes its own games and players"
)]

mod support;

use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use via6_sealed::Transports;

#[tokio::test]
async fn an_echo_comes_back_over_each_transport() {
    for kind in BOTH {
        let ground = Ground::default();
        let hosting = Hosting::start(&ground, echo_game().await);
        let joining = Joining::start(&ground, &hosting, Transports::Only(kind));
        joining.attached().await;
        let mut game = TcpStream::connect(joining.address).await.unwrap();
        say(&mut game, b"hello").await;
        let bulk: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
        let (mut read, mut write) = game.split();
        let sent = async {
            write.write_all(&bulk).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let mut heard = Vec::new();
        let came = async { read.read_to_end(&mut heard).await.unwrap() };
        soon("all bytes", async { tokio::join!(sent, came) }).await;
        assert!(heard == bulk, "{kind}: {} of {}", heard.len(), bulk.len());
        until("both told", || {
            let ended = |sessions: &Sessions| *sessions.0.lock().unwrap() == ["finished"];
            ended(&joining.sessions) && ended(&hosting.sessions)
        })
        .await;
        joining.joiner.close();
        soon("the end", joining.ended).await.unwrap();
        until("the host knows", || hosting.told.has("Ended")).await;
        hosting.host.close().await;
    }
}

#[tokio::test]
async fn a_reset_passes_in_both_directions() {
    for kind in BOTH {
        let ground = Ground::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hosting = Hosting::start(&ground, listener.local_addr().unwrap());
        let joining = Joining::start(&ground, &hosting, Transports::Only(kind));
        joining.attached().await;
        for by_client in [true, false] {
            let mut client = TcpStream::connect(joining.address).await.unwrap();
            client.write_all(b"x").await.unwrap();
            let (mut server, _) = soon("a dial", listener.accept()).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'x');
            server.write_all(b"last words").await.unwrap();
            let mut heard = [0; 10];
            client.read_exact(&mut heard).await.unwrap();
            let (breaks, mut other) = if by_client {
                (client, server)
            } else {
                (server, client)
            };
            breaks.set_zero_linger().unwrap();
            drop(breaks);
            let error = soon("a reset", other.read(&mut heard)).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        let told = |sessions: &Sessions| sessions.0.lock().unwrap().clone();
        until("all told", || told(&joining.sessions).len() == 2).await;
        assert_eq!(
            told(&joining.sessions),
            ["downstream-reset", "upstream-reset"]
        );
        until("all told", || told(&hosting.sessions).len() == 2).await;
        assert_eq!(
            told(&hosting.sessions),
            ["downstream-reset", "upstream-reset"]
        );
    }
}

#[tokio::test]
async fn a_game_that_is_not_there_is_a_reset_and_a_failed_dial() {
    let ground = Ground::default();
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nowhere.local_addr().unwrap();
    drop(nowhere);
    let hosting = Hosting::start(&ground, address);
    let joining = Joining::start(&ground, &hosting, Transports::Any);
    joining.attached().await;
    let mut client = TcpStream::connect(joining.address).await.unwrap();
    let error = soon("a reset", client.read(&mut [0; 1])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    for sessions in [&joining.sessions, &hosting.sessions] {
        until("told", || !sessions.0.lock().unwrap().is_empty()).await;
        assert_eq!(*sessions.0.lock().unwrap(), ["dial-failed"]);
    }
}
