//! `evenkeel queues list`, and whether a queue is paused.

use std::collections::BTreeMap;

use evenkeel::base::time::Time;
use futures_util::{StreamExt, stream};

use super::pins::Pins;
use crate::{
    deployment::{Deployment, JobType, queue_name},
    exit::Failure,
    moment::Moment,
    output::Answer,
    ports::{MappingFacts, Ports},
    shapes::{QueueList, QueueShown},
    table::table,
};

/// Calls at the same time.
const AT_ONCE: usize = 16;

/// Open acts of operators that a list looks at. Each is a read.
const MOST_OPEN: usize = 100;

/// States of a mapping that delivers no messages.
const PAUSED: [&str; 2] = ["Disabled", "Disabling"];

/// Whether a mapping in this state delivers no messages.
pub(crate) fn is_paused_state(state: &str) -> bool {
    PAUSED.contains(&state)
}

/// The ids of the event source mappings by their keys; none if the parameter is missing or cannot be read.
pub(super) async fn mapping_ids<P: Ports>(
    ports: &P,
    stack: &Deployment,
) -> Result<BTreeMap<String, String>, Failure> {
    let Some(parameter) = &stack.mappings else { return Ok(BTreeMap::new()) };
    let text = ports.parameter(parameter).await?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Whether a queue is known to be paused. What cannot be read counts as not paused.
pub(super) async fn is_paused<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &JobType,
    queue: &str,
) -> bool {
    let ids = mapping_ids(ports, stack).await.unwrap_or_default();
    let key = job.sources().into_iter().find(|(_, arn)| *arn == queue).map(|(key, _)| key);
    let Some(id) = key.and_then(|key| ids.get(&key).cloned()) else { return false };
    let mapping = ports.mapping(&id).await.ok().flatten();
    mapping.is_some_and(|mapping| is_paused_state(&mapping.state))
}

async fn shown<P: Ports>(
    ports: &P,
    kind: &str,
    role: &str,
    arn: &str,
    mapping: Option<&String>,
) -> Result<QueueShown, Failure> {
    let depth = ports.depth(arn).await?;
    let mapping: Option<MappingFacts> = match mapping {
        Some(id) => ports.mapping(id).await?,
        None => None,
    };
    Ok(QueueShown {
        queue: queue_name(arn).to_owned(),
        kind: kind.to_owned(),
        role: role.to_owned(),
        visible: depth.visible,
        in_flight: depth.in_flight,
        delayed: depth.delayed,
        mapping: mapping.as_ref().map(|mapping| mapping.state.clone()),
        concurrency: mapping.and_then(|mapping| mapping.concurrency),
        pinned: None,
    })
}

/// Every queue of every job type. What operators have fixed is not read.
pub(crate) async fn all<P: Ports>(
    ports: &P,
    stack: &Deployment,
) -> Result<Vec<QueueShown>, Failure> {
    let ids = mapping_ids(ports, stack).await?;
    let mut reads = Vec::new();
    for job in &stack.types {
        let [normal, high] = job.sources();
        for ((key, arn), role) in [(normal, "normal"), (high, "high")] {
            reads.push(shown(ports, &job.kind, role, arn, ids.get(&key)));
        }
        reads.push(shown(ports, &job.kind, "dead_letters", &job.dead_letters, None));
    }
    let queues: Vec<Result<QueueShown, Failure>> =
        stream::iter(reads).buffered(AT_ONCE).collect().await;
    queues.into_iter().collect()
}

/// The same with what operators have fixed, as far as it is known from the latest `most` acts that are open.
pub(crate) async fn with_pins<P: Ports>(
    ports: &P,
    stack: &Deployment,
    most: usize,
    now: Time,
) -> Result<QueueList, Failure> {
    let (queues, pins) = tokio::join!(all(ports, stack), Pins::read(ports, stack, most, now));
    let mut queues = queues?;
    pins.mark(stack, &mut queues);
    Ok(QueueList { queues, pins_unknown: pins.unknown, read_units: pins.units })
}

/// Lists the queues.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    moment: Moment,
) -> Result<Answer, Failure> {
    let list = with_pins(ports, stack, MOST_OPEN, moment.now).await?;
    let row = |queue: &QueueShown| {
        let pin = queue.pinned.as_ref();
        vec![
            queue.queue.clone(),
            queue.visible.to_string(),
            queue.in_flight.to_string(),
            queue.delayed.to_string(),
            queue.mapping.clone().unwrap_or_default(),
            queue.concurrency.map(|count| count.to_string()).unwrap_or_default(),
            moment.show_ms(pin.map(|pin| pin.until)),
            pin.map(|pin| pin.by_whom().to_owned()).unwrap_or_default(),
        ]
    };
    let head = [
        "QUEUE",
        "VISIBLE",
        "IN FLIGHT",
        "DELAYED",
        "MAPPING",
        "CONCURRENCY",
        "PINNED UNTIL",
        "PINNED BY",
    ];
    let text = table(&head, list.queues.iter().map(row).collect());
    let answer = Answer::list(&list, "queues", text)?;
    Ok(match &list.pins_unknown {
        Some(why) => answer.remark(format!("some pinned concurrency may not be shown: {why}")),
        None => answer,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{args::TimeForm, memory::MemoryPorts, stack, stack::Target};

    #[tokio::test]
    async fn a_pinned_concurrency_is_listed_with_its_end_and_who_has_pinned_it() {
        let entry = json!({ "id": "9-a", "at": 5, "by": "arn:aws:iam::1:user/ada",
            "reason": "flood", "state": "running",
            "act": { "do": "pin", "queues": ["webhook-high"], "slots": 8, "until": 3_600_000 } });
        let ports = MemoryPorts::stack("s", r#"[{"type":"webhook"}]"#)
            .with_note("ops_open", "9-a", "{}")
            .with_note("ops", "9-a", &entry.to_string());
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let moment = Moment { now: Time::default(), form: TimeForm::Relative };
        let list = with_pins(&ports, &stack, MOST_OPEN, moment.now).await.unwrap();
        let pinned = list.queues.iter().filter_map(|queue| {
            queue.pinned.as_ref().map(|pin| json!({ "queue": queue.queue, "pinned": pin }))
        });
        let pin = json!({ "concurrency": 8, "until": 3_600_000, "since": 5,
            "by": "arn:aws:iam::1:user/ada", "reason": "flood", "operation": "9-a" });
        let expected = json!({ "queue": "s-webhook-high", "pinned": pin });
        assert_eq!(pinned.collect::<Vec<_>>(), [expected]);
        let shown = format!("{:?}", self::list(&ports, &stack, moment).await.unwrap());
        for part in ["PINNED UNTIL", "in 1 h", "ada", "\"operation\": String(\"9-a\")"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
