//! Confining a measurement to one CPU. Without wake-ups across CPUs a round trip is the length of
//! the CPU path and repeats to a percent or two; free-running it depends on where the scheduler
//! happened to put things.

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The calling thread, and all threads and processes it starts meanwhile, run on one CPU. Dropping
/// it frees the calling thread; the others are expected to be gone by then.
pub(crate) struct OneCpu {
    before: CpuSet,
}

impl OneCpu {
    /// Takes the highest CPU allowed: the lowest often serves the interrupts.
    pub(crate) fn pin() -> anyhow::Result<Self> {
        let this_thread = Pid::from_raw(0);
        let before = sched_getaffinity(this_thread).context("cannot read the CPUs allowed")?;
        let highest = (0..CpuSet::count())
            .rev()
            .find(|&cpu| before.is_set(cpu).unwrap_or(false))
            .context("cannot find a CPU to run on")?;
        let mut one = CpuSet::new();
        one.set(highest)?;
        sched_setaffinity(this_thread, &one)
            .with_context(|| format!("cannot confine the measurement to CPU {highest}"))?;
        Ok(Self { before })
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        // The same call with a larger set succeeded before.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> usize {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
        (0..CpuSet::count())
            .filter(|&cpu| set.is_set(cpu).unwrap())
            .count()
    }

    #[test]
    fn threads_started_while_pinned_inherit_the_cpu_and_the_pin_ends() {
        let before = allowed();
        let pin = OneCpu::pin().unwrap();
        assert_eq!(std::thread::spawn(allowed).join().unwrap(), 1);
        drop(pin);
        assert_eq!(allowed(), before);
    }
}
