//! Every failure that the sweeper repairs, on real queues and tables, and how long the repair
//! takes.

mod case;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use sandbox::{Fault, FaultKind, Scope, Service, Target};
use serde_json::{Value, json};
use tokio::time::sleep;
use xtask::aws::sqs::Outgoing;
use xtask::aws::{lambda, sqs};
use xtask::local::Stack;

use super::bench::Bench;
use super::page::Page;
use crate::victim;
use case::{Case, Ending};

/// Within this time of its lease's end, or of when it was due, every job must have ended.
const RECOVERED_WITHIN: Duration = Duration::from_mins(2);

/// How long to wait for all of it.
const PATIENCE: Duration = Duration::from_mins(5);

/// Queue and dead-letter queue of the jobs.
const QUEUE: &str = "UrlShorteningQueueUrl";
const DEAD: &str = "UrlShorteningDeadLetterQueueUrl";

/// What the recovery on this stack came to, however long it took: the page as text, and whether
/// everything on it holds.
pub async fn on(stack: &Stack) -> Result<(String, bool)> {
    let (page, _) = recover(&Bench::of(stack)?).await?;
    Ok((page.text("recovery"), page.holds()))
}

pub(super) async fn run(bench: &Bench<'_>) -> Result<Page> {
    let (mut page, latest) = recover(bench).await?;
    let rule = "within two minutes of its lease's end or of when it was due";
    page.must(rule, latest < RECOVERED_WITHIN);
    Ok(page)
}

/// Causes all failures, waits, and judges. Also returns the longest time of a recovery.
async fn recover(bench: &Bench<'_>) -> Result<(Page, Duration)> {
    let mut page = Page::new(
        "Recovery",
        "Real binaries, the real template with its schedule of a minute, MiniStack. Messages are deleted, \
         processes killed, records left behind and dead letters put there, each in its own way; no one \
         helps but the sweeper. A time is counted from the end of the lease, or from when the record was \
         due; for a dead letter, from when it was put there.",
    );
    let arn = queue_arn(bench).await?;
    let mut cases = lost(bench).await?;
    cases.extend(left_behind(bench, &arn).await?);
    cases.extend(dead_letters(bench, &arn).await?);
    bench.say("everything has gone wrong; from here on only the sweeper helps");
    wait(bench, &cases).await?;
    let at_once = two_at_once(bench, &arn).await?;
    retry_failed(bench).await?;
    // The dead letter of a job that ran at that moment is left to the tick after the next.
    bench
        .until("the dead-letter queue is empty", PATIENCE, async |bench| {
            Ok(sqs::depth(bench.aws(), bench.stack.output(DEAD)?).await?.is_empty())
        })
        .await?;
    let latest = judge(bench, &mut page, &cases, at_once).await?;
    Ok((page, latest))
}

/// ARN of the queue.
async fn queue_arn(bench: &Bench<'_>) -> Result<String> {
    let function = bench.stack.output("UrlShorteningFunctionName")?;
    let name = bench.stack.output(QUEUE)?.rsplit('/').next().unwrap_or_default().to_owned();
    let mappings = lambda::mappings(bench.aws(), function).await?;
    let arns = mappings.into_iter().map(|mapping| mapping.queue_arn);
    let arn = arns.into_iter().find(|arn| arn.rsplit(':').next() == Some(&name));
    arn.with_context(|| format!("{name}: nothing takes messages from it"))
}

/// Jobs whose messages are deleted: one whose process was killed during its call, and one that
/// waits for its retry.
async fn lost(bench: &Bench<'_>) -> Result<Vec<Case>> {
    let killed = Case::new("killed in the middle of its call, and its message deleted", "killed");
    victim::hold(&bench.sandbox, &killed.destination()).await?;
    bench.send_to(QUEUE, &[killed.body()]).await?;
    victim::kill(bench.stack, &bench.sandbox, &killed.destination()).await?;
    let waits = Case::new("its message deleted after its first claim", "deleted");
    let fault = Fault {
        kind: FaultKind::status(503),
        on: Target {
            service: Some(Service::Rebrandly),
            destination: Some(waits.destination()),
            ..Target::default()
        },
        scope: Scope::calls(1),
        after_work: false,
    };
    bench.sandbox.add_fault(&fault).await.context("the fault")?;
    bench.send_to(QUEUE, &[waits.body()]).await?;
    let key = waits.key();
    bench
        .until("it waits", Duration::from_secs(30), async |bench| {
            let record = bench.record(&key).await?;
            Ok(record.is_some_and(|record| record["state"] == "waiting"))
        })
        .await?;
    sqs::purge(bench.aws(), bench.stack.output(QUEUE)?).await?;
    let due = |record: Option<Value>, name: &str| record.and_then(|record| record[name].as_u64());
    let lease = due(bench.record(&killed.key()).await?, "lease_until");
    let run_after = due(bench.record(&waits.key()).await?, "run_after");
    Ok(vec![
        killed.due(lease.context("killed: expected a lease")?),
        waits.due(run_after.context("deleted: expected it to wait")?),
    ])
}

/// Records without a message, or with a message too many.
async fn left_behind(bench: &Bench<'_>, arn: &str) -> Result<Vec<Case>> {
    let now = now_ms();
    let unsent =
        Case::new("its sender died after the record, before the message", "unsent").due(now);
    bench.put(&unsent.record(arn, "queued", &json!({ "due_at": now }))).await?;
    let lost =
        Case::new("sent, and the answer lost: its message is there after all", "answer-lost");
    let lost = lost.due(now);
    bench.put(&lost.record(arn, "queued", &json!({ "due_at": now }))).await?;
    bench.send_to(QUEUE, &[lost.body()]).await?;
    let parked = Case::new("parked behind a breaker that has closed", "parked").due(now);
    let fields = json!({
        "run_after": now, "due_at": now, "why": "deferred (breaker_open)", "parked_since": now, "gated": true,
    });
    bench.put(&parked.record(arn, "parked", &fields)).await?;
    let limits =
        json!({ "per_minute": 480, "per_hour": 18_000, "closes_with": 3, "noted_at": now });
    let note = json!({ "pk": "note#watched#8", "sk": "rebrandly", "text": limits.to_string() });
    bench.put_control(&note).await?;
    let indexed =
        Case::new("its batch's lease lost with it, its lease expiry indexed by a copy", "indexed")
            .due(now);
    let fields = json!({ "lease_until": now, "due_at": now });
    bench.put(&indexed.record(arn, "running", &fields)).await?;
    let third =
        Case::new("a third process killed by it", "poison").due(now).ends(Ending::Quarantined);
    let mut record = third.record(arn, "running", &json!({ "lease_until": now, "due_at": now }));
    record["crashes"] = 2.into();
    bench.put(&record).await?;
    let hidden = Case::new("waiting, and taken off the index by hand", "no-due-entry").due(now);
    let mut record = hidden.record(
        arn,
        "waiting",
        &json!({ "run_after": now, "due_at": now, "why": "transient (http_503)" }),
    );
    record.as_object_mut().context("an object")?.remove("due");
    bench.put(&record).await?;
    Ok(vec![unsent, lost, parked, indexed, third, hidden])
}

/// Puts messages into the dead-letter queue.
async fn dead_letters(bench: &Bench<'_>, arn: &str) -> Result<Vec<Case>> {
    let now = now_ms();
    let good = Case::new("a good dead letter", "good").due(now);
    let waiting = Case::new("a dead letter of a job that waits", "dead-waiting").due(now);
    let fields = json!({ "run_after": now, "due_at": now, "why": "transient (http_503)" });
    bench.put(&waiting.record(arn, "waiting", &fields)).await?;
    let again = Case::new("a dead letter that was sent once more before", "twice");
    let again = again.due(now).ends(Ending::Held("unacknowledged"));
    let poisoned = Case::new("a dead letter that is no message", "poisoned");
    let poisoned = poisoned.due(now).ends(Ending::Held("malformed"));
    let alien = Case::new("a dead letter of another queue's type", "alien");
    let alien = alien.due(now).ends(Ending::Held("alien"));
    let alien_body = alien.body().replace("url_shortening", "dealer_com_feed");
    let twice = Outgoing {
        attributes: vec![("evenkeel-purpose".to_owned(), "redrive".to_owned())],
        ..Outgoing::new(again.body())
    };
    let messages = [
        Outgoing::new(good.body()),
        Outgoing::new(waiting.body()),
        Outgoing::new(poisoned.key()),
        Outgoing::new(alien_body),
        twice,
    ];
    sqs::send_batch(bench.aws(), bench.stack.output(DEAD)?, &messages).await?;
    Ok(vec![good, waiting, again, poisoned, alien])
}

/// Writes records without messages and calls two sweepers at the same time, in addition to the
/// scheduled one. Returns how many of them led.
async fn two_at_once(bench: &Bench<'_>, arn: &str) -> Result<usize> {
    let late = now_ms() - 60_000;
    for case in unsent() {
        // A job that was created in 1970 would be given up at its first deferral.
        let case = case.due(late);
        bench.put(&case.record(arn, "queued", &json!({ "due_at": late }))).await?;
    }
    let sweeper = bench.stack.output("SweeperFunctionName")?;
    let call = json!({});
    let invoke = || lambda::invoke(bench.aws(), sweeper, &call);
    let (one, other) = tokio::try_join!(invoke(), invoke())?;
    succeeded(bench, &unsent()).await?;
    Ok([one, other].iter().filter(|answer| answer["another_leads"] != true).count())
}

/// The jobs that are left to two sweepers at once.
fn unsent() -> Vec<Case> {
    (0..20).map(|n| Case::new("left for two sweepers", &format!("at-once-{n}"))).collect()
}

/// Waits until these jobs have succeeded.
async fn succeeded(bench: &Bench<'_>, cases: &[Case]) -> Result<()> {
    bench
        .until("all are done", PATIENCE, async |bench| {
            let records = by_key(bench).await?;
            Ok(cases.iter().all(|case| case.ended_at(&records).is_some()))
        })
        .await
}

/// Waits until every case has come to its end.
async fn wait(bench: &Bench<'_>, cases: &[Case]) -> Result<()> {
    bench
        .until("everything is mended", PATIENCE, async |bench| {
            let records = by_key(bench).await?;
            Ok(cases.iter().all(|case| case.ended_at(&records).is_some()))
        })
        .await
}

/// The clean-up of the improvement plan: an operator restarts jobs that had failed because of a
/// conflict.
async fn retry_failed(bench: &Bench<'_>) -> Result<()> {
    let arn = queue_arn(bench).await?;
    let now = now_ms();
    for case in failed() {
        let fields = json!({
            "ended_at": now, "due_at": now, "why": "Already exists", "expires_at": now / 1_000 + 86_400,
        });
        bench.put(&case.record(&arn, "dead", &fields)).await?;
    }
    // The index shows a record a moment after it is written.
    sleep(Duration::from_secs(1)).await;
    let on = json!({ "filter": { "type": "url_shortening" }, "as_of": now_ms() });
    let call = json!({ "act": { "do": "retry", "on": on }, "reason": "the code is corrected" });
    let answer =
        lambda::invoke(bench.aws(), bench.stack.output("OperatorFunctionName")?, &call).await?;
    bench.say(&format!("retry: {answer}"));
    succeeded(bench, &failed()).await
}

/// As many jobs as failed in the incident.
fn failed() -> Vec<Case> {
    (0..23).map(|n| Case::new("a job that had failed", &format!("failed-{n}"))).collect()
}

async fn by_key(bench: &Bench<'_>) -> Result<BTreeMap<String, Value>> {
    let records = bench.records().await?.into_iter();
    Ok(records.filter_map(|record| Some((record["pk"].as_str()?.to_owned(), record))).collect())
}

async fn judge(
    bench: &Bench<'_>,
    page: &mut Page,
    cases: &[Case],
    at_once: usize,
) -> Result<Duration> {
    let records = by_key(bench).await?;
    let mut latest = Duration::ZERO;
    for case in cases {
        let took = case.took(&records).unwrap_or(PATIENCE);
        latest = latest.max(took);
        page.see(case.what, format!("{} after {} s", case.ending.name(), took.as_secs()));
    }
    let done = cases.iter().filter(|case| case.ending == Ending::Succeeded);
    let links = bench.sandbox.links().await.context("the sandbox's links")?;
    let (failed, unsent) = (failed(), unsent());
    let once = done.chain(&failed).chain(&unsent).all(|case| {
        links.iter().filter(|link| link.destination == case.destination()).count() == 1
    });
    let dead = sqs::depth(bench.aws(), bench.stack.output(DEAD)?).await?;
    let control = bench.control_items().await?;
    let leases = control
        .iter()
        .filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with("lease#")));
    let leases = leases.count();
    page.see("sweepers that led, of two called at once, one after the other", at_once);
    page.see("failed jobs that begin anew on the operator's word", failed.len());
    page.must(
        "every job ends, or is held with a true reason",
        cases.iter().all(|c| c.is_true(&records)),
    );
    page.must("every address has one link", once && bench.doubled().await? == 0);
    page.must("the dead-letter queue is empty", dead.is_empty());
    page.must("no lease is left", leases == 0);
    page.must("of two sweepers called at once, one at least leads", at_once >= 1);
    Ok(latest)
}

#[expect(clippy::disallowed_methods, reason = "the records' times are the real ones")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
