//! Fault injection at the maintenance ports.

use std::time::Duration;

use super::Faulty;
use crate::{
    base::time::Time,
    message::{ReceivedMessage, RejectedMessage},
    ports::{
        PortError, Swapped,
        maintenance::{
            Depth, DueJob, MappingMaintenance, MappingSlots, Page, QueueMaintenance, Table,
            TableMaintenance,
        },
        notes::NoteKey,
    },
    record::lease::Lease,
};

impl<T: TableMaintenance + Clone + 'static> TableMaintenance for Faulty<T> {
    async fn due(
        &self,
        partition: &str,
        span: [Time; 2],
        most: usize,
    ) -> Result<Vec<DueJob>, PortError> {
        self.faults
            .call("due", partition.to_owned(), self.port.due(partition, span, most), None)
            .await
    }

    async fn leases(&self, shard: u8, most: usize) -> Result<Vec<Lease>, PortError> {
        self.faults.call("leases", shard.to_string(), self.port.leases(shard, most), None).await
    }

    async fn rejected(&self, key: &str) -> Result<Option<RejectedMessage>, PortError> {
        self.faults.call("rejected", key.to_owned(), self.port.rejected(key), None).await
    }

    async fn mark_released(&self, message: &RejectedMessage) -> Result<bool, PortError> {
        let mark = self.port.mark_released(message);
        self.faults.call("mark_released", message.key.clone(), mark, None).await
    }

    async fn remove_released(&self, key: &str) -> Result<(), PortError> {
        let remove = self.port.remove_released(key);
        self.faults.call("remove_released", key.to_owned(), remove, None).await
    }

    async fn page(
        &self,
        table: Table,
        from: Option<&[String]>,
        most: usize,
    ) -> Result<Page, PortError> {
        self.faults
            .call("page", format!("{table:?}"), self.port.page(table, from, most), None)
            .await
    }

    async fn remove_expired(
        &self,
        table: Table,
        key: &[String],
        now: Time,
    ) -> Result<bool, PortError> {
        let remove = self.port.remove_expired(table, key, now);
        self.faults.call("remove_expired", key.join(" "), remove, None).await
    }

    async fn swap_note(
        &self,
        place: &NoteKey,
        text: &str,
        revision: u64,
        expires_at: Time,
    ) -> Result<Swapped<Option<String>>, PortError> {
        let swap = self.port.swap_note(place, text, revision, expires_at);
        self.faults.call("swap_note", place.name.clone(), swap, None).await
    }

    async fn notes(
        &self,
        kind: &'static str,
        from: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, PortError> {
        self.faults.call("notes", kind.to_owned(), self.port.notes(kind, from, most), None).await
    }

    async fn remove_note(&self, place: &NoteKey, text: &str) -> Result<(), PortError> {
        self.faults
            .call("remove_note", place.name.clone(), self.port.remove_note(place, text), None)
            .await
    }
}

impl<T: QueueMaintenance + Clone + 'static> QueueMaintenance for Faulty<T> {
    async fn depth(&self, queue: &str) -> Result<Depth, PortError> {
        self.faults.call("depth", queue.to_owned(), self.port.depth(queue), None).await
    }

    async fn receive(
        &self,
        queue: &str,
        hidden: Duration,
    ) -> Result<Vec<ReceivedMessage>, PortError> {
        self.faults.call("receive", queue.to_owned(), self.port.receive(queue, hidden), None).await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), PortError> {
        self.faults.call("delete", queue.to_owned(), self.port.delete(queue, receipts), None).await
    }
}

impl<T: MappingMaintenance> MappingMaintenance for Faulty<T> {
    async fn concurrency(&self, mapping: &str) -> Result<Option<MappingSlots>, PortError> {
        self.faults
            .call("concurrency", mapping.to_owned(), self.port.concurrency(mapping), None)
            .await
    }

    async fn set_concurrency(&self, mapping: &str, slots: u32) -> Result<(), PortError> {
        let set = self.port.set_concurrency(mapping, slots);
        self.faults.call("set_concurrency", mapping.to_owned(), set, None).await
    }

    async fn set_enabled(&self, mapping: &str, enabled: bool) -> Result<(), PortError> {
        let set = self.port.set_enabled(mapping, enabled);
        self.faults.call("set_enabled", mapping.to_owned(), set, None).await
    }
}
