//! The program `via6-bench-bare`: the least that a relay can be on the libraries that sealed links
//! stand on, as the measure of what via6 adds to them. A process of its own, because its CPU time
//! is measured.
//!
//! It copies bytes and does nothing else: no admission, no resuming, no framing, no bounds, no word
//! about what it does. Anybody may use its port, so it is for loopback only. A session whose server
//! speaks first does not start over QUIC, where a stream is told by its first byte.

#[cfg(target_os = "linux")]
mod copying;
#[cfg(target_os = "linux")]
mod keys;
#[cfg(target_os = "linux")]
mod quic;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod versions;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser as _;
    use std::io::Write as _;

    match relay(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell it to when stderr is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(1)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;

    let _ = writeln!(
        std::io::stderr(),
        "error: this belongs to via6-bench, which needs Linux"
    );
    ExitCode::from(2)
}

/// A bare relay over TCP, TLS or QUIC, for via6-bench to compare with.
#[cfg(target_os = "linux")]
#[derive(clap::Parser)]
#[command(name = "via6-bench-bare", version = versions::versions())]
struct Args {
    /// What the link is
    #[arg(value_enum)]
    link: Link,
    /// Which end of the link
    #[arg(value_enum)]
    role: Role,
    /// Where sessions, or the link, come in
    listen: std::net::SocketAddr,
    /// Where they go on to
    dial: std::net::SocketAddr,
}

#[cfg(target_os = "linux")]
#[derive(Clone, Copy, clap::ValueEnum)]
enum Link {
    /// A TCP connection for each session, nothing sealed
    Tcp,
    /// A TLS connection for each session
    Tls,
    /// The same as it comes: rustls reads 4 KiB at a time, tokio copies 8
    TlsPlain,
    /// One QUIC connection, a stream for each session
    Quic,
}

#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Eq, PartialEq, clap::ValueEnum)]
enum Role {
    /// Takes sessions from games
    Join,
    /// Takes the link and dials the game server
    Host,
}

#[cfg(target_os = "linux")]
fn relay(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (listen, dial) = (args.listen, args.dial);
    runtime.block_on(async {
        match (args.link, args.role) {
            (Link::Tcp, _) => stream::tcp(listen, dial).await,
            (Link::Tls, Role::Join) => stream::tls_join(listen, dial, stream::Care::Tuned).await,
            (Link::Tls, Role::Host) => stream::tls_host(listen, dial, stream::Care::Tuned).await,
            (Link::TlsPlain, Role::Join) => {
                stream::tls_join(listen, dial, stream::Care::AsItComes).await
            }
            (Link::TlsPlain, Role::Host) => {
                stream::tls_host(listen, dial, stream::Care::AsItComes).await
            }
            (Link::Quic, Role::Join) => quic::join(listen, dial).await,
            (Link::Quic, Role::Host) => quic::host(listen, dial).await,
        }
    })
}
