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

use schemars::{JsonSchema, generate::SchemaSettings};
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
#[cfg(any(test, feature = "testing"))]
use crate::schema::{FieldProblem, Schema};

/// The schema of what is written: a field that is always written is required, also if a reader could do without it.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
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

/// Every way in which an output differs from the schema of this name. A field that the schema does not name is one.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn problems(name: &str, output: &Value) -> Vec<FieldProblem> {
    let Some((_, mut schema)) = all().into_iter().find(|(known, _)| *known == name) else {
        let problem = format!("no schema of the name {name}");
        return vec![FieldProblem { field: "body".to_owned(), problem }];
    };
    close(&mut schema);
    Schema::of_output(schema).problems(output)
}

/// Allows in each object only the fields that its schema names, unless it says itself what others may be.
#[cfg(any(test, feature = "testing"))]
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn an_output_that_differs_from_its_schema_is_found() {
        let problems = |value: Value| super::problems("ops log", &value);
        let log = json!({ "operations": [], "more": false, "read_units": 0.5 });
        assert_eq!(problems(log.clone()), []);
        for (field, value) in [
            ("more", json!("no")),
            ("operations", json!([{ "id": 7 }])),
            ("other", json!(1)),
            ("cursor", json!({ "a": 1 })),
        ] {
            let mut wrong = log.clone();
            wrong[field] = value;
            assert_ne!(problems(wrong), [], "{field}");
        }
        assert_ne!(problems(json!({ "operations": [], "more": false })), []);
        assert_ne!(super::problems("ops nope", &log), []);
    }

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
