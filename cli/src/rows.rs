//! Rows of a file as messages: JSON lines and CSV. A row with a problem is reported, and the others go.

mod csv_rows;

use std::collections::BTreeMap;

use evenkeel::message::{VERSION, key_of};
use serde_json::{Map, Value, json};

use crate::{
    ports::Outgoing,
    schema::{FieldProblem, Schema},
    shapes::RowProblem,
    text::redact,
};

pub(crate) use csv_rows::csv;

/// The fields of the envelope that a row may have besides its payload, and the message group.
const ENVELOPE: [&str; 5] = ["id", "created_at", "deadline", "priority", "group"];

/// A row as it was read: the fields of its envelope, with the payload, or why it could not be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RawRow {
    /// Its line in the file, from 1.
    pub(crate) line: u64,
    pub(crate) message: Result<Map<String, Value>, String>,
}

/// A row that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoodRow {
    pub(crate) line: u64,
    pub(crate) id: Option<String>,
    pub(crate) message: Outgoing,
}

/// The rows of a file, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) good: Vec<GoodRow>,
    pub(crate) problems: Vec<RowProblem>,
    /// Rows with at least one problem.
    pub(crate) bad: u64,
    /// Rows that repeat an earlier one.
    pub(crate) duplicates: u64,
}

/// The rows of JSON lines. A line is a whole message, with its payload under `payload`, or a payload alone. Empty
/// lines are skipped.
pub(crate) fn json_lines(text: &str) -> Vec<RawRow> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    let rows = lines.filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(line, text)| RawRow { line, message: one(text) }).collect()
}

/// A message from one JSON text.
pub(crate) fn one(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) if fields.contains_key("payload") => Ok(fields),
        Ok(Value::Object(payload)) => {
            Ok(Map::from_iter([("payload".to_owned(), Value::Object(payload))]))
        }
        Ok(_) => Err("expected an object: a message, or a payload".to_owned()),
        Err(error) => Err(format!("no JSON: {error}")),
    }
}

/// What all rows of a file share.
#[derive(Clone, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) kind: &'a str,
    pub(crate) schema: &'a Schema,
    /// The message group of rows that name none.
    pub(crate) group: Option<&'a str>,
}

/// Checks rows against the schema and the envelope's rules, and leaves out what repeats an earlier row.
pub(crate) fn check(rows: Vec<RawRow>, common: &Common<'_>) -> Checked {
    let mut checked = Checked::default();
    // By id, or else by payload: the line and the payload of the first row.
    let mut seen: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for RawRow { line, message } in rows {
        let mut problems = Vec::new();
        match message.map_err(|why| vec![problem("row", &why)]).and_then(|m| row(m, common)) {
            Ok((id, payload, outgoing)) => {
                let key =
                    id.as_ref().map_or_else(|| format!("d:{payload}"), |id| format!("g:{id}"));
                match seen.get(&key) {
                    Some((_, first)) if *first == payload => {
                        checked.duplicates += 1;
                        continue;
                    }
                    Some((first, _)) => {
                        let why = format!("the same as in line {first}, which has another payload");
                        problems.push(problem("id", &why));
                    }
                    None => {
                        seen.insert(key, (line, payload));
                        checked.good.push(GoodRow { line, id, message: outgoing });
                    }
                }
            }
            Err(found) => problems = found,
        }
        checked.bad += u64::from(!problems.is_empty());
        let of_row = |FieldProblem { field, problem }| {
            let problem = redact(&problem);
            RowProblem { line, field, problem }
        };
        checked.problems.extend(problems.into_iter().map(of_row));
    }
    checked
}

fn problem(field: &str, problem: &str) -> FieldProblem {
    FieldProblem { field: field.to_owned(), problem: problem.to_owned() }
}

/// The id, the payload as text and the message of a row; or all its problems.
fn row(
    mut fields: Map<String, Value>,
    common: &Common<'_>,
) -> Result<(Option<String>, String, Outgoing), Vec<FieldProblem>> {
    let group = match fields.remove("group") {
        None | Some(Value::Null) => common.group.map(str::to_owned),
        Some(Value::String(group)) => Some(group),
        Some(_) => return Err(vec![problem("group", "expected a text")]),
    };
    if let Some(group) = &group
        && !is_group(group)
    {
        let expected = "expected 1 to 128 letters, digits and punctuation of ASCII";
        return Err(vec![problem("group", expected)]);
    }
    fields.entry("version").or_insert_with(|| json!(VERSION));
    fields.entry("type").or_insert_with(|| json!(common.kind));
    let message = Value::Object(fields);
    let mut problems = common.schema.problems(&message);
    let body = message.to_string();
    // What the engine itself refuses of an envelope: a type of another queue, an id of white space, a long body.
    if problems.is_empty()
        && let Err(rejection) = key_of(common.kind, &body)
    {
        let reason = rejection.reason;
        let (field, why) = reason.split_once(": ").unwrap_or(("body", &reason));
        problems.push(problem(field, why));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let id = message.get("id").and_then(Value::as_str).map(str::to_owned);
    let payload = message.get("payload").map(ToString::to_string).unwrap_or_default();
    Ok((id, payload, Outgoing { body, group }))
}

/// Reads and checks a file as `evenkeel submit` does, by its format `csv` or `jsonl`: how many rows are good, bad, and
/// repetitions. `None` if its head or its job type is wrong. For fuzz targets.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn count_rows(text: &str, format: &str, kind: &str) -> Option<[u64; 3]> {
    let schema = Schema::of(kind)?;
    let common = Common { kind, schema: &schema, group: None };
    let rows = if format == "csv" { csv(text, &schema).ok()? } else { json_lines(text) };
    let checked = check(rows, &common);
    let good = u64::try_from(checked.good.len()).unwrap_or(u64::MAX);
    Some([good, checked.bad, checked.duplicates])
}

/// Whether SQS takes a text as a message group: 1 to 128 letters, digits and punctuation of ASCII.
pub(crate) fn is_group(group: &str) -> bool {
    (1..=128).contains(&group.len()) && group.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Checked {
        let schema = Schema::of("url_shortening").unwrap();
        let common = Common { kind: "url_shortening", schema: &schema, group: Some("g") };
        check(json_lines(text), &common)
    }

    const PAYLOAD: &str =
        r#"{"destination":"https://www.example.com/","dealer_slug":"a","vin":"1M8GDM9AXKP042788"}"#;

    #[test]
    fn a_line_is_a_message_or_a_payload() {
        let text = format!(
            "{PAYLOAD}\n\n{{\"id\":\"1\",\"group\":\"other\",\"trace\":7,\"payload\":{PAYLOAD}}}\n"
        );
        let checked = checked(&text);
        assert_eq!((checked.bad, checked.duplicates, checked.good.len()), (0, 0, 2));
        let [first, second] = checked.good.as_slice() else { panic!("two rows") };
        assert_eq!((first.line, first.id.as_deref()), (1, None));
        assert_eq!(first.message.group.as_deref(), Some("g"));
        assert_eq!((second.line, second.id.as_deref()), (3, Some("1")));
        assert_eq!(second.message.group.as_deref(), Some("other"));
        let body: Value = serde_json::from_str(&second.message.body).unwrap();
        assert_eq!(
            (&body["version"], &body["type"], &body["trace"]),
            (&json!(1), &json!("url_shortening"), &json!(7))
        );
        assert!(body.get("group").is_none(), "it is no field of the message");
    }

    #[test]
    fn a_row_that_repeats_another_is_left_out_and_an_id_with_two_payloads_is_a_problem() {
        let other = PAYLOAD.replace("\"a\"", "\"b\"");
        let text = format!(
            "{PAYLOAD}\n{PAYLOAD}\n{{\"id\":\"1\",\"payload\":{PAYLOAD}}}\n{{\"id\":\"1\",\"payload\":{PAYLOAD}}}\n\
             {{\"id\":\"1\",\"payload\":{other}}}\n"
        );
        let checked = checked(&text);
        assert_eq!((checked.good.len(), checked.duplicates, checked.bad), (2, 2, 1));
        let [wrong] = checked.problems.as_slice() else { panic!("{:?}", checked.problems) };
        assert_eq!((wrong.line, wrong.field.as_str()), (5, "id"));
        assert!(wrong.problem.contains("line 3"), "{}", wrong.problem);
    }

    #[test]
    fn a_bad_row_names_its_line_and_each_field_and_the_others_go() {
        let text = format!(
            "{{\"destination\":\"x\",\"dealer_slug\":\"a\"}}\nnot json\n[1]\n{{\"id\":\" \",\"payload\":{PAYLOAD}}}\n\
             {{\"type\":\"other\",\"payload\":{PAYLOAD}}}\n{{\"group\":\"a b\",\"payload\":{PAYLOAD}}}\n{PAYLOAD}\n"
        );
        let checked = checked(&text);
        assert_eq!((checked.good.len(), checked.bad), (1, 6));
        let named: Vec<(u64, &str)> =
            checked.problems.iter().map(|found| (found.line, found.field.as_str())).collect();
        assert_eq!(
            named,
            [
                (1, "payload.destination"),
                (1, "payload.vin"),
                (2, "row"),
                (3, "row"),
                (4, "id"),
                (5, "type"),
                (6, "group")
            ]
        );
    }
}
