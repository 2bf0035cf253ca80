//! `evenkeel jobs explain`: gathers what [`crate::explanation`] decides from.

use evenkeel::{
    base::time::Time,
    ports::notes::Limits,
    record::{Phase, Record},
};

use super::{
    dependencies,
    find::{Found, absent, find, unreadable},
    observed::{self, Observed},
    queues,
    shown::{history, journal},
};
use crate::{
    args::OneJob,
    deployment::{Deployment, JobType},
    exit::Failure,
    explanation::{Facts, explain, explain_rejected, explain_unclaimed},
    moment::Moment,
    output::Answer,
    ports::{Kept, Ports},
    shapes::{Ahead, Explanation, Gate},
    table::{DOUBTFUL, Fields, styled},
};

/// Parked jobs before this one that are counted.
const MOST_AHEAD: usize = 100;

/// Explains the job with an id.
pub(super) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &OneJob,
    moment: Moment,
) -> Result<Answer, Failure> {
    let found = find(ports, stack, job).await?;
    let explanation = explanation(ports, stack, job, &found, moment.now).await?;
    let text = text(&explanation, moment);
    Answer::one(&explanation, text)
}

/// Explains what was found for an id.
pub(crate) async fn explanation<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &OneJob,
    found: &Found,
    now: Time,
) -> Result<Explanation, Failure> {
    let (mut explanation, units) = match &found.item {
        Some(Kept::Job(record)) => {
            let (facts, units) = facts(ports, stack, record).await?;
            (explain(record, &facts, now), units)
        }
        Some(Kept::Rejected(message)) => {
            let facts = Facts { stack: stack.options.clone(), ..Facts::default() };
            (explain_rejected(message, &facts), 0.0)
        }
        Some(Kept::Unreadable(why)) => return Err(unreadable(&found.key, why)),
        None if job.id.starts_with("q#") => return Err(absent(job)),
        None => unclaimed(ports, stack, &found.keys, now).await?,
    };
    explanation.read_units = found.units + units;
    Ok(explanation)
}

/// Explains a job without a record. Its message may be in either queue of each type that it may be of: the longest counts,
/// or the longest of those that are paused, because in an empty one its message does not wait.
async fn unclaimed<P: Ports>(
    ports: &P,
    stack: &Deployment,
    keys: &[String],
    now: Time,
) -> Result<(Explanation, f64), Failure> {
    let (observed, units) = observed::observed(ports, stack).await.unwrap_or_default();
    let weight = |facts: &Facts| {
        let visible = facts.depth.map_or(0, |depth| depth.visible);
        (facts.is_paused && visible > 0, visible)
    };
    let mut longest: Option<(&String, &str, Facts)> = None;
    for key in keys {
        let job = stack.job_type(key.split('#').next().unwrap_or_default())?;
        let (normal, high) = tokio::join!(
            facts_of_queue(ports, stack, job, &job.normal),
            facts_of_queue(ports, stack, job, &job.high),
        );
        for (queue, facts) in [(&job.normal, normal), (&job.high, high)] {
            let facts = with_observed(facts, &observed, job);
            if longest.as_ref().is_none_or(|(_, _, other)| weight(&facts) > weight(other)) {
                longest = Some((key, queue.as_str(), facts));
            }
        }
    }
    let (key, queue, facts) = longest
        .ok_or_else(|| Failure::usage("type: the stack's configuration names no job type"))?;
    Ok((explain_unclaimed(key, queue, &facts, now), units))
}

/// What is known of a queue. What must not or cannot be read is left out: a part of an explanation is better than none.
async fn facts_of_queue<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &JobType,
    queue: &str,
) -> Facts {
    let (depth, is_paused) =
        tokio::join!(ports.depth(queue), queues::is_paused(ports, stack, job, queue));
    let stack = stack.options.clone();
    Facts { stack, depth: depth.ok(), is_paused, ..Facts::default() }
}

/// The same with what the sweeper has observed of the type.
fn with_observed(facts: Facts, observed: &Observed, job: &JobType) -> Facts {
    Facts { per_minute: observed.per_minute(&job.kind), swept_at: observed.at(), ..facts }
}

/// What is known of a job's queue and of the gates of its dependency, and what reading it cost.
async fn facts<P: Ports>(
    ports: &P,
    stack: &Deployment,
    record: &Record,
) -> Result<(Facts, f64), Failure> {
    if record.phase.ended_at().is_some() {
        return Ok((Facts { stack: stack.options.clone(), ..Facts::default() }, 0.0));
    }
    let job = stack.job_type(record.kind())?;
    let dependency = &record.work.dependency;
    let (facts, observed, known, breaker, ahead) = tokio::join!(
        facts_of_queue(ports, stack, job, &record.work.queue),
        observed::observed(ports, stack),
        dependencies::known(ports, stack),
        ports.breaker(&stack.control, dependency),
        ahead(ports, stack, record),
    );
    let (observed, mut units) = observed.unwrap_or_default();
    let (known, breaker) = (known?, breaker?);
    units += known.units + breaker.units;
    let limiter = ports.limiter(&stack.control, &known.limiter(dependency)).await?;
    units += limiter.units;
    let mut facts = with_observed(facts, &observed, job);
    facts.breaker = breaker.value;
    facts.limiter = limiter.value;
    facts.limits = known.limits.get(dependency).cloned().unwrap_or_else(Limits::careful);
    let seen = observed.dependencies.get(dependency);
    facts.parked = seen.filter(|seen| !seen.more).map(|seen| seen.parked);
    if let Some((ahead, read)) = ahead? {
        facts.ahead = Some(ahead);
        units += read;
    }
    Ok((facts, units))
}

/// The parked jobs before this one in its partition of the index, and what counting them cost; `None` if it is not
/// parked.
async fn ahead<P: Ports>(
    ports: &P,
    stack: &Deployment,
    record: &Record,
) -> Result<Option<(Ahead, f64)>, Failure> {
    let Some(entry) = record.due_entry().filter(|_| matches!(record.phase, Phase::Parked { .. }))
    else {
        return Ok(None);
    };
    let span = [Time::default(), entry.due_at];
    let read = ports.due(&stack.jobs, &entry.partition, span, None, MOST_AHEAD + 1).await?;
    let before = read.value.items.iter().filter(|item| item.key != record.key).count();
    let count = u64::try_from(before.min(MOST_AHEAD)).unwrap_or_default();
    Ok(Some((Ahead { count, at_least: read.value.more || before > MOST_AHEAD }, read.units)))
}

fn gate(gate: &Gate, moment: Moment) -> String {
    let kind = serde_json::to_value(gate.kind).unwrap_or_default();
    let mut text = format!("{} of {}: {}", kind.as_str().unwrap_or_default(), gate.of, gate.state);
    if gate.until.is_some() {
        text = format!("{text} until {}", moment.show_ms(gate.until));
    }
    match &gate.why {
        Some(why) => format!("{text} ({why})"),
        None => text,
    }
}

fn text(explanation: &Explanation, moment: Moment) -> String {
    let mut fields = Fields::default();
    fields.add("job", &explanation.key);
    fields.add("state", &explanation.state);
    fields.add("what", &explanation.summary);
    let at = |ms: Option<u64>| ms.map(|ms| moment.show(Time::from_millis(ms)));
    fields.add_some("since", at(explanation.since));
    fields.add_some("gate", explanation.gate.as_ref().map(|of| gate(of, moment)));
    if let Some(ahead) = explanation.ahead {
        let more = if ahead.at_least { "+" } else { "" };
        fields.add("before it", format!("{}{more} jobs", ahead.count));
    }
    if let Some(expected) = &explanation.expected {
        let when = match (at(expected.from), at(expected.until)) {
            (Some(from), Some(until)) => format!("from {from}, probably by {until}: "),
            (Some(from), None) => format!("from {from}: "),
            (None, Some(until)) => format!("by {until}: "),
            (None, None) => String::new(),
        };
        fields.add("runs", when + &expected.how);
    }
    fields.add_some("ends at", at(explanation.ends_at));
    if let Some(counts) = explanation.counts {
        let so_far = format!(
            "{} attempts, {} deferrals, {} crashes",
            counts.attempts, counts.defers, counts.crashes
        );
        fields.add("so far", so_far);
    }
    if !explanation.history.is_empty() {
        fields.block("history", &history(&explanation.history, moment));
    }
    if !explanation.journal.is_empty() {
        fields.block("journal", &journal(&explanation.journal, moment));
    }
    match &explanation.advice {
        Some(advice) => {
            let command = advice.command.as_ref().map(|command| format!("\n  {command}"));
            let text = styled(DOUBTFUL, &advice.text);
            fields.block(
                "what helps",
                &(text + &crate::text::clean_lines(&command.unwrap_or_default())),
            );
        }
        None => fields.block("what helps", "Nothing needs to be done."),
    }
    fields.text()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel::{
        dependency::breaker::{Breaker, State},
        ports::{maintenance::Depth, notes::WATCHED},
        record::{Counters, Parking, Work, journal::JournalEntry},
    };

    use super::*;
    use crate::{args::TimeForm, memory::MemoryPorts, ports::MappingFacts, stack, stack::Target};

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn parked(id: &str) -> Record {
        let run_after = NOW + Duration::from_secs(30);
        Record {
            key: format!("a#g:{id}"),
            fence: 1,
            owner: "o".into(),
            message_id: "m".into(),
            counters: Counters::default(),
            phase: Phase::Parked { run_after, why: "the breaker is open\u{1b}[2J".into() },
            work: Work {
                payload: "{}".into(),
                queue: "arn:aws:sqs:eu-west-1:123456789012:s-a-high".into(),
                dependency: "d".into(),
                retention: Duration::from_hours(1),
                created_at: NOW,
                first_created_at: None,
                deadline: None,
                group: None,
                trace: None,
            },
            cursor: None,
            provisional: None,
            parking: Some(Parking { since: NOW, gated: false, ends_at: None, paused_since: None }),
            last_failure: None,
            history: Vec::new(),
            journal: vec![JournalEntry {
                at: NOW.before(Duration::from_secs(20)).as_millis(),
                what: "parked, due in 50 s: breaker_open".into(),
                ..JournalEntry::default()
            }],
        }
    }

    /// What `explain` says of a job, as JSON.
    async fn explained(ports: &MemoryPorts, id: &str) -> serde_json::Value {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let job = OneJob { id: id.to_owned(), kind: None };
        let found = find(ports, &stack, &job).await.unwrap();
        let explanation = explanation(ports, &stack, &job, &found, NOW).await.unwrap();
        serde_json::to_value(&explanation).unwrap()
    }

    #[tokio::test]
    async fn a_message_that_is_not_claimed_may_be_in_either_queue() {
        let depth = |visible| Depth { visible, ..Depth::default() };
        let queue = |name: &str| format!("arn:aws:sqs:eu-west-1:123456789012:s-{name}");
        let ports = || {
            MemoryPorts::stack("s", r#"[{"type":"a"},{"type":"b"}]"#)
                .with_depth(&queue("a"), depth(7))
                .with_depth(&queue("b-high"), depth(9))
        };
        let told = explained(&ports(), "nope").await;
        assert_eq!((&told["gate"]["of"], &told["ahead"]["count"]), (&"s-b-high".into(), &9.into()));
        assert_eq!(told["key"], "b#g:nope");
        let off = MappingFacts { state: "Disabled".into(), concurrency: None };
        let told = explained(&ports().with_mappings(&[("a", off)]), "nope").await;
        assert_eq!(
            (&told["gate"]["of"], &told["gate"]["state"]),
            (&"s-a".into(), &"paused".into())
        );
        let command = told["advice"]["command"].as_str().unwrap();
        assert!(command.starts_with("evenkeel queues resume a --priority normal "), "{command}");
    }

    #[tokio::test]
    async fn a_parked_job_has_its_place_and_a_time() {
        let limits = r#"{"per_minute":480,"per_hour":18000,"closes_with":1,"noted_at":1}"#;
        let observed = r#"{"at":1,"dependencies":{"d":{"parked":901}}}"#;
        let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
            .with_record(&parked("1"))
            .with_record(&parked("2"))
            .with_note(WATCHED[0], "d", limits)
            .with_note("observe", "now", observed);
        let told = explained(&ports, "2").await;
        // It is of high priority: one partition holds all jobs that go before it.
        assert_eq!(told["ahead"], serde_json::json!({ "count": 1, "at_least": false }));
        let after = |ms| (NOW + Duration::from_millis(ms)).as_millis();
        let expected = &told["expected"];
        assert_eq!(expected["from"], after(30_000), "it waits for that time");
        let gated = |id: &str| {
            let parking = parked(id).parking.map(|parking| Parking { gated: true, ..parking });
            Record { parking, ..parked(id) }
        };
        let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
            .with_record(&gated("1"))
            .with_record(&gated("2"))
            .with_note(WATCHED[0], "d", limits);
        let told = explained(&ports, "2").await;
        // 480 a minute at best, 300 once the hour counts, and a tick.
        assert_eq!(told["expected"]["from"], after(125));
        assert_eq!(told["expected"]["until"], after(200 + 120_000));
        // Without a note, the sweeper releases one a second.
        let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
            .with_record(&gated("1"))
            .with_record(&gated("2"));
        let told = explained(&ports, "2").await;
        assert_eq!(told["expected"]["from"], after(1_000));
        assert_eq!(told["expected"]["until"], after(1_000 + 120_000));
    }

    #[tokio::test]
    async fn the_facts_of_a_parked_job_are_gathered() {
        let state = State::Open { retry_at: NOW + Duration::from_secs(40), wait: Duration::ZERO };
        let breaker = Breaker { generation: 1, state, why: "503".into(), ..Breaker::default() };
        let ports = MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
            .with_record(&parked("1"))
            .with_record(&parked("2"))
            .with_breaker("d", breaker);
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let moment = Moment { now: NOW, form: TimeForm::Relative };
        let job = OneJob { id: "1".into(), kind: None };
        let answer = format!("{:?}", run(&ports, &stack, &job, moment).await.unwrap());
        for part in [
            "breaker of d: open until in 40 s (503)",
            "1 jobs",
            "Nothing needs to be done",
            "20 s ago",
            "parked, due in 50 s: breaker_open",
            "\"journal\"",
        ] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
        let unknown = OneJob { id: "nope".into(), kind: None };
        let answer = format!("{:?}", run(&ports, &stack, &unknown, moment).await.unwrap());
        assert!(answer.contains("unclaimed"), "{answer}");
    }
}
