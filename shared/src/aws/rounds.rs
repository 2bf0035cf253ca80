//! The rounds of a batch: DynamoDB may leave a part of one undone, when a partition is busy. Each round asks for what
//! the one before has left.

use std::time::Duration;

use crate::base::random::{Random, SystemRandom};

/// The longest pause before the second round; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Doublings after which the pause stays as long as it is.
const MOST_DOUBLINGS: u32 = 6;

/// Waits before a round, counted from 0: not before the first, and then longer with each round. The pauses are drawn,
/// so that processes whose batches were cut at one moment do not come back at one moment.
pub async fn pause(round: u32) {
    if let Some(further) = round.checked_sub(1) {
        tokio::time::sleep(length(further, SystemRandom.unit())).await;
    }
}

/// The pause before a further round, counted from 0: between half of the longest one and all of it. `draw` is from
/// `[0, 1)`.
fn length(further: u32, draw: f64) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.pow(further.min(MOST_DOUBLINGS));
    longest.mul_f64(0.5 + draw / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_limit_and_at_least_half_of_it_remains() {
        let ms = |further, draw| length(further, draw).as_millis();
        assert_eq!([0, 1, 2, 6, 60].map(|further| ms(further, 0.0)), [25, 50, 100, 1_600, 1_600]);
        assert_eq!([0, 3].map(|further| ms(further, 0.5)), [37, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_round_does_not_wait() {
        let began = tokio::time::Instant::now();
        pause(0).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        pause(1).await;
        assert!(began.elapsed() >= FIRST_PAUSE / 2, "{:?}", began.elapsed());
    }
}
