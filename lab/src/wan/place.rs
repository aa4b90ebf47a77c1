//! A computer of the lab: a network namespace with a thread that lives in it.
//!
//! It has no name in the system, and nothing of it lasts: the namespace, its devices, its firewall and
//! the programs started in it go when the [`Place`] is dropped, and just as well when the lab is
//! killed. So runs beside each other cannot meet, and there is nothing to tidy up after one that died.

use std::fs::{self, File};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

use crate::failure::{During, Outcome, failed, skipped};
use crate::system;

/// Bytes of the file of names. Its length never changes: it is written over in place, so that whoever
/// reads it meanwhile never finds it empty.
const NAMES_LEN: usize = 256;

/// Where the system's resolver looks first.
const NAMES: &str = "/etc/hosts";

type Job = Box<dyn FnOnce() + Send>;

/// One computer.
#[derive(Debug)]
pub struct Place {
    /// What it is called in failures.
    pub name: &'static str,
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The resident thread, by which commands can name the namespace.
    id: i32,
    names: File,
}

impl Place {
    /// A computer with loopback and nothing else. Skips where that is not allowed.
    pub fn new(name: &'static str) -> Outcome<Self> {
        for command in ["ip", "nft", "setpriv"] {
            if !system::is_installed(command) {
                return skipped(format!("{command} is not installed"));
            }
        }
        let (entered, settled) = sync_channel(1);
        let (jobs, queue) = sync_channel(1);
        let live = move || match enter() {
            Ok(names) => {
                if entered.send(Ok((gettid().as_raw(), names))).is_ok() {
                    live_in(&queue);
                }
            }
            // Whoever waits for it takes it; there is nobody else to tell.
            Err(failure) => drop(entered.send(Err(failure))),
        };
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(live)
            .during("starting a thread")?;
        let (id, names) = match settled.recv() {
            Ok(entered) => entered.during(name)?,
            Err(_) => return failed(format!("{name}: its thread panicked")),
        };
        Ok(Self {
            name,
            jobs: Some(jobs),
            thread: Some(thread),
            id,
            names,
        })
    }

    /// Does this on its thread, and waits for the end. Sockets that are made there belong to the place,
    /// wherever they are used later, and programs that are started there live in it and end with it.
    ///
    /// # Panics
    ///
    /// If the job does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = sync_channel(1);
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(job));
            // Fails only if nobody waits any more.
            let _ = done.send(outcome);
        };
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(Box::new(job)));
        assert!(matches!(sent, Some(Ok(()))), "{} has ended", self.name);
        match result.recv() {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => unreachable!("a job answers, or panics and answers"),
        }
    }

    /// Runs `ip -6` with each of these lines.
    pub fn ip(&self, lines: &str) -> Outcome {
        let mut command = Command::new("ip");
        command.args(["-6", "-batch", "-"]);
        self.feed(command, lines)
    }

    /// Gives this to the firewall, all of it or nothing.
    pub fn nft(&self, rules: &str) -> Outcome {
        let mut command = Command::new("nft");
        command.args(["-f", "-"]);
        self.feed(command, rules)
    }

    fn feed(&self, command: Command, text: &str) -> Outcome {
        let owned = text.to_owned();
        self.run(move || feed(command, &owned))
            .during(format!("{}: {}", self.name, text.trim()))
    }

    /// Sets a value below `/proc/sys/net`.
    pub fn set(&self, key: &str, value: &str) -> Outcome {
        let path = format!("/proc/sys/net/{key}");
        let value = value.to_owned();
        // Which network's value it is depends on the thread that opens it.
        self.run(move || fs::write(&path, value).during(&path))
            .during(self.name)
    }

    /// Reads a value below `/proc/sys/net`.
    pub fn value(&self, key: &str) -> Outcome<String> {
        let path = format!("/proc/sys/net/{key}");
        let text = self.run(move || fs::read_to_string(&path).during(&path))?;
        Ok(text.trim().to_owned())
    }

    /// Connects a new device `own` of this place with a new device `other` of another, as by a cable.
    pub fn plug(&self, own: &str, there: &Self, other: &str) -> Outcome {
        let id = there.id;
        self.ip(&format!(
            "link add {own} type veth peer name {other} netns {id}\nlink set {own} up\n"
        ))?;
        there.ip(&format!("link set {other} up\n"))
    }

    /// From now on `name` has this address here, or none.
    pub fn set_name(&self, name: &str, address: Option<IpAddr>) -> Outcome {
        let entry = address.map_or_else(String::new, |ip| format!("{ip} {name}\n"));
        write_names(&self.names, &entry).during("writing the names")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A job's panic went to whoever had asked for it.
            let _ = thread.join();
        }
    }
}

fn live_in(queue: &Receiver<Job>) {
    for job in queue {
        job();
    }
}

/// Moves this thread into a network, and a view of the file system, of its own.
fn enter() -> Outcome<File> {
    system::enter_own_network()?;
    let flags = CloneFlags::CLONE_NEWNS;
    unshare(flags)
        .map_err(std::io::Error::from)
        .during("a view of the file system")?;
    // What is mounted from now on must not show elsewhere.
    let none = None::<&str>;
    bind(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    // /sys shows the network of whoever mounts it.
    bind(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty())?;
    let names = tempfile::NamedTempFile::new().during("a file of names")?;
    write_names(names.as_file(), "").during("writing the names")?;
    let path = names.path().display().to_string();
    bind(Some(&path), NAMES, none, MsFlags::MS_BIND)?;
    // Its own name is not needed any more, and nothing is left behind.
    let names = names.into_file();
    for key in ["all", "default"] {
        let conf = |value| format!("/proc/sys/net/ipv6/conf/{key}/{value}");
        // No waiting for neighbours that might have the same address: there are none.
        for (value, to) in [
            ("disable_ipv6", "0"),
            ("accept_dad", "0"),
            ("accept_ra", "0"),
        ] {
            fs::write(conf(value), to).during(conf(value))?;
        }
    }
    Ok(names)
}

fn bind(from: Option<&str>, to: &str, kind: Option<&str>, flags: MsFlags) -> Outcome {
    match mount(from, to, kind, flags, None::<&str>) {
        Ok(()) => Ok(()),
        Err(error) => skipped(format!("cannot mount {to} (a container's rules?): {error}")),
    }
}

fn write_names(file: &File, entry: &str) -> std::io::Result<()> {
    let mut text = format!("127.0.0.1 localhost\n::1 localhost\n{entry}#");
    text.extend(std::iter::repeat_n(
        '#',
        NAMES_LEN.saturating_sub(text.len() + 1),
    ));
    text.push('\n');
    file.write_all_at(text.as_bytes(), 0)
}

fn feed(mut command: Command, text: &str) -> Outcome {
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .during(format!("starting {command:?}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ended before it has read all of it says why, which is the better message.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().during("waiting for it")?;
    if output.status.success() {
        return Ok(());
    }
    failed(String::from_utf8_lossy(&output.stderr).trim())
}
