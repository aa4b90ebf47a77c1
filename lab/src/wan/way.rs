//! One direction of the emulated WAN as a pure state machine: packets and the time go in, packets
//! come out when they are due.
//!
//! The fate of a packet depends on the seed, on how many came before it, and on the conditions; with
//! a rate, on the times as well. No sockets, no clock: [`super::emulator`] has those.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chance::{Chance, Loss};

/// Bytes that may be on their way in one direction. More are dropped as by a full queue: 200 ms at
/// 1 Gbit/s, far above what the scenarios need.
const IN_FLIGHT_MAX: usize = 32 * 1024 * 1024;

/// How the WAN is. What is not said is as on a perfect line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// How long each packet takes, one way.
    pub delay: Duration,
    /// Up to how much longer, evenly spread. Order is kept all the same.
    pub jitter: Duration,
    /// Which packets are lost.
    pub loss: Loss,
    /// The rate of the line, and what waits in front of it.
    pub rate: Option<Rate>,
    /// Larger packets vanish without a word (a path-MTU black hole). Bytes of the IP packet.
    pub black_hole_over: Option<usize>,
    /// The share of packets that others overtake.
    pub overtaken: f64,
    /// How much later those arrive.
    pub overtaken_by: Duration,
    /// Nothing passes at all, and what was on its way is lost.
    pub is_cut: bool,
}

/// A line of limited rate with a queue that drops what does not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Kilobits per second.
    pub kbit: u32,
    /// Bytes that may wait.
    pub queue: usize,
}

impl Rate {
    fn time_for(self, bytes: usize) -> Duration {
        // kbit/s are bits per ms.
        let nanos = bytes as u64 * 8 * 1_000_000 / u64::from(self.kbit.max(1));
        Duration::from_nanos(nanos)
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It comes out later.
    Passes,
    /// Lost by chance.
    Lost,
    /// No room before the line.
    NoRoom,
    /// Over the size that passes.
    TooLarge,
    /// The line is cut.
    Cut,
}

/// How many packets met which fate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// They came, or will come, out.
    pub passed: u64,
    /// Lost by chance.
    pub lost: u64,
    /// No room before the line.
    pub no_room: u64,
    /// Over the size that passes.
    pub too_large: u64,
    /// Offered to a cut line, or on their way when it was cut.
    pub cut: u64,
}

/// One direction. Times are since its start.
#[derive(Debug)]
pub struct Way {
    conditions: Conditions,
    chance: Chance,
    /// The state of the loss model.
    bad: bool,
    /// When the line has sent all that waits before it.
    line_free: Duration,
    /// When the last packet that keeps its place is due.
    last_due: Duration,
    /// By time and, for those of one time, in the order they came.
    in_flight: BTreeMap<(Duration, u64), Vec<u8>>,
    in_flight_bytes: usize,
    offered: u64,
    counts: Counts,
}

impl Way {
    /// A direction whose chances are those of `seed`.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: Chance::new(seed),
            bad: false,
            line_free: Duration::ZERO,
            last_due: Duration::ZERO,
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            offered: 0,
            counts: Counts::default(),
        }
    }

    /// The conditions now.
    #[must_use]
    pub const fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// From now on it is like this. What is on its way arrives when it was to arrive, unless the line
    /// is cut.
    pub fn set(&mut self, conditions: Conditions) {
        if conditions.is_cut {
            let lost = self.in_flight.len() as u64;
            self.counts.passed -= lost;
            self.counts.cut += lost;
            self.in_flight.clear();
            self.in_flight_bytes = 0;
        }
        self.conditions = conditions;
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// A packet enters at `now`.
    pub fn offer(&mut self, now: Duration, packet: &[u8]) -> Fate {
        let fate = self.decide(now, packet);
        let count = match fate {
            Fate::Passes => &mut self.counts.passed,
            Fate::Lost => &mut self.counts.lost,
            Fate::NoRoom => &mut self.counts.no_room,
            Fate::TooLarge => &mut self.counts.too_large,
            Fate::Cut => &mut self.counts.cut,
        };
        *count += 1;
        fate
    }

    fn decide(&mut self, now: Duration, packet: &[u8]) -> Fate {
        let conditions = self.conditions;
        self.offered += 1;
        // Drawn for every packet, so that a change of one condition leaves the others' chances alone.
        let is_lost = conditions.loss.strikes(&mut self.chance, &mut self.bad);
        let (jitter, overtaking) = (self.chance.draw(), self.chance.draw());
        if conditions.is_cut {
            return Fate::Cut;
        }
        if conditions
            .black_hole_over
            .is_some_and(|limit| packet.len() > limit)
        {
            return Fate::TooLarge;
        }
        if is_lost {
            return Fate::Lost;
        }
        if self.in_flight_bytes + packet.len() > IN_FLIGHT_MAX {
            return Fate::NoRoom;
        }
        let mut due = now;
        if let Some(rate) = conditions.rate {
            let start = self.line_free.max(now);
            let queued = start.saturating_sub(now) + rate.time_for(packet.len());
            if queued > rate.time_for(rate.queue) {
                return Fate::NoRoom;
            }
            due = start + rate.time_for(packet.len());
            self.line_free = due;
        }
        due += conditions.delay + conditions.jitter.mul_f64(jitter);
        if overtaking < conditions.overtaken {
            due += conditions.overtaken_by;
        } else {
            due = due.max(self.last_due);
            self.last_due = due;
        }
        self.in_flight_bytes += packet.len();
        self.in_flight.insert((due, self.offered), packet.to_vec());
        Fate::Passes
    }

    /// Takes out the next packet that is due by `now`.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        let next = self.in_flight.first_entry()?;
        if next.key().0 > now {
            return None;
        }
        let packet = next.remove();
        self.in_flight_bytes -= packet.len();
        Some(packet)
    }

    /// When the next packet is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.in_flight.first_key_value().map(|(key, _)| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn packet(number: u32, len: usize) -> Vec<u8> {
        let mut packet = vec![0; len];
        packet[..4].copy_from_slice(&number.to_le_bytes());
        packet
    }

    /// Offers one packet each millisecond, and takes out what is due; the packets' numbers with their
    /// times in milliseconds.
    fn pass(way: &mut Way, packets: u32, len: usize) -> Vec<(u32, u128)> {
        let mut arrived = Vec::new();
        let mut now = Duration::ZERO;
        for number in 0..packets {
            way.offer(now, &packet(number, len));
            now += MS;
            while let Some(due) = way.next_due().filter(|due| *due <= now) {
                let packet = way.take(due).unwrap();
                let number = u32::from_le_bytes(packet[..4].try_into().unwrap());
                arrived.push((number, due.as_millis()));
            }
        }
        while let Some(due) = way.next_due() {
            let packet = way.take(due).unwrap();
            let number = u32::from_le_bytes(packet[..4].try_into().unwrap());
            arrived.push((number, due.as_millis()));
        }
        arrived
    }

    #[test]
    fn a_seed_is_one_story() {
        let conditions = Conditions {
            delay: 20 * MS,
            jitter: 7 * MS,
            loss: Loss::Bursts {
                share: 0.05,
                length: 3.0,
                density: 0.8,
            },
            overtaken: 0.02,
            overtaken_by: 5 * MS,
            ..Conditions::default()
        };
        let story = |seed| pass(&mut Way::new(conditions, seed), 5000, 100);
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
    }

    #[test]
    fn jitter_keeps_the_order_and_overtaking_does_not() {
        let mut conditions = Conditions {
            delay: 20 * MS,
            jitter: 30 * MS,
            ..Conditions::default()
        };
        let numbers = |conditions| -> Vec<u32> {
            let arrived = pass(&mut Way::new(conditions, 5), 2000, 100);
            arrived.into_iter().map(|(number, _)| number).collect()
        };
        assert!(numbers(conditions).is_sorted());
        conditions.overtaken = 0.1;
        conditions.overtaken_by = 40 * MS;
        let mut mixed = numbers(conditions);
        assert!(!mixed.is_sorted());
        mixed.sort_unstable();
        assert_eq!(mixed, (0..2000).collect::<Vec<_>>());
    }

    #[test]
    fn delay_is_kept_to_the_millisecond() {
        let conditions = Conditions {
            delay: 20 * MS,
            ..Conditions::default()
        };
        for (number, at) in pass(&mut Way::new(conditions, 1), 500, 100) {
            assert_eq!(at, u128::from(number) + 20);
        }
    }

    #[test]
    fn a_rate_queues_and_then_drops() {
        // 1000 bytes each millisecond come in, half of that goes out; 50 kB may wait.
        let conditions = Conditions {
            rate: Some(Rate {
                kbit: 4000,
                queue: 50_000,
            }),
            ..Conditions::default()
        };
        let mut way = Way::new(conditions, 1);
        let arrived = pass(&mut way, 1000, 1000);
        let counts = way.counts();
        assert_eq!(counts.passed, arrived.len() as u64);
        assert_eq!(counts.passed + counts.no_room, 1000);
        assert!((500..=560).contains(&arrived.len()), "{counts:?}");
        let waited = arrived.iter().map(|(number, at)| at - u128::from(*number));
        let longest = waited.max().unwrap();
        assert!((95..=100).contains(&longest), "{longest} ms");
    }

    #[test]
    fn what_is_too_large_vanishes() {
        let conditions = Conditions {
            black_hole_over: Some(1280),
            ..Conditions::default()
        };
        let mut way = Way::new(conditions, 1);
        assert_eq!(way.offer(MS, &packet(0, 1281)), Fate::TooLarge);
        assert_eq!(way.offer(MS, &packet(1, 1280)), Fate::Passes);
        assert_eq!(way.take(MS).unwrap().len(), 1280);
    }

    #[test]
    fn a_cut_loses_what_is_on_its_way_and_ends() {
        let conditions = Conditions {
            delay: 20 * MS,
            ..Conditions::default()
        };
        let mut way = Way::new(conditions, 1);
        way.offer(Duration::ZERO, &packet(0, 100));
        let cut = Conditions {
            is_cut: true,
            ..conditions
        };
        way.set(cut);
        assert_eq!(way.offer(MS, &packet(1, 100)), Fate::Cut);
        assert_eq!(way.next_due(), None);
        way.set(conditions);
        assert_eq!(way.offer(MS, &packet(2, 100)), Fate::Passes);
        assert_eq!(way.next_due(), Some(21 * MS));
        let expected = Counts {
            passed: 1,
            cut: 2,
            ..Counts::default()
        };
        assert_eq!(way.counts(), expected);
    }

    #[test]
    fn loss_that_begins_midway_leaves_the_rest_of_the_story() {
        let lossy = Conditions {
            loss: Loss::Single(0.5),
            ..Conditions::default()
        };
        let fates = |change_at: u32| -> Vec<Fate> {
            let mut way = Way::new(Conditions::default(), 9);
            let mut fate = |number| {
                if number == change_at {
                    way.set(lossy);
                }
                way.offer(Duration::ZERO, &packet(number, 100))
            };
            (0..1000).map(&mut fate).collect()
        };
        let (early, late) = (fates(0), fates(500));
        assert!(late[..500].iter().all(|fate| *fate == Fate::Passes));
        assert_eq!(early[500..], late[500..]);
        assert!(early[..500].contains(&Fate::Lost));
    }
}
