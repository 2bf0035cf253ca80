//! `evenkeel report`: a period against the plan's targets, from the days that the sweeper has kept.

mod page;

use std::collections::BTreeMap;

use evenkeel::{
    base::time::Time,
    dependency::stats::{DayKind, day_start},
    record::outcomes::OTHER,
};
use serde::Deserialize;

use super::Context;
use crate::{
    args::Report as Arguments,
    deployment::{Deployment, JobType, queue_name},
    exit::Failure,
    output::Answer,
    ports::Ports,
    report::{Days, Period, kpis, of_dependencies, of_hosts, of_types, share_slots},
    shapes::{Cut, ForecastReport, HostReport, Kpi, PatternReport, Report, TypeReport},
    table::{NAME, styled, table},
    text::{clean, redact},
};

/// Days of subjects that are read of one kind: four hundred days of ten types, or eighty days of fifty hosts. What is
/// beyond is named in the report.
const MOST_DAYS: usize = 4_000;

/// Notes about error patterns of a type that are read.
const MOST_NOTES: usize = 1_000;

/// Error patterns, and hosts, that are shown.
const MOST_SHOWN: usize = 20;

/// The part of the note about a pattern that the report uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pattern {
    first_at: u64,
    sample: String,
}

/// The part of the note about the present state that the report uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Present {
    queues: BTreeMap<String, QueueSeen>,
    forecasts: Vec<ForecastReport>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct QueueSeen {
    visible: u64,
    delayed: u64,
    dead_letter: bool,
    concurrency: Option<u32>,
}

/// Reports a period.
pub(super) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &Arguments,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let now = context.moment.now;
    let period = Period::last(given.since, now);
    let chosen = stack.chosen(given.kind.as_deref())?;
    let kinds: Vec<&str> = chosen.iter().map(|job| job.kind.as_str()).collect();
    let all: Vec<&str> = stack.types.iter().map(|job| job.kind.as_str()).collect();
    let mut names: Vec<&str> = chosen.iter().filter_map(|job| job.dependency.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let mut units = 0.0;
    let mut cut = Vec::new();
    let types = days(ports, stack, DayKind::Type, period, (&mut units, &mut cut)).await?;
    let kind = DayKind::Dependency;
    let dependencies = days(ports, stack, kind, period, (&mut units, &mut cut)).await?;
    let hosts = days(ports, stack, DayKind::Host, period, (&mut units, &mut cut)).await?;
    let read = ports.notes(&stack.control, "observe", 1).await?;
    units += read.units;
    let text = read.value.first().map(|note| note.text.as_str()).unwrap_or_default();
    let present: Present = serde_json::from_str(text).unwrap_or_default();
    let patterns = patterns(ports, stack, &kinds, &types, period, &mut units).await?;
    let (mut of_types, unknown_hours) = of_types(&types, &kinds, &all, period);
    share_slots(&mut of_types, &slots(stack, &present));
    let of_dependencies = of_dependencies(&dependencies, &names, period);
    let sources = present.queues.values().filter(|queue| !queue.dead_letter);
    let waiting = sources.map(|queue| queue.visible.saturating_add(queue.delayed)).sum();
    let report = Report {
        from: period.from.as_millis(),
        until: period.until.as_millis(),
        unknown_hours,
        kpis: kpis(&of_types, &of_dependencies, waiting),
        types: of_types,
        dependencies: of_dependencies,
        patterns,
        hosts: of_hosts(&hosts, period, MOST_SHOWN),
        forecasts: present.forecasts.into_iter().map(redacted).collect(),
        cut,
        read_units: units,
    };
    let text = if given.html {
        page::html(&report, &types, &kinds, period, &stack.name)?
    } else {
        text_of(&report, given.markdown)
    };
    let remarks = remarks(&report);
    let answer = Answer::one(&report, text)?;
    Ok(if remarks.is_empty() { answer } else { answer.remark(remarks.join("; ")) })
}

/// What is missing in a report, a sentence each.
fn remarks(report: &Report) -> Vec<String> {
    let hours = report.unknown_hours;
    let unknown =
        (hours > 0).then(|| format!("{hours} hours of the period are not known, or not yet"));
    unknown.into_iter().chain(report.cut.iter().map(said_of)).collect()
}

/// The slots of each type in both its queues, as far as they are known.
fn slots<'a>(stack: &'a Deployment, present: &Present) -> BTreeMap<&'a str, u64> {
    let of_queue = |arn: &String| {
        let seen = present.queues.get(queue_name(arn))?;
        seen.concurrency.map(u64::from)
    };
    let of_type = |job: &'a JobType| {
        let known: Vec<u64> = [&job.normal, &job.high].into_iter().filter_map(of_queue).collect();
        (!known.is_empty()).then(|| (job.kind.as_str(), known.iter().sum::<u64>()))
    };
    stack.types.iter().filter_map(of_type).collect()
}

/// A forecast whose evidence, which names what it is about, has no secrets.
fn redacted(forecast: ForecastReport) -> ForecastReport {
    ForecastReport { evidence: redact(&forecast.evidence), ..forecast }
}

/// A sentence about a part that is too long.
fn said_of(cut: &Cut) -> String {
    let Cut { part, read, until } = cut;
    format!("of {part}, {read}+ days are too many: those after {until} are not counted")
}

/// The days of a kind that the period touches: the first [`MOST_DAYS`], which it says if there are more.
async fn days<P: Ports>(
    ports: &P,
    stack: &Deployment,
    kind: DayKind,
    period: Period,
    (units, cut): (&mut f64, &mut Vec<Cut>),
) -> Result<Days, Failure> {
    let [from, until] = period.dates();
    // `~` sorts after every subject of the last date.
    let span = [from, format!("{until}~")];
    let read = ports.notes_between(&stack.control, kind.note(), &span, MOST_DAYS + 1).await?;
    *units += read.units;
    let mut days = Days::default();
    for note in read.value.iter().take(MOST_DAYS) {
        days.insert(&note.name, &note.text);
    }
    if read.value.len() > MOST_DAYS
        && let Some((until, _)) = read.value[MOST_DAYS - 1].name.split_once('#')
    {
        let part = match kind {
            DayKind::Type => "types",
            DayKind::Dependency => "dependencies",
            DayKind::Host => "hosts",
            DayKind::Pattern => "patterns",
        };
        cut.push(Cut { part: part.to_owned(), read: MOST_DAYS, until: until.to_owned() });
    }
    Ok(days)
}

/// The most frequent error patterns of some types.
async fn patterns<P: Ports>(
    ports: &P,
    stack: &Deployment,
    kinds: &[&str],
    types: &Days,
    period: Period,
    units: &mut f64,
) -> Result<Vec<PatternReport>, Failure> {
    let mut found = Vec::new();
    let first = day_start(period.from);
    for (kind, days) in types.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())) {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, day) in days.iter().filter(|(start, _)| *start >= first) {
            for (fingerprint, count) in &day.patterns {
                *sums.entry(fingerprint).or_default() += count;
            }
        }
        if sums.is_empty() {
            continue;
        }
        let span = [format!("{kind}#"), format!("{kind}#~")];
        let read = ports.notes_between(&stack.control, "pattern", &span, MOST_NOTES).await?;
        *units += read.units;
        let known = read.value.iter().filter_map(|note| {
            let (_, fingerprint) = note.name.split_once('#')?;
            Some((fingerprint, serde_json::from_str::<Pattern>(&note.text).ok()?))
        });
        let known: BTreeMap<&str, Pattern> = known.collect();
        found.extend(sums.into_iter().map(|(fingerprint, failures)| {
            let pattern = known.get(fingerprint).filter(|_| fingerprint != OTHER);
            PatternReport {
                kind: kind.clone(),
                fingerprint: fingerprint.to_owned(),
                failures,
                sample: pattern.map(|of| redact(&of.sample)).filter(|text| !text.is_empty()),
                first_at: pattern.map(|of| of.first_at),
                new: pattern.is_some_and(|of| Time::from_millis(of.first_at) >= period.from),
            }
        }));
    }
    found.sort_by_key(|pattern| (!pattern.new, std::cmp::Reverse(pattern.failures)));
    found.truncate(MOST_SHOWN);
    Ok(found)
}

fn number(value: Option<f64>, unit: &str) -> String {
    let text = value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    if unit.is_empty() || value.is_none() { text } else { format!("{text} {unit}") }
}

fn ms(value: Option<u64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value} ms"))
}

/// The target of a KPI in words; empty if it has none.
fn target_of(kpi: &Kpi) -> String {
    kpi.target.map(|target| format!("below {target} {}", kpi.unit)).unwrap_or_default()
}

fn of_kpi(kpi: &Kpi) -> Vec<String> {
    let reached = match kpi.reached {
        Some(true) => "reached",
        Some(false) => "missed",
        None => "",
    };
    let before = kpi.before.map(|_| number(kpi.before, &kpi.unit));
    vec![
        kpi.name.clone(),
        number(kpi.value, &kpi.unit),
        target_of(kpi),
        reached.to_owned(),
        before.unwrap_or_default(),
    ]
}

fn row_of_type(of: &TypeReport) -> Vec<String> {
    vec![
        of.kind.clone(),
        of.succeeded.to_string(),
        (of.dead + of.quarantined).to_string(),
        number(of.failure_percent, "%"),
        ms(of.done_mean_ms),
        ms(of.done_percentiles_ms.map(|[_, p95, _]| p95)),
        number(of.attempts_mean, ""),
        number(of.share_of_jobs_percent, "%"),
        number(of.share_of_run_time_percent, "%"),
        number(of.share_of_slots_percent, "%"),
    ]
}

fn row_of_cut(of: &Cut) -> Vec<String> {
    vec![format!("days of {}", of.part), format!("{}+", of.read), of.until.clone()]
}

const TYPE_HEAD: [&str; 10] = [
    "TYPE",
    "SUCCEEDED",
    "FAILED",
    "SHARE",
    "MEAN TIME",
    "P95",
    "ATTEMPTS",
    "OF JOBS",
    "OF RUN TIME",
    "OF SLOTS",
];

/// A part of the report: its title, the head of its table, and the rows.
type Part = (&'static str, &'static [&'static str], Vec<Vec<String>>);

fn parts(report: &Report) -> Vec<Part> {
    let of_dependencies = report.dependencies.iter().map(|of| {
        let counts = [of.calls, of.failed, of.throttled, of.opened].map(|count| count.to_string());
        [vec![of.dependency.clone()], counts.to_vec(), vec![ms(of.p95_ms)]].concat()
    });
    let of_patterns = report.patterns.iter().map(|of| {
        let sample = of.sample.clone().unwrap_or_default();
        let new = if of.new { "new" } else { "" };
        vec![
            of.kind.clone(),
            of.failures.to_string(),
            new.to_owned(),
            of.fingerprint.clone(),
            sample,
        ]
    });
    let of_hosts = report.hosts.iter().map(|of: &HostReport| {
        let counts = [of.failed, of.throttled, of.calls].map(|count| count.to_string());
        [vec![of.dependency.clone()], counts.to_vec()].concat()
    });
    let of_forecasts = report.forecasts.iter().map(|of| {
        let when = of.in_s.map(|in_s| format!("in {in_s} s")).unwrap_or_default();
        vec![of.what.clone(), of.about.clone(), when, of.evidence.clone()]
    });
    vec![
        part(
            "KPIs",
            &["KPI", "VALUE", "TARGET", "", "BEFORE THE PLAN"],
            report.kpis.iter().map(of_kpi),
        ),
        part("Job types", &TYPE_HEAD, report.types.iter().map(row_of_type)),
        part(
            "Dependencies",
            &["DEPENDENCY", "CALLS", "FAILED", "429", "BREAKER OPENED", "P95"],
            of_dependencies,
        ),
        part(
            "Error patterns, on whole days",
            &["TYPE", "FAILURES", "", "FINGERPRINT", "WHAT"],
            of_patterns,
        ),
        part("Worst hosts", &["HOST", "FAILED", "429", "CALLS"], of_hosts),
        part("Forecasts", &["WHAT", "ABOUT", "WHEN", "EVIDENCE"], of_forecasts),
        part("Not counted", &["WHAT", "READ", "NOT AFTER"], report.cut.iter().map(row_of_cut)),
    ]
}

fn part(
    title: &'static str,
    head: &'static [&'static str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Part {
    (title, head, rows.collect())
}

fn text_of(report: &Report, markdown: bool) -> String {
    let [from, until] = [report.from, report.until].map(Time::from_millis);
    let title = format!("{from} to {until}");
    let mut text = if markdown { format!("# {title}\n") } else { styled(NAME, &title) + "\n" };
    for (title, head, rows) in parts(report).into_iter().filter(|(_, _, rows)| !rows.is_empty()) {
        if markdown {
            text.push_str(&["\n## ", title, "\n\n", &markdown_table(head, &rows)].concat());
        } else {
            text.push_str(&["\n", &styled(NAME, title), "\n", &table(head, rows)].concat());
        }
    }
    text
}

fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let cell = |text: &String| clean(text).replace('|', "\\|");
    let head_line = line(head.iter().map(|name| name.to_lowercase()).collect());
    let rows = rows.iter().map(|row| line(row.iter().map(cell).collect()));
    head_line + "|" + &"---|".repeat(head.len()) + "\n" + &rows.collect::<String>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        args::{Form, TimeForm},
        memory::MemoryPorts,
        moment::Moment,
        stack,
        stack::Target,
        stop::Stop,
    };

    fn ports() -> MemoryPorts {
        let day = r#"{"hours":24,"counts":{"succeeded":[0,90],"dead":[0,10],"jobs":[0,100]},
            "patterns":{"abc":10}}"#;
        let host = r#"{"hours":24,"counts":{"failed":[0,7]}}"#;
        let calls = r#"{"hours":24,"counts":{"ok":[0,5],"failed":[0,2],"opened":[0,1]}}"#;
        let present = r#"{"queues":{"q":{"visible":3},"s-a":{"concurrency":20},"s-a-high":
            {"concurrency":10},"s-b":{"concurrency":10},"s-b-dlq":{"dead_letter":true}},"forecasts":[
            {"what":"grows","about":"q","evidence":"more | more"}]}"#;
        let pattern = r#"{"first_at":1,"sample":"permanent http_404: no page"}"#;
        MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"},{"type":"b"}]"#)
            .with_note("day:type", "2027-01-14#a", day)
            .with_note("day:type", "2026-12-01#a", day)
            .with_note("day:host", "2027-01-14#page/h", host)
            .with_note("day:dependency", "2027-01-14#d", calls)
            .with_note("pattern", "a#abc", pattern)
            .with_note("observe", "now", present)
    }

    async fn told(ports: &MemoryPorts, markdown: bool, form: Form) -> String {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let now = Time::parse_rfc3339("2027-01-15T08:00:00Z").unwrap();
        let moment = Moment { now, form: TimeForm::Relative };
        let stop = Stop::default();
        let context = Context { form, moment, stop: &stop };
        let since = Duration::from_hours(48);
        let given = Arguments { since, kind: None, markdown, html: false };
        format!("{:?}", run(ports, &stack, &given, &context).await.unwrap())
    }

    #[tokio::test]
    async fn a_report_has_kpis_types_patterns_hosts_and_forecasts() {
        let told = told(&ports(), false, Form::Text).await;
        for part in ["missed", "10 %", "no page", "page/h", "grows", "3", "BREAKER OPENED"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(told.contains("hours of the period are not known"), "{told}");
        assert!(told.contains("OF SLOTS") && told.contains("75 %"), "{told}");
        assert!(told.contains("mean recovery time of stuck jobs") && told.contains("below 300 s"));
    }

    #[tokio::test]
    async fn the_page_shows_what_the_text_says() {
        let ports = ports();
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let now = Time::parse_rfc3339("2027-01-15T08:00:00Z").unwrap();
        let moment = Moment { now, form: TimeForm::Relative };
        let stop = Stop::default();
        let context = Context { form: Form::Text, moment, stop: &stop };
        let since = Duration::from_hours(48);
        let given = Arguments { since, kind: None, markdown: false, html: true };
        let told = format!("{:?}", run(&ports, &stack, &given, &context).await.unwrap());
        let shown = ["<!doctype html>", "<svg", "missed", "10 %", "no page", "2027-01-14"];
        let gaps = ["24 hours of the period are not known", "by type and day", "8 of 8 h"];
        let before = ["<bdi>15.2 %</bdi>", "<bdi>202.5 s</bdi>", "<bdi>below 5 %</bdi>"];
        for part in shown.into_iter().chain(gaps).chain(before) {
            assert!(told.to_lowercase().contains(part), "{part}: {told}");
        }
    }

    #[tokio::test]
    async fn what_is_too_much_to_be_read_is_named() {
        let mut ports = ports();
        for n in 0..MOST_DAYS {
            let date = if n < MOST_DAYS / 2 { "2027-01-13" } else { "2027-01-14" };
            ports = ports.with_note("day:host", &format!("{date}#page/h{n:05}"), "{}");
        }
        let told = told(&ports, false, Form::Text).await;
        assert!(told.contains("of hosts, 4000+ days are too many"), "{told}");
        assert!(told.contains("Not counted") && told.contains("2027-01-14"), "{told}");
        assert!(!told.contains("of types, "), "{told}");
    }

    #[tokio::test]
    async fn markdown_has_tables_whose_cells_cannot_break_out() {
        let told = told(&ports(), true, Form::Text).await;
        assert!(told.contains("## Job types") && told.contains("| type | succeeded |"), "{told}");
        assert!(told.contains(r"more \\| more"), "{told}");
    }
}
