use super::*;
use crate::{
    failure::{BREAKER_OPEN, Class},
    record::{
        Phase, Work,
        claim_decision::{ClaimDecision, Claimant, claim},
        decision::{Cause, Spends},
    },
    testing,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn work() -> Work {
    Work { created_at: NOW, ..testing::work() }
}

fn claimant(message_ids: &[String], now: Time) -> Claimant<'_> {
    Claimant {
        owner: "batch",
        message_ids,
        sent_at: now,
        may_kill: false,
        wakes: None,
        stray: false,
        redriven: false,
        excuses_crashes: false,
        dedup_window: MINUTE,
        fallback: Some("\"instead\""),
        stands_in: false,
        give_up_after: MINUTE,
        now,
        lease_until: now + MINUTE,
    }
}

/// What the claim writes.
fn claimed(record: Option<&Record>, by: &Claimant<'_>, work: &Work) -> Record {
    match claim(record, "errand#g:1", work, by) {
        ClaimDecision::Take { record, .. } | ClaimDecision::Write(record, _) => record,
        other => panic!("nothing is written: {other:?}"),
    }
}

/// A job that message "m" has started.
fn running() -> Record {
    claimed(None, &claimant(&["m".to_owned()], NOW), &work())
}

fn failure(class: Class, code: &'static str) -> Failure {
    Failure::new(class, code, "as asked")
}

fn parked() -> Record {
    let decision = Decision::Park { after: MINUTE * 5, spends: Spends::Deferral };
    let open = failure(Class::Deferred, BREAKER_OPEN);
    running().settled(decision, Some(&open), String::new(), NOW)
}

fn texts(record: &Record) -> Vec<&str> {
    record.journal.iter().map(|entry| entry.what.as_str()).collect()
}

#[test]
fn each_decision_has_an_entry_and_the_healthy_path_has_none() {
    let told = |decision, class, code| {
        let failure = failure(class, code);
        let ended = running().settled(decision, Some(&failure), "{}".into(), NOW + MINUTE);
        assert!(ended.journal.iter().all(|entry| entry.at == (NOW + MINUTE).as_millis()));
        ended.journal.into_iter().map(|entry| entry.what).collect::<Vec<String>>().join("; ")
    };
    let after = Duration::from_millis(11_001);
    let retry = |spends| Decision::Retry { after, spends };
    let park = Decision::Park { after: MINUTE * 5, spends: Spends::Deferral };
    for (decision, class, code, expected) in [
        (Decision::Succeed, Class::Transient, "none", ""),
        (Decision::Continue, Class::Transient, "none", ""),
        (retry(Spends::Attempt), Class::Transient, "http_503", "retried, due in 12 s: http_503"),
        (
            retry(Spends::Deferral),
            Class::Deferred,
            "rate_limit",
            "deferred, due in 12 s: rate_limit",
        ),
        (park, Class::Deferred, BREAKER_OPEN, "parked, due in 300 s: breaker_open"),
        (
            Decision::Bury(Cause::AttemptsSpent),
            Class::Transient,
            "http_503",
            "dead, attempts spent: http_503",
        ),
        (Decision::Quarantine, Class::Crash, "panic", "quarantined: panic"),
    ] {
        assert_eq!(told(decision, class, code), expected, "{decision:?}");
    }
}

#[test]
fn a_crash_and_each_end_without_a_run_are_told() {
    let mut record = running();
    for owner in ["b", "c", "d"] {
        record.phase = Phase::Running { lease_until: NOW, lease_expiry_indexed: false };
        record = record.crashed(owner, None, false, NOW);
    }
    let expected = [
        "crashed, due in 0 s: lease_over",
        "crashed, due in 180 s: lease_over",
        "quarantined: lease_over",
    ];
    assert_eq!(texts(&record), expected);
    let flaw = failure(Class::Permanent, "invalid");
    let buried = parked().buried(&flaw, "why".into(), NOW);
    assert_eq!(texts(&buried)[1..], ["dead, failed for good: invalid"]);
    let unwritable = running().unwritable(&flaw, NOW);
    assert_eq!(texts(&unwritable), ["dead, failed for good: invalid"]);
    let late = Work { deadline: Some(NOW), ..work() };
    let ids = ["m".to_owned()];
    let plain = Claimant { fallback: None, ..claimant(&ids, NOW) };
    assert_eq!(texts(&claimed(None, &plain, &late)), ["dead, deadline over: no run began"]);
    let stands_in = claimed(None, &claimant(&ids, NOW), &late);
    assert_eq!(texts(&stands_in), ["deadline over: a provisional result stands in"]);
    let mut more = running().settled(Decision::Continue, None, "1".into(), NOW);
    more.park(NOW);
    assert_eq!(texts(&more), ["parked: its message has few receives left"]);
}

#[test]
fn a_claim_tells_who_woke_the_job_unless_it_waits_for_that_message() {
    let [own, other] = ["m", "n"].map(|id| [id.to_owned()]);
    let later = NOW + MINUTE * 6;
    let by = claimant(&other, later);
    let redriven = Claimant { redriven: true, ..by };
    let told = |record: Option<&Record>, by: &Claimant<'_>| {
        let record = claimed(record, by, &work());
        record.journal.last().map(|entry| (entry.at, entry.what.clone()))
    };
    let entry = |how: WakeUp| Some((later.as_millis(), how.text().to_owned()));
    assert_eq!(told(None, &by), None, "a new job");
    assert_eq!(told(None, &redriven), entry(WakeUp::Redriven));
    assert_eq!(told(Some(&parked()), &by), entry(WakeUp::Repeated));
    assert_eq!(told(Some(&parked()), &redriven), entry(WakeUp::Redriven));
    let before = parked().journal.last().map(|entry| (entry.at, entry.what.clone()));
    assert_eq!(told(Some(&parked()), &claimant(&own, later)), before, "its own message");
    let woken = Claimant { wakes: Some(parked().fence), ..by };
    assert_eq!(told(Some(&parked()), &woken), before, "the sweeper's, which has told it");
    let queued = Record { phase: Phase::Queued { due_at: NOW }, ..running() };
    assert_eq!(told(Some(&queued), &by), None, "its first message");
}

#[test]
fn a_job_that_begins_anew_without_a_result_says_so_and_one_that_succeeded_does_not() {
    let ids = ["n".to_owned()];
    let by = claimant(&ids, NOW + MINUTE * 2);
    let done = running().settled(Decision::Succeed, None, "{}".into(), NOW);
    assert_eq!(claimed(Some(&done), &by, &work()).journal, []);
    let cancelled = running().cancelled("operator", "as asked".into(), NOW);
    assert_eq!(texts(&claimed(Some(&cancelled), &by, &work())), [WakeUp::Anew.text()]);
}

#[test]
fn the_thirteenth_entry_drops_the_oldest() {
    let mut record = running();
    for n in 0..=JOURNAL {
        record.note(&format!("entry {n}"), NOW);
    }
    let kept: Vec<String> = (1..=JOURNAL).map(|n| format!("entry {n}")).collect();
    assert_eq!(texts(&record), kept);
}

/// A bulk act that is carried on later must not act on a job twice.
#[test]
fn an_operators_act_outlasts_what_is_no_act_and_the_thirteenth_act_drops_the_first() {
    let mut record = running();
    record.note("first", NOW);
    record = record.noted("op", "retry: as tested", NOW);
    for n in 0..2 * JOURNAL {
        record.note(&format!("entry {n}"), NOW);
    }
    assert_eq!((record.journal.len(), record.has_noted("op")), (JOURNAL, true));
    assert_eq!(texts(&record)[0], "retry: as tested");
    assert_eq!(record.journal[JOURNAL - 1].what, format!("entry {}", 2 * JOURNAL - 1));
    for n in 0..JOURNAL {
        record = record.noted(&format!("op-{n}"), "retry: as tested", NOW);
    }
    assert_eq!((record.journal.len(), record.has_noted("op")), (JOURNAL, false));
    assert!(record.has_noted("op-0") && record.has_noted("op-11"));
}

#[test]
fn a_longer_text_is_cut_at_a_character() {
    let fits = "x".repeat(ENTRY_BYTES);
    let wide = format!("{}é", "x".repeat(ENTRY_BYTES - 1));
    for (text, kept) in [(&fits, ENTRY_BYTES), (&format!("{fits}y"), ENTRY_BYTES), (&wide, 119)] {
        let mut record = running().noted("op", text, NOW);
        record.note(text, NOW);
        assert_eq!(texts(&record), [&text[..kept], &text[..kept]]);
    }
    let code = "c".repeat(100);
    let decision = Decision::Park { after: MINUTE, spends: Spends::Deferral };
    let failure = Failure::new(Class::Deferred, code, "as asked");
    let record = running().settled(decision, Some(&failure), String::new(), NOW);
    assert!(texts(&record)[0].starts_with("parked, due in 60 s: ccc"), "{record:?}");
}

#[test]
fn what_a_newer_version_has_written_is_kept() {
    let text = r#"[{"at":7,"what":"moved: to another queue","by":{"name":"x"},"round":2}]"#;
    let mut record = running();
    record.journal = serde_json::from_str(text).unwrap();
    record.note("parked, due in 60 s: breaker_open", NOW);
    let again = serde_json::to_string(&record.journal).unwrap();
    assert!(again.starts_with(&text[..text.len() - 1]), "{again}");
    let plain = &again[text.len()..];
    assert_eq!(plain, r#"{"at":1800000000000,"what":"parked, due in 60 s: breaker_open"}]"#);
}

/// docs/performance.md says what it adds to a write.
#[test]
fn the_journal_of_an_outage_takes_less_than_a_kilobyte() {
    let mut record = parked();
    let ids = ["n".to_owned()];
    for _ in 0..JOURNAL {
        let woken = record.awaiting_wake_up("sweeper", NOW, NOW).woken_by(WakeUp::Released, NOW);
        let by = Claimant { wakes: Some(woken.fence), ..claimant(&ids, NOW) };
        let decision = Decision::Park { after: MINUTE * 5, spends: Spends::Deferral };
        let open = failure(Class::Deferred, BREAKER_OPEN);
        record = claimed(Some(&woken), &by, &work());
        record = record.settled(decision, Some(&open), String::new(), NOW);
    }
    let bytes = serde_json::to_string(&record.journal).unwrap().len();
    assert_eq!(record.journal.len(), JOURNAL);
    assert!((512..1_024).contains(&bytes), "{bytes} bytes");
}

#[test]
fn nothing_but_another_act_displaces_an_operators_act() {
    let acts = 0..JOURNAL as u64;
    let full =
        acts.fold(running(), |record, n| record.noted(&format!("op-{n}"), "retry: why", NOW));
    let woken = full.clone().woken_by(WakeUp::Released, NOW + MINUTE);
    assert_eq!(woken.journal, full.journal);
    let acted = full.noted("op-next", "cancel: why", NOW + MINUTE);
    assert_eq!(acted.journal.len(), JOURNAL);
    assert!(acted.has_noted("op-next") && acted.has_noted("op-1") && !acted.has_noted("op-0"));
}
