//! How items of job types' own tables are written.

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, BatchStatementRequest},
};

use super::{
    item::{self, Attribute, Item},
    statement,
};
use crate::{
    ports::PortError,
    record::item::{TableItem, Value},
};

/// The statement that writes an item with the end of its run: as a new one, or over the one that is expected there.
pub(super) fn with_end(item: &TableItem) -> BatchStatementRequest {
    let Some(expected) = item.expected() else {
        return statement::insert(&item.table, attributes(item, key(item)));
    };
    let mut only_if = key(item);
    only_if.extend(expected.iter().map(|(name, value)| (*name, attribute(value))));
    statement::update(&item.table, attributes(item, Vec::new()), &[], only_if)
}

/// The whole item.
pub(super) fn whole(item: &TableItem) -> Item {
    item::owned(attributes(item, key(item)))
}

/// An update that writes the item unless the stored one has a larger number in the attribute `by`.
pub(super) fn latest(
    update: UpdateItemFluentBuilder,
    item: &TableItem,
    by: &str,
) -> Result<UpdateItemFluentBuilder, PortError> {
    let place = item.attributes.iter().position(|(name, _)| *name == by);
    let place = place.ok_or_else(|| PortError::Broken(format!("an item without {by}")))?;
    let condition = format!("attribute_not_exists(#s{place}) OR #s{place} <= :s{place}");
    let mut update = update.set_key(Some(item::owned(key(item)))).condition_expression(condition);
    let mut sets = Vec::new();
    for (index, (name, value)) in attributes(item, Vec::new()).into_iter().enumerate() {
        sets.push(format!("#s{index} = :s{index}"));
        update = update
            .expression_attribute_names(format!("#s{index}"), name)
            .expression_attribute_values(format!(":s{index}"), value);
    }
    Ok(update.update_expression(format!("SET {}", sets.join(", "))))
}

fn key(item: &TableItem) -> Vec<Attribute> {
    item.key.iter().map(|(name, value)| (*name, item::s(value))).collect()
}

/// The other attributes behind these.
fn attributes(item: &TableItem, mut all: Vec<Attribute>) -> Vec<Attribute> {
    all.extend(item.attributes.iter().map(|(name, value)| (*name, attribute(value))));
    all
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Text(text) => item::s(text),
        Value::Number(number) => item::n(*number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::item::Condition;

    #[test]
    fn a_statement_inserts_or_updates_what_was_read() {
        let made = |condition| {
            let key = [("pk", "a".to_owned()), ("sk", "b".to_owned())];
            let attributes = vec![("at", Value::Number(7)), ("text", Value::Text("x".into()))];
            let made = with_end(&TableItem { table: "t".into(), key, attributes, condition });
            (made.statement().to_owned(), made.parameters().last().cloned())
        };
        let insert = r#"INSERT INTO "t" VALUE {'pk':?,'sk':?,'at':?,'text':?}"#;
        let update = r#"UPDATE "t" SET "at"=? SET "text"=? WHERE "pk"=? AND "sk"=? AND "at"=?"#;
        let latest = |seen| Condition::Latest { by: "at", seen };
        let known = Condition::Unchanged(vec![("at", Value::Number(5))]);
        for (condition, statement, last) in [
            (Condition::Always, insert, item::s("x")),
            (Condition::Absent, insert, item::s("x")),
            (known, update, item::n(5_u64)),
            (latest(None), insert, item::s("x")),
            (latest(Some(6)), update, item::n(6_u64)),
            // Refused, since there is an item.
            (latest(Some(8)), insert, item::s("x")),
        ] {
            let told = format!("{condition:?}");
            assert_eq!(made(condition), (statement.to_owned(), Some(last)), "{told}");
        }
    }
}
