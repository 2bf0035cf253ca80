//! The writes of records that have taken effect, as an observer of the simulated tables hears of them.

use std::fmt;

use crate::{base::time::Time, record::Record};

/// A write of a job's record that has just taken effect.
#[derive(Clone, Copy, Debug)]
pub struct AppliedWrite<'a> {
    /// The name of the port call, such as `settle`.
    pub call: &'static str,
    /// When it took effect.
    pub at: Time,
    /// The record before; `None` if there was none.
    pub before: Option<&'a Record>,
    /// The record now.
    pub after: &'a Record,
}

/// Who is told of each write of a record.
#[derive(Default)]
pub(super) struct Observer(pub(super) Option<Hears>);

/// What is called with each write.
type Hears = Box<dyn FnMut(&AppliedWrite<'_>) + Send>;

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}
