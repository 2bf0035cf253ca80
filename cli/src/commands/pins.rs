//! Which queues have a concurrency that operators have fixed with `queues set`. Such an act is open until its time is
//! over, so the notes that name what is open lead to each of them.

use std::collections::BTreeMap;

use evenkeel::{
    base::time::Time,
    ports::notes::{OPEN_OPS, OPS},
};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::operate::entry;
use crate::{
    deployment::{Deployment, JobType, queue_name},
    exit::Failure,
    ports::{Fault, Ports, Read},
    shapes::{OperationShown, PinShown, QueueShown},
};

/// Calls at the same time.
const AT_ONCE: usize = 16;

/// What operators have fixed.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins {
    /// By the keys of the mappings, such as `webhook-high`.
    by_mapping: BTreeMap<String, PinShown>,
    /// Why some may be missing.
    pub(super) unknown: Option<String>,
    pub(super) units: f64,
}

impl Pins {
    /// Reads the latest `most` open acts, each by its key. A table that cannot be read only leaves pins unknown.
    pub(super) async fn read<P: Ports>(
        ports: &P,
        stack: &Deployment,
        most: usize,
        now: Time,
    ) -> Self {
        let mut pins = Self::default();
        if let Err(fault) = pins.find(ports, stack, most, now).await {
            pins.unknown = Some(Failure::from(fault).message);
        }
        pins
    }

    async fn find<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        most: usize,
        now: Time,
    ) -> Result<(), Fault> {
        let open = ports.notes(&stack.control, OPEN_OPS, most + 1).await?;
        self.units += open.units;
        if open.value.len() > most {
            let why = format!("more than {most} acts are open, and only the latest were looked at");
            self.unknown = Some(why);
        }
        let open = open.value.iter().take(most);
        let reads = open.map(|note| ports.note(&stack.control, OPS, &note.name));
        let reads: Vec<Result<Read<Option<String>>, Fault>> =
            stream::iter(reads).buffered(AT_ONCE).collect().await;
        for read in reads {
            let read = read?;
            self.units += read.units;
            let text = read.value.unwrap_or_default();
            // An entry that nobody can read pins nothing: balance does not wait for it either.
            let entry = serde_json::from_str::<Value>(&text).ok().and_then(|act| entry(act).ok());
            if let Some((queues, pin)) = entry.as_ref().and_then(|entry| pin_of(entry, now)) {
                self.add(&queues, &pin);
            }
        }
        Ok(())
    }

    /// Of several acts about a queue, the latest counts, as it does for balance.
    fn add(&mut self, queues: &[&str], pin: &PinShown) {
        let order = |pin: &PinShown| (pin.since, pin.concurrency);
        for queue in queues {
            if self.by_mapping.get(*queue).is_none_or(|known| order(known) < order(pin)) {
                self.by_mapping.insert((*queue).to_owned(), pin.clone());
            }
        }
    }

    /// Writes to each queue what is fixed.
    pub(super) fn mark(&self, stack: &Deployment, queues: &mut [QueueShown]) {
        let sources = stack.types.iter().flat_map(JobType::sources);
        let keys: BTreeMap<&str, String> =
            sources.map(|(key, arn)| (queue_name(arn), key)).collect();
        for queue in queues {
            let key = keys.get(queue.queue.as_str());
            queue.pinned = key.and_then(|key| self.by_mapping.get(key)).cloned();
        }
    }
}

/// What an act fixes now, and the keys of its queues' mappings; `None` if it fixes nothing, or no longer.
fn pin_of(entry: &OperationShown, now: Time) -> Option<(Vec<&str>, PinShown)> {
    let act = &entry.act;
    let until = act["until"].as_u64().filter(|until| *until > now.as_millis())?;
    if act["do"] != "pin" || !entry.goes_on() {
        return None;
    }
    let pin = PinShown {
        concurrency: u32::try_from(act["slots"].as_u64()?).ok()?,
        until,
        since: entry.at,
        by: entry.by.clone(),
        reason: entry.reason.clone(),
        operation: entry.id.clone(),
    };
    Some((act["queues"].as_array()?.iter().filter_map(Value::as_str).collect(), pin))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{memory::MemoryPorts, ports::MappingFacts, stack, stack::Target};

    const NOW: Time = Time::from_millis(1_000_000);

    /// A stack with an entry of the log for each of these: when it was asked for, its state and its act. All of them are
    /// named as open.
    fn ports(entries: &[(u64, &str, Value)]) -> MemoryPorts {
        let slots = MappingFacts { state: "Enabled".to_owned(), concurrency: Some(4) };
        let mappings = [("webhook", slots.clone()), ("webhook-high", slots)];
        let mut ports = MemoryPorts::stack("s", r#"[{"type":"webhook"}]"#).with_mappings(&mappings);
        for (at, state, act) in entries {
            let (id, by) = (format!("op-{at}"), "arn:aws:sts::1:assumed-role/operators/ada");
            let entry = json!({ "id": id, "at": at, "by": by, "reason": "flood", "act": act,
                "state": state });
            ports = ports.with_note(OPEN_OPS, &id, &json!({ "at": at }).to_string());
            ports = ports.with_note(OPS, &id, &entry.to_string());
        }
        ports
    }

    fn pin(queues: &[&str], slots: u32, until: u64) -> Value {
        json!({ "do": "pin", "queues": queues, "slots": slots, "until": until })
    }

    /// Of each queue: the concurrency that is fixed, and the operation.
    async fn found(ports: &MemoryPorts, most: usize) -> (Vec<(String, u32, String)>, Pins) {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let pins = Pins::read(ports, &stack, most, NOW).await;
        let mut queues = super::super::queues::all(ports, &stack).await.unwrap();
        pins.mark(&stack, &mut queues);
        let told = queues.into_iter().filter_map(|queue| {
            queue.pinned.map(|pin| (queue.queue, pin.concurrency, pin.operation))
        });
        (told.collect(), pins)
    }

    #[tokio::test]
    async fn what_an_open_act_fixes_is_found_and_the_latest_act_about_a_queue_counts() {
        let ports = ports(&[
            (3, "running", pin(&["webhook-high"], 8, 2_000_000)),
            (2, "running", pin(&["webhook", "webhook-high"], 2, 2_000_000)),
            (1, "running", json!({ "do": "pause", "queues": ["webhook"], "until": 2_000_000 })),
        ]);
        let (told, pins) = found(&ports, 10).await;
        let expected = [("s-webhook", 2, "op-2"), ("s-webhook-high", 8, "op-3")];
        let expected = expected.map(|(queue, slots, op)| (queue.to_owned(), slots, op.to_owned()));
        assert_eq!((told.as_slice(), &pins.unknown), (&expected[..], &None));
        assert!(pins.units > 1.0, "a list and three entries: {}", pins.units);
    }

    #[tokio::test]
    async fn what_is_over_or_was_stopped_fixes_nothing_and_too_many_acts_are_said() {
        let over = [
            (4, "running", pin(&["webhook"], 8, 1_000_000)),
            (3, "stopped", pin(&["webhook"], 8, 2_000_000)),
            (2, "done", pin(&["webhook-high"], 8, 2_000_000)),
            (1, "running", json!({ "do": "pin", "queues": "webhook" })),
        ];
        let (told, pins) = found(&ports(&over), 4).await;
        assert!(told.is_empty() && pins.unknown.is_none(), "{told:?} {:?}", pins.unknown);
        let (_, pins) = found(&ports(&over), 3).await;
        assert!(pins.unknown.is_some_and(|why| why.starts_with("more than 3 acts")));
    }
}
