//! A credential: a secret that is read on first use, cached, and read again when the service
//! refuses it.

use std::{sync::Mutex, time::Duration};

use crate::{
    base::{
        secret::Secret,
        time::{Clock, Time},
    },
    ports::{PortError, SecretSource},
};

/// Minimum time between two reads after refusals. While a revoked key is refused, ten jobs a second
/// must not cause ten reads a second.
const SHORTEST_REREAD: Duration = Duration::from_secs(10);

/// A credential from a [`SecretSource`], cached for the life of the container.
pub struct Credential<S, C> {
    source: S,
    clock: C,
    cached: Mutex<Option<(Secret, Time)>>,
    /// Held while the secret is read. Holds the error and the time of the last read if it failed.
    reading: tokio::sync::Mutex<Option<(PortError, Time)>>,
}

impl<S: SecretSource, C: Clock> Credential<S, C> {
    /// A credential whose secret has not been read yet.
    pub const fn new(source: S, clock: C) -> Self {
        Self {
            source,
            clock,
            cached: Mutex::new(None),
            reading: tokio::sync::Mutex::const_new(None),
        }
    }

    /// Returns the secret; the first call reads it from the source.
    pub async fn get(&self) -> Result<Secret, PortError> {
        let cached = || self.cached().as_ref().map(|(secret, _)| secret.clone());
        if let Some(secret) = cached() {
            return Ok(secret);
        }
        let mut failed = self.reading.lock().await;
        match cached() {
            Some(secret) => Ok(secret),
            None => self.read(&mut failed).await,
        }
    }

    /// Returns the secret after the service refused `refused`. Reads it again, unless it was read
    /// just before.
    ///
    /// Returns `None` if the secret is still the refused one, so that a retry is pointless.
    pub async fn after_refusal(&self, refused: &Secret) -> Result<Option<Secret>, PortError> {
        // One caller reads at a time; the others find its result in the cache.
        let mut failed = self.reading.lock().await;
        let cached = self.cached().clone();
        let secret = match cached {
            Some((secret, _)) if secret != *refused => secret,
            Some((_, read_at)) if self.clock.now().since(read_at) < SHORTEST_REREAD => {
                return Ok(None);
            }
            _ => self.read(&mut failed).await?,
        };
        Ok((secret != *refused).then_some(secret))
    }

    /// Reads the secret, unless the last read failed just before: a caller that has waited for a
    /// hung read must not wait for another one.
    async fn read(&self, failed: &mut Option<(PortError, Time)>) -> Result<Secret, PortError> {
        if let Some((error, at)) = failed
            && self.clock.now().since(*at) < SHORTEST_REREAD
        {
            return Err(error.clone());
        }
        match self.source.fetch().await.map(|text| Secret::new(text.trim())) {
            Ok(secret) if !secret.expose().is_empty() => {
                *failed = None;
                *self.cached() = Some((secret.clone(), self.clock.now()));
                Ok(secret)
            }
            Ok(_) => Err(PortError::Broken("the secret is empty".into())),
            Err(error) => {
                *failed = Some((error.clone(), self.clock.now()));
                Err(error)
            }
        }
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Option<(Secret, Time)>> {
        // A panic while the lock was held leaves a consistent value: nothing to repair.
        self.cached.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::testing::TestClock;

    /// Returns a new key after every `rotations` reads.
    struct Rotating {
        reads: AtomicU64,
        rotations: u64,
    }

    impl SecretSource for &Rotating {
        async fn fetch(&self) -> Result<String, PortError> {
            let read = self.reads.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
            Ok(format!(" key-{} \n", read / self.rotations))
        }
    }

    struct Blank;

    impl SecretSource for Blank {
        async fn fetch(&self) -> Result<String, PortError> {
            Ok(" \n".into())
        }
    }

    struct At<'a>(&'a AtomicU64);

    impl Clock for At<'_> {
        fn now(&self) -> Time {
            Time::from_millis(self.0.load(Relaxed))
        }
    }

    #[tokio::test]
    async fn the_secret_is_read_once_and_again_after_a_refusal() {
        let source = Rotating { reads: AtomicU64::new(0), rotations: 1 };
        let now = AtomicU64::new(0);
        let credential = Credential::new(&source, At(&now));
        let first = credential.get().await.unwrap();
        assert_eq!(first.expose(), "key-0");
        assert_eq!(credential.get().await.unwrap(), first);
        assert_eq!(source.reads.load(Relaxed), 1);
        assert_eq!(credential.after_refusal(&first).await, Ok(None), "just read");
        now.store(10_000, Relaxed);
        let second = credential.after_refusal(&first).await.unwrap().unwrap();
        assert_eq!(second.expose(), "key-1");
        // Another job that was refused with the old key gets the new one without another read.
        assert_eq!(credential.after_refusal(&first).await, Ok(Some(second)));
        assert_eq!(source.reads.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn concurrent_refusals_cause_one_read() {
        let source = Rotating { reads: AtomicU64::new(0), rotations: 1 };
        let now = AtomicU64::new(0);
        let credential = Credential::new(&source, At(&now));
        let first = credential.get().await.unwrap();
        now.store(60_000, Relaxed);
        let refused = (0..10).map(|_| credential.after_refusal(&first));
        for fresh in futures_util::future::join_all(refused).await {
            assert_eq!(fresh.unwrap().unwrap().expose(), "key-1");
        }
        assert_eq!(source.reads.load(Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_wait_for_a_hung_read_wait_once() {
        struct Hanging(AtomicU64);
        impl SecretSource for &Hanging {
            async fn fetch(&self) -> Result<String, PortError> {
                self.0.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_secs(2)).await;
                Err(PortError::Unavailable("timed out".into()))
            }
        }
        let source = Hanging(AtomicU64::new(0));
        let credential = Credential::new(&source, TestClock::default());
        let started = tokio::time::Instant::now();
        let reads = (0..10).map(|_| credential.get());
        for read in futures_util::future::join_all(reads).await {
            assert!(read.is_err());
        }
        assert_eq!(started.elapsed(), Duration::from_secs(2));
        tokio::time::advance(SHORTEST_REREAD).await;
        assert!(credential.get().await.is_err());
        assert_eq!(source.0.load(Relaxed), 2, "a later call tries again");
    }

    #[tokio::test]
    async fn an_empty_secret_is_an_error() {
        let now = AtomicU64::new(0);
        let credential = Credential::new(Blank, At(&now));
        assert!(matches!(credential.get().await, Err(PortError::Broken(_))));
    }

    #[tokio::test]
    async fn rereads_of_a_refused_key_are_limited() {
        let source = Rotating { reads: AtomicU64::new(0), rotations: 1000 };
        let now = AtomicU64::new(0);
        let credential = Credential::new(&source, At(&now));
        let key = credential.get().await.unwrap();
        for second in 0..60 {
            now.store(second * 1000, Relaxed);
            assert_eq!(credential.after_refusal(&key).await, Ok(None));
        }
        assert_eq!(source.reads.load(Relaxed), 6);
    }
}
