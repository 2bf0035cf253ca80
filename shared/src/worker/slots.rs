//! Reserves the slots of a batch before its jobs are claimed. A job whose slot is too far ahead is not claimed:
//! its message waits in the queue, which costs no write.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use futures_util::future::join_all;

use super::{Worker, batch::Batch, disposition::Disposition};
use crate::{
    base::time::{Clock, Time},
    dependency::limiter::{HIGH_HORIZON, HORIZON},
    gates::Ahead,
    job::Job,
    policy::{PARK_FROM_RECEIVE, SHORTEST_DELAY},
    ports::Ports,
    record::due::{HIGH, priority},
};

/// How long before its promised slot a message comes back at most: almost the limiter's horizon. Others may have used
/// fewer slots than they were promised, SQS rounds up to seconds, and a batch takes its time. A message that came back
/// only at its slot would let slots go by unused, above all at the end of a backlog.
const MOST_EARLY: Duration = Duration::from_secs(4);

/// The same at least.
const LEAST_EARLY: Duration = Duration::from_millis(1_500);

/// Reserves a slot for each ticket, in one write per dependency. Returns the dispositions of the tickets that
/// must not be claimed, by their places in the batch.
///
/// The messages that were received most often come first. One that is close to the dead-letter queue is
/// claimed without a slot, and parks; so is one whose slot is over a minute ahead.
pub(super) async fn reserve<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) -> BTreeMap<usize, Disposition> {
    let now = worker.clock.now();
    let mut by_dependency: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, ticket) in batch.tickets.iter().enumerate() {
        worker.gates.know_limit(&ticket.work.dependency, ticket.limit.clone());
        // After its deadline, a job that has no fallback ends without a call.
        let ends = ticket.work.deadline.is_some_and(|deadline| deadline <= now);
        if !ends || ticket.fallback.is_some() {
            by_dependency.entry(&ticket.work.dependency).or_default().push(place);
        }
    }
    let reserved = by_dependency.into_iter().map(async |(dependency, mut places)| {
        places.sort_by_key(|place| Reverse(batch.tickets[*place].receives));
        let jobs = u32::try_from(places.len()).unwrap_or(u32::MAX);
        worker.gates.know_quota(dependency, batch.tickets[places[0]].quota, jobs);
        let is_high = priority(&batch.tickets[places[0]].work.queue) == HIGH;
        let horizon = if is_high { HIGH_HORIZON } else { HORIZON };
        let Ahead::Some { slots, promised } =
            worker.gates.reserve_ahead(dependency, jobs, horizon).await
        else {
            return Vec::new();
        };
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let mut promised = promised.into_iter();
        let mut waiting = Vec::new();
        for place in places.into_iter().skip(slots) {
            let ticket = &batch.tickets[place];
            // After its deadline, a job is claimed in any case: its fallback comes in.
            let is_late = ticket.work.deadline.is_some_and(|deadline| deadline <= now);
            if is_late {
                batch.parks(place);
                continue;
            }
            let may_wait = ticket.receives < PARK_FROM_RECEIVE;
            match promised.next().filter(|_| may_wait) {
                Some(slot) => waiting.push((place, slot)),
                None => batch.parks(place),
            }
        }
        waiting
    });
    let waiting = join_all(reserved).await;
    let disposition = |(place, at): (usize, Time)| {
        let deadline = batch.tickets[place].work.deadline.unwrap_or(at);
        (place, Disposition::Retry(at.min(deadline).since(now).max(SHORTEST_DELAY)))
    };
    waiting.iter().flat_map(|promised| returns(promised)).map(disposition).collect()
}

/// When messages come back that were promised these slots, in the order of their times. Those whose slots are so near to
/// each other that one batch can reserve them all come back together.
fn returns(promised: &[(usize, Time)]) -> Vec<(usize, Time)> {
    let mut times = Vec::with_capacity(promised.len());
    let mut left = promised;
    while let Some((_, first)) = left.first() {
        let is_near = |(_, slot): &&(usize, Time)| slot.since(*first) + LEAST_EARLY <= HORIZON;
        let count = left.iter().take_while(is_near).count();
        let (group, rest) = left.split_at(count);
        let span = group.last().map_or(Duration::ZERO, |(_, last)| last.since(*first));
        let early = HORIZON.saturating_sub(span + LEAST_EARLY).clamp(LEAST_EARLY, MOST_EARLY);
        times.extend(group.iter().map(|(place, _)| (*place, first.before(early))));
        left = rest;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    /// When messages with slots at these seconds come back, in milliseconds.
    fn come_back(slots: &[u64]) -> Vec<u64> {
        let at = |(place, second): (usize, &u64)| (place, NOW + Duration::from_secs(*second));
        let promised: Vec<(usize, Time)> = slots.iter().enumerate().map(at).collect();
        let back = returns(&promised);
        let places: Vec<usize> = back.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..slots.len()).collect::<Vec<_>>());
        back.into_iter()
            .map(|(_, at)| u64::try_from(at.since(NOW).as_millis()).unwrap_or_default())
            .collect()
    }

    #[test]
    fn messages_come_back_shortly_before_their_slots_in_groups_that_one_batch_can_reserve() {
        assert_eq!(come_back(&[30]), [26_500], "3.5 s before it");
        let together = come_back(&[30, 31, 32, 33]);
        assert_eq!(together, [28_500; 4], "the last one's slot is 4.5 s ahead then");
        assert_eq!(
            come_back(&[30, 31, 32, 33, 34, 35]),
            [28_500, 28_500, 28_500, 28_500, 31_500, 31_500]
        );
        assert_eq!(come_back(&[]), [0_u64; 0]);
    }

    #[test]
    fn no_message_comes_back_too_late_for_its_slot_or_too_early_to_reserve_it() {
        for rate in [1, 2, 3, 7, 20] {
            let slots: Vec<u64> = (0..50).map(|n| 20 + n / rate).collect();
            for (slot, back) in slots.iter().zip(come_back(&slots)) {
                let early = slot * 1_000 - back;
                assert!((1_500..=5_000).contains(&early), "{rate} a second: {early} ms");
            }
        }
    }
}
