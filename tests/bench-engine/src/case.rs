//! What is counted.

use std::{future::Future, hint::black_box};

use serde_json::{Value, json};

/// One thing that is done many times.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What the instructions are counted for, such as `batch`.
    pub(crate) unit: &'static str,
    /// Length of the input, if the instructions are counted for each megabyte of it.
    pub(crate) bytes: Option<usize>,
    /// How many times the shorter of the two runs does it.
    pub(crate) rounds: u32,
    /// Sets up, and does it so many times.
    pub(crate) run: Box<dyn Fn(u32)>,
}

impl Case {
    /// A case that needs no runtime. `set_up` returns what is done each time.
    pub(crate) fn pure<T, W: FnMut() -> T>(
        name: &str,
        unit: &'static str,
        rounds: u32,
        set_up: impl Fn() -> W + 'static,
    ) -> Self {
        let run = move |times: u32| {
            let mut work = set_up();
            for _ in 0..times {
                black_box(work());
            }
        };
        Self { name: name.to_owned(), unit, bytes: None, rounds, run: Box::new(run) }
    }

    /// A case on a runtime in virtual time. `run` sets up, and does it so many times.
    pub(crate) fn of_future<F: Future<Output = ()>>(
        name: &str,
        unit: &'static str,
        rounds: u32,
        run: impl Fn(u32) -> F + 'static,
    ) -> Self {
        let run = move |times: u32| in_virtual_time(run(times));
        Self { name: name.to_owned(), unit, bytes: None, rounds, run: Box::new(run) }
    }

    /// The same case, counted for each megabyte of an input of so many bytes.
    pub(crate) fn per_megabyte(self, bytes: usize) -> Self {
        Self { unit: "MB", bytes: Some(bytes), ..self }
    }

    /// What the command has to know of it.
    pub(crate) fn described(&self) -> Value {
        let Self { name, unit, bytes, rounds, .. } = self;
        json!({ "name": name, "unit": unit, "bytes": bytes, "rounds": rounds })
    }
}

fn in_virtual_time(work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(work);
}
