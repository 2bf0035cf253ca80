//! Notes of the control table.

use aws_sdk_dynamodb::{
    operation::query::builders::QueryFluentBuilder, types::ReturnConsumedCapacity,
};
use evenkeel::aws::item::{Item, Reader, s};

use super::{AwsPorts, fault::fault, limit, units};
use crate::ports::{Fault, Note, Read};

impl AwsPorts {
    /// A query of the notes of a kind, at most so many, without its condition on the name.
    fn notes_query(&self, table: &str, kind: &str, most: usize) -> QueryFluentBuilder {
        self.dynamo
            .query()
            .table_name(table)
            .expression_attribute_values(":pk", s(format!("note#{kind}")))
            .limit(limit(most))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
    }

    /// The first notes of a kind, by name.
    pub(super) async fn first_notes(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        one_page(self.notes_query(table, kind, most).key_condition_expression("pk = :pk")).await
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
            .notes_query(table, kind, most)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":after", s(after));
        one_page(query).await
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
                .notes_query(table, kind, most)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until")
                .expression_attribute_values(":from", s(&names[0]))
                .expression_attribute_values(":until", s(&names[1]))
                .set_exclusive_start_key(after);
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

async fn one_page(query: QueryFluentBuilder) -> Result<Read<Vec<Note>>, Fault> {
    let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
    let notes = answer.items().iter().filter_map(note).collect();
    Ok(Read { value: notes, units: units(answer.consumed_capacity.as_ref()) })
}

/// A note; `None` for an item that is none.
fn note(item: &Item) -> Option<Note> {
    let reader = Reader(item);
    Some(Note { name: reader.text("sk").ok()?, text: reader.text("text").ok()? })
}
