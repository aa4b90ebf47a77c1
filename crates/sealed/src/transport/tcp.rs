//! TLS over TCP, for where UDP does not get through.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use via6_core::limits::{HANDSHAKE_TIME, TLS_UNSENT};

use super::{Inlet, Kind, Outlet, Transport};
use crate::proof::EXPORTER_LABEL;
use crate::tls::{self, SERVER_NAME};

/// The encrypted stream. rustls alone would ask the system for 4 KiB at a time.
pub(super) type Tls = TlsStream<BufReader<TcpStream>>;

/// Bytes that are read ahead: two records.
const AHEAD: usize = 32 * 1024;

/// A joiner's side, on a socket that is connected.
pub(crate) async fn dial_tls(
    stream: TcpStream,
    config: &Arc<rustls::ClientConfig>,
) -> io::Result<Transport> {
    let remote = stream.peer_addr()?;
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    let handshake = TlsConnector::from(Arc::clone(config))
        .connect(name, BufReader::with_capacity(AHEAD, stream));
    let stream = timeout(HANDSHAKE_TIME, handshake).await??;
    transport(TlsStream::Client(stream), remote)
}

/// A host's side, on a socket that was accepted.
pub(crate) async fn accept_tls(
    stream: TcpStream,
    config: &Arc<rustls::ServerConfig>,
) -> io::Result<Transport> {
    let remote = stream.peer_addr()?;
    let handshake =
        TlsAcceptor::from(Arc::clone(config)).accept(BufReader::with_capacity(AHEAD, stream));
    let stream = timeout(HANDSHAKE_TIME, handshake).await??;
    transport(TlsStream::Server(stream), remote)
}

fn transport(stream: Tls, remote: SocketAddr) -> io::Result<Transport> {
    let (socket, state) = stream.get_ref();
    limit_unsent(socket.get_ref());
    let peer = tls::peer_key(state.peer_certificates());
    let peer = peer.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut exporter = [0; 32];
    let done = match &stream {
        TlsStream::Client(stream) => {
            let state = stream.get_ref().1;
            state.export_keying_material(&mut exporter, EXPORTER_LABEL, None)
        }
        TlsStream::Server(stream) => {
            let state = stream.get_ref().1;
            state.export_keying_material(&mut exporter, EXPORTER_LABEL, None)
        }
    };
    done.map_err(io::Error::other)?;
    let (read, write) = tokio::io::split(stream);
    Ok(Transport {
        kind: Kind::Tls,
        remote,
        peer,
        exporter,
        inlet: Inlet::tls(read),
        outlet: Outlet::tls(write),
        connection: None,
    })
}

/// Keeps the system's queue short, so that a game message need not wait behind it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(socket: &TcpStream) {
    // Refused: messages wait longer behind downloads, and nothing else.
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(TLS_UNSENT);
}

/// Other systems do not have it, or not as a call of socket2's.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unsent(_: &TcpStream) {
    let _ = TLS_UNSENT;
}
