//! `evenkeel doctor`: every part that a command needs, checked one after the other, each with its remedy.

mod deployed;

use evenkeel::base::time::{CLOCK_SKEW, Clock, SKEW, SystemClock, Time};

use super::{
    observed,
    queues::{is_paused_state, mapping_ids},
};
use crate::{
    deployment::{Deployment, queue_name},
    exit::{Exit, Failure},
    moment::{relative, span},
    output::Answer,
    ports::{Fault, MappingFacts, Ports},
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
    let version = format!("version {}", deployed::VERSION);
    let mut checks = vec![good("this command", version)];
    match ports.caller().await {
        Ok(arn) => checks.push(good("credentials", arn)),
        Err(fault) => checks.push(failed("credentials", fault.into())),
    }
    match stack::find(ports, target).await {
        Ok(stack) => {
            checks.push(good("stack", stack.introduction()));
            tables(ports, &stack, &mut checks).await;
            let slots = queues(ports, &stack, &mut checks).await;
            deployed::functions(ports, &stack, &mut checks).await;
            checks.push(deployed::concurrency(ports, &stack, slots).await);
            checks.push(deployed::schedules(ports, &stack).await);
            checks.push(deployed::may_change(ports, &stack).await);
            checks.push(sweeper(ports, &stack, clock.now()).await);
        }
        Err(failure) => checks.push(failed("stack", failure)),
    }
    let machine = SystemClock::machine();
    checks.push(machine_clock(SKEW.is_known().then(|| SKEW.correct(machine)), machine));
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

/// Checks the queues and their mappings. Returns how many batches the mappings may run at once.
async fn queues<P: Ports>(ports: &P, stack: &Deployment, checks: &mut Vec<Check>) -> u32 {
    let ids = match mapping_ids(ports, stack).await {
        Ok(ids) => ids,
        Err(failure) => {
            checks.push(failed("parameter with the ids of the mappings", failure));
            return 0;
        }
    };
    let mut slots = 0_u32;
    for job in &stack.types {
        for (key, arn) in job.sources() {
            checks.push(of_call(format!("queue {}", queue_name(arn)), ports.depth(arn).await));
            let what = format!("mapping of {}", queue_name(arn));
            let Some(id) = ids.get(&key) else {
                let remedy = "deploy the stack again: its parameter lacks the id of this mapping";
                checks.push(not_good(Verdict::Bad, what, format!("no id under {key:?}"), remedy));
                continue;
            };
            let found = ports.mapping(id).await;
            if let Ok(Some(MappingFacts { concurrency: Some(most), .. })) = &found {
                slots = slots.saturating_add(*most);
            }
            checks.push(mapping(what, id, found));
        }
        let dead = &job.dead_letters;
        checks.push(of_call(format!("queue {}", queue_name(dead)), ports.depth(dead).await));
    }
    slots
}

fn mapping(what: String, id: &str, found: Result<Option<MappingFacts>, Fault>) -> Check {
    match found {
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

/// How far the machine's clock is from that of AWS, as far as the dates of its answers have told; `None` if none has.
fn machine_clock(corrected: Option<Time>, machine: Time) -> Check {
    let Some(corrected) = corrected else {
        let remedy = "see the other lines: no answer of AWS has said what time it is";
        return not_good(Verdict::Doubtful, "clock", "not compared with that of AWS", remedy);
    };
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
    use crate::{memory::MemoryPorts, ports::FunctionFacts};

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

    /// A stack with one type, whose functions have this version.
    fn stack_of(version: &str) -> MemoryPorts {
        let mapping = |most| MappingFacts { state: "Enabled".into(), concurrency: Some(most) };
        let mut ports = MemoryPorts::stack("s", r#"[{"type":"a"}]"#)
            .with_mappings(&[("a", mapping(20)), ("a-high", mapping(5))])
            .with_parameter("/s/feeds", r#"{"group":"s","role":"r","types":[]}"#);
        for name in ["s-a", "s-operator"] {
            let variables = [("JOBS_TABLE", "jobs"), ("VERSION", version)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let facts = FunctionFacts { variables: variables.into(), ..FunctionFacts::default() };
            ports = ports.with_function(name, facts);
        }
        ports
    }

    #[tokio::test]
    async fn versions_quotas_permissions_and_schedules_are_checked() {
        let present = env!("CARGO_PKG_VERSION");
        let good = told(&stack_of(present)).await;
        for part in [
            &*format!("version {present}, changed"),
            "1000, of which the stack uses up to 28",
            "group s is readable",
            "s-operator may be called",
        ] {
            assert!(good.contains(part), "{part}: {good}");
        }
        let bad =
            stack_of("0.0.1").with_executions(10).for_viewers().with_parameter("/s/feeds", "x");
        let bad = told(&bad).await;
        for part in [
            "version 0.0.1, changed",
            "10 in this account and region, where the stack uses up to 28",
            "Service Quotas",
            "/s/feeds: expected group",
            "may only look",
            "OperatorPolicyArn",
        ] {
            assert!(bad.contains(part), "{part}: {bad}");
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
        assert_eq!(machine_clock(Some(machine), machine).verdict, Verdict::Good);
        assert_eq!(machine_clock(None, machine).verdict, Verdict::Doubtful);
        let off = machine_clock(Some(machine + Duration::from_secs(90)), machine);
        assert_eq!(
            (off.verdict, off.found.as_str()),
            (Verdict::Doubtful, "1 min 30 s off from that of AWS, at least")
        );
    }
}
