//! CPU time of one timed section, by whom it was used.

use std::ops::AddAssign;
use std::time::Instant;

use crate::process::{Process, Tree, kernel_cpu_ns, machine_busy_ns, machine_cpus, own_cpu_ns};

/// Started just before a timed section, read just after it.
pub(crate) struct Meter {
    roots: Vec<Process>,
    machine_ns: u64,
    kernel_ns: u64,
    relay_ns: u64,
    own_ns: u64,
    started: Instant,
}

/// What a timed section has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    /// All relays and what they started, in nanoseconds.
    pub(crate) relay_ns: u64,
    /// Relays, both ends of the load, and the kernel's threads: no work can hide from it.
    pub(crate) total_ns: u64,
    pub(crate) noise: Noise,
}

/// How much of the machine went to anybody else. Counted in ticks of 10 ms, so only a sum over many
/// sections means something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    others_ns: u64,
    offered_ns: u64,
}

impl AddAssign for Noise {
    fn add_assign(&mut self, more: Self) {
        self.others_ns += more.others_ns;
        self.offered_ns += more.offered_ns;
    }
}

impl Noise {
    /// Share of the CPU time that there was; none if that was too short to tell by ticks.
    pub(crate) fn percent(self) -> Option<f64> {
        const ENOUGH_NS: u64 = 1_000_000_000;
        (self.offered_ns >= ENOUGH_NS)
            .then(|| self.others_ns as f64 * 100.0 / self.offered_ns as f64)
    }
}

impl Meter {
    pub(crate) fn start(roots: &[Process]) -> Self {
        // What is costly to read comes first, so that it is not in the load's own time.
        Self {
            roots: roots.to_vec(),
            machine_ns: machine_busy_ns(),
            kernel_ns: kernel_cpu_ns(),
            relay_ns: Tree::below(roots).cpu_ns(),
            own_ns: own_cpu_ns(),
            started: Instant::now(),
        }
    }

    pub(crate) fn stop(&self) -> Usage {
        let elapsed = self.started.elapsed();
        let own_ns = own_cpu_ns().saturating_sub(self.own_ns);
        let relay_ns = Tree::below(&self.roots)
            .cpu_ns()
            .saturating_sub(self.relay_ns);
        let kernel_ns = kernel_cpu_ns().saturating_sub(self.kernel_ns);
        let machine_ns = machine_busy_ns().saturating_sub(self.machine_ns);
        let total_ns = relay_ns + own_ns + kernel_ns;
        let since_start = self.started.elapsed().as_nanos();
        let offered_ns = u64::try_from(since_start)
            .unwrap_or(u64::MAX)
            .saturating_mul(machine_cpus());
        // Reading all this has cost something too, and it was not others who spent it.
        let own_until_now_ns = own_cpu_ns().saturating_sub(self.own_ns);
        let others_ns = machine_ns.saturating_sub(relay_ns + own_until_now_ns + kernel_ns);
        let noise = Noise {
            others_ns,
            offered_ns,
        };
        Usage {
            seconds: elapsed.as_secs_f64(),
            relay_ns,
            total_ns,
            noise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_adds_up_and_says_nothing_about_moments() {
        let mut noise = Noise {
            others_ns: 100_000_000,
            offered_ns: 500_000_000,
        };
        assert_eq!(noise.percent(), None);
        noise += noise;
        assert_eq!(noise.percent(), Some(20.0));
    }

    #[test]
    fn work_of_this_program_is_counted_as_its_own() {
        let meter = Meter::start(&[]);
        let started = own_cpu_ns();
        while own_cpu_ns() < started + 20_000_000 {}
        let usage = meter.stop();
        assert_eq!(usage.relay_ns, 0);
        assert!(usage.total_ns >= 20_000_000, "{usage:?}");
    }
}
