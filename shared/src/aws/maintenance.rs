//! Maintenance access to the tables on DynamoDB: the index `due`, leases, scans and notes.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    conditional::applied,
    control_item::{self, encode_note, note_key, note_partition},
    failure::port_error,
    item::{self, Item, Reader, ms, n, s},
    jobs::{AuxiliaryTable, DynamoStore},
    rejected_item::decode_rejected,
};
use crate::{
    base::time::Time,
    message::RejectedMessage,
    ports::{
        PortError, Swapped,
        maintenance::{DueJob, Page, ScannedItem, Table, TableMaintenance},
        notes::NoteKey,
    },
    record::{due::DueEntry, lease::Lease},
};

/// Maximum entries of one query.
const QUERY_LIMIT: usize = 1_000;

fn limit(most: usize) -> i32 {
    i32::try_from(most.clamp(1, QUERY_LIMIT)).unwrap_or(1)
}

pub(super) fn decode_due(item: &Item) -> Option<DueJob> {
    let reader = Reader(item);
    Some(DueJob { due_at: reader.time("due_at").ok()?, key: reader.text("pk").ok()? })
}

pub(super) fn decode_lease(item: &Item) -> Option<Lease> {
    let (until, owner) = item.get("sk")?.as_s().ok()?.split_once('#')?;
    let jobs = item.get("jobs")?.as_l().ok()?;
    Some(Lease {
        owner: owner.to_owned(),
        until: Time::from_millis(until.parse().ok()?),
        jobs: jobs.iter().filter_map(|job| job.as_s().ok().cloned()).collect(),
    })
}

fn key_item(names: &[&str], key: &[String]) -> Item {
    let names = names.iter().zip(key);
    names.map(|(name, part)| ((*name).to_owned(), s(part))).collect()
}

/// Whether an item is a job and not a rejected message, whose key begins with `q#`.
fn is_job(item: &Item) -> bool {
    item.get("pk").and_then(|pk| pk.as_s().ok()).is_some_and(|pk| !pk.starts_with("q#"))
}

fn found(table: Table, names: &[&str], item: &Item) -> Option<ScannedItem> {
    let reader = Reader(item);
    let key: Option<Vec<String>> = names.iter().map(|name| reader.text(name).ok()).collect();
    let due_entry = || {
        Some(DueEntry { partition: reader.text("due").ok()?, due_at: reader.time("due_at").ok()? })
    };
    Some(ScannedItem {
        key: key?,
        expires_at: reader.number("expires_at").ok().map(|at| Time::from_millis(at * 1_000)),
        due_entry: due_entry(),
        record: (table == Table::Jobs && is_job(item)).then(|| item::decode(item)),
    })
}

impl DynamoStore {
    fn table(&self, table: Table) -> Option<&str> {
        match table {
            Table::Jobs => Some(&self.tables.jobs),
            Table::Control => Some(&self.tables.control),
            Table::Auxiliary => self.auxiliary.as_ref().map(|table| table.name.as_str()),
        }
    }

    /// The names of a table's key attributes.
    fn key_names(&self, table: Table) -> Vec<&str> {
        match table {
            Table::Jobs => vec!["pk"],
            Table::Control => vec!["pk", "sk"],
            Table::Auxiliary => {
                let keys = self.auxiliary.iter().flat_map(|table| &table.key);
                keys.map(String::as_str).collect()
            }
        }
    }

    /// The same store with a further table for scans.
    #[must_use]
    pub fn with_auxiliary(self, table: AuxiliaryTable) -> Self {
        Self { auxiliary: Some(table), ..self }
    }
}

/// The time of a rejected message that was released: so old that the next rejection of the same body replaces it.
const RELEASED: Time = Time::from_millis(0);

impl TableMaintenance for DynamoStore {
    async fn due(
        &self,
        partition: &str,
        [from, until]: [Time; 2],
        most: usize,
    ) -> Result<Vec<DueJob>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.jobs)
            .index_name("due")
            .key_condition_expression("due = :due AND due_at BETWEEN :from AND :until")
            .expression_attribute_values(":due", s(partition))
            .expression_attribute_values(":from", n(from.as_millis()))
            .expression_attribute_values(":until", n(until.as_millis()))
            .limit(limit(most));
        let answer = query.send().await.map_err(|error| port_error(&error))?;
        Ok(answer.items().iter().filter_map(decode_due).collect())
    }

    async fn leases(&self, shard: u8, most: usize) -> Result<Vec<Lease>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.control)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(format!("lease#{shard}")))
            .consistent_read(true)
            .limit(limit(most));
        let answer = query.send().await.map_err(|error| port_error(&error))?;
        Ok(answer.items().iter().filter_map(decode_lease).collect())
    }

    async fn rejected(&self, key: &str) -> Result<Option<RejectedMessage>, PortError> {
        let get = self.client.get_item().table_name(&self.tables.jobs).key("pk", s(key));
        let answer = get.consistent_read(true).send().await.map_err(|error| port_error(&error))?;
        let item = answer.item.filter(|item| item.contains_key("flaw"));
        item.map(|item| decode_rejected(&item)).transpose().map_err(PortError::Unreadable)
    }

    async fn mark_released(&self, message: &RejectedMessage) -> Result<bool, PortError> {
        let update = self.client.update_item().table_name(&self.tables.jobs);
        let update = update
            .key("pk", s(&message.key))
            .update_expression("SET ended_at = :released")
            .condition_expression("attribute_exists(flaw) AND ended_at = :seen")
            .expression_attribute_values(":released", ms(RELEASED))
            .expression_attribute_values(":seen", ms(message.at));
        applied(update.send().await)
    }

    async fn remove_released(&self, key: &str) -> Result<(), PortError> {
        let delete = self.client.delete_item().table_name(&self.tables.jobs).key("pk", s(key));
        let delete = delete
            .condition_expression("attribute_exists(flaw) AND ended_at = :released")
            .expression_attribute_values(":released", ms(RELEASED));
        applied(delete.send().await)?;
        Ok(())
    }

    async fn page(
        &self,
        table: Table,
        from: Option<&[String]>,
        most: usize,
    ) -> Result<Page, PortError> {
        let Some(name) = self.table(table) else { return Ok(Page::default()) };
        let scan = self
            .client
            .scan()
            .table_name(name)
            .set_exclusive_start_key(from.map(|key| key_item(&self.key_names(table), key)))
            .limit(limit(most));
        let answer = scan.send().await.map_err(|error| port_error(&error))?;
        let next = answer.last_evaluated_key.as_ref();
        let names = self.key_names(table);
        let next =
            next.and_then(|last| names.iter().map(|name| Reader(last).text(name).ok()).collect());
        let items = answer.items.unwrap_or_default();
        Ok(Page {
            items: items
                .iter()
                .filter_map(|item| found(table, &self.key_names(table), item))
                .collect(),
            next,
        })
    }

    async fn remove_expired(
        &self,
        table: Table,
        key: &[String],
        now: Time,
    ) -> Result<bool, PortError> {
        let Some(name) = self.table(table) else { return Ok(false) };
        let delete = self
            .client
            .delete_item()
            .table_name(name)
            .set_key(Some(key_item(&self.key_names(table), key)))
            .condition_expression("expires_at <= :now")
            .expression_attribute_values(":now", n(now.as_millis() / 1_000));
        applied(delete.send().await)
    }

    async fn swap_note(
        &self,
        place: &NoteKey,
        text: &str,
        revision: u64,
        expires_at: Time,
    ) -> Result<Swapped<Option<String>>, PortError> {
        match self.swap(encode_note(place, text, expires_at), revision).await? {
            Ok(()) => Ok(Swapped::Yes),
            Err(current) => Ok(Swapped::No(control_item::note(current.as_ref()))),
        }
    }

    async fn notes(
        &self,
        kind: &'static str,
        from: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, PortError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.tables.control)
            .key_condition_expression(if from.is_empty() {
                "pk = :pk"
            } else {
                "pk = :pk AND sk >= :sk"
            })
            .expression_attribute_values(":pk", s(note_partition(kind)))
            .consistent_read(true)
            .limit(limit(most));
        if !from.is_empty() {
            query = query.expression_attribute_values(":sk", s(from));
        }
        let answer = query.send().await.map_err(|error| port_error(&error))?;
        let read = |item: &Item| {
            let reader = Reader(item);
            Some((reader.text("sk").ok()?, reader.text("text").ok()?))
        };
        Ok(answer.items().iter().filter_map(read).collect())
    }

    async fn remove_note(&self, place: &NoteKey, text: &str) -> Result<(), PortError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.tables.control)
            .set_key(Some(item::owned(note_key(place))))
            .condition_expression("#text = :text")
            .expression_attribute_names("#text", "text")
            .expression_attribute_values(":text", AttributeValue::S(text.to_owned()));
        applied(delete.send().await)?;
        Ok(())
    }
}
