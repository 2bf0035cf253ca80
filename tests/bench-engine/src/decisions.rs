//! Pure functions of the engine and of `url_shortening`.

use std::time::Duration;

use evenkeel::{
    aws::{item::decode, measured::item},
    base::time::Time,
    policy::Policy,
    record::{
        Counters, FailedAttempt, LastFailure, Phase, Record, Work,
        claim_decision::{ClaimDecision, Claimant, claim},
    },
    testing::{self, BEGINNING, POLICY},
};
use inventory::{slashtag, vin::Vin};
use url::Url;

use crate::case::Case;

/// The batch's token.
const OWNER: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::pure("claim decision: a new job", "decision", 20_000, || {
            let (record, ids) = (record(1), [String::from("message-1")]);
            move || taken(None, &record, &ids)
        }),
        Case::pure("claim decision: a retry", "decision", 20_000, || {
            let (record, ids) = (waiting(), [String::from("message-1")]);
            move || taken(Some(&record), &record, &ids)
        }),
        Case::pure("record to item", "record", 10_000, || {
            let record = ended(1);
            move || item(&record)
        }),
        Case::pure("item to record", "record", 10_000, || {
            let item = item(&ended(1));
            move || decode(&item).expect("an item of ours")
        }),
        Case::pure("first slashtag", "chain", 10_000, || {
            let (vin, destination) = car();
            move || slashtag::candidates(DEALER, &vin, &destination).next()
        }),
        Case::pure("chain of slashtags", "chain", 10_000, || {
            let (vin, destination) = car();
            move || slashtag::candidates(DEALER, &vin, &destination).collect::<Vec<_>>()
        }),
    ]
}

/// The name of a dealer.
const DEALER: &str = "Acme Motors of Springfield";

/// The VIN of a car, and where its link leads.
fn car() -> (Vin, Url) {
    let destination = "https://www.acme.example/new/Honda/2026-Accord.htm".parse();
    (Vin::parse("1HGCM82633A004352").expect("a VIN"), destination.expect("an address"))
}

/// Whether the job may run.
fn taken(existing: Option<&Record>, asked: &Record, message_ids: &[String]) -> bool {
    let now = BEGINNING + Duration::from_mins(1);
    let policy: &Policy = &POLICY;
    let claimant = Claimant {
        owner: OWNER,
        message_ids,
        sent_at: BEGINNING,
        may_kill: false,
        wakes: None,
        stray: false,
        redriven: false,
        excuses_crashes: false,
        dedup_window: policy.dedup_window,
        fallback: None,
        stands_in: false,
        give_up_after: policy.give_up_after,
        now,
        lease_until: now + policy.job_timeout,
    };
    matches!(claim(existing, &asked.key, &asked.work, &claimant), ClaimDecision::Take { .. })
}

/// A claimed record of `url_shortening`.
pub(crate) fn record(n: usize) -> Record {
    let payload = format!(
        r#"{{"destination":"https://www.acme.example/new/Honda/2026-Accord-{n}.htm","dealer_slug":"acme-motors","vin":"1HGCM82633A{n:06}"}}"#
    );
    let lease_until = BEGINNING + Duration::from_mins(1);
    Record {
        owner: OWNER.to_owned(),
        message_id: format!("059f36b4-87a3-44ab-83d2-{n:012}"),
        counters: Counters { receives: 1, claims: 1, ..Counters::default() },
        work: Work {
            payload,
            dependency: "rebrandly".to_owned(),
            retention: Duration::from_hours(24 * 30),
            ..testing::work()
        },
        ..testing::record(
            &format!("url_shortening#d:{n:064}"),
            Phase::Running { lease_until, lease_expiry_indexed: false },
        )
    }
}

/// The same job, which has succeeded.
pub(crate) fn ended(n: usize) -> Record {
    let result = r#"{"link_id":"9fd0a2bbf8a44f6a9dc5fd3ac1f7e0d1","short_url":"go.example/acme-motors-004352","slashtag":"acme-motors-004352","via":"created"}"#;
    let phase = Phase::Succeeded { at: BEGINNING, result: result.to_owned() };
    let counters = Counters { receives: 1, claims: 1, attempts: 1, ..Counters::default() };
    Record { phase, counters, ..record(n) }
}

/// The same job after a failed attempt, whose wait is over.
fn waiting() -> Record {
    let run_after: Time = BEGINNING + Duration::from_secs(2);
    let due_at = run_after + Duration::from_mins(5);
    let failed = FailedAttempt {
        at: BEGINNING.as_millis(),
        class: "transient".to_owned(),
        code: "http_503".to_owned(),
        message: "503 Service Unavailable".to_owned(),
    };
    Record {
        phase: Phase::Waiting { run_after, due_at, why: "http_503".to_owned() },
        counters: Counters { receives: 1, claims: 1, attempts: 1, ..Counters::default() },
        last_failure: Some(LastFailure {
            class: "transient".to_owned(),
            fingerprint: "0123456789ab".to_owned(),
            at: BEGINNING,
        }),
        history: vec![failed],
        ..record(1)
    }
}
