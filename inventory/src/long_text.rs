//! Long texts from outside are read beside the runtime's thread, so that the other jobs of a batch and their deadlines
//! go on.

use std::panic::resume_unwind;

use evenkeel::failure::{Class, Failure};
use tokio::task::spawn_blocking;

/// From this length on, in bytes, a text is read on a thread of its own: the longest takes about a second.
pub const LONG_BYTES: usize = 256 * 1024;

/// What `read` finds in a text of this length in bytes. Waits for the thread that reads a long text.
///
/// If the caller ends before, such a reading goes on without effect; its [`Budget`](crate::budget::Budget) bounds it.
/// Fails only if the runtime ends. A panic of `read` is passed on.
pub async fn read<T: Send + 'static>(
    length: usize,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if length < LONG_BYTES {
        return Ok(read());
    }
    match spawn_blocking(read).await {
        Ok(found) => Ok(found),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that ends cancels it.
            Err(error) => Err(Failure::new(Class::Transient, "interrupted", error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, time::Duration};

    use super::*;

    /// Whether something else goes on while a text of this length is read.
    async fn lets_others_go_on(length: usize) -> bool {
        tokio::select! {
            biased;
            _ = read(length, || ()) => false,
            () = ready(()) => true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_read_while_others_go_on() {
        assert!(!lets_others_go_on(LONG_BYTES - 1).await);
        assert!(lets_others_go_on(LONG_BYTES).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_for_a_long_text() {
        for length in [0, LONG_BYTES] {
            let within =
                tokio::time::timeout(Duration::from_millis(1), read(length, move || length));
            assert_eq!(within.await.unwrap().unwrap(), length);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_a_long_reading_is_passed_on() {
        let reading = tokio::spawn(read::<()>(LONG_BYTES, || panic!("a bug")));
        let error: tokio::task::JoinError = reading.await.map(drop).unwrap_err();
        assert!(error.is_panic());
    }
}
