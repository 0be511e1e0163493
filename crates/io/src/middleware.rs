//! Links around links: captures and faults, in labs as in tests.

mod capture;
mod corrupt;
mod delay;
mod lossy;

pub use capture::Capture;
pub use corrupt::Corrupt;
pub use delay::Delay;
pub use lossy::Lossy;

/// How often something happens, from never (0) to always (1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probability {
    /// Of 2^32 draws.
    hits: u64,
}

/// A number that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a probability; it must lie between 0 and 1")]
pub struct NotAProbability(pub f64);

impl Probability {
    /// A probability between 0 and 1, both included.
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if !(0.0..=1.0).contains(&value) {
            return Err(NotAProbability(value));
        }
        // Exact for 0 and 1; at most 2^32, so nothing is cut.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Self { hits: (value * 4_294_967_296.0) as u64 })
    }
}

/// SplitMix64: small, seeded, and good enough to lose packets by.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
struct Dice {
    state: u64,
}

impl Dice {
    const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    const fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    const fn hit(&mut self, probability: Probability) -> bool {
        (self.roll() >> 32) < probability.hits
    }

    /// A number below `end`, 0 if there is none.
    const fn below(&mut self, end: u64) -> u64 {
        match self.roll().checked_rem(end) {
            Some(n) => n,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        let mut dice = Dice::new(1_234_567);
        let rolled: Vec<u64> = (0..5).map(|_| dice.roll()).collect();
        assert_eq!(
            rolled,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn never_and_always_are_exact() {
        let mut dice = Dice::new(1);
        let (never, always) = (Probability::new(0.0).unwrap(), Probability::new(1.0).unwrap());
        assert!((0..10_000).all(|_| !dice.hit(never) && dice.hit(always)));
        for bad in [-0.1, 1.1, f64::NAN] {
            assert!(Probability::new(bad).is_err());
        }
    }
}
