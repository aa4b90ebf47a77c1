//! What the lab asks of Linux: limits, signals, `/proc`, a network namespace of its own.
//!
//! The only module that makes system calls other than those of ordinary sockets.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::chain::Protocol;
use crate::failure::{During, Outcome, failed, skipped};

/// How often a condition is looked at while waiting for it.
const GLANCE: Duration = Duration::from_millis(2);

/// Waits until `look` finds something; after `patience`, fails with what was waited for.
pub fn wait_for<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            return failed(format!("waited {patience:?} for {what}, in vain"));
        }
        std::thread::sleep(GLANCE);
    }
}

/// Sends a signal to a process that the lab started.
pub fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    kill(process_id(pid)?, signal).map_err(io::Error::from)
}

/// Sends a signal to a process group that the lab started.
pub(crate) fn signal_group(leader: u32, signal: Signal) -> io::Result<()> {
    nix::sys::signal::killpg(process_id(leader)?, signal).map_err(io::Error::from)
}

fn process_id(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .map(Pid::from_raw)
        .map_err(io::Error::other)
}

/// Raises the lab's own descriptor limit to what the system allows; skips if that is below `need`.
pub fn raise_descriptors(need: u64) -> Outcome {
    let limits = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from);
    let (_, hard) = limits.during("reading the descriptor limit")?;
    if hard < need {
        return skipped(format!(
            "needs {need} descriptors, this system allows {hard}"
        ));
    }
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(io::Error::from);
    raised.during("raising the descriptor limit")
}

/// A command that is killed when the thread that starts it ends, however that ends, and that may
/// have only so many descriptors. Both helpers become the program, so its process id is the one
/// that is seen.
#[must_use]
pub(crate) fn bound_to_us(program: impl AsRef<OsStr>, descriptors: Option<u64>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    if let Some(limit) = descriptors {
        command.args(["prlimit", &format!("--nofile={limit}:{limit}"), "--"]);
    }
    command.arg(program);
    command
}

/// Whether a program of this name is on the path.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Sets the soft descriptor limit of a running process.
pub fn limit_descriptors(pid: u32, soft: usize) -> Outcome {
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--pid={pid}"))
        .arg(format!("--nofile={soft}:"));
    run(command)
}

/// Limits a running process to `room` descriptors more than it has open. The limit is on their
/// numbers, which may have gaps.
pub fn leave_descriptors(pid: u32, room: usize) -> Outcome {
    let path = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&path).during(&path)?.flatten();
    let open: Vec<usize> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let free = (0..).filter(|number| !open.contains(number)).take(room);
    limit_descriptors(pid, free.last().map_or(0, |last| last + 1))
}

/// Runs a command to its end and fails unless it succeeds.
pub fn run(mut command: Command) -> Outcome {
    let output = command.output().during(format!("running {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    failed(format!("{command:?}: {}", stderr.trim()))
}

/// Bytes written to `stream` that the other side's system has not acknowledged (SIOCOUTQ).
#[allow(unsafe_code, reason = "no safe wrapper of this ioctl exists")]
pub fn unacknowledged(stream: &TcpStream) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ (the same number as SIOCOUTQ) writes one int through a valid pointer, and
    // the descriptor is open as long as `stream` is borrowed.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(bytes).map_err(io::Error::other)
}

/// Makes a pipe hold as little as the system allows: one page.
pub(crate) fn shrink_pipe(pipe: impl AsFd) -> io::Result<()> {
    nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1))?;
    Ok(())
}

/// Moves this thread, and the threads and processes it starts from now on, into a network
/// namespace of its own with loopback up. It goes when the last of them ends. Needs root.
pub fn enter_own_network() -> Outcome {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        return skipped(format!(
            "cannot make a network namespace (needs root): {error}"
        ));
    }
    ip("link set lo up")
}

/// Runs `ip` with these arguments, in the namespace of this thread.
pub fn ip(arguments: &str) -> Outcome {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    run(command)
}

/// Memory that a process has made for itself, in bytes. The pages of the program's file are not in it:
/// each counts by how many processes share it at the moment, which says nothing about sessions.
pub fn memory(pid: u32) -> Outcome<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).during(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    match kib.and_then(|kib| kib.trim().parse::<u64>().ok()) {
        Some(kib) => Ok(kib * 1024),
        None => failed(format!("{path} has no Pss_Anon")),
    }
}

/// Processor time that a process has used so far, user and system.
pub fn cpu_time(pid: u32) -> Outcome<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).during(&path)?;
    // The name in parentheses may itself hold spaces; utime and stime are the 12th and 13th after.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let per_second = u64::try_from(per_second).unwrap_or(100);
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// Where a process listens, by what the system knows of its sockets.
#[must_use]
pub fn listening(pid: u32, protocol: Protocol) -> Option<SocketAddr> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let own: Vec<_> = links
        .filter_map(|entry| {
            fs::read_link(entry.path())
                .ok()?
                .to_str()
                .map(str::to_owned)
        })
        .collect();
    ["", "6"].iter().find_map(|suffix| {
        let path = format!("/proc/{pid}/net/{}{suffix}", protocol.label());
        let table = fs::read_to_string(path).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // 0A: TCP LISTEN; 07: a UDP socket that is not connected.
            let listens = matches!(*fields.get(3)?, "0A" | "07");
            let is_own = own.contains(&format!("socket:[{}]", fields.get(9)?));
            (listens && is_own).then(|| kernel_address(fields[1]))?
        })
    })
}

/// An address as `/proc/net` writes it: 32-bit words in the machine's byte order, in hex.
fn kernel_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok();
    let bytes = |at: usize| word(at).map(u32::to_ne_bytes);
    let ip = if ip.len() == 8 {
        IpAddr::from(bytes(0)?)
    } else {
        let words = [bytes(0)?, bytes(1)?, bytes(2)?, bytes(3)?];
        IpAddr::from(<[u8; 16]>::try_from(words.concat()).ok()?)
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_system_knows_where_somebody_listens() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let table = fs::read_to_string("/proc/self/net/tcp6").unwrap();
        let address = listener.local_addr().unwrap();
        let mut addresses = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        assert!(
            addresses.any(|text| kernel_address(text) == Some(address)),
            "{table}"
        );
        assert_eq!(
            kernel_address("0100007F:A93D").unwrap().to_string(),
            "127.0.0.1:43325"
        );
    }
}
