//! What changes something: sent to the operators' function, which logs it, does it, and answers with its entry.

use std::time::Duration;

use evenkeel::base::time::Time;
use serde_json::{Value, json};

use super::find::{absent, find};
use crate::{
    args::{
        ActOnJobs, AutoBreaker, Confirmed, PauseQueues, Priority, ReleaseRejected, ResumeQueues,
        SetBreaker, SetLimiter, SetQueues, Write,
    },
    deployment::{Deployment, JobType},
    exit::{Exit, Failure},
    moment::{self, Moment},
    output::Answer,
    ports::{Called, Fault, Ports},
    shapes::{OperationShown, Preview},
    table::Fields,
    text::{clean_lines, redact, redact_value},
};

/// How long the operators' function may take: its time-out and the way.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Beginnings of sentences that say that AWS, and not the request, is the cause.
const NOT_THE_REQUEST: [&str; 4] = ["unavailable: ", "broken: ", "unreadable: ", "invalid: "];

/// Whether a failed call is the function's own refusal of the request. Lambda names the request in what it says of a
/// function that has crashed or run out of time.
fn is_refusal(why: &str) -> bool {
    let is_of_lambda = why.contains("RequestId") || why.contains("timed out");
    !is_of_lambda && !NOT_THE_REQUEST.iter().any(|cause| why.starts_with(cause))
}

/// Calls the operators' function and returns its answer.
pub(super) async fn call<P: Ports>(
    ports: &P,
    stack: &Deployment,
    request: &Value,
) -> Result<Value, Failure> {
    let called = ports.invoke(&stack.operator(), request, ANSWERS_WITHIN).await;
    let called = called.map_err(|fault| match fault {
        Fault::Missing(why) => Failure::new(Exit::Unreachable, "missing", why).hint(
            "deploy the stack's present template, which has the operators' function; infra/runbook.md says how to \
             force a breaker without it",
        ),
        other => other.into(),
    })?;
    match called {
        Called::Answer(answer) => Ok(answer),
        Called::Failed(why) if !is_refusal(&why) => {
            Err(Failure::new(Exit::Failed, "operator_failed", why))
        }
        Called::Failed(why) => Err(Failure::usage(why)),
    }
}

/// Sends an act, and shows its entry, or what it would do.
async fn send<P: Ports>(
    ports: &P,
    stack: &Deployment,
    act: &Value,
    write: &Write,
    moment: Moment,
) -> Result<Answer, Failure> {
    if write.dry_run {
        return previewed(&preview(ports, stack, act).await?, moment, None);
    }
    // Who it was is declared, and proved by CloudTrail alone: without STS the act is still done.
    let by = ports.caller().await.unwrap_or_default();
    let reason = write.reason.as_deref().unwrap_or_default();
    let request = json!({ "act": act, "by": by, "reason": reason });
    let answer = call(ports, stack, &request).await.map_err(sent)?;
    shown(&entry(answer).map_err(sent)?, moment)
}

/// The failure of an act that was sent. Unless it was refused, it may have been done all the same.
fn sent(failure: Failure) -> Failure {
    let is_known = !["unavailable", "unreadable", "operator_failed"].contains(&&*failure.code);
    if is_known { failure } else { failure.perhaps_done() }
}

async fn preview<P: Ports>(ports: &P, stack: &Deployment, act: &Value) -> Result<Preview, Failure> {
    let answer = call(ports, stack, &json!({ "act": act, "dry_run": true })).await;
    let answer = answer.map_err(|failure| match failure.hint {
        None => failure.hint("nothing was done"),
        Some(_) => failure,
    })?;
    let preview: Preview = serde_json::from_value(answer).map_err(|error| strange(&error))?;
    let samples = preview.samples.iter().map(|key| redact(key)).collect();
    Ok(Preview { samples, ..preview })
}

/// The failure of an answer that this version cannot read.
pub(super) fn strange(error: &serde_json::Error) -> Failure {
    let message = format!("the function has given an answer of another form: {error}");
    Failure::new(Exit::Failed, "unreadable", message)
        .hint("a newer version may be deployed: update this command")
}

/// The entry of the log in an answer, without secrets.
pub(super) fn entry(answer: Value) -> Result<OperationShown, Failure> {
    let entry: OperationShown = serde_json::from_value(answer).map_err(|error| strange(&error))?;
    Ok(OperationShown {
        reason: redact(&entry.reason),
        why: entry.why.as_deref().map(redact),
        act: redact_value(entry.act),
        pending: entry.pending.iter().map(|key| redact(key)).collect(),
        ..entry
    })
}

/// Shows an operation. Status 3 if it had nothing to do, 1 if it has failed.
pub(super) fn shown(entry: &OperationShown, moment: Moment) -> Result<Answer, Failure> {
    let mut fields = Fields::default();
    let what = entry.what();
    let counts: Vec<String> =
        entry.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    fields.add("operation", &entry.id);
    fields.add("act", what);
    let about = entry.act.get("about").and_then(Value::as_str);
    fields.add_some("about", about.filter(|about| !about.is_empty()));
    fields.add("state", &entry.state);
    fields.add_some("why", entry.why.as_ref());
    fields.add("counts", counts.join(", "));
    fields.add("asked for", moment.show(Time::from_millis(entry.at)));
    fields.add("by", &entry.by);
    fields.add("reason", &entry.reason);
    fields.add_some("over", entry.ended_at.map(|at| moment.show(Time::from_millis(at))));
    if !entry.pending.is_empty() {
        fields.block("pending", &clean_lines(&entry.pending.join("\n")));
    }
    let goes_on = entry.goes_on();
    let is_act = entry.act.get("until").is_some() || entry.is_note();
    let has_done = goes_on || entry.counts.contains_key("done") || is_act;
    let exit = match entry.state.as_str() {
        "failed" => Exit::Failed,
        "done" if !has_done => Exit::No,
        _ => Exit::Done,
    };
    let answer = Answer::one(entry, fields.text())?.exit(exit);
    Ok(if goes_on {
        answer.remark(format!("it goes on by itself: evenkeel ops show {}", entry.id))
    } else {
        answer
    })
}

/// Shows what an act would do. `next` is the option that does it.
fn previewed(preview: &Preview, moment: Moment, next: Option<&str>) -> Result<Answer, Failure> {
    let mut fields = Fields::default();
    let more = if preview.more { "+" } else { "" };
    fields.add("would change", format!("{}{more}", preview.count));
    fields.add("as of", moment.show(Time::from_millis(preview.as_of)));
    if preview.takes_ms > 0 {
        let span = moment::span(Duration::from_millis(preview.takes_ms));
        let at_least = if preview.more { "at least " } else { "" };
        fields.add("takes", format!("{at_least}{span}, at the pace of the limiter"));
    }
    if !preview.samples.is_empty() {
        fields.block("among them", &clean_lines(&preview.samples.join("\n")));
    }
    let answer = Answer::one(preview, fields.text())?;
    Ok(match next {
        Some(next) => answer.remark(format!("nothing was done; to do it, add {next}")),
        None => answer.remark("nothing was done"),
    })
}

/// Does a bulk act if it is confirmed, and else shows what it would do. Without a time of its own, it changes what
/// exists now.
async fn bulk<P: Ports>(
    ports: &P,
    stack: &Deployment,
    act: impl Fn(u64) -> Value,
    confirmed: &Confirmed,
    write: &Write,
    moment: Moment,
) -> Result<Answer, Failure> {
    if let (true, false, Some(as_of)) = (confirmed.yes, write.dry_run, confirmed.as_of) {
        return send(ports, stack, &act(as_of), write, moment).await;
    }
    let mut preview = preview(ports, stack, &act(0)).await?;
    // The filter was made by this clock: a later time would let jobs grow old enough that were not shown.
    preview.as_of = preview.as_of.min(moment.now.as_millis());
    if write.dry_run || !confirmed.yes {
        let next = format!("--yes --as-of {}", preview.as_of);
        let next = (!write.dry_run).then_some(next.as_str());
        let exit = if write.dry_run { Exit::Done } else { Exit::No };
        return Ok(previewed(&preview, moment, next)?.exit(exit));
    }
    send(ports, stack, &act(preview.as_of), write, moment).await
}

/// Retries, cancels or resets one job, or all that match.
pub(super) async fn jobs<P: Ports>(
    ports: &P,
    stack: &Deployment,
    what: &str,
    given: &ActOnJobs,
    moment: Moment,
) -> Result<Answer, Failure> {
    if let Some(job) = given.one() {
        let found = find(ports, stack, &job).await?;
        if found.item.is_none() {
            return Err(absent(&job));
        }
        let act = json!({ "do": what, "on": { "jobs": [found.key] } });
        return send(ports, stack, &act, &given.write, moment).await;
    }
    let Some(kind) = &given.kind else {
        return Err(Failure::usage("ID: missing; expected a job's id, or --type with a filter"));
    };
    stack.job_type(kind)?;
    if !given.is_filtered() && !given.all {
        let message = format!("{what} of all jobs of {kind} needs --all");
        return Err(Failure::usage(message).hint("or restrict them, for instance with --class"));
    }
    let states: Vec<&str> = given.state.iter().map(|state| state.name()).collect();
    // By the time of the list that was shown, so that no job grows old enough in between.
    let shown_at = given.confirmed.as_of.map_or(moment.now, Time::from_millis);
    let created = given.older.map(|span| shown_at.before(span).as_millis());
    let filter = json!({
        "type": kind,
        "states": states,
        "class": given.class,
        "fingerprint": given.fingerprint,
        "group": given.group,
        "dependency": given.dependency,
        "created_before": created,
    });
    let act = |as_of: u64| json!({ "do": what, "on": { "filter": filter, "as_of": as_of } });
    bulk(ports, stack, act, &given.confirmed, &given.write, moment).await
}

/// Sends rejected messages again.
pub(super) async fn release<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &ReleaseRejected,
    moment: Moment,
) -> Result<Answer, Failure> {
    let Some(kind) = &given.kind else {
        let act = json!({ "do": "release", "messages": given.keys });
        return send(ports, stack, &act, &given.write, moment).await;
    };
    stack.job_type(kind)?;
    let act =
        |as_of: u64| json!({ "do": "release", "type": kind, "flaw": given.flaw, "as_of": as_of });
    bulk(ports, stack, act, &given.confirmed, &given.write, moment).await
}

/// The time at which a span from now on ends.
fn end(moment: Moment, span: Duration) -> u64 {
    (moment.now + span).as_millis()
}

/// Forces a breaker.
pub(super) async fn breaker<P: Ports>(
    ports: &P,
    stack: &Deployment,
    set: &str,
    given: &SetBreaker,
    moment: Moment,
) -> Result<Answer, Failure> {
    let until = end(moment, given.span);
    let act =
        json!({ "do": "breaker", "dependency": given.dependency, "set": set, "until": until });
    send(ports, stack, &act, &given.write, moment).await
}

/// Lets a breaker decide for itself again.
pub(super) async fn automatic<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &AutoBreaker,
    moment: Moment,
) -> Result<Answer, Failure> {
    let act = json!({ "do": "breaker", "dependency": given.dependency, "set": "auto" });
    send(ports, stack, &act, &given.write, moment).await
}

/// Slows a limiter down or stops it.
pub(super) async fn limiter<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &SetLimiter,
    moment: Moment,
) -> Result<Answer, Failure> {
    let stop = given.stop.map(|span| end(moment, span));
    let pace = given.pace.map(|per_cent| per_cent * 10);
    let name = &given.dependency;
    let act = json!({ "do": "limiter", "name": name, "pace": pace, "stop_until": stop });
    send(ports, stack, &act, &given.write, moment).await
}

/// Keys of a type's mappings.
fn queues(job: &JobType, priority: Priority) -> Vec<String> {
    let [normal, high] = job.sources().map(|(key, _)| key);
    match priority {
        Priority::Both => vec![normal, high],
        Priority::Normal => vec![normal],
        Priority::High => vec![high],
    }
}

/// Pauses queues of a type.
pub(super) async fn pause<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &PauseQueues,
    moment: Moment,
) -> Result<Answer, Failure> {
    let queues = queues(stack.job_type(&given.kind)?, given.priority);
    let act = json!({ "do": "pause", "queues": queues, "until": end(moment, given.span) });
    send(ports, stack, &act, &given.write, moment).await
}

/// Fixes the slots of queues of a type for a time.
pub(super) async fn pin<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &SetQueues,
    moment: Moment,
) -> Result<Answer, Failure> {
    let queues = queues(stack.job_type(&given.kind)?, given.priority);
    let (slots, until) = (given.concurrency, end(moment, given.span));
    let act = json!({ "do": "pin", "queues": queues, "slots": slots, "until": until });
    send(ports, stack, &act, &given.write, moment).await
}

/// Resumes queues of a type.
pub(super) async fn resume<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &ResumeQueues,
    moment: Moment,
) -> Result<Answer, Failure> {
    let queues = queues(stack.job_type(&given.kind)?, given.priority);
    send(ports, stack, &json!({ "do": "resume", "queues": queues }), &given.write, moment).await
}

#[cfg(test)]
#[path = "operate_tests.rs"]
mod tests;
