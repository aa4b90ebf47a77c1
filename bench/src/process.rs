//! What `/proc` says about a relay and everything it has started.
//!
//! CPU time is read from each process's CPU clock: nanoseconds, threads that have ended included
//! (`task/*/schedstat` forgets those). Children that have ended count through their parent, in
//! ticks of 10 ms.

use std::collections::HashSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// A process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Process {
    pid: i32,
    started: u64,
}

/// The fields of `/proc/PID/stat` that are of use here.
#[derive(Clone, Copy)]
struct Stat {
    zombie: bool,
    parent: i32,
    /// User and system time of children that have ended, in ticks.
    children_ticks: u64,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name, second field, may hold spaces and parentheses: fields count from its last one.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line
            .get(line.rfind(')')? + 1..)?
            .split_ascii_whitespace()
            .collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            zombie: *fields.first()? == "Z",
            parent: fields.get(1)?.parse().ok()?,
            children_ticks: number(13)? + number(14)?,
            started: number(19)?,
        })
    }
}

impl Process {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Stat::read(pid).map(|stat| Self {
            pid,
            started: stat.started,
        })
    }

    pub(crate) fn is_running(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && !stat.zombie)
    }

    /// Does nothing when it has ended meanwhile, even if its number was given to another.
    pub(crate) fn signal(self, signal: Signal) {
        if self.is_running() {
            // ESRCH: it ended between the two lines, which is what was wanted.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    fn cpu_ns(self) -> u64 {
        let own = ClockId::pid_cpu_clock_id(Pid::from_raw(self.pid))
            .and_then(ClockId::now)
            .map_or(0, nanoseconds);
        own + Stat::read(self.pid).map_or(0, |stat| stat.children_ticks * tick_ns())
    }

    /// Its share of memory in kB, swapped pages included. Each page counts in equal parts for
    /// those that map it.
    fn pss_kib(self) -> u64 {
        self.smaps_kib(["Pss:", "SwapPss:"])
    }

    /// The same without pages of files. Those of a program count the less the more run it, which
    /// would show as memory saved.
    pub(crate) fn anonymous_kib(self) -> u64 {
        self.smaps_kib(["Pss_Anon:", "SwapPss:"])
    }

    fn smaps_kib(self, fields: [&str; 2]) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid));
        text.unwrap_or_default()
            .lines()
            .filter_map(|line| fields.iter().find_map(|field| line.strip_prefix(field)))
            .filter_map(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok())
            .sum()
    }

    fn descriptors(self) -> u64 {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, |entries| entries.count() as u64)
    }
}

/// Length of the unit in which `/proc` counts time.
fn tick_ns() -> u64 {
    match sysconf(SysconfVar::CLK_TCK) {
        Ok(Some(per_second)) => 1_000_000_000 / per_second.max(1).unsigned_abs(),
        // What Linux has always said to programs.
        _ => 10_000_000,
    }
}

fn nanoseconds(time: nix::sys::time::TimeSpec) -> u64 {
    std::time::Duration::from(time)
        .as_nanos()
        .try_into()
        .unwrap_or(u64::MAX)
}

/// CPU time of this program, in nanoseconds.
pub(crate) fn own_cpu_ns() -> u64 {
    ClockId::CLOCK_PROCESS_CPUTIME_ID
        .now()
        .map_or(0, nanoseconds)
}

/// All processes: number and parent.
fn every_process() -> Vec<(i32, Stat)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .collect()
}

/// CPU time of the kernel's own threads, in nanoseconds: where a relay can hide work.
pub(crate) fn kernel_cpu_ns() -> u64 {
    /// The parent of all kernel threads.
    const KTHREADD: i32 = 2;
    every_process()
        .into_iter()
        .filter(|(_, stat)| stat.parent == KTHREADD)
        .filter_map(|(pid, _)| fs::read_to_string(format!("/proc/{pid}/schedstat")).ok())
        .filter_map(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// CPU time that the whole machine was busy, in nanoseconds, time stolen by a hypervisor included.
pub(crate) fn machine_busy_ns() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system IDLE IOWAIT irq softirq steal; guest time is within user.
    let busy: u64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&index| ticks.get::<usize>(index))
        .sum();
    busy * tick_ns()
}

/// CPUs that the machine has, whichever of them this program may use.
pub(crate) fn machine_cpus() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("cpu")).count() as u64;
    // The first line is their sum.
    lines.saturating_sub(1).max(1)
}

/// Some processes and all their descendants, at the moment of asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    members: Vec<Process>,
}

impl Tree {
    pub(crate) fn below(roots: &[Process]) -> Self {
        let mut members = roots.to_vec();
        let mut known: HashSet<i32> = roots.iter().map(|process| process.pid).collect();
        let all = every_process();
        // Parents may come after their children in the listing: until nothing new turns up.
        loop {
            let before = members.len();
            for &(pid, stat) in &all {
                if known.contains(&stat.parent) && known.insert(pid) {
                    members.push(Process {
                        pid,
                        started: stat.started,
                    });
                }
            }
            if members.len() == before {
                return Self { members };
            }
        }
    }

    pub(crate) fn members(&self) -> &[Process] {
        &self.members
    }

    pub(crate) fn cpu_ns(&self) -> u64 {
        self.members.iter().map(|process| process.cpu_ns()).sum()
    }

    pub(crate) fn pss_kib(&self) -> u64 {
        self.members.iter().map(|process| process.pss_kib()).sum()
    }

    pub(crate) fn descriptors(&self) -> u64 {
        self.members
            .iter()
            .map(|process| process.descriptors())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b) S 3 0 0 0 -1 0 0 0 0 0 11 12 13 14 20 0 1 0 555 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.parent, stat.children_ticks, stat.started),
            (3, 27, 555)
        );
        assert!(Stat::parse("7 (a) S 3").is_none());
    }

    #[test]
    fn grandchildren_belong_to_the_tree_and_have_cpu_and_memory() {
        // The shell waits for its child, which works for a moment and then waits for its stdin.
        let script = "sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo on; read x'; :";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let tree = Tree::below(&[Process::of(child.id()).unwrap()]);
        assert_eq!((line.trim(), tree.members().len()), ("on", 2));
        assert!(tree.cpu_ns() > 1_000_000, "{} ns", tree.cpu_ns());
        assert!(tree.pss_kib() > 10 && tree.descriptors() >= 6);
        let anonymous: u64 = tree.members().iter().map(|one| one.anonymous_kib()).sum();
        assert!(anonymous > 10 && anonymous < tree.pss_kib(), "{anonymous}");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(tree.members().iter().all(|process| !process.is_running()));
    }

    #[test]
    fn the_machine_and_this_program_have_used_cpu() {
        assert!(machine_busy_ns() > 0 && own_cpu_ns() > 0 && kernel_cpu_ns() > 0);
    }
}
