//! What holds in any sequence of claims and settles.

use proptest::prelude::*;

use super::*;

/// One step of a job's life, as the property test draws it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Claim { message: u8, wait_s: u64 },
    Settle { end: u8, wait_s: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u8..4, 0_u64..400).prop_map(|(message, wait_s)| Step::Claim { message, wait_s }),
        (0_u8..6, 0_u64..30).prop_map(|(end, wait_s)| Step::Settle { end, wait_s }),
    ];
    proptest::collection::vec(step, 1..40)
}

fn end(number: u8) -> Decision {
    let after = SECOND * 20;
    match number {
        0 => Decision::Succeed,
        1 => Decision::Retry { after, spends: Spends::Attempt },
        2 => Decision::Retry { after, spends: Spends::Deferral },
        3 => Decision::Park { after, spends: Spends::Deferral },
        4 => Decision::Bury(Cause::Permanent),
        _ => Decision::Retry { after, spends: Spends::Crash },
    }
}

proptest! {
    /// In any sequence of claims and settles, the fence and the counters only grow (except when the
    /// job is reopened), only one run at a time is valid, and a message may be deleted only if its
    /// job has ended or is on the index `due`.
    #[test]
    fn invariants_hold_in_any_order(steps in steps()) {
        let mut now = NOW;
        let mut record: Option<Record> = None;
        let mut run: Option<Record> = None;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Claim { message, wait_s } => {
                    now = now + SECOND * u32::try_from(wait_s).unwrap();
                    let ids = ids(&format!("m{message}"));
                    let owner = format!("o{number}");
                    let by = Claimant { sent_at: now, ..claimant(&owner, &ids, now) };
                    let before = record.clone();
                    match try_claim(record.as_ref(), &by) {
                        ClaimDecision::Take { record: next, .. } => {
                            let fence = before.as_ref().map_or(0, |before| before.fence);
                            prop_assert_eq!(next.fence, fence + 1);
                            prop_assert_eq!(next.phase.name(), "running");
                            run = Some(next.clone());
                            record = Some(next);
                        }
                        ClaimDecision::Write(next, back) => {
                            prop_assert_eq!(back.is_none(), next.phase.ended_at().is_some());
                            prop_assert!(next.due_entry().is_some() || next.phase.ended_at().is_some());
                            record = Some(next);
                        }
                        ClaimDecision::Ended => {
                            prop_assert!(before.unwrap().phase.ended_at().is_some());
                        }
                        ClaimDecision::AlreadyDue => prop_assert!(before.unwrap().due_entry().is_some()),
                        ClaimDecision::IndexLeaseExpiry(at) => {
                            let mut indexed = before.unwrap();
                            indexed.phase =
                                Phase::Running { lease_until: at, lease_expiry_indexed: true };
                            prop_assert!(indexed.due_entry().is_some());
                            record = Some(indexed);
                        }
                        ClaimDecision::ComeBack(at) => prop_assert!(at > now),
                        ClaimDecision::AlreadyClaimed(_) => prop_assert!(false, "every token is new"),
                        ClaimDecision::OtherPayload => prop_assert!(false, "the payload is the same"),
                    }
                }
                Step::Settle { end: number, wait_s } => {
                    now = now + SECOND * u32::try_from(wait_s).unwrap();
                    let (Some(ours), Some(current)) = (run.take(), &record) else { continue };
                    let ended = ours.settled(end(number), Some(&failure()), "{}".into(), now);
                    // The condition that the store checks.
                    if current.guard() == (Guard { state: "running", fence: ours.fence }) {
                        prop_assert!(ended.due_entry().is_some() || ended.phase.ended_at().is_some());
                        record = Some(ended);
                    }
                }
            }
        }
    }
}
