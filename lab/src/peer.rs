//! Plain relays of another kind beside via6: socat, and a small threaded Python script.
//!
//! Both run as they are commonly run. socat gets `-t 60`: by default it cuts a half-closed
//! connection off after 0.5 s, which no neighbour could cure.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::chain::Protocol;
use crate::failure::{During, Outcome, failed, skipped};
use crate::process::collect_text;
use crate::system;

const SCRIPT: &str = include_str!("../peers/plain_relay.py");

/// A running relay that is not via6. Killed, with its children, when dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Peer {
    /// Starts `socat` from a free port of `listen` to `target`.
    pub fn socat(protocol: Protocol, listen: IpAddr, target: SocketAddr) -> Outcome<Self> {
        let kind = protocol.label().to_uppercase();
        let family = |ip: IpAddr| if ip.is_ipv6() { 6 } else { 4 };
        let bind = SocketAddr::new(listen, 0).to_string();
        let bind = bind.trim_end_matches(":0");
        let from = format!(
            "{kind}{}-LISTEN:0,bind={bind},fork,reuseaddr",
            family(listen)
        );
        // A datagram longer than socat's buffer is cut short, so it gets a large one.
        let from = if protocol == Protocol::Tcp {
            from + ",backlog=128"
        } else {
            from
        };
        let to = format!("{kind}{}:{target}", family(target.ip()));
        let mut command = system::bound_to_us("socat", None);
        command.args(["-d", "-d", "-t", "60", "-b", "65536", &from, &to]);
        // socat tells its port in the log: "… N listening on AF=2 127.0.0.1:40001".
        Self::start("socat", command, listen, true, |line| {
            let (_, address) = line.split_once("listening on ")?;
            address.rsplit_once(':')?.1.parse().ok()
        })
    }

    /// Starts the lab's script from a free port of `listen` to `target`.
    pub fn script(protocol: Protocol, listen: IpAddr, target: SocketAddr) -> Outcome<Self> {
        let mut command = system::bound_to_us("python3", None);
        command.args(["-c", SCRIPT, protocol.label(), &listen.to_string()]);
        command.args([target.ip().to_string(), target.port().to_string()]);
        Self::start("python3", command, listen, false, |line| line.parse().ok())
    }

    /// Starts it and reads from what it says until `port` finds its port in a line. Without
    /// `logs`, it says so on stdout, else on stderr; nobody wants the other stream.
    fn start(
        name: &str,
        mut command: Command,
        listen: IpAddr,
        logs: bool,
        port: impl Fn(&str) -> Option<u16>,
    ) -> Outcome<Self> {
        if !system::is_installed(name) {
            return skipped(format!("{name} is not installed"));
        }
        let wanted = if logs {
            Command::stderr
        } else {
            Command::stdout
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        wanted(&mut command, Stdio::piped());
        let child = command
            .process_group(0)
            .spawn()
            .during(format!("starting {name}"))?;
        let mut peer = Self {
            child,
            address: SocketAddr::new(listen, 0),
        };
        let said: Box<dyn Read + Send> = match (peer.child.stdout.take(), peer.child.stderr.take())
        {
            (Some(stdout), _) => Box::new(stdout),
            (_, Some(stderr)) => Box::new(stderr),
            _ => return failed("a child without a pipe"),
        };
        let mut lines = BufReader::new(said);
        let mut heard = String::new();
        while lines
            .read_line(&mut heard)
            .during(format!("reading from {name}"))?
            > 0
        {
            if let Some(port) = heard.lines().last().and_then(&port) {
                peer.address.set_port(port);
                collect_text(lines);
                return Ok(peer);
            }
        }
        failed(format!("{name} ended without a word of its port: {heard}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Fails only when the whole group has ended already, which is what is wanted.
        let _ = system::signal_group(self.child.id(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
