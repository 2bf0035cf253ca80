//! The overview: is the stack well, and how does it compare with the plan's targets?

use std::collections::BTreeSet;

use super::{Page, clock, good_if};
use crate::{
    commands::observed::{Observed, TypeSeen},
    dashboard::{
        cells,
        charts::{Bars, Lines, Scale, Series, Target, share, short},
        question::Reply,
        view::{Cell, Figure, Section, Table, Tile, Tone},
    },
    shapes::Problem,
};

/// The plan's target: less than this share of the jobs fails, in percent.
const MOST_FAILED: f64 = 5.0;

/// The plan's target: a job takes less than this on average, in seconds. The median is compared.
const LONGEST_S: f64 = 60.0;

/// The plan's target: a stuck job is found and recovers within this time, in seconds.
const RECOVERY_S: u64 = 300;

/// Time between two observations, in milliseconds.
pub(super) const MINUTE: u64 = 60_000;

pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    let sections =
        vec![problems(reply), targets(reply), charts(reply), balance(reply), forecasts(reply)];
    Page { title: "Overview".to_owned(), sections, ..Page::default() }
}

fn problems(reply: &Reply) -> Section {
    let problems = reply.live.problems(&reply.stack, reply.now);
    let mut section = Section::new("problems", "Health");
    if problems.is_empty() {
        return section.note("No problem is known.");
    }
    let row = |problem: &Problem| {
        vec![
            Cell::text(problem.code.replace('_', " ")).tone(Tone::Bad),
            Cell::text(&problem.about),
            Cell::text(&problem.message),
            Cell::text(&problem.remedy),
        ]
    };
    section.table = Some(Table {
        head: ["Problem", "About", "What is wrong", "What helps"].map(str::to_owned).to_vec(),
        rows: problems.iter().map(row).collect(),
        empty: String::new(),
    });
    section
}

/// A count of all types in one observation.
#[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
fn sum(seen: &Observed, count: impl Fn(&TypeSeen) -> u64) -> f64 {
    seen.types.values().map(count).fold(0, u64::saturating_add) as f64
}

/// Failed jobs of the last hour in percent of those that ended; `None` if none ended.
fn failed_percent(history: &[Observed]) -> Option<f64> {
    let failed: f64 = history.iter().map(|seen| sum(seen, TypeSeen::failed)).sum();
    let succeeded: f64 = history.iter().map(|seen| sum(seen, |kind| kind.succeeded)).sum();
    (failed + succeeded > 0.0).then(|| 100.0 * failed / (failed + succeeded))
}

fn targets(reply: &Reply) -> Section {
    let (seen, history) = (&reply.live.observed, &reply.live.history);
    let age = seen.at().map(|at| cells::age(at.as_millis(), reply.now).text);
    let age = age.unwrap_or_else(|| "nothing for a day".to_owned());
    let mut section = Section::new("targets", "Now")
        .note(format!("By the sweeper's report, {age}; shares are of the last hour."));
    let mut tile = |label: &str, value: Cell, note: String| {
        section.tiles.push(Tile { label: label.to_owned(), value, note });
    };
    let done = format!("{} a minute", short(sum(seen, |kind| kind.succeeded)));
    tile("Succeeded", Cell::number(done), "last whole minute".to_owned());
    match failed_percent(history) {
        Some(percent) => tile(
            "Failed",
            Cell::number(format!("{} %", short(percent))).tone(good_if(percent < MOST_FAILED)),
            format!("of the jobs that ended; target < {} %", short(MOST_FAILED)),
        ),
        None => tile("Failed", Cell::text("no job ended"), "within the last hour".to_owned()),
    }
    let slowest = seen.types.iter().filter_map(|(kind, seen)| Some((seen.p50_s?, kind)));
    if let Some((took, kind)) = slowest.max_by(|one, other| one.0.total_cmp(&other.0)) {
        let value = Cell::number(format!("{} s", short(took))).tone(good_if(took < LONGEST_S));
        let note = format!("median of {kind}, the slowest; target < {} s", short(LONGEST_S));
        tile("Time to success", value, note);
    }
    let stuck = Cell::number(seen.stuck.to_string()).tone(good_if(seen.stuck == 0));
    let note = format!("lease over; target: recovered within {}", cells::seconds(RECOVERY_S).text);
    tile("Stuck", stuck, note);
    tile("Running", Cell::number(seen.running.to_string()), "jobs of all batches".to_owned());
    for (kind, seen) in &seen.types {
        if let Some(oldest) = seen.oldest_s {
            tile("Oldest job", cells::seconds(oldest), kind.clone());
        }
    }
    section
}

/// A value of every observation that has it.
fn points(history: &[Observed], value: impl Fn(&Observed) -> Option<f64>) -> Vec<(u64, f64)> {
    history.iter().filter_map(|seen| Some((seen.at, value(seen)?))).collect()
}

fn series(name: &str, points: Vec<(u64, f64)>) -> Series {
    Series { name: name.to_owned(), points }
}

/// A number of a job type in a minute.
type Counter = fn(&TypeSeen) -> u64;

#[expect(clippy::cast_precision_loss, reason = "counts and ages of a queue")]
fn charts(reply: &Reply) -> Section {
    let history = &reply.live.history;
    let mut section = Section::new("rates", "The last hour").note(
        "One value a minute, of the last whole minute before it. Where the sweeper did not run, lines have gaps.",
    );
    let kinds: BTreeSet<&String> = history.iter().flat_map(|seen| seen.types.keys()).collect();
    let of_kind = |kind: &String, value: fn(&TypeSeen) -> Option<f64>| {
        series(kind, points(history, |seen| value(seen.types.get(kind)?)))
    };
    let base = |id: &str, title: &str, unit: &'static str| Lines {
        id: id.to_owned(),
        title: title.to_owned(),
        unit,
        span: [reply.now.as_millis() - 60 * MINUTE, reply.now.as_millis()],
        step: MINUTE,
        ..Lines::default()
    };
    let outcomes: [(&str, Counter); 4] = [
        ("succeeded", |kind| kind.succeeded),
        ("retried", |kind| kind.retried),
        ("put off", |kind| kind.deferred.saturating_add(kind.parked)),
        ("failed", TypeSeen::failed),
    ];
    let ends =
        outcomes.map(|(name, count)| series(name, points(history, |at| Some(sum(at, count)))));
    let failed = points(history, |seen| failed_percent(std::slice::from_ref(seen)));
    let backlog = |seen: &Observed| {
        let queues = seen.queues.values().filter(|queue| !queue.dead_letter);
        Some(queues.map(|queue| queue.visible.saturating_add(queue.delayed)).sum::<u64>() as f64)
    };
    let target = |value: f64, label: &str| Some(Target { value, label: label.to_owned() });
    let lines = [
        Lines { series: ends.into(), ..base("ends", "Ends of runs a minute", "") },
        Lines {
            series: vec![series("failed", failed)],
            target: target(MOST_FAILED, "target < 5 %"),
            ..base("failed", "Failed jobs", "%")
        },
        Lines {
            series: kinds.iter().map(|kind| of_kind(kind, |seen| seen.p95_s)).collect(),
            scale: Scale::Log,
            target: target(LONGEST_S, "target < 60 s"),
            ..base("times", "Time to success, 95th percentile", "s")
        },
        Lines {
            series: vec![series("waiting messages", points(history, backlog))],
            ..base("depth", "Depth of all queues", "")
        },
        Lines {
            series: kinds
                .iter()
                .map(|kind| of_kind(kind, |seen| seen.oldest_s.map(|age| age as f64)))
                .collect(),
            scale: Scale::Log,
            ..base("age", "Age of the oldest job", "s")
        },
    ];
    section.figures = lines.iter().map(|lines| lines.figure(clock)).collect();
    section
}

/// How the jobs of the last hour are spread over the types, and the records over the states.
#[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
fn balance(reply: &Reply) -> Section {
    let live = &reply.live;
    let history = &live.history;
    let kinds: BTreeSet<&String> = history.iter().flat_map(|seen| seen.types.keys()).collect();
    let ended = |kind: &String| {
        let of = history.iter().filter_map(|seen| seen.types.get(kind));
        of.map(|seen| seen.succeeded.saturating_add(seen.failed())).sum::<u64>() as f64
    };
    let all: f64 = kinds.iter().map(|kind| ended(kind)).sum();
    let types = Bars {
        id: "balance-types".to_owned(),
        title: "Jobs that ended within the last hour, by type".to_owned(),
        bars: kinds.iter().map(|kind| share(kind, ended(kind), all)).collect(),
    };
    let mut figures: Vec<Figure> = vec![types.figure()];
    let states = &live.observed.states;
    let mut note =
        "Records are counted by state whenever the sweeper has walked the whole table.".to_owned();
    if live.observed.states_at > 0 {
        let age = cells::age(live.observed.states_at, reply.now).text;
        note = format!("Records by state as the sweeper has counted them, {age}.");
        let all: f64 = states.values().map(|count| *count as f64).sum();
        let bar = |(state, count): (&String, &u64)| {
            let mut bar = share(state, *count as f64, all);
            bar.text = format!("{count} · {}", bar.text);
            bar
        };
        let bars = states.iter().map(bar).collect();
        let (id, title) = ("balance-states".to_owned(), "Records by state".to_owned());
        figures.push(Bars { id, title, bars }.figure());
    }
    Section { figures, ..Section::new("balance", "Balance").note(note) }
}

fn forecasts(reply: &Reply) -> Section {
    let row = |forecast: &crate::commands::observed::Forecast| {
        vec![
            Cell::text(forecast.what.replace('_', " ")),
            Cell::text(&forecast.about),
            forecast.in_s.map(cells::seconds).unwrap_or_default(),
            Cell::text(&forecast.evidence),
        ]
    };
    let table = Table {
        head: ["What", "About", "In", "Evidence"].map(str::to_owned).to_vec(),
        rows: reply.live.observed.forecasts.iter().map(row).collect(),
        empty: "No trend is beyond the noise.".to_owned(),
    };
    Section { table: Some(table), ..Section::new("forecasts", "Forecasts") }
}
