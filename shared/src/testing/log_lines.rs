//! The log lines of a test.

use std::{
    fmt::{self, Write as _},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

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

/// Looks for a text in all values that are logged. It formats no lines, which take most of the time of logging; clones
/// share what they have found.
#[derive(Clone, Debug)]
pub struct LogSearch {
    text: &'static str,
    found: Arc<Mutex<Option<String>>>,
}

impl LogSearch {
    /// A search for `text`, which found nothing yet.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { text, found: Arc::default() }
    }

    /// Searches what is logged on this thread, until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// The first field and value with the text.
    #[must_use]
    pub fn found(&self) -> Option<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscriber for LogSearch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut values = Values { text: self.text, value: String::new(), found: None };
        event.record(&mut values);
        if let Some(found) = values.found {
            let mut first = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(found);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Looks for a text in the values of an event.
struct Values {
    text: &'static str,
    /// The latest value that is no text, as one.
    value: String,
    found: Option<String>,
}

impl Visit for Values {
    fn record_u64(&mut self, _: &Field, _: u64) {}

    fn record_i64(&mut self, _: &Field, _: i64) {}

    fn record_bool(&mut self, _: &Field, _: bool) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if value.contains(self.text) {
            self.found = Some(format!("{field}: {value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.value.clear();
        // A value that cannot be formatted is not logged either.
        let _ = write!(self.value, "{value:?}");
        if self.value.contains(self.text) {
            self.found = Some(format!("{field}: {}", self.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_values_of_any_kind_and_only_in_what_is_logged() {
        let inside = ["a", "the-text"];
        let found = |log: &dyn Fn()| {
            let search = LogSearch::new("the-text");
            let guard = search.begin();
            log();
            drop(guard);
            search.found()
        };
        let said = found(&|| tracing::info!(value = "with the-text in it", "said"));
        assert_eq!(said.as_deref(), Some("value: with the-text in it"));
        assert!(found(&|| tracing::warn!(?inside, "said")).is_some());
        assert!(found(&|| tracing::error!("said the-text")).is_some());
        assert_eq!(found(&|| tracing::info!(value = "the text", count = 7, "said")), None);
        assert_eq!(found(&|| tracing::debug!(value = "the-text", "not logged")), None);
    }

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
