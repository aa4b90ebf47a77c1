//! The demo's self-check: a player who measures. One thread runs all four ends, so the numbers are
//! a floor; `bench/` measures properly.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use via6_relay::{dial, listen_udp};

use super::chat::{DOWNLOAD, DOWNLOAD_COMMAND};

/// Lines sent to measure the round trip.
pub(super) const ROUND_TRIPS: usize = 200;
/// Datagrams sent, of growing size.
pub(super) const DATAGRAMS: usize = 100;
/// Growth from one datagram to the next: the last one has 64,350 bytes.
const DATAGRAM_STEP: usize = 650;
/// How long each step may take before the chain counts as broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the check found.
pub(super) struct Checked {
    pub(super) round_trip: Duration,
    pub(super) bytes_per_second: u64,
    /// Datagrams that came back unchanged.
    pub(super) datagrams: usize,
}

/// Plays at `join` for a moment.
pub(super) async fn run(join: SocketAddr) -> io::Result<Checked> {
    let (stream, _) = dial(&join.into()).await.map_err(io::Error::other)?;
    let mut game = BufReader::new(stream);
    patiently(read_line(&mut game)).await?;
    let round_trip = patiently(round_trip(&mut game)).await?;
    let bytes_per_second = patiently(throughput(&mut game)).await?;
    let datagrams = patiently(datagrams(join)).await?;
    Ok(Checked {
        round_trip,
        bytes_per_second,
        datagrams,
    })
}

async fn patiently<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn round_trip(game: &mut BufReader<TcpStream>) -> io::Result<Duration> {
    let mut spans = Vec::with_capacity(ROUND_TRIPS);
    for n in 0..ROUND_TRIPS {
        let (sent, began) = (format!("move {n}"), Instant::now());
        game.write_all(format!("{sent}\n").as_bytes()).await?;
        let heard = read_line(game).await?;
        if !heard.ends_with(&format!(": {sent}")) {
            return Err(io::Error::other(format!(
                "said {sent:?} and heard {heard:?}"
            )));
        }
        spans.push(began.elapsed());
    }
    spans.sort_unstable();
    Ok(spans.get(ROUND_TRIPS / 2).copied().unwrap_or_default())
}

async fn throughput(game: &mut BufReader<TcpStream>) -> io::Result<u64> {
    let began = Instant::now();
    game.write_all(format!("{DOWNLOAD_COMMAND}\n").as_bytes())
        .await?;
    let mut bytes = vec![0; 256 * 1024];
    let mut left = DOWNLOAD;
    while left > 0 {
        let room = left.min(bytes.len());
        let got = game.read(bytes.get_mut(..room).unwrap_or_default()).await?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= got;
    }
    let micros = began.elapsed().as_micros().max(1);
    Ok(u64::try_from(DOWNLOAD as u128 * 1_000_000 / micros).unwrap_or(u64::MAX))
}

/// One datagram at a time, so that none is lost to a full queue.
async fn datagrams(join: SocketAddr) -> io::Result<usize> {
    let socket: UdpSocket =
        listen_udp((Ipv4Addr::LOCALHOST, 0).into()).map_err(io::Error::other)?;
    let mut buffer = vec![0; DATAGRAMS * DATAGRAM_STEP];
    let mut back = 0;
    for n in 0..DATAGRAMS {
        let sent = vec![u8::try_from(n).unwrap_or(0); n * DATAGRAM_STEP];
        socket.send_to(&sent, join).await?;
        let reply = timeout(PATIENCE / 10, socket.recv(&mut buffer)).await;
        back += usize::from(matches!(reply, Ok(Ok(len)) if buffer.get(..len) == Some(&sent[..])));
    }
    Ok(back)
}

async fn read_line(game: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if game.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
