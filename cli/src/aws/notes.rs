//! Notes of the control table.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use evenkeel::aws::item::{Item, Reader, s};

use super::{AwsPorts, fault::fault, limit, units};
use crate::ports::{Fault, Note, Read};

impl AwsPorts {
    /// The first notes of a kind, by name.
    pub(super) async fn first_notes(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        let query = self
            .dynamo
            .query()
            .table_name(table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(format!("note#{kind}")))
            .limit(limit(most))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
        let notes = answer.items().iter().filter_map(note).collect();
        Ok(Read { value: notes, units: units(answer.consumed_capacity.as_ref()) })
    }

    /// The notes of a kind whose names come after `after`.
    pub(super) async fn notes_behind(
        &self,
        table: &str,
        kind: &str,
        after: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        let query = self
            .dynamo
            .query()
            .table_name(table)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", s(format!("note#{kind}")))
            .expression_attribute_values(":after", s(after))
            .limit(limit(most))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
        let notes = answer.items().iter().filter_map(note).collect();
        Ok(Read { value: notes, units: units(answer.consumed_capacity.as_ref()) })
    }

    /// The notes of a kind whose names lie within `names`, page by page.
    pub(super) async fn notes_of_span(
        &self,
        table: &str,
        kind: &str,
        names: &[String; 2],
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        let mut found: Read<Vec<Note>> = Read::default();
        let mut after = None;
        loop {
            let query = self
                .dynamo
                .query()
                .table_name(table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until")
                .expression_attribute_values(":pk", s(format!("note#{kind}")))
                .expression_attribute_values(":from", s(&names[0]))
                .expression_attribute_values(":until", s(&names[1]))
                .set_exclusive_start_key(after)
                .limit(limit(most))
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
            found.units += units(answer.consumed_capacity.as_ref());
            found.value.extend(answer.items().iter().filter_map(note));
            after = answer.last_evaluated_key;
            if after.is_none() || found.value.len() >= most {
                found.value.truncate(most);
                return Ok(found);
            }
        }
    }
}

/// A note; `None` for an item that is none.
fn note(item: &Item) -> Option<Note> {
    let reader = Reader(item);
    Some(Note { name: reader.text("sk").ok()?, text: reader.text("text").ok()? })
}
