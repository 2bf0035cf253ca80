//! `evenkeel health`: whether the stack is well, for people and for scripts.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{base::time::Time, ports::notes::CrashStorm};

use super::{breaker::breakers, dependencies, observed, queues};
use crate::{
    args::ListedState,
    deployment::Deployment,
    due::{self, EVER, Wanted, partitions},
    exit::{Exit, Failure},
    moment::{Moment, relative},
    output::Answer,
    ports::{Note, Ports},
    shapes::{BreakerShown, HealthReport, Problem, QueueShown},
    table::{BAD, GOOD, styled},
};

/// How old the sweeper's report may be: it writes one a minute.
const SILENT_AFTER: Duration = Duration::from_mins(5);

/// How far back jobs that were given up count.
const LATELY: Duration = Duration::from_hours(1);

/// Jobs that were given up lately which are counted.
const MOST_ENDED: usize = 100;

/// Breakers of single hosts that are read.
const MOST_HOSTS: usize = 50;

fn problem(code: &str, about: &str, message: String, remedy: &str) -> Problem {
    let (code, about, remedy) = (code.to_owned(), about.to_owned(), remedy.to_owned());
    Problem { code, about, message, remedy }
}

/// What is not well with the sweeper.
pub(crate) fn of_sweeper(
    stack: &Deployment,
    at: Option<Time>,
    overdue: u64,
    now: Time,
) -> Vec<Problem> {
    let sweeper = stack.sweeper();
    let mut problems = Vec::new();
    let remedy = "see the sweeper's log and its schedule; `evenkeel doctor` checks both ends";
    match at {
        None => {
            let message = "the sweeper has not reported for a day".to_owned();
            problems.push(problem("sweeper_silent", &sweeper, message, remedy));
        }
        Some(at) if now.since(at) > SILENT_AFTER => {
            let message = format!("the sweeper last reported {}", relative(at, now));
            problems.push(problem("sweeper_silent", &sweeper, message, remedy));
        }
        Some(_) if overdue > 0 => {
            let message = format!("{overdue} jobs have a lease that is over");
            let remedy = "the sweeper rescues them; if the number stays, see its log";
            problems.push(problem("stuck", &sweeper, message, remedy));
        }
        Some(_) => {}
    }
    problems
}

/// What is not well with a dependency.
pub(crate) fn of_breaker(breaker: &BreakerShown) -> Option<Problem> {
    if !breaker.refuses_calls {
        return None;
    }
    let why = breaker.why.clone().unwrap_or_else(|| "no reason given".to_owned());
    let message = format!("the breaker is {}: {why}", breaker.state.replace('_', " "));
    let remedy = if breaker.systemic {
        "fix what the dependency refuses, such as a revoked key; the next probe closes the breaker"
    } else if breaker.until.is_some() {
        "take the override back if its reason is gone"
    } else {
        "nothing, if the dependency is down: probes close the breaker once it is back"
    };
    Some(problem("breaker_open", &breaker.dependency, message, remedy))
}

/// What is not well with a queue.
pub(crate) fn of_queue(queue: &QueueShown) -> Option<Problem> {
    if queue.role == "dead_letters" && queue.visible > 0 {
        let message = format!("{} dead letters wait", queue.visible);
        let remedy = "the sweeper empties the queue within minutes, and `evenkeel dlq` then says what became of \
                      each; if it does not, see its log";
        return Some(problem("dead_letters", &queue.queue, message, remedy));
    }
    let is_paused = queue.mapping.as_deref().is_some_and(queues::is_paused_state);
    is_paused.then(|| {
        let message = "the queue is paused: its event source mapping is disabled".to_owned();
        problem("queue_paused", &queue.queue, message, "enable the mapping once the reason is gone")
    })
}

/// Jobs and messages that were given up lately, by type and state.
pub(crate) async fn of_ended<P: Ports>(
    ports: &P,
    stack: &Deployment,
    now: Time,
) -> Result<(Vec<Problem>, f64), Failure> {
    let types: Vec<_> = stack.types.iter().collect();
    let wanted = Wanted {
        partitions: partitions(&types, &[ListedState::Dead], &[]),
        from: now.before(LATELY),
        until: EVER,
        most: MOST_ENDED,
        ..Wanted::default()
    };
    let listed = due::list(ports, &stack.jobs, &wanted).await?;
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for item in &listed.items {
        *counts.entry((item.kind.as_str(), item.state.as_str())).or_default() += 1;
    }
    let more = if listed.next.is_some() { "+" } else { "" };
    let told = |((kind, state), count): ((&str, &str), usize)| {
        let remedy = match state {
            "rejected" => format!("evenkeel rejected list --type {kind}"),
            state => format!("evenkeel jobs list --state {state} --type {kind}"),
        };
        let message = format!("{count}{more} {state} within the last hour");
        problem(&format!("{state}_lately"), kind, message, &remedy)
    };
    Ok((counts.into_iter().map(told).collect(), listed.units))
}

/// Checks the stack.
pub(super) async fn check<P: Ports>(
    ports: &P,
    stack: &Deployment,
    moment: Moment,
) -> Result<Answer, Failure> {
    let now = moment.now;
    let (seen, known, queues, storms, ended) = tokio::join!(
        observed::observed(ports, stack),
        dependencies::known(ports, stack),
        queues::all(ports, stack),
        ports.notes(&stack.control, "crash_storm", 100),
        of_ended(ports, stack, now),
    );
    let ((seen, mut units), known, storms, (ended, read)) = (seen?, known?, storms?, ended?);
    units += known.units + storms.units + read;
    let breakers = breakers(ports, stack, known.first(MOST_HOSTS).0, now).await?;
    units += breakers.iter().map(|breaker| breaker.read_units).sum::<f64>();
    let mut problems = of_sweeper(stack, seen.at(), seen.stuck, now);
    problems.extend(breakers.iter().filter_map(of_breaker));
    let goes_on = |note: &&Note| {
        let storm = serde_json::from_str::<CrashStorm>(&note.text);
        storm.map_or(true, |storm| Time::from_millis(storm.until) > now)
    };
    problems.extend(storms.value.iter().filter(goes_on).map(|note| {
        let message = "most runs of the type crash".to_owned();
        problem("crash_storm", &note.name, message, "read the log of the type's function")
    }));
    problems.extend(queues?.iter().filter_map(of_queue));
    problems.extend(ended);
    let mut text = String::new();
    for problem in &problems {
        let line = format!("{}: {} ({})\n", problem.about, problem.message, problem.remedy);
        text += &styled(BAD, &problem.code);
        text += "  ";
        text += &(crate::text::clean(line.trim_end()) + "\n");
    }
    let healthy = problems.is_empty();
    if healthy {
        text = styled(GOOD, "healthy") + "\n";
    }
    let observed_at = seen.at().map(Time::as_millis);
    let report = HealthReport { healthy, problems, observed_at, read_units: units };
    Ok(Answer::one(&report, text)?.exit(if healthy { Exit::Done } else { Exit::No }))
}

#[cfg(test)]
mod tests {
    use evenkeel::{
        dependency::breaker::{Breaker, State},
        ports::maintenance::Depth,
    };

    use super::*;

    fn storm(until: Time) -> String {
        serde_json::json!({ "since": 0, "until": until.as_millis() }).to_string()
    }
    use crate::{
        args::TimeForm,
        memory::MemoryPorts,
        ports::{DueItem, MappingFacts},
        stack,
        stack::Target,
    };

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn well() -> MemoryPorts {
        let at = format!(r#"{{"at": {}}}"#, NOW.as_millis() - 30_000);
        MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#)
            .with_note("observe", "now", &at)
    }

    async fn told(ports: &MemoryPorts) -> String {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let moment = Moment { now: NOW, form: TimeForm::Relative };
        format!("{:?}", check(ports, &stack, moment).await.unwrap())
    }

    #[tokio::test]
    async fn a_stack_without_a_problem_is_healthy() {
        let told = told(&well()).await;
        assert!(told.contains("healthy") && told.contains("exit: Done"), "{told}");
    }

    #[tokio::test]
    async fn each_problem_is_named_and_the_answer_is_no() {
        let open = State::Open { retry_at: NOW, wait: Duration::ZERO };
        let dead = DueItem {
            key: "a#g:1".into(),
            partition: "dead#a#3".into(),
            due_at: NOW.before(Duration::from_mins(5)),
            state: "quarantined".into(),
            kind: "a".into(),
            ..DueItem::default()
        };
        let old = DueItem { due_at: NOW.before(Duration::from_hours(2)), ..dead.clone() };
        let disabled = MappingFacts { state: "Disabled".into(), concurrency: Some(2) };
        let prefix = "arn:aws:sqs:eu-west-1:123456789012:s-";
        let letters = Depth { visible: 3, ..Depth::default() };
        let cases = [
            (MemoryPorts::stack("s", r#"[{"type":"a"}]"#), "sweeper_silent"),
            (
                well().with_breaker(
                    "d",
                    Breaker { generation: 1, state: open, ..Breaker::default() },
                ),
                "breaker_open",
            ),
            (well().with_due([dead]), "quarantined_lately"),
            (well().with_mappings(&[("a-high", disabled)]), "queue_paused"),
            (well().with_depth(&format!("{prefix}a-dlq"), letters), "dead_letters"),
            (well().with_note("crash_storm", "a", &storm(NOW + SILENT_AFTER)), "crash_storm"),
        ];
        for (ports, code) in cases {
            let told = told(&ports).await;
            assert!(told.contains(code) && told.contains("exit: No"), "{code}: {told}");
        }
        let past = storm(NOW.before(SILENT_AFTER));
        let told = told(&well().with_due([old]).with_note("crash_storm", "a", &past)).await;
        assert!(told.contains("exit: Done"), "what is long over is no problem: {told}");
    }
}
