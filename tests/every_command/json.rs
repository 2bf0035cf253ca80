//! Every JSON output against the schema of its command, and every error against that of errors. A field that a schema
//! does not name is an error as well.

use evenkeel_cli::{
    Exit, Failure,
    ports::Fault,
    schema::FieldProblem,
    shapes::{self, JobChange},
};
use serde_json::Value;

use super::{
    CHANGES, WITHOUT_SHAPE,
    calls::{READING, WRITING, Written, dry_runs, words, written, written_with},
    leaves,
};

/// Commands that show their answer again and again with `--watch`.
const WATCHED: [(&str, &[&str]); 7] = [
    ("breaker list", &[]),
    ("breaker show", &["shop"]),
    ("health", &[]),
    ("jobs list", &[]),
    ("limiter show", &["shop"]),
    ("ops show", &["1"]),
    ("queues list", &[]),
];

/// Files that `lint` reads: one of each kind, with findings and without.
const LINTED: [&str; 4] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/cmd/lint.in/function.toml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/cmd/lint.in/template.yaml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/cmd/lint.in/jobs.jsonl"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/url-shortening/function.toml"),
];

/// The name of the schema of a command's output.
fn shape<'a>(name: &'a str, arguments: &[&str]) -> &'a str {
    let is_dry = arguments.contains(&"--dry-run");
    match name {
        "sweep" if is_dry => "sweep --dry-run",
        name if CHANGES.contains(&name) && is_dry => "preview",
        name if CHANGES.contains(&name) => "operation",
        name => name,
    }
}

/// The lines of a text that are JSON objects.
fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The field of a schema that is a list and that a value lacks.
fn missing_list(shape: &str, value: &Value) -> String {
    let shapes = shapes::all();
    let (_, schema) = shapes.iter().find(|(name, _)| *name == shape).unwrap();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing: Vec<&str> = required.filter(|name| value.get(name).is_none()).collect();
    let [list] = missing.as_slice() else { panic!("{shape} lacks {missing:?}: {value}") };
    assert_eq!(schema["properties"][*list]["type"], "array", "{shape}: {list}");
    (*list).to_owned()
}

/// The problems of an output in lines. Of a list each entry is a line, and what else belongs to it is on standard
/// error; of anything else, each line is an answer.
fn problems_of_lines(shape: &str, written: &Written) -> Vec<FieldProblem> {
    let lines = objects(&written.out);
    assert_eq!(lines.len(), written.out.lines().count(), "only JSON: {}", written.out);
    match objects(&written.err).pop() {
        Some(mut whole) => {
            let list = missing_list(shape, &whole);
            whole[list] = lines.into();
            shapes::problems(shape, &whole)
        }
        None => lines.iter().flat_map(|line| shapes::problems(shape, line)).collect(),
    }
}

/// Runs a command, in JSON and in lines of it, and compares what it writes with its schema.
async fn compare(name: &str, arguments: &[&str]) {
    let shape = shape(name, arguments);
    // It goes on, so that its JSON is in lines as well.
    let is_stream = name == "jobs tail";
    let words_of_json = words(name, arguments, &["--json"]);
    let written_json = written(&words_of_json).await;
    let problems = if is_stream {
        problems_of_lines(shape, &written_json)
    } else {
        let value: Value = serde_json::from_str(&written_json.out)
            .unwrap_or_else(|error| panic!("{words_of_json:?}: {error}: {written_json:?}"));
        shapes::problems(shape, &value)
    };
    assert_eq!(problems, [], "{words_of_json:?}: {}", written_json.out);
    let words_of_lines = words(name, arguments, &["--output", "jsonl"]);
    let written_lines = written(&words_of_lines).await;
    assert_eq!(problems_of_lines(shape, &written_lines), [], "{words_of_lines:?}");
    assert_eq!(written_lines.exit, written_json.exit, "{words_of_lines:?}");
}

#[tokio::test(start_paused = true)]
async fn every_output_is_what_its_schema_says() {
    let calls = READING.iter().chain(&WRITING);
    let calls = calls.map(|(name, arguments)| (*name, arguments.to_vec())).chain(dry_runs());
    let mut compared: Vec<&str> = Vec::new();
    for (name, arguments) in calls.chain(LINTED.map(|path| ("lint", vec![path]))) {
        compare(name, &arguments).await;
        compared.push(name);
    }
    for (name, _) in leaves() {
        let has_none = WITHOUT_SHAPE.iter().any(|(without, _)| *without == name);
        assert_ne!(compared.contains(&name.as_str()), has_none, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_a_command_that_is_watched_is_what_its_schema_says() {
    for (name, arguments) in WATCHED {
        for form in ["json", "jsonl"] {
            let words = words(name, arguments, &["--watch", "5", "--output", form]);
            let written = written(&words).await;
            assert_eq!(written.exit, Exit::Interrupted, "{words:?} goes on: {written:?}");
            assert!(written.out.lines().count() >= 3, "{words:?}: {}", written.out);
            assert_eq!(problems_of_lines(shape(name, &[]), &written), [], "{words:?}");
        }
    }
}

#[test]
fn a_change_of_a_job_is_what_its_schema_says() {
    let text = || Some("x".to_owned());
    let (key, kind, state) = ("a#g:1".to_owned(), "a".to_owned(), "dead".to_owned());
    let seen = JobChange { at: 1, key, kind, state, ..JobChange::default() };
    let whole = JobChange { was: text(), due_at: Some(2), class: text(), ..seen.clone() };
    let whole = JobChange { fingerprint: text(), group: text(), why: text(), ..whole };
    for change in [seen, whole] {
        let value = serde_json::to_value(&change).unwrap();
        assert_eq!(shapes::problems("jobs tail", &value), [], "{value}");
    }
}

/// The value behind `error` in what a command has written to standard error.
fn error(written: &Written, is_in_lines: bool) -> Value {
    assert_eq!(written.out, "", "nothing but the error: {written:?}");
    let start = written.err.find('{').unwrap();
    let text = &written.err[start..];
    assert!(!is_in_lines || text.trim_end().lines().count() == 1, "{text}");
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 1, "{value}");
    value["error"].clone()
}

#[tokio::test(start_paused = true)]
async fn every_error_is_what_the_schema_of_errors_says() {
    let calls = READING.iter().chain(&WRITING);
    for (name, arguments) in calls {
        for form in ["json", "jsonl"] {
            let words = words(name, arguments, &["--output", form]);
            let denied = Fault::Denied { action: "lambda:GetFunction".into(), why: "no".into() };
            let written = written_with(&words, Err(Failure::from(denied))).await;
            assert_eq!(written.exit, Exit::Unreachable, "{words:?}");
            let error = error(&written, form == "jsonl");
            assert_eq!(shapes::problems("error", &error), [], "{words:?}: {error}");
            let hint = error["hint"].as_str().unwrap();
            assert!(hint.contains("the permission lambda:GetFunction"), "{words:?}: {error}");
        }
    }
}
