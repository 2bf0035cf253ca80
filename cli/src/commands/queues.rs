//! `evenkeel queues list`, and whether a queue is paused.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::{
    deployment::{Deployment, JobType, queue_name},
    exit::Failure,
    output::Answer,
    ports::{MappingFacts, Ports},
    shapes::{QueueList, QueueShown},
    table::table,
};

/// Calls at the same time.
const AT_ONCE: usize = 16;

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
    })
}

/// Every queue of every job type.
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

/// Lists the queues.
pub(super) async fn list<P: Ports>(ports: &P, stack: &Deployment) -> Result<Answer, Failure> {
    let queues = all(ports, stack).await?;
    let row = |queue: &QueueShown| {
        vec![
            queue.queue.clone(),
            queue.visible.to_string(),
            queue.in_flight.to_string(),
            queue.delayed.to_string(),
            queue.mapping.clone().unwrap_or_default(),
            queue.concurrency.map(|count| count.to_string()).unwrap_or_default(),
        ]
    };
    let head = ["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "MAPPING", "CONCURRENCY"];
    let text = table(&head, queues.iter().map(row).collect());
    Answer::list(&QueueList { queues }, "queues", text)
}
