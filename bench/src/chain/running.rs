//! A chain that runs: started on free ports, waited for until a byte goes there and back, and
//! ended by process number together with whatever it started.
//!
//! A command that needs an invite is started when another has printed one; otherwise they start in
//! the order they are written in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use super::places::Places;
use super::relay::{Ended, Relay};
use super::scratch::{Scratch, command};
use super::{Chain, CommandLine, Protocol, invite};
use crate::client;
use crate::process::{Process, Tree};

/// How long a chain may take until it carries a byte.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long relays may take to end by themselves.
const END_LIMIT: Duration = Duration::from_secs(3);

/// Pause between looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Another program may take a port between its choice and its use.
const TRIES: u32 = 3;

/// What via6 ends with when it does not know a command or an option of it.
const USAGE: i32 = 2;

/// Running relays; dropping it ends them.
pub(crate) struct Running {
    protocol: Protocol,
    entrance: SocketAddr,
    wrapper: Vec<String>,
    /// The first command, for more joiners; a direct connection has none.
    joiner: Option<CommandLine>,
    hops: usize,
    places: Places,
    relays: Vec<Relay>,
    scratch: Scratch,
}

/// Fills in a chain's commands and throws them away: finds what is wrong with them before the
/// first measurement.
pub(super) fn rehearse(chain: &Chain, via6: Option<&Path>) -> anyhow::Result<()> {
    let target = (std::net::Ipv4Addr::LOCALHOST, 1).into();
    let mut running = Running::new(&[], chain, target, via6)?;
    running.places.invite = Some("via6:rehearsal".to_owned());
    for (index, hop) in chain.hops.iter().enumerate() {
        running.prepare(hop, &hop_name(index))?;
    }
    if !chain.is_direct() {
        running.places.entrance()?;
    }
    Ok(())
}

/// What a via6 says that does not know the commands of `chain`; a first start, to find that out.
pub(super) fn refusal(chain: &Chain, target: SocketAddr, via6: Option<&Path>) -> Option<String> {
    let mut running = Running::new(&[], chain, target, via6).ok()?;
    let error = running.start_hops(chain).err()?;
    let ended = error.downcast_ref::<Ended>()?;
    let first_line = ended.said.split(" | ").next()?;
    (ended.status.code() == Some(USAGE)).then(|| first_line.to_owned())
}

fn hop_name(index: usize) -> String {
    format!("hop {}", index + 1)
}

impl Running {
    /// Starts `chain` in front of `target` and waits until it works.
    pub(crate) fn start(
        chain: &Chain,
        target: SocketAddr,
        via6: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Self::start_under(&[], chain, target, via6)
    }

    /// Starts every command of `chain` as arguments of another: its words are `wrapper`.
    pub(crate) fn start_under(
        wrapper: &[&str],
        chain: &Chain,
        target: SocketAddr,
        via6: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut tries = 1;
        loop {
            let mut running = Self::new(wrapper, chain, target, via6)?;
            let started = running.start_hops(chain);
            match started {
                Err(_) if tries < TRIES && !chain.is_direct() => tries += 1,
                outcome => return outcome.map(|()| running),
            }
        }
    }

    /// Nothing runs yet, and the load would go straight to its target.
    fn new(
        wrapper: &[&str],
        chain: &Chain,
        target: SocketAddr,
        via6: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let scratch = Scratch::new()?;
        Ok(Self {
            protocol: chain.protocol,
            entrance: target,
            wrapper: wrapper.iter().map(|&word| word.to_owned()).collect(),
            joiner: chain.hops.first().cloned(),
            hops: chain.hops.len(),
            places: Places::new(target, via6, &chain.folder, scratch.path()),
            relays: Vec::new(),
            scratch,
        })
    }

    fn start_hops(&mut self, chain: &Chain) -> anyhow::Result<()> {
        let hops = || chain.hops.iter().enumerate();
        self.start_all(hops().filter(|(_, hop)| !hop.needs_invite()))?;
        if hops().any(|(_, hop)| hop.needs_invite()) {
            self.places.invite = Some(self.wait_for_invite()?);
            self.start_all(hops().filter(|(_, hop)| hop.needs_invite()))?;
        }
        if !chain.is_direct() {
            self.entrance = self.places.entrance()?;
        }
        self.wait_until_ready(self.entrance)
    }

    /// Fills them all in before any is started: then all ports are known, and can be let go.
    fn start_all<'a>(
        &mut self,
        hops: impl Iterator<Item = (usize, &'a CommandLine)>,
    ) -> anyhow::Result<()> {
        let prepared = hops
            .map(|(index, hop)| self.prepare(hop, &hop_name(index)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        self.places.release();
        prepared
            .into_iter()
            .try_for_each(|prepared| self.spawn(prepared))
    }

    fn prepare(&mut self, hop: &CommandLine, name: &str) -> anyhow::Result<Prepared> {
        let log = self.scratch.log(name);
        Ok(Prepared {
            name: name.to_owned(),
            command: command(&self.wrapper, hop, &mut self.places, &log)?,
            log,
        })
    }

    fn spawn(&mut self, mut prepared: Prepared) -> anyhow::Result<()> {
        let program = prepared.command.get_program().to_owned();
        let child = prepared.command.spawn();
        self.relays.push(Relay {
            name: prepared.name,
            child: child.with_context(|| format!("cannot start {}", program.display()))?,
            log: prepared.log,
        });
        Ok(())
    }

    fn wait_for_invite(&mut self) -> anyhow::Result<String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            for relay in &self.relays {
                if let Some(found) = invite::first(&relay.written()) {
                    return Ok(found.to_owned());
                }
            }
            self.ensure_running()?;
            if Instant::now() >= deadline {
                bail!("no command has printed an invite");
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    fn wait_until_ready(&mut self, entrance: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let answer = client::probe(entrance, self.protocol);
            // Even after an answer: a hop whose port was taken has ended, and the answer came from
            // whoever took it.
            self.ensure_running()?;
            let Err(error) = answer else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(error.context("the chain does not carry a byte"));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Starts the first command once more beside itself, with an entrance of its own, and waits
    /// until it works.
    pub(crate) fn start_joiner(&mut self) -> anyhow::Result<Joiner> {
        let hop = self
            .joiner
            .clone()
            .context("there is no relay to join by")?;
        let name = format!("joiner {}", self.relays.len());
        self.places.forget_entrance();
        let prepared = self.prepare(&hop, &name)?;
        let entrance = self.places.entrance()?;
        self.places.release();
        self.spawn(prepared)?;
        self.wait_until_ready(entrance)
            .with_context(|| format!("in {name}"))?;
        let process = self.relays.last().and_then(Relay::process);
        Ok(Joiner {
            entrance,
            process: process.with_context(|| format!("{name} is gone"))?,
        })
    }

    /// Fails, with what it has said, when a relay has ended.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        for relay in &mut self.relays {
            if let Some(ended) = relay.ended()? {
                bail!(ended);
            }
        }
        Ok(())
    }

    /// Where the load enters.
    pub(crate) fn entrance(&self) -> SocketAddr {
        self.entrance
    }

    /// The relays themselves, without what they have started.
    pub(crate) fn roots(&self) -> Vec<Process> {
        self.relays.iter().filter_map(Relay::process).collect()
    }

    /// The last of the hops, which dials the server.
    pub(crate) fn host(&self) -> Option<Process> {
        let name = hop_name(self.hops.checked_sub(1)?);
        let mut relays = self.relays.iter();
        relays.find(|relay| relay.name == name)?.process()
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Ends the relays and what they have started; those that take longer are killed.
    pub(crate) fn end(&mut self, limit: Duration) {
        let tree = Tree::below(&self.roots());
        let deadline = Instant::now() + limit;
        for process in tree.members() {
            process.signal(Signal::SIGTERM);
        }
        while tree.members().iter().any(|process| process.is_running()) {
            if Instant::now() >= deadline {
                for process in tree.members() {
                    process.signal(Signal::SIGKILL);
                }
                break;
            }
            thread::sleep(LOOK_AGAIN);
        }
        for relay in &mut self.relays {
            // Fails only for a child that was waited for before.
            let _ = relay.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(END_LIMIT);
    }
}

/// A command with its placeholders filled in.
struct Prepared {
    name: String,
    command: std::process::Command,
    log: PathBuf,
}

/// One more of a chain's first relays.
pub(crate) struct Joiner {
    pub(crate) entrance: SocketAddr,
    pub(crate) process: Process,
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::server::Server;

    /// A chain that nothing has been started of, and a relay put into it by hand.
    fn running_with(entrance: SocketAddr, child: Child) -> Running {
        let chain = Chain::parse_one("hand = sh {listen}").unwrap();
        let mut running = Running::new(&[], &chain, entrance, None).unwrap();
        running.relays.push(Relay {
            name: hop_name(0),
            child,
            log: running.scratch.log("hop 1"),
        });
        running
    }

    /// Its port was taken by another program: what answers there is not the chain.
    #[test]
    fn a_hop_that_has_ended_is_not_measured_even_if_something_answers() {
        let server = Server::tcp(1).unwrap();
        let mut hop = Command::new("sh").args(["-c", "exit 4"]).spawn().unwrap();
        hop.wait().unwrap();
        let mut running = running_with(server.address(), hop);
        let error = running.wait_until_ready(server.address()).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("hop 1 ended (exit status: 4)"), "{error}");
    }

    #[test]
    fn dropping_a_chain_ends_its_relays_and_what_they_started() {
        let script = "sh -c 'echo; read x; :' ; :";
        let mut hop = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = hop.stdout.take().unwrap();
        let running = running_with((std::net::Ipv4Addr::LOCALHOST, 1).into(), hop);
        std::io::Read::read_exact(&mut told, &mut [0]).unwrap();
        let tree = Tree::below(&running.roots());
        let folder = running.scratch().to_owned();
        assert_eq!(tree.members().len(), 2);
        assert!(folder.is_dir());
        drop(running);
        assert!(tree.members().iter().all(|process| !process.is_running()));
        assert!(!folder.exists());
    }

    /// The host is written last and started first.
    #[test]
    fn a_joiner_gets_the_invite_that_the_host_has_printed() {
        let server = Server::tcp(2).unwrap();
        let invite = "via6:0123456789abcdefghijABCDEFGHIJ0123456789abcdefgh";
        let line = format!(
            "x = sh -c 'echo joined with {{invite}}; exec sleep 60' {{listen}} ;; \
             sh -c 'echo use {invite}; exec sleep 60'"
        );
        let chain = Chain::parse_one(&line).unwrap();
        let mut running = Running::new(&[], &chain, server.address(), None).unwrap();
        let hops = || chain.hops.iter().enumerate();
        running
            .start_all(hops().filter(|(_, hop)| !hop.needs_invite()))
            .unwrap();
        running.places.invite = Some(running.wait_for_invite().unwrap());
        running
            .start_all(hops().filter(|(_, hop)| hop.needs_invite()))
            .unwrap();
        let deadline = Instant::now() + START_LIMIT;
        let expected = format!("joined with {invite}\n");
        while running.relays[1].written() != expected {
            assert!(Instant::now() < deadline, "{}", running.relays[1].written());
            thread::sleep(LOOK_AGAIN);
        }
        assert_eq!(running.host(), running.relays[0].process());
    }

    #[test]
    fn only_a_command_that_is_not_known_is_a_refusal() {
        let server = Server::tcp(2).unwrap();
        let refusal_of = |script: &str| {
            let chain = Chain::parse_one(&format!("x = sh -c '{script}' {{listen}}")).unwrap();
            refusal(&chain, server.address(), None)
        };
        let told = refusal_of("echo error: no such command; echo hint: none; exit 2");
        assert_eq!(told.as_deref(), Some("error: no such command"));
        assert_eq!(refusal_of("echo error: broken; exit 1"), None);
    }
}
