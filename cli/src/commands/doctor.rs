//! `evenkeel doctor`: every part that a command needs, checked one after the other, each with its remedy.

use evenkeel::base::time::{CLOCK_SKEW, Clock, SystemClock, Time};

use super::{
    observed,
    queues::{is_paused_state, mapping_ids},
};
use crate::{
    deployment::{Deployment, JobType, queue_name},
    exit::{Exit, Failure},
    moment::{relative, span},
    output::Answer,
    ports::{Fault, Ports},
    shapes::{Check, Checks, Verdict},
    stack::{self, Target},
    table::{BAD, DOUBTFUL, GOOD, styled},
    text::{clean, redact},
};

fn good(what: impl Into<String>, found: impl Into<String>) -> Check {
    Check { what: what.into(), verdict: Verdict::Good, found: found.into(), remedy: None }
}

fn not_good(
    verdict: Verdict,
    what: impl Into<String>,
    found: impl Into<String>,
    remedy: impl Into<String>,
) -> Check {
    Check { what: what.into(), verdict, found: found.into(), remedy: Some(remedy.into()) }
}

/// The check of a call that has failed.
fn failed(what: impl Into<String>, failure: Failure) -> Check {
    let remedy = failure.hint.unwrap_or_else(|| "see the message".to_owned());
    not_good(Verdict::Bad, what, redact(&failure.message), remedy)
}

/// The check of a call of which only success matters.
fn of_call<T>(what: impl Into<String>, call: Result<T, Fault>) -> Check {
    match call {
        Ok(_) => good(what, "readable"),
        Err(fault) => failed(what, fault.into()),
    }
}

/// Checks everything. The status is 3 if a check has failed.
pub(crate) async fn check<P: Ports>(
    ports: &P,
    target: &Target,
    clock: &impl Clock,
) -> Result<Answer, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let mut checks = vec![good("this command", format!("version {version}"))];
    match ports.caller().await {
        Ok(arn) => checks.push(good("credentials", arn)),
        Err(fault) => checks.push(failed("credentials", fault.into())),
    }
    match stack::find(ports, target).await {
        Ok(stack) => {
            checks.push(good("stack", stack.introduction()));
            tables(ports, &stack, &mut checks).await;
            queues(ports, &stack, &mut checks).await;
            functions(ports, &stack, &mut checks).await;
            checks.push(sweeper(ports, &stack, clock.now()).await);
        }
        Err(failure) => checks.push(failed("stack", failure)),
    }
    checks.push(machine_clock(SystemClock::machine(), SystemClock.now()));
    let ok = checks.iter().all(|check| check.verdict != Verdict::Bad);
    let text = checks.iter().map(line).collect();
    let exit = if ok { Exit::Done } else { Exit::No };
    Ok(Answer::list(&Checks { ok, checks }, "checks", text)?.exit(exit))
}

fn line(check: &Check) -> String {
    let (style, word) = match check.verdict {
        Verdict::Good => (GOOD, "ok  "),
        Verdict::Doubtful => (DOUBTFUL, "odd "),
        Verdict::Bad => (BAD, "bad "),
    };
    let remedy = check.remedy.as_ref().map(|remedy| format!("\n       remedy: {}", clean(remedy)));
    let (what, found) = (clean(&check.what), clean(&check.found));
    format!("{} {what}: {found}{}\n", styled(style, word), remedy.unwrap_or_default())
}

async fn tables<P: Ports>(ports: &P, stack: &Deployment, checks: &mut Vec<Check>) {
    let (jobs, control) = (&stack.jobs, &stack.control);
    checks.push(of_call(format!("table {jobs}"), ports.item(jobs, "doctor").await));
    let span = [Time::default(); 2];
    let due = ports.due(jobs, "doctor", span, None, 1).await;
    checks.push(of_call(format!("index due of {jobs}"), due));
    checks.push(of_call(format!("table {control}"), ports.breaker(control, "doctor").await));
    checks.push(of_call(format!("notes in {control}"), ports.notes(control, "observe", 1).await));
    if let Some((table, keys)) = &stack.auxiliary {
        let items = ports.items(table, keys, "doctor", "car#", None, 1).await;
        checks.push(of_call(format!("table {table}"), items));
    }
}

async fn queues<P: Ports>(ports: &P, stack: &Deployment, checks: &mut Vec<Check>) {
    let ids = match mapping_ids(ports, stack).await {
        Ok(ids) => ids,
        Err(failure) => {
            checks.push(failed("parameter with the ids of the mappings", failure));
            return;
        }
    };
    for job in &stack.types {
        for (key, arn) in job.sources() {
            checks.push(of_call(format!("queue {}", queue_name(arn)), ports.depth(arn).await));
            let what = format!("mapping of {}", queue_name(arn));
            let Some(id) = ids.get(&key) else {
                let remedy = "deploy the stack again: its parameter lacks the id of this mapping";
                checks.push(not_good(Verdict::Bad, what, format!("no id under {key:?}"), remedy));
                continue;
            };
            checks.push(mapping(ports, what, id).await);
        }
        let dead = &job.dead_letters;
        checks.push(of_call(format!("queue {}", queue_name(dead)), ports.depth(dead).await));
    }
}

async fn mapping<P: Ports>(ports: &P, what: String, id: &str) -> Check {
    match ports.mapping(id).await {
        Err(fault) => failed(what, fault.into()),
        Ok(None) => {
            let remedy = "deploy the stack again: the parameter names a mapping that is gone";
            not_good(Verdict::Bad, what, format!("no mapping {id}"), remedy)
        }
        Ok(Some(facts)) if is_paused_state(&facts.state) => {
            let remedy = "enable it once the reason is gone; until then its messages wait";
            not_good(Verdict::Doubtful, what, facts.state, remedy)
        }
        Ok(Some(facts)) => good(what, facts.state),
    }
}

async fn functions<P: Ports>(ports: &P, stack: &Deployment, checks: &mut Vec<Check>) {
    for job in &stack.types {
        checks.push(function(ports, stack, job).await);
    }
}

async fn function<P: Ports>(ports: &P, stack: &Deployment, job: &JobType) -> Check {
    let name = stack.function(job);
    let what = format!("function {name}");
    let facts = match ports.function(&name).await {
        Err(fault) => return failed(what, fault.into()),
        Ok(None) => {
            let remedy =
                "deploy the stack again: its sweeper knows a type whose function is missing";
            return not_good(Verdict::Bad, what, "there is none", remedy);
        }
        Ok(Some(facts)) => facts,
    };
    if facts.variables.get("JOBS_TABLE") != Some(&stack.jobs) {
        let found = "its JOBS_TABLE is another than the sweeper's";
        return not_good(Verdict::Bad, what, found, "deploy the whole stack again");
    }
    let changed = facts.last_modified.unwrap_or_else(|| "an unknown time".to_owned());
    match facts.state.as_deref() {
        None | Some("Active") => good(what, format!("changed {changed}")),
        Some(state) => {
            let remedy = "see the function's state in the console: Lambda says the reason there";
            not_good(Verdict::Doubtful, what, format!("{state}, changed {changed}"), remedy)
        }
    }
}

async fn sweeper<P: Ports>(ports: &P, stack: &Deployment, now: Time) -> Check {
    let what = "reports of the sweeper";
    let remedy = format!("see the schedule {0} and the log group /aws/lambda/{0}", stack.sweeper());
    match observed::observed(ports, stack).await {
        Err(failure) => failed(what, failure),
        Ok((seen, _)) => match seen.at() {
            None => not_good(Verdict::Bad, what, "none for a day", remedy),
            Some(at) if now.since(at).as_secs() > 300 => {
                not_good(Verdict::Bad, what, format!("the last one {}", relative(at, now)), remedy)
            }
            Some(at) => good(what, format!("the last one {}", relative(at, now))),
        },
    }
}

/// How far the machine's clock is from that of AWS, as far as the answers' dates have told.
fn machine_clock(machine: Time, corrected: Time) -> Check {
    let off = corrected.since(machine).max(machine.since(corrected));
    if off <= CLOCK_SKEW {
        return good("clock", "agrees with that of AWS");
    }
    let found = format!("{} off from that of AWS, at least", span(off));
    let remedy =
        "set the clock of this machine, for instance with NTP: signatures and times depend on it";
    not_good(Verdict::Doubtful, "clock", found, remedy)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{memory::MemoryPorts, ports::MappingFacts};

    struct Fixed(Time);

    impl Clock for Fixed {
        fn now(&self) -> Time {
            self.0
        }
    }

    async fn told(ports: &MemoryPorts) -> String {
        let clock = Fixed(Time::from_millis(1_800_000_000_000));
        format!("{:?}", check(ports, &Target::default(), &clock).await.unwrap())
    }

    #[tokio::test]
    async fn every_failed_check_has_its_remedy() {
        let enabled = MappingFacts { state: "Enabled".into(), concurrency: None };
        let ports = MemoryPorts::stack("s", r#"[{"type":"a"}]"#).with_mappings(&[("a", enabled)]);
        let told = told(&ports).await;
        for part in [
            "user/operator",
            "stack s in eu-west-1 of account 123456789012",
            "index due of jobs",
            "no id under",
            "function s-a",
            "there is none",
            "none for a day",
            "exit: No",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[tokio::test]
    async fn without_a_stack_the_other_checks_are_made() {
        let told = told(&MemoryPorts::default()).await;
        assert!(told.contains("user/operator"), "{told}");
        assert!(told.contains("no stack: this account") && told.contains("clock"), "{told}");
    }

    #[test]
    fn a_clock_that_is_off_is_odd() {
        let machine = Time::from_millis(1_000_000);
        assert_eq!(machine_clock(machine, machine).verdict, Verdict::Good);
        let off = machine_clock(machine, machine + Duration::from_secs(90));
        assert_eq!(
            (off.verdict, off.found.as_str()),
            (Verdict::Doubtful, "1 min 30 s off from that of AWS, at least")
        );
    }
}
