//! A connection of its own for each session: plain TCP, or TLS over it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{BufReader, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{copying, keys};

/// How much its author has cared for bulk.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Care {
    /// As the libraries are used where nobody has measured.
    AsItComes,
    /// As many bytes at a time as are there.
    Tuned,
}

/// What rustls reads from. It asks for 4 KiB at a time, a call to the system each.
const READ_AHEAD: usize = 64 << 10;

pub(crate) async fn tcp(listen: SocketAddr, dial: SocketAddr) -> anyhow::Result<()> {
    let listener = copying::listen(listen).await?;
    loop {
        let downstream = copying::accept(&listener).await?;
        copying::beside(
            async move { copying::both_ways(downstream, copying::dial(dial).await?).await },
        );
    }
}

pub(crate) async fn tls_join(
    listen: SocketAddr,
    dial: SocketAddr,
    care: Care,
) -> anyhow::Result<()> {
    let connector = TlsConnector::from(Arc::new(keys::joiner()?));
    let listener = copying::listen(listen).await?;
    loop {
        let downstream = copying::accept(&listener).await?;
        let connector = connector.clone();
        copying::beside(async move {
            let link = copying::dial(dial).await?;
            let name = keys::HOST.try_into().context("the host's name is none")?;
            match care {
                Care::Tuned => {
                    let link = connector.connect(name, read_ahead(link)).await?;
                    copying::both_ways(downstream, link).await
                }
                Care::AsItComes => {
                    as_it_comes(downstream, connector.connect(name, link).await?).await
                }
            }
        });
    }
}

pub(crate) async fn tls_host(
    listen: SocketAddr,
    dial: SocketAddr,
    care: Care,
) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(keys::host()?));
    let listener = copying::listen(listen).await?;
    loop {
        let link = copying::accept(&listener).await?;
        let acceptor = acceptor.clone();
        copying::beside(async move {
            match care {
                Care::Tuned => {
                    let link = acceptor.accept(read_ahead(link)).await?;
                    copying::both_ways(link, copying::dial(dial).await?).await
                }
                Care::AsItComes => {
                    let link = acceptor.accept(link).await?;
                    as_it_comes(copying::dial(dial).await?, link).await
                }
            }
        });
    }
}

fn read_ahead(stream: TcpStream) -> BufReader<TcpStream> {
    BufReader::with_capacity(READ_AHEAD, stream)
}

async fn as_it_comes<T>(mut game: TcpStream, mut link: T) -> anyhow::Result<()>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    copy_bidirectional(&mut game, &mut link).await?;
    Ok(())
}
