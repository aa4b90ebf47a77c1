//! Accepting, dialling and copying, the same for every kind of link.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of the buffer of each direction: four TLS records, and what a socket has at once in bulk.
/// More than is there is not waited for.
const BUFFER: usize = 64 << 10;

#[allow(
    clippy::disallowed_methods,
    reason = "a bare relay opens its sockets the way tokio's users do"
)]
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// The next connection. Where there can be none the relay ends, and with it the measurement.
pub(crate) async fn accept(listener: &TcpListener) -> anyhow::Result<TcpStream> {
    let (stream, _) = listener.accept().await.context("cannot accept")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a bare relay opens its sockets the way tokio's users do"
)]
pub(crate) async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Runs a session beside the others. One that breaks just ends: the load, which knows what it has
/// sent, reports it.
#[allow(
    clippy::disallowed_methods,
    reason = "a bare relay ends with its process: there is nothing to drain"
)]
pub(crate) fn beside(session: impl Future<Output = anyhow::Result<()>> + 'static + Send) {
    tokio::spawn(session);
}

/// Copies until both directions have ended.
pub(crate) async fn both_ways(
    mut one: impl AsyncRead + AsyncWrite + Unpin,
    mut other: impl AsyncRead + AsyncWrite + Unpin,
) -> anyhow::Result<()> {
    tokio::io::copy_bidirectional_with_sizes(&mut one, &mut other, BUFFER, BUFFER).await?;
    Ok(())
}
