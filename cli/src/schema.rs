//! The published JSON Schemas of the messages, and a check of values against them and against those of the output.
//!
//! The schemas are generated from the job types, so the check needs none of their code. It knows the keywords that
//! these schemas use; a test fails if one of them has another.

use std::collections::BTreeSet;

use evenkeel::base::time::Time;
use serde_json::Value;
use url::Url;

use crate::text::{HIDDEN, Sensitive};

/// Job types and the schemas of their messages, from `docs/`.
const ALL: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// A job type of tests: no published one has a sensitive field.
#[cfg(any(test, feature = "testing"))]
const OF_TESTS: &[(&str, &str)] = &[("webhook", include_str!("../tests/webhook.schema.json"))];
#[cfg(not(any(test, feature = "testing")))]
const OF_TESTS: &[(&str, &str)] = &[];

/// The keyword of a schema that names the fields whose values are hidden.
const SENSITIVE: &str = "x-sensitive";

/// Steps into one schema. None of ours is nested so deeply; a schema that contains itself must end somewhere.
const DEEPEST: usize = 32;

/// The job types that have a schema.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(kind, _)| *kind)
}

/// The text of a job type's schema; `None` if there is no such type.
#[must_use]
pub fn text(kind: &str) -> Option<&'static str> {
    ALL.iter().chain(OF_TESTS).find(|(name, _)| *name == kind).map(|(_, text)| *text)
}

/// The fields of a job type's payload that it calls sensitive. Of a type without a schema here, those of any type: it may be
/// newer than this command.
pub(crate) fn sensitive(kind: &str) -> Sensitive {
    Schema::of(kind).map_or_else(sensitive_of_any, |schema| schema.sensitive())
}

/// The fields that any job type calls sensitive: for a message that may be of another type than its queue's.
pub(crate) fn sensitive_of_any() -> Sensitive {
    let kinds = ALL.iter().chain(OF_TESTS).filter_map(|(kind, _)| Schema::of(kind));
    Sensitive::new(kinds.flat_map(|schema| schema.sensitive_names()).collect())
}

/// What is wrong with a field that is required and not there.
const MISSING: &str = "missing";

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldProblem {
    /// Such as `payload.vin`; `body` for the whole.
    pub field: String,
    /// What is wrong, and what was expected.
    pub problem: String,
}

/// A JSON Schema: of messages, or of a command's output.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Value,
    /// Whether texts have no control characters, as the engine demands of messages.
    is_printable: bool,
}

impl Schema {
    /// The schema of a job type's messages; `None` if there is no such type.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        let root = serde_json::from_str(text(kind)?).ok()?;
        Some(Self { root, is_printable: true })
    }

    /// A schema of what a command prints, which may have any text.
    #[must_use]
    pub const fn of_output(root: Value) -> Self {
        Self { root, is_printable: false }
    }

    /// The fields that it calls sensitive.
    fn sensitive(&self) -> Sensitive {
        Sensitive::new(self.sensitive_names())
    }

    fn sensitive_names(&self) -> Vec<String> {
        let names = self.root.get(SENSITIVE).and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Every problem of a value, by field. Those of a sensitive field do not quote its value.
    #[must_use]
    pub fn problems(&self, value: &Value) -> Vec<FieldProblem> {
        let mut problems = BTreeSet::new();
        self.check(&self.root, value, "", 0, &mut problems);
        let sensitive = self.sensitive();
        let discreet = |FieldProblem { field, problem }| {
            let mut names = field.split(['.', '[']);
            let hides = names.any(|name| sensitive.has(name));
            let problem = if hides { without_value(&problem) } else { problem };
            FieldProblem { field, problem }
        };
        problems.into_iter().map(discreet).collect()
    }

    /// The schema of a field of the payload, such as `fan_out.scrape`; `None` if the payload has no such field.
    #[must_use]
    pub fn payload_field(&self, path: &str) -> Option<&Value> {
        let payload = self.root.get("properties")?.get("payload")?;
        path.split('.')
            .try_fold(payload, |schema, name| self.resolved(schema).get("properties")?.get(name))
    }

    /// The names of JSON types that a schema takes, such as `boolean`; empty if it takes any.
    #[must_use]
    pub fn types(&self, schema: &Value) -> Vec<String> {
        let schema = self.resolved(schema);
        match schema.get("type") {
            Some(Value::String(name)) => vec![name.clone()],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => alternatives(schema).iter().flat_map(|one| self.types(one)).collect(),
        }
    }

    /// The schema that a reference leads to.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| self.root.pointer(target.strip_prefix('#')?));
        target.unwrap_or(schema)
    }

    fn check(
        &self,
        schema: &Value,
        value: &Value,
        path: &str,
        depth: usize,
        problems: &mut BTreeSet<FieldProblem>,
    ) {
        let schema = self.resolved(schema);
        if depth > DEEPEST {
            return;
        }
        let mut add = |problem: String| {
            let field = if path.is_empty() { "body" } else { path }.to_owned();
            problems.insert(FieldProblem { field, problem });
        };
        let choices = alternatives(schema);
        if !choices.is_empty() {
            let of_its_type: Vec<&&Value> =
                choices.iter().filter(|one| self.has_type(one, value)).collect();
            // If only one is for such a value, its problems are those to name.
            if let [one] = of_its_type.as_slice() {
                self.check(one, value, path, depth + 1, problems);
                return;
            }
            let fits = |one: &&Value| {
                let mut found = BTreeSet::new();
                self.check(one, value, path, depth + 1, &mut found);
                found.is_empty()
            };
            if !choices.iter().any(fits) {
                add(format!("{}, expected {}", shown(value), self.expected(schema)));
            }
            return;
        }
        if !self.has_type(schema, value) {
            add(format!("{}, expected {}", shown(value), self.expected(schema)));
            return;
        }
        choice_problem(schema, value).into_iter().for_each(&mut add);
        match value {
            Value::String(text) => {
                text_problems(schema, text).into_iter().for_each(&mut add);
                if self.is_printable && text.chars().any(char::is_control) {
                    add("a control character, expected printable text".to_owned());
                }
            }
            Value::Number(number) => number_problem(schema, number).into_iter().for_each(add),
            Value::Array(values) => {
                length_problem(schema, "Items", values.len()).into_iter().for_each(add);
                if let Some(items) = schema.get("items") {
                    for (place, value) in values.iter().enumerate() {
                        let path = format!("{path}[{place}]");
                        self.check(items, value, &path, depth + 1, problems);
                    }
                }
            }
            Value::Object(_) => self.check_fields(schema, value, path, depth, problems),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_fields(
        &self,
        schema: &Value,
        value: &Value,
        path: &str,
        depth: usize,
        problems: &mut BTreeSet<FieldProblem>,
    ) {
        let below = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let empty = serde_json::Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| value.get(name).is_none()) {
            problems.insert(FieldProblem { field: below(name), problem: MISSING.to_owned() });
        }
        let others = schema.get("additionalProperties");
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Some(property) = properties.get(name) {
                self.check(property, value, &below(name), depth + 1, problems);
            } else if others == Some(&Value::Bool(false)) {
                let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                let problem = format!("unknown field, expected one of {}", known.join(", "));
                problems.insert(FieldProblem { field: below(name), problem });
            } else if let Some(others) = others {
                self.check(others, value, &below(name), depth + 1, problems);
            }
        }
    }

    fn has_type(&self, schema: &Value, value: &Value) -> bool {
        let types = self.types(schema);
        let is = |name: &String| match name.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        };
        types.is_empty() || types.iter().any(is)
    }

    /// What a schema takes, in words.
    fn expected(&self, schema: &Value) -> String {
        let constants: Vec<String> = alternatives(schema)
            .iter()
            .filter_map(|one| self.resolved(one).get("const"))
            .map(ToString::to_string)
            .collect();
        if !constants.is_empty() {
            return constants.join(" or ");
        }
        let word = |name: String| match name.as_str() {
            "string" => "a text".to_owned(),
            "integer" => "a whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => "a list".to_owned(),
            "object" => "an object".to_owned(),
            _ => name,
        };
        self.types(schema).into_iter().map(word).collect::<Vec<_>>().join(" or ")
    }
}

/// The schemas of which one must fit.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|name| schema.get(name)?.as_array());
    lists.flatten().collect()
}

/// A value in a message: the beginning of a text, the kind of anything larger.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// A problem without the value that it begins with.
fn without_value(problem: &str) -> String {
    match problem.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{HIDDEN}, expected {expected}"),
        None if problem == MISSING => problem.to_owned(),
        None => "a wrong value".to_owned(),
    }
}

fn length_problem(schema: &Value, of: &str, length: usize) -> Option<String> {
    let bound = |name: String| schema.get(&name).and_then(Value::as_u64);
    let (least, most) = (bound(format!("min{of}")), bound(format!("max{of}")));
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let is_wrong =
        least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most);
    let unit = if of == "Length" { "characters" } else { "entries" };
    is_wrong.then(|| match (least, most) {
        (Some(least), Some(most)) => format!("{length} {unit}, expected {least} to {most}"),
        (Some(least), None) => format!("{length} {unit}, expected at least {least}"),
        (None, most) => format!("{length} {unit}, expected at most {}", most.unwrap_or_default()),
    })
}

/// What is wrong with a value that is none of those that a schema names.
fn choice_problem(schema: &Value, value: &Value) -> Option<String> {
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Some(format!("{}, expected {constant}", shown(value)));
    }
    let values = schema.get("enum")?.as_array()?;
    (!values.contains(value))
        .then(|| format!("{}, expected one of {}", shown(value), Value::from(values.clone())))
}

fn text_problems(schema: &Value, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(length_problem(schema, "Length", text.chars().count()));
    let named = |name: &str| schema.get(name).and_then(Value::as_str);
    if let Some(pattern) = named("pattern")
        && regex_lite::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        problems.push(format!("{}, expected {pattern}", shown(&Value::from(text))));
    }
    match named("format") {
        Some("date-time") => problems.extend(Time::parse_rfc3339(text).err()),
        Some("uri") if !text.trim().parse::<Url>().is_ok_and(|url| url.has_host()) => {
            problems.push(format!("{}, expected an address", shown(&Value::from(text))));
        }
        _ => {}
    }
    problems
}

fn number_problem(schema: &Value, number: &serde_json::Number) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let value = number.as_f64()?;
    let is_low = bound("minimum").is_some_and(|least| value < least);
    let is_high = bound("maximum").is_some_and(|most| value > most);
    let of = |name: &str| schema.get(name).map(ToString::to_string).unwrap_or_default();
    if is_low {
        Some(format!("{number}, expected at least {}", of("minimum")))
    } else {
        is_high.then(|| format!("{number}, expected at most {}", of("maximum")))
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
