//! The JSON output of each command. Every time is in milliseconds since 1970 UTC; a field without a value is left out.

mod cars;
mod dead_letters;
mod explanation;
mod feeds;
mod lint;
mod operations;
mod records;
mod report;
mod stack;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

pub use cars::{AmbiguousCar, CarExported, CarsExported, ImportedLink, LinksImported};
pub use dead_letters::{DeadLetterList, DeadLetterShown};
pub use explanation::{Advice, Ahead, Expected, Explanation, Gate, GateKind};
pub use feeds::{FeedChanged, FeedList, FeedShown};
pub use lint::{Finding, Linted};
pub use operations::{
    FindingList, FindingShown, OperationList, OperationShown, Preview, SweepAction, SweepPreview,
    Swept,
};
pub use records::{
    CarList, CarShown, CarSummary, Counts, Happened, JobChange, JobList, JobShown, JobSummary,
    Noted, RejectedShown,
};
pub use report::{
    Cut, DependencyReport, ForecastReport, HostReport, Kpi, PatternReport, Report, TypeReport,
};
pub use stack::{
    BreakerList, BreakerShown, Check, Checks, HealthReport, LimiterShown, PinShown, Problem,
    QueueList, QueueShown, Row, RowProblem, Submitted, Verdict,
};

use crate::exit::Failure;

fn of<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

/// The JSON Schema of each command's output, by the command's words, and that of `error`.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("jobs list", of::<JobList>()),
        ("jobs show", of::<JobShown>()),
        ("jobs explain", of::<Explanation>()),
        ("jobs wait", of::<JobShown>()),
        ("jobs tail", of::<JobChange>()),
        ("rejected list", of::<JobList>()),
        ("rejected show", of::<RejectedShown>()),
        ("dlq", of::<DeadLetterList>()),
        ("breaker list", of::<BreakerList>()),
        ("breaker show", of::<BreakerShown>()),
        ("limiter show", of::<LimiterShown>()),
        ("queues list", of::<QueueList>()),
        ("health", of::<HealthReport>()),
        ("report", of::<Report>()),
        ("cars list", of::<CarList>()),
        ("cars show", of::<CarShown>()),
        ("cars export", of::<CarsExported>()),
        ("cars import-links", of::<LinksImported>()),
        ("feeds list", of::<FeedList>()),
        ("feeds add", of::<FeedChanged>()),
        ("feeds pause", of::<FeedChanged>()),
        ("feeds resume", of::<FeedChanged>()),
        ("feeds remove", of::<FeedChanged>()),
        ("feeds run", of::<FeedChanged>()),
        ("submit", of::<Submitted>()),
        ("doctor", of::<Checks>()),
        ("lint", of::<Linted>()),
        ("preview", of::<Preview>()),
        ("operation", of::<OperationShown>()),
        ("ops log", of::<OperationList>()),
        ("ops show", of::<OperationShown>()),
        ("sweep", of::<Swept>()),
        ("sweep --dry-run", of::<SweepPreview>()),
        ("audit run", of::<Swept>()),
        ("audit findings", of::<FindingList>()),
        ("error", of::<Failure>()),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_shape_is_a_documented_object() {
        for (command, schema) in super::all() {
            assert_eq!(schema["type"], "object", "{command}");
            assert!(
                schema["description"].as_str().is_some_and(|text| text.len() > 10),
                "{command}"
            );
        }
    }
}
