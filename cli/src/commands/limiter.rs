//! `evenkeel limiter show`.

use evenkeel::base::time::Time;

use super::dependencies::{self, Known};
use crate::{
    deployment::Deployment, exit::Failure, moment::Moment, output::Answer, ports::Ports,
    shapes::LimiterShown, table::Fields,
};

/// A time in microseconds since the epoch, in milliseconds; `None` for zero.
fn ms(us: u64) -> Option<u64> {
    (us > 0).then_some(us / 1_000)
}

/// Reads the limiter of a dependency.
pub(crate) async fn read<P: Ports>(
    ports: &P,
    stack: &Deployment,
    known: &Known,
    dependency: &str,
) -> Result<LimiterShown, Failure> {
    let name = known.limiter(dependency);
    let read = ports.limiter(&stack.control, &name).await?;
    let limits = known.limits.get(dependency).cloned().unwrap_or_default();
    let limiter = read.value.as_ref();
    let kept = limiter.into_iter().flat_map(|limiter| &limiter.kept);
    let kept = kept.map(|kept| u64::from(kept.count)).sum::<u64>();
    Ok(LimiterShown {
        dependency: dependency.to_owned(),
        in_use: limiter.is_some(),
        per_minute: limits.per_minute,
        per_hour: limits.per_hour,
        pace_percent: limiter.map(|limiter| f64::from(limiter.pace) / 10.0),
        next_slot_at: limiter.and_then(|limiter| ms(limiter.next_us)),
        promised_until: limiter.and_then(|limiter| ms(limiter.promised_us)),
        promised_high_until: limiter.and_then(|limiter| ms(limiter.promised_high_us)),
        slowed_at: limiter
            .map(|limiter| limiter.slowed_at.as_millis())
            .filter(|slowed_at| *slowed_at > 0),
        kept_slots: kept,
        read_units: read.units,
        name,
    })
}

/// Shows the limiter of a dependency.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    dependency: &str,
    moment: Moment,
) -> Result<Answer, Failure> {
    let known = dependencies::known(ports, stack).await?;
    let mut shape = read(ports, stack, &known, dependency).await?;
    shape.read_units += known.units;
    let mut fields = Fields::default();
    fields.add("dependency", &shape.dependency);
    fields.add("limiter", &shape.name);
    fields.add_some("a minute", shape.per_minute.map(|count| count.to_string()));
    fields.add_some("an hour", shape.per_hour.map(|count| count.to_string()));
    fields.add_some("pace", shape.pace_percent.map(|percent| format!("{percent} % of the rate")));
    for (name, at) in [
        ("next slot", shape.next_slot_at),
        ("promised until", shape.promised_until),
        ("high until", shape.promised_high_until),
        ("slowed", shape.slowed_at),
    ] {
        fields.add_some(name, at.map(|at| moment.show(Time::from_millis(at))));
    }
    fields.add("kept slots", shape.kept_slots.to_string());
    let in_use = shape.in_use;
    let answer = Answer::one(&shape, fields.text())?;
    Ok(if in_use {
        answer
    } else {
        answer.remark("it was not used for a day, or the dependency has no limiter")
    })
}
