//! Random numbers as an argument. Only this file asks the operating system for random bytes; tests
//! pass a seeded source.

/// A source of random numbers.
pub trait Random: Send + Sync {
    /// 64 random bits.
    fn bits(&self) -> u64;

    /// A number drawn uniformly from `[0, 1)`, with 53 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    fn unit(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A unique token: 128 random bits as 32 hexadecimal digits.
    fn token(&self) -> String {
        format!("{:016x}{:016x}", self.bits(), self.bits())
    }
}

/// The random number generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
    fn bits(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without entropy, two owner tokens could be equal, so the process stops.
        #[expect(clippy::expect_used, reason = "a machine without random numbers cannot go on")]
        getrandom::fill(&mut bytes).expect("the operating system provides random numbers");
        u64::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Random for Fixed {
        fn bits(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn unit_covers_zero_to_just_below_one() {
        assert!(Fixed(0).unit().abs() < f64::EPSILON);
        let most = Fixed(u64::MAX).unit();
        assert!(most < 1.0 && most > 0.999_999);
    }

    #[test]
    fn tokens_have_128_bits_and_differ() {
        assert_eq!(Fixed(1).token(), "00000000000000010000000000000001");
        assert_ne!(SystemRandom.token(), SystemRandom.token());
    }
}
