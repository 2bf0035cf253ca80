//! The third parties: breaker, limiter and calls of each that is watched.

use std::time::Duration;

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{BUCKET, Calls, bucket_start},
};

use super::{Page, clock, overview::MINUTE};
use crate::{
    dashboard::{
        acts::{Act, for_how_long},
        cells,
        charts::{Lines, Scale, Series, Strip},
        live::LATELY,
        question::Reply,
        view::{ActForm, Cell, Figure, Section, Table, Tone},
    },
    shapes::{BreakerShown, LimiterShown},
};

pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    let mut sections = vec![all(reply)];
    let names = reply.live.breakers.keys().enumerate();
    sections.extend(names.map(|(number, name)| one(reply, number, name)));
    Page { title: "Dependencies".to_owned(), sections, ..Page::default() }
}

/// All that the sweeper has seen in the last whole minute.
fn all(reply: &Reply) -> Section {
    let seen = &reply.live.observed;
    let age = seen.at().map(|at| cells::age(at.as_millis(), reply.now).text);
    let age = age.unwrap_or_else(|| "nothing for a day".to_owned());
    let rows = seen.dependencies.iter().map(|(name, seen)| {
        let parked = cells::path("/jobs", &[("state", "parked"), ("dependency", name)]);
        vec![
            Cell::text(name),
            cells::state(&seen.breaker),
            cells::count(seen.parked, seen.more).href(parked),
            cells::count(seen.calls, false),
            cells::count(seen.failed, false),
            cells::count(seen.throttled, false),
            Cell::number(seen.p95_ms.map(|ms| format!("{ms} ms")).unwrap_or_default()),
        ]
    });
    let head = ["Dependency", "Breaker", "Parked", "Calls", "Failed", "429", "95th percentile"];
    let table = Table {
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        empty: "No dependency was observed.".to_owned(),
    };
    let note = format!(
        "The last whole minute by the sweeper's report, {age}. What is read every two seconds, and as soon as a breaker opens, is below."
    );
    Section { table: Some(table), ..Section::new("all", "All that are watched").note(note) }
}

fn one(reply: &Reply, number: usize, name: &str) -> Section {
    let mut section = Section::new(&format!("dependency-{number}"), &Cell::text(name).text);
    if let Some(breaker) = reply.live.breakers.get(name) {
        of_breaker(&mut section, breaker, reply);
        section.acts = acts_on(breaker);
    }
    if let Some(limiter) = reply.live.limiters.get(name).filter(|limiter| limiter.in_use) {
        of_limiter(&mut section, limiter, reply);
    }
    section.figures.push(states(reply, number, name));
    if let Some(buckets) = reply.live.calls.get(name) {
        section.figures.extend(calls(reply, number, name, buckets));
    }
    section
}

/// What can be done about a breaker: to force it for a time, or to let it decide for itself again.
fn acts_on(breaker: &BreakerShown) -> Vec<ActForm> {
    let force = |is_open: bool, submit: &str, key: char| {
        let (dependency, span) = (breaker.dependency.clone(), Duration::ZERO);
        let act = Act::ForceBreaker { dependency, is_open, span };
        act.form(submit, key, vec![for_how_long()])
    };
    let mut acts = vec![force(true, "Force open …", 'O'), force(false, "Force closed …", 'C')];
    if breaker.state != "closed" {
        let act = Act::FreeBreaker(breaker.dependency.clone());
        acts.push(act.form("Let it decide for itself", 'A', Vec::new()));
    }
    acts
}

fn of_breaker(section: &mut Section, breaker: &BreakerShown, reply: &Reply) {
    let at = |ms: Option<u64>| ms.map(|ms| cells::when_ms(ms, reply.now));
    section.fact("breaker", cells::state(&breaker.state));
    section.fact_some("cause", breaker.why.as_ref().map(Cell::text));
    section.fact_some("since", at(breaker.since));
    section.fact_some("next probe", at(breaker.retry_at));
    if let Some([alive, worked]) = breaker.probes {
        section.fact("probes", Cell::text(format!("{alive} under way, {worked} worked")));
    }
    section.fact_some("forced until", at(breaker.until));
    section.fact_some("down since", at(breaker.down_since));
    section.fact_some("stopped until", at(breaker.stopped_until));
    if breaker.systemic {
        let what = "only an operator can fix the cause, such as a revoked key";
        section.fact("remedy", Cell::text(what).tone(Tone::Bad));
    }
}

fn of_limiter(section: &mut Section, limiter: &LimiterShown, reply: &Reply) {
    let at = |ms: Option<u64>| ms.map(|ms| cells::when_ms(ms, reply.now));
    let count = |count: Option<u32>| count.map(|count| Cell::number(count.to_string()));
    section.fact("limiter", Cell::text(&limiter.name));
    section.fact_some("calls a minute", count(limiter.per_minute));
    section.fact_some("calls an hour", count(limiter.per_hour));
    let pace = limiter.pace_percent.map(|pace| Cell::number(format!("{pace} % of the rate")));
    section.fact_some("pace", pace);
    section.fact_some("next slot", at(limiter.next_slot_at));
    section.fact_some("promised until", at(limiter.promised_until));
    section.fact_some("slowed", at(limiter.slowed_at));
}

/// The breaker's states over the last hour, as the sweeper has seen them minute by minute.
fn states(reply: &Reply, number: usize, name: &str) -> Figure {
    let seen = reply.live.history.iter().filter_map(|seen| {
        let state = seen.dependencies.get(name)?.breaker.clone();
        let tone = cells::state_tone(&state);
        Some((seen.at, state.replace('_', " "), tone))
    });
    let seen: Vec<(u64, String, Tone)> = seen.collect();
    let now = reply.now.as_millis();
    let strip = Strip {
        id: format!("states-{number}"),
        title: format!("{name}: breaker over the last hour"),
        span: [now - 60 * MINUTE, now],
        spells: Strip::spells(&seen, 2 * MINUTE),
    };
    strip.figure(clock)
}

/// Calls and their durations in buckets of ten seconds.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn calls(reply: &Reply, number: usize, name: &str, buckets: &[(Time, Calls)]) -> [Figure; 2] {
    let points = |value: &dyn Fn(&Calls) -> Option<f64>| -> Vec<(u64, f64)> {
        let point = |(start, calls): &(Time, Calls)| Some((start.as_millis(), value(calls)?));
        buckets.iter().filter_map(point).collect()
    };
    let series = |what: &str, value: &dyn Fn(&Calls) -> Option<f64>| Series {
        name: what.to_owned(),
        points: points(value),
    };
    let quantile = |calls: &Calls, q: f64| {
        calls.latency.quantile(q).map(|took: Duration| took.as_secs_f64() * 1_000.0)
    };
    let filling_from = Some(bucket_start(reply.now, BUCKET).as_millis());
    let span = [reply.now.before(LATELY).as_millis(), reply.now.as_millis()];
    let base = |id: String, title: &str| Lines {
        id,
        title: format!("{name}: {title}"),
        span,
        step: millis(BUCKET),
        filling_from,
        ..Lines::default()
    };
    let ends = Lines {
        series: vec![
            series("worked", &|calls| Some(calls.ok as f64)),
            series("failed", &|calls| Some(calls.failed as f64)),
            series("429", &|calls| Some(calls.throttled as f64)),
            series("shed", &|calls| Some(calls.load_shed as f64)),
        ],
        ..base(format!("calls-{number}"), "calls in ten seconds")
    };
    let times = Lines {
        series: vec![
            series("median", &|calls| quantile(calls, 0.5)),
            series("95th percentile", &|calls| quantile(calls, 0.95)),
        ],
        unit: "ms",
        scale: Scale::Log,
        ..base(format!("latency-{number}"), "time of a call")
    };
    [ends.figure(clock), times.figure(clock)]
}
