//! Rows of CSV. The head names the columns: fields of the payload, with a dot for one within another, and fields of
//! the envelope.

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Number, Value};

use super::{ENVELOPE, RawRow};
use crate::{exit::Failure, schema::Schema};

/// What separates the entries of a list within a cell.
const LIST: char = ';';

/// A column: where its cells go.
struct Column {
    /// The names on the way to the field, from the message's top.
    path: Vec<String>,
    /// The names of JSON types that the field takes.
    types: Vec<String>,
}

/// Reads CSV. Fails if the head names a column that a message of this type does not have.
pub(crate) fn csv(text: &str, schema: &Schema) -> Result<Vec<RawRow>, Failure> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader =
        ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let wrong = |error: csv::Error| Failure::usage(format!("line 1: no CSV: {error}"));
    let head = reader.headers().map_err(wrong)?.clone();
    let columns = head.iter().map(|name| column(name, schema)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                RawRow { line, message: message(&record, &columns) }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                RawRow { line, message: Err(format!("no CSV: {error}")) }
            }
        });
    }
    Ok(rows)
}

fn column(name: &str, schema: &Schema) -> Result<Column, Failure> {
    if ENVELOPE.contains(&name) {
        return Ok(Column { path: vec![name.to_owned()], types: vec!["string".to_owned()] });
    }
    let field = name.strip_prefix("payload.").unwrap_or(name);
    let types = schema.payload_field(field).map(|field| schema.types(field)).ok_or_else(|| {
        let message = format!("line 1: column {name:?} is no field of the payload");
        Failure::usage(message).hint(format!(
            "`evenkeel schema TYPE` shows the fields; besides these, a row may have {}",
            ENVELOPE.join(", ")
        ))
    })?;
    let path = ["payload"].into_iter().chain(field.split('.')).map(str::to_owned).collect();
    Ok(Column { path, types })
}

/// The message of a row. An empty cell is a field that is left out.
fn message(record: &StringRecord, columns: &[Column]) -> Result<Map<String, Value>, String> {
    if record.len() != columns.len() {
        return Err(format!("{} cells, expected {}", record.len(), columns.len()));
    }
    let mut fields = Map::from_iter([("payload".to_owned(), Value::Object(Map::new()))]);
    for (cell, column) in record.iter().zip(columns) {
        if !cell.is_empty() {
            set(&mut fields, &column.path, value(cell, &column.types));
        }
    }
    Ok(fields)
}

/// Sets the field at the end of a path, and makes the objects on the way.
fn set(fields: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            fields.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let below = fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                set(below, rest, value);
            }
        }
    }
}

/// A cell as a value of one of these types. One that does not fit stays a text, and the check names it.
fn value(cell: &str, types: &[String]) -> Value {
    let takes = |name: &str| types.iter().any(|one| one == name);
    if takes("string") || types.is_empty() {
        return Value::from(cell);
    }
    if takes("array") {
        return cell.split(LIST).map(|part| Value::from(part.trim())).collect();
    }
    let number = || serde_json::from_str::<Number>(cell).ok().map(Value::Number);
    match cell {
        "true" if takes("boolean") => Value::Bool(true),
        "false" if takes("boolean") => Value::Bool(false),
        _ if takes("integer") || takes("number") => number().unwrap_or_else(|| Value::from(cell)),
        _ => Value::from(cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<RawRow>, Failure> {
        csv(text, &Schema::of("dealer_com_feed").unwrap())
    }

    #[test]
    fn cells_become_values_of_their_fields_types() {
        let text = "\u{feff}id,dealer_slug,site_url,conditions,fan_out.scrape,max_new\n\
                    a,slug,https://www.example.com/,new;used,false,20\n\
                    ,\"two, slugs\",https://www.example.com/,,,\n";
        let rows = read(text).unwrap();
        let [first, second] = rows.as_slice() else { panic!("two rows") };
        assert_eq!((first.line, second.line), (2, 3));
        let payload = json!({ "dealer_slug": "slug", "site_url": "https://www.example.com/",
            "conditions": ["new", "used"], "fan_out": { "scrape": false }, "max_new": 20 });
        let fields = first.message.clone().unwrap();
        assert_eq!((&fields["id"], &fields["payload"]), (&json!("a"), &payload));
        let fields = second.message.clone().unwrap();
        assert_eq!(fields.get("id"), None, "an empty cell is left out");
        assert_eq!(fields["payload"]["dealer_slug"], "two, slugs");
    }

    #[test]
    fn a_wrong_cell_stays_a_text_and_a_short_row_is_named() {
        let rows = read("dealer_slug,max_new\na,many\nb\n").unwrap();
        assert_eq!(rows[0].message.clone().unwrap()["payload"]["max_new"], "many");
        assert_eq!(rows[1].message, Err("1 cells, expected 2".to_owned()));
    }

    #[test]
    fn an_unknown_column_is_refused_before_anything_is_sent() {
        let failure = read("dealer_slug,vin\na,b\n").unwrap_err();
        assert_eq!(failure.message, "line 1: column \"vin\" is no field of the payload");
    }
}
