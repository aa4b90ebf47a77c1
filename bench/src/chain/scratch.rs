//! What a running chain has on disk, and its commands made from their templates: they write there
//! what they say, and keep their state there.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::CommandLine;
use super::places::Places;

/// A folder for filled files and for what the relays say; gone when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("via6-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where a relay of that name says what it says.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.log", name.replace(' ', "-")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that stays behind is harmless.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command, ready to run.
pub(super) fn command(
    wrapper: &[String],
    hop: &CommandLine,
    places: &mut Places,
    log: &Path,
) -> anyhow::Result<Command> {
    let environment = places.begin_command(&hop.environment)?.clone();
    let mut words = wrapper.iter().map(String::as_str).chain(hop.words());
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
