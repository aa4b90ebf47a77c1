//! The demo's game server: a line chat over TCP, an echo over UDP, and a download to measure.
//!
//! As naive as an old game: it knows nothing of IPv6 or of via6, and believes what it is sent.
//! It listens on loopback only.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use via6_core::limits::{COPY_BUFFER, DATAGRAM_BUFFER};
use via6_relay::Listening;

use crate::instance::Bound;

/// Longest line, in bytes; a longer one arrives as several.
const LINE_MAX: u64 = 1024;
/// Lines that a slow player may be behind before it misses some.
const BEHIND_MAX: usize = 64;
/// Asks for a download of [`DOWNLOAD`] bytes.
pub(super) const DOWNLOAD_COMMAND: &str = "/download";
/// Bytes that [`DOWNLOAD_COMMAND`] gives.
pub(super) const DOWNLOAD: usize = 128 * 1024 * 1024;
/// Players at a time.
const PLAYERS_MAX: usize = 64;

/// Serves until dropped.
pub(super) async fn serve(bound: Bound) {
    let (mut tcp, mut udp) = (None, None);
    for listener in bound.listeners {
        match listener {
            Listening::Tcp(listener) => tcp = Some(listener),
            Listening::Udp(socket) => udp = Some(socket),
            Listening::Held(..) => {}
        }
    }
    tokio::join!(echo(udp), welcome(tcp));
}

async fn welcome(tcp: Option<tokio::net::TcpListener>) {
    let Some(listener) = tcp else { return };
    let (lines, _) = broadcast::channel(BEHIND_MAX);
    let mut players = JoinSet::new();
    let mut names = 0_u32;
    loop {
        tokio::select! {
            accepted = listener.accept(), if players.len() < PLAYERS_MAX => {
                let Ok((stream, _)) = accepted else { continue };
                names += 1;
                let name = format!("player {names}");
                // A player who leaves in the middle of a line is no news.
                players.spawn(async_discard(play(stream, name, lines.clone())));
            }
            Some(_) = players.join_next() => {}
        }
    }
}

async fn async_discard(play: impl Future<Output = io::Result<()>>) {
    let _ = play.await;
}

async fn play(stream: TcpStream, name: String, lines: broadcast::Sender<String>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut heard = lines.subscribe();
    writer
        .write_all(format!("Welcome, {name}. Every line goes to everyone.\n").as_bytes())
        .await?;
    let mut line = Vec::new();
    loop {
        let mut limited = (&mut reader).take(LINE_MAX);
        tokio::select! {
            read = limited.read_until(b'\n', &mut line) => {
                if read? == 0 {
                    return Ok(());
                }
                let said = String::from_utf8_lossy(&std::mem::take(&mut line)).trim().to_owned();
                if said == DOWNLOAD_COMMAND {
                    download(&mut writer).await?;
                } else {
                    // Nobody listening is no error: this player subscribes itself.
                    let _ = lines.send(format!("{name}: {said}\n"));
                }
            }
            line = heard.recv() => match line {
                Ok(line) => writer.write_all(line.as_bytes()).await?,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    writer.write_all(format!("(you missed {missed} lines)\n").as_bytes()).await?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

async fn download(writer: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
    let chunk = vec![b'.'; COPY_BUFFER];
    for _ in 0..DOWNLOAD / COPY_BUFFER {
        writer.write_all(&chunk).await?;
    }
    Ok(())
}

async fn echo(udp: Option<UdpSocket>) {
    let Some(socket) = udp else { return };
    let mut buffer = vec![0; DATAGRAM_BUFFER];
    loop {
        // An error is about a player who has gone.
        let Ok((len, player)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let _ = socket
            .send_to(buffer.get(..len).unwrap_or_default(), player)
            .await;
    }
}
