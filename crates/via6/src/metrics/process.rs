//! What the system tells of this process. Linux tells it in files, proc(5); elsewhere only the time of
//! the start is known, and metrics leave the rest out.

#[cfg(target_os = "linux")]
use std::fs;

/// The process at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Milliseconds since 1970, UTC.
    pub(super) started_ms: u64,
    /// Milliseconds of processor time.
    pub(super) cpu_ms: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_descriptors: Option<u64>,
    pub(super) most_descriptors: Option<u64>,
}

/// Looks at the process. Counting tens of thousands of descriptors takes milliseconds, so this is
/// nothing for the runtime's own thread.
#[cfg(target_os = "linux")]
pub(super) fn look(started_ms: u64) -> Process {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    Process {
        started_ms,
        cpu_ms: cpu_ms(&read("stat")),
        resident_bytes: resident_bytes(&read("status")),
        open_descriptors: open_descriptors(),
        most_descriptors: most_descriptors(&read("limits")),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look(started_ms: u64) -> Process {
    unseen(started_ms)
}

/// A process of which nothing else is known.
pub(super) fn unseen(started_ms: u64) -> Process {
    Process {
        started_ms,
        ..Process::default()
    }
}

/// Fields 14 and 15 of `stat`, in ticks. The second field is a name and may have blanks and brackets
/// in it; what counts is behind its last bracket.
#[cfg(target_os = "linux")]
fn cpu_ms(stat: &str) -> Option<u64> {
    /// `USER_HZ` is 100 on every architecture that Rust has a standard library for.
    const TICK_MS: u64 = 10;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_ascii_whitespace().skip(11);
    let user: u64 = ticks.next()?.parse().ok()?;
    let system: u64 = ticks.next()?.parse().ok()?;
    Some((user + system) * TICK_MS)
}

#[cfg(target_os = "linux")]
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(target_os = "linux")]
fn open_descriptors() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    // One of them was for the listing.
    Some(listed.saturating_sub(1))
}

/// The soft limit. None if there is none.
#[cfg(target_os = "linux")]
fn most_descriptors(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_processor_time() {
        let stat = "7 (a) 1 2 (b) S 1 7 7 0 -1 4194560 100 0 0 0 123 45 9 9 20 0 3 0 100";
        assert_eq!(cpu_ms(stat), Some(1680));
        assert_eq!(cpu_ms(""), None);
        assert_eq!(cpu_ms("7 (via6) S 1"), None);
    }

    #[test]
    fn what_the_system_writes_is_read() {
        assert_eq!(
            resident_bytes("VmHWM:\t 1 kB\nVmRSS:\t    5124 kB\n"),
            Some(5_246_976)
        );
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
             Max open files            1024                 524288               files\n";
        assert_eq!(most_descriptors(limits), Some(1024));
        let unlimited = "Max open files            unlimited            unlimited            files";
        assert_eq!(most_descriptors(unlimited), None);
    }

    #[test]
    fn this_very_process_is_seen() {
        let before = look(7);
        let files: Vec<_> = (0..10).map(|_| fs::File::open("/proc/self/stat")).collect();
        let after = look(7);
        // Other tests of this program open and close theirs meanwhile.
        assert!(after.open_descriptors > Some(10) && before.open_descriptors > Some(0));
        assert!(after.most_descriptors >= after.open_descriptors);
        assert!(after.resident_bytes > Some(100_000) && after.cpu_ms >= before.cpu_ms);
        assert_eq!(after.started_ms, 7);
        drop(files);
    }
}
