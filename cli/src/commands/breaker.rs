//! `evenkeel breaker list` and `show`.

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
};
use futures_util::{StreamExt, stream};

use super::dependencies;
use crate::{
    args::ListBreakers,
    deployment::Deployment,
    exit::Failure,
    moment::Moment,
    output::Answer,
    ports::{Ports, Read},
    shapes::{BreakerList, BreakerShown},
    table::{Fields, table},
    text::redact,
};

/// Breakers of single hosts that are read for one list.
const MOST_HOSTS: usize = 200;

/// Reads at the same time.
const AT_ONCE: usize = 32;

fn some(time: Time) -> Option<u64> {
    (time > Time::default()).then(|| time.as_millis())
}

fn shape(dependency: &str, read: &Read<Option<Breaker>>, now: Time) -> BreakerShown {
    let breaker = read.value.clone().unwrap_or_default().at(now);
    let (mut retry_at, mut probes, mut until) = (None, None, None);
    match &breaker.state {
        State::Closed => {}
        State::Open { retry_at: at, .. } => retry_at = Some(at.as_millis()),
        State::HalfOpen { probes: held, successes, .. } => {
            let alive = held.values().filter(|until| **until > now).count();
            probes = Some([alive, usize::try_from(*successes).unwrap_or(usize::MAX)]);
        }
        State::Forced { until: end, .. } => until = Some(end.as_millis()),
    }
    BreakerShown {
        dependency: dependency.to_owned(),
        state: breaker.state.name().to_owned(),
        refuses_calls: breaker.state.refuses_calls(),
        why: Some(redact(&breaker.why)).filter(|why| !why.is_empty()),
        since: some(breaker.since),
        retry_at,
        probes,
        until,
        down_since: some(breaker.down_since),
        stopped_until: some(breaker.stopped_until).filter(|until| *until > now.as_millis()),
        systemic: breaker.systemic,
        generation: breaker.generation,
        read_units: read.units,
    }
}

/// The breakers of these dependencies, in their order.
pub(crate) async fn breakers<P: Ports>(
    ports: &P,
    stack: &Deployment,
    names: &[String],
    now: Time,
) -> Result<Vec<BreakerShown>, Failure> {
    let reads = names.iter().map(|name| ports.breaker(&stack.control, name));
    let reads: Vec<Result<Read<Option<Breaker>>, _>> =
        stream::iter(reads).buffered(AT_ONCE).collect().await;
    let mut breakers = Vec::with_capacity(names.len());
    for (name, read) in names.iter().zip(reads) {
        breakers.push(shape(name, &read?, now));
    }
    Ok(breakers)
}

/// Lists breakers: the shared ones, and of hosts those that are not closed.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListBreakers,
    moment: Moment,
) -> Result<Answer, Failure> {
    let known = dependencies::known(ports, stack).await?;
    let (names, left_out) = known.first(MOST_HOSTS);
    let mut breakers = breakers(ports, stack, names, moment.now).await?;
    let read_units = known.units + breakers.iter().map(|breaker| breaker.read_units).sum::<f64>();
    let shared = &known.names[..known.shared];
    breakers.retain(|breaker| {
        wanted.all || breaker.state != "closed" || shared.contains(&breaker.dependency)
    });
    breakers.sort_by_key(|breaker| !breaker.refuses_calls);
    let row = |breaker: &BreakerShown| {
        vec![
            breaker.dependency.clone(),
            breaker.state.clone(),
            moment.show_ms(breaker.since),
            moment.show_ms(breaker.retry_at.or(breaker.until)),
            breaker.why.clone().unwrap_or_default(),
        ]
    };
    let head = ["DEPENDENCY", "STATE", "SINCE", "UNTIL", "WHY"];
    let text = table(&head, breakers.iter().map(row).collect());
    let list = BreakerList { breakers, left_out, read_units };
    let answer = Answer::list(&list, "breakers", text)?;
    Ok(match left_out {
        0 => answer,
        more => answer.remark(format!("{more} dependencies with trouble lately were not read")),
    })
}

/// Shows the breaker of a dependency. One that has never tripped is closed.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    dependency: &str,
    moment: Moment,
) -> Result<Answer, Failure> {
    let read = ports.breaker(&stack.control, dependency).await?;
    let shape = shape(dependency, &read, moment.now);
    let mut fields = Fields::default();
    fields.add("dependency", &shape.dependency);
    fields.add("state", &shape.state);
    fields.add_some("why", shape.why.as_ref());
    for (name, ms) in [
        ("since", shape.since),
        ("next probe", shape.retry_at),
        ("forced until", shape.until),
        ("down since", shape.down_since),
        ("stopped until", shape.stopped_until),
    ] {
        fields.add_some(name, ms.map(|ms| moment.show(Time::from_millis(ms))));
    }
    if let Some([alive, worked]) = shape.probes {
        fields.add("probes", format!("{alive} under way, {worked} worked"));
    }
    if shape.systemic {
        fields.add("cause", "only an operator can fix it");
    }
    let is_unknown = read.value.is_none();
    let answer = Answer::one(&shape, fields.text())?;
    Ok(if is_unknown {
        answer.remark("it has never tripped, or not for a week; or there is no such dependency")
    } else {
        answer
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_override_that_has_expired_is_closed() {
        let now = Time::from_millis(1_000_000);
        let state = State::Forced { open: true, until: now.before(Duration::from_secs(1)) };
        let value = Some(Breaker { generation: 4, state, ..Breaker::default() });
        let shown = shape("d", &Read { value, units: 1.0 }, now);
        assert_eq!(
            (shown.state.as_str(), shown.refuses_calls, shown.until),
            ("closed", false, None)
        );
        let absent = shape("d", &Read { value: None, units: 1.0 }, now);
        assert_eq!((absent.state.as_str(), absent.since), ("closed", None));
    }
}
