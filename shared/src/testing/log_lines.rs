//! The log lines of a test.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::subscriber::DefaultGuard;

use crate::telemetry;

/// Log lines as the functions write them to standard output, collected instead; clones share them.
#[derive(Clone, Debug, Default)]
pub struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Collects what is logged on this thread, until the guard is dropped.
    #[must_use]
    pub fn collect(&self) -> DefaultGuard {
        let lines = self.clone();
        tracing::subscriber::set_default(telemetry::lines(move || lines.clone()))
    }

    /// The lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_collected_until_the_guard_is_dropped() {
        let lines = LogLines::default();
        {
            let _guard = lines.collect();
            tracing::info!(found = "this", "said");
        }
        tracing::info!(found = "not this", "said");
        let text = lines.text();
        assert!(text.contains(r#""found":"this""#) && !text.contains("not this"), "{text}");
    }
}
