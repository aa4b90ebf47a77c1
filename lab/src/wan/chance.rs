//! Chance that comes out the same each time: numbers from a seed, and the loss of packets by them.
//!
//! No more than an emulator needs, and nothing for cryptography.

/// Numbers that look random and depend on the seed alone (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, at least 0 and below 1.
    pub fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper 32 bits are enough, and exact as a float.
        f64::from(u32::try_from(z >> 32).unwrap_or(u32::MAX)) / 4_294_967_296.0
    }
}

/// Which packets are lost. Shares are between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    Never,
    /// Each by itself, this share of them.
    Single(f64),
    /// In bursts, by the model of Gilbert and Elliott: a good state that loses nothing, and a bad one.
    Bursts {
        /// The share of all packets that is lost in the long run.
        share: f64,
        /// Packets that a bad state lasts on average, at least 1.
        length: f64,
        /// The share that is lost while it lasts.
        density: f64,
    },
}

impl Loss {
    /// Whether the next packet is lost. `bad` is the state that the model keeps from packet to packet.
    /// Draws one or two numbers, as many whatever they come to.
    pub(super) fn strikes(self, chance: &mut Chance, bad: &mut bool) -> bool {
        let (first, second) = (chance.draw(), chance.draw());
        match self {
            Self::Never => {
                *bad = false;
                false
            }
            Self::Single(share) => {
                *bad = false;
                first < share
            }
            Self::Bursts {
                share,
                length,
                density,
            } => {
                let leave = 1.0 / length.max(1.0);
                // In the long run the bad state has `enter / (enter + leave)` of all packets, which
                // must be the share divided by the density.
                let bad_share = (share / density).clamp(0.0, 0.999);
                let enter = leave * bad_share / (1.0 - bad_share);
                *bad = if *bad { first >= leave } else { first < enter };
                *bad && second < density
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(loss: Loss, seed: u64, packets: usize) -> Vec<bool> {
        let (mut chance, mut bad) = (Chance::new(seed), false);
        let strikes = |_| loss.strikes(&mut chance, &mut bad);
        (0..packets).map(strikes).collect()
    }

    fn share(losses: &[bool]) -> f64 {
        let lost = losses.iter().filter(|lost| **lost).count();
        f64::from(u32::try_from(lost).unwrap()) / f64::from(u32::try_from(losses.len()).unwrap())
    }

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let loss = Loss::Single(0.1);
        assert_eq!(losses(loss, 7, 10_000), losses(loss, 7, 10_000));
        assert_ne!(losses(loss, 7, 10_000), losses(loss, 8, 10_000));
    }

    #[test]
    fn as_many_are_lost_as_asked_for() {
        for asked in [0.01, 0.05, 0.3] {
            let single = share(&losses(Loss::Single(asked), 1, 200_000));
            assert!((single / asked - 1.0).abs() < 0.1, "{single} of {asked}");
            for density in [1.0, 0.6] {
                let loss = Loss::Bursts {
                    share: asked,
                    length: 3.0,
                    density,
                };
                let burst = share(&losses(loss, 1, 200_000));
                assert!((burst / asked - 1.0).abs() < 0.1, "{burst} of {asked}");
            }
        }
        assert!(!losses(Loss::Never, 1, 1000).contains(&true));
    }

    #[test]
    fn bursts_are_as_long_as_asked_for() {
        let bursts = Loss::Bursts {
            share: 0.05,
            length: 4.0,
            density: 1.0,
        };
        let losses = losses(bursts, 3, 400_000);
        let starts = losses.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let lost = losses.iter().filter(|lost| **lost).count();
        let mean =
            f64::from(u32::try_from(lost).unwrap()) / f64::from(u32::try_from(starts).unwrap());
        assert!((3.6..4.4).contains(&mean), "{mean}");
    }
}
