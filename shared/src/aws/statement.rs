//! The PartiQL statements of a batch: inserts, deletes, and updates whose `WHERE` clause holds only
//! the key and equality comparisons, which every implementation supports. Every name is quoted,
//! because PartiQL reserves words such as `state`.

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementRequest, ReturnValuesOnConditionCheckFailure,
};

use super::item::Attribute;

/// `INSERT INTO table VALUE {…}`: refused with `DuplicateItem` if the key exists.
pub(crate) fn insert<N: AsRef<str>>(
    table: &str,
    attributes: Vec<(N, AttributeValue)>,
) -> BatchStatementRequest {
    let mut text = text_for(attributes.len());
    text.extend(["INSERT INTO \"", table, "\" VALUE {"]);
    let mut values = Vec::with_capacity(attributes.len());
    for (name, value) in attributes {
        let comma = if values.is_empty() { "" } else { "," };
        text.extend([comma, "'", name.as_ref(), "':?"]);
        values.push(value);
    }
    text.push('}');
    request(text, values)
}

/// `UPDATE table SET … REMOVE … WHERE key AND …`: refused with the old item in the response if a
/// comparison fails.
pub(crate) fn update<N: AsRef<str>>(
    table: &str,
    set: Vec<(N, AttributeValue)>,
    remove: &[&str],
    only_if: Vec<Attribute>,
) -> BatchStatementRequest {
    let mut text = text_for(set.len() + remove.len() + only_if.len());
    text.extend(["UPDATE \"", table, "\""]);
    let mut values = Vec::with_capacity(set.len() + only_if.len());
    let removed: Vec<&str> = remove
        .iter()
        .copied()
        .filter(|name| set.iter().all(|(other, _)| other.as_ref() != *name))
        .collect();
    for (name, value) in set {
        text.extend([" SET \"", name.as_ref(), "\"=?"]);
        values.push(value);
    }
    for name in removed {
        text.extend([" REMOVE \"", name, "\""]);
    }
    for (index, (name, value)) in only_if.into_iter().enumerate() {
        let joint = if index == 0 { " WHERE \"" } else { " AND \"" };
        text.extend([joint, name, "\"=?"]);
        values.push(value);
    }
    request(text, values)
}

/// `DELETE FROM table WHERE key`: no error if the item does not exist.
pub(crate) fn delete(table: &str, key: [Attribute; 2]) -> BatchStatementRequest {
    let [(partition, one), (sort, other)] = key;
    let text = format!("DELETE FROM \"{table}\" WHERE \"{partition}\"=? AND \"{sort}\"=?");
    request(text, vec![one, other])
}

/// An empty text with room for so many names. Texts are joined and not formatted: two of them are made for each job.
fn text_for(names: usize) -> String {
    String::with_capacity(64 + 20 * names)
}

#[expect(clippy::expect_used, reason = "the builder only fails without a statement")]
fn request(text: String, values: Vec<AttributeValue>) -> BatchStatementRequest {
    BatchStatementRequest::builder()
        .statement(text)
        .set_parameters(Some(values))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .expect("a statement")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u32) -> AttributeValue {
        AttributeValue::N(number.to_string())
    }

    #[test]
    fn statements_quote_every_name_and_never_set_and_remove_the_same() {
        let made = insert("jobs", vec![("pk", n(1)), ("state", n(2))]);
        assert_eq!(made.statement(), r#"INSERT INTO "jobs" VALUE {'pk':?,'state':?}"#);
        assert_eq!(made.parameters(), [n(1), n(2)]);
        let made = update(
            "jobs",
            vec![("state", n(1)), ("due", n(2))],
            &["owner", "due"],
            vec![("pk", n(3)), ("fence", n(4))],
        );
        assert_eq!(
            made.statement(),
            r#"UPDATE "jobs" SET "state"=? SET "due"=? REMOVE "owner" WHERE "pk"=? AND "fence"=?"#
        );
        assert_eq!(made.parameters(), [n(1), n(2), n(3), n(4)]);
        let made = delete("control", [("pk", n(1)), ("sk", n(2))]);
        assert_eq!(made.statement(), r#"DELETE FROM "control" WHERE "pk"=? AND "sk"=?"#);
    }
}
