//! A chain that runs: started on free ports, waited for until a byte goes there and back, and
//! ended by process number together with whatever it started.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use super::places::Places;
use super::{Chain, CommandLine};
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

/// Bytes shown of what a relay that failed has said.
const LOG_SHOWN: usize = 600;

/// Running relays; dropping it ends them.
pub(crate) struct Running {
    entrance: SocketAddr,
    children: Vec<Child>,
    scratch: Scratch,
}

/// Fills in a chain's commands and throws them away: finds what is wrong with them before the
/// first measurement.
pub(super) fn rehearse(chain: &Chain, via6: Option<&Path>) -> anyhow::Result<()> {
    let target = (std::net::Ipv4Addr::LOCALHOST, 1).into();
    prepare(&[], chain, target, via6, &Scratch::new()?).map(|_| ())
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
            let started = Self::spawn(wrapper, chain, target, via6).and_then(|mut running| {
                running.wait_until_ready(chain)?;
                Ok(running)
            });
            match started {
                Err(_) if tries < TRIES && !chain.is_direct() => tries += 1,
                outcome => return outcome,
            }
        }
    }

    fn spawn(
        wrapper: &[&str],
        chain: &Chain,
        target: SocketAddr,
        via6: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let scratch = Scratch::new()?;
        let (commands, entrance) = prepare(wrapper, chain, target, via6, &scratch)?;
        let mut running = Self {
            entrance,
            children: Vec::new(),
            scratch,
        };
        for mut command in commands {
            let child = command
                .spawn()
                .with_context(|| format!("cannot start {}", command.get_program().display()))?;
            running.children.push(child);
        }
        Ok(running)
    }

    fn wait_until_ready(&mut self, chain: &Chain) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let answer = client::probe(self.entrance, chain.protocol);
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

    /// Fails, with what it has said, when a hop has ended.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        for (index, child) in self.children.iter_mut().enumerate() {
            if let Some(status) = child.try_wait()? {
                let log = fs::read_to_string(self.scratch.log(index)).unwrap_or_default();
                bail!("hop {} ended ({status}): {}", index + 1, last_of(&log));
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
        self.children
            .iter()
            .filter_map(|child| Process::of(child.id()))
            .collect()
    }

    /// Where the relays have put what they write.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch.0
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
        for child in &mut self.children {
            // Fails only for a child that was waited for before.
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(END_LIMIT);
    }
}

/// A folder for filled files and for what the relays say; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("via6-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    fn log(&self, hop: usize) -> PathBuf {
        self.0.join(format!("hop-{}.log", hop + 1))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that stays behind is harmless.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The commands, ready to run, and where the load will enter. Ports are free again on return, for
/// the relays to take.
fn prepare(
    wrapper: &[&str],
    chain: &Chain,
    target: SocketAddr,
    via6: Option<&Path>,
    scratch: &Scratch,
) -> anyhow::Result<(Vec<Command>, SocketAddr)> {
    let mut places = Places::new(chain.protocol, target, &scratch.0);
    (places.via6, places.from) = (via6, &chain.folder);
    let commands = chain
        .hops
        .iter()
        .enumerate()
        .map(|(index, hop)| command(wrapper, hop, &mut places, &scratch.log(index)))
        .collect::<anyhow::Result<_>>()?;
    let entrance = if chain.is_direct() {
        target
    } else {
        places.entrance()?
    };
    Ok((commands, entrance))
}

fn command(
    wrapper: &[&str],
    hop: &CommandLine,
    places: &mut Places<'_>,
    log: &Path,
) -> anyhow::Result<Command> {
    let environment = places.begin_command(&hop.environment)?.clone();
    let mut words = wrapper.iter().copied().chain(hop.words());
    let mut command = Command::new(places.fill(words.next().unwrap_or_default())?);
    for argument in words {
        command.arg(places.fill(argument)?);
    }
    // A via6 that found another running would have it do the work.
    command.env("VIA6_STATE", log.with_extension("state"));
    command.envs(environment);
    let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    end_with_parent(&mut command);
    Ok(command)
}

/// A benchmark that is killed must not leave relays behind.
#[allow(
    unsafe_code,
    reason = "the system offers this only between fork and exec"
)]
fn end_with_parent(command: &mut Command) {
    // SAFETY: the closure makes one system call, prctl, which is async-signal-safe, and touches no
    // memory that another thread could have locked.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?));
    }
}

fn last_of(log: &str) -> String {
    let mut start = log.len().saturating_sub(LOG_SHOWN);
    while !log.is_char_boundary(start) {
        start += 1;
    }
    log.get(start..)
        .unwrap_or_default()
        .trim()
        .replace('\n', " | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Protocol;
    use crate::server::Server;

    /// Its port was taken by another program: what answers there is not the chain.
    #[test]
    fn a_hop_that_has_ended_is_not_measured_even_if_something_answers() {
        let server = Server::tcp(1).unwrap();
        let mut hop = Command::new("sh").args(["-c", "exit 4"]).spawn().unwrap();
        hop.wait().unwrap();
        let chain = Chain {
            name: "taken".to_owned(),
            protocol: Protocol::Tcp,
            hops: Vec::new(),
            folder: PathBuf::new(),
        };
        let mut running = Running {
            entrance: server.address(),
            children: vec![hop],
            scratch: Scratch::new().unwrap(),
        };
        let error = running.wait_until_ready(&chain).unwrap_err().to_string();
        assert!(error.starts_with("hop 1 ended (exit status: 4)"), "{error}");
    }

    #[test]
    fn dropping_a_chain_ends_its_relays_and_what_they_started() {
        let script = "sh -c 'echo; read x; :' ; :";
        let hop = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running {
            entrance: (std::net::Ipv4Addr::LOCALHOST, 1).into(),
            children: vec![hop],
            scratch: Scratch::new().unwrap(),
        };
        let mut told = running.children[0].stdout.take().unwrap();
        std::io::Read::read_exact(&mut told, &mut [0]).unwrap();
        let tree = Tree::below(&running.roots());
        let folder = running.scratch.0.clone();
        assert_eq!(tree.members().len(), 2);
        assert!(folder.is_dir());
        drop(running);
        assert!(tree.members().iter().all(|process| !process.is_running()));
        assert!(!folder.exists());
    }
}
