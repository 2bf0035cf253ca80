//! Pseudo-random draws that are the same on every run.

/// The `nth` draw for `key` under `seed`: 64 bits that depend only on the arguments.
///
/// Each key has its own draws, instead of one stream in order of arrival. A run with concurrent
/// calls is therefore repeatable: which call arrives first does not decide which one is struck. The
/// hash is FNV-1a over the key, finished with the mixer of `SplitMix64`.
pub(crate) fn draw(seed: u64, key: &str, nth: u64) -> u64 {
    let hashed = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    [seed, nth].into_iter().fold(mix(hashed), |state, part| mix(state ^ mix(part)))
}

/// A draw as a number from 0 (inclusive) to 1 (exclusive).
pub(crate) fn fraction(seed: u64, key: &str, nth: u64) -> f64 {
    let high = u32::try_from(draw(seed, key, nth) >> 32).unwrap_or(u32::MAX);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_key_and_turn() {
        let base = draw(7, "a", 0);
        assert_eq!(base, draw(7, "a", 0));
        assert_ne!(base, draw(8, "a", 0));
        assert_ne!(base, draw(7, "b", 0));
        assert_ne!(base, draw(7, "a", 1));
    }

    #[test]
    fn a_fifth_of_many_draws_is_below_a_fifth() {
        let under = (0..10_000).filter(|nth| fraction(7, "key", *nth) < 0.2).count();
        assert!((1_900..2_100).contains(&under), "{under}");
    }
}
