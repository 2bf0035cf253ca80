//! The report as a table, before and after.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::time::Duration;

use sandbox::CallCounts;

use crate::incident::job::Kind;
use crate::progress::{answers, visits};
use crate::report::Report;
use crate::verdict::tally::{Fields, Share};

/// Characters of a rejected body that are shown.
const SHOWN: usize = 64;

/// Prints the report.
pub(crate) fn print(report: &Report) {
    println!("\n{}", text(report));
}

fn text(report: &Report) -> String {
    let mut lines = vec![row("", &"before", &"after")];
    lines.extend(compared(report));
    lines.extend(counted(report));
    lines.extend(shared(report));
    lines.extend(fanned_out(report));
    lines.push(String::new());
    lines.push(format!("Rejected messages: {}", report.rejected));
    for kept in &report.rejected_messages {
        lines.push(format!("  {}: {}", kept.flaw, kept.why));
        lines.push(format!("    {}", shortened(&kept.body)));
    }
    lines.extend(called(report));
    lines.push(if report.ok {
        "\nNo job was lost, done twice or failed.".to_owned()
    } else {
        format!("\nFAILED, {} findings:", report.findings.len())
    });
    lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
    lines.join("\n")
}

/// Figures that are known of the old system, too.
fn compared(report: &Report) -> [String; 7] {
    let before = report.before;
    let share =
        |count: &dyn ToString, percent: f64| format!("{} ({percent:.1} %)", count.to_string());
    let shortenings = report.by_type.iter().find(|share| share.kind == Kind::Shortening.name());
    let shortening_percent = shortenings.map_or(0.0, |share| share.percent);
    let percent = |percent: f64| format!("{percent:.1} %");
    [
        row("Jobs", &before.jobs, &report.jobs),
        row(
            "  of them url_shortening",
            &percent(before.shortening_percent),
            &percent(shortening_percent),
        ),
        row(
            "Failed",
            &share(&before.failed, before.failed_percent),
            &share(&report.failed, report.failed_percent),
        ),
        row("  because the slashtag was taken", &before.slashtag_conflicts, &report.taken_failed),
        row(
            "  for other reasons",
            &before.other_failures,
            &report.failed.saturating_sub(report.taken_failed),
        ),
        row("Send to end, mean", &time(Some(before.mean_ms)), &time(report.mean_ms)),
        row(
            "Send to end, median / 95 % within",
            &"not known",
            &format!("{} / {}", time(report.median_ms), time(report.p95_ms)),
        ),
    ]
}

/// Figures that the old system did not count.
fn counted(report: &Report) -> [String; 9] {
    let after = |name: &str, value: &dyn ToString| row(name, &"", value);
    [
        after("Messages lost", &format!("{} of {}", report.lost, report.messages)),
        after("Messages that repeated another", &report.repeated_messages),
        after("Jobs done or made twice", &(report.duplicate_links + report.fan_out.made_twice)),
        after("Links made, those for feeds among them", &report.links_made),
        after("Links adopted, there before or answer lost", &report.adopted),
        after("Links under an alternate slashtag", &report.alternates),
        after(&format!("Fields found on {} pages", report.fields.pages), &report.fields.found),
        after("  missing / in conflict, and named so", &doubts(&report.fields)),
        after("From the killed process to its job's end", &time(report.recovery_ms)),
    ]
}

/// The jobs by type and by outcome.
fn shared(report: &Report) -> Vec<String> {
    let mut lines = vec![String::new(), head("By type")];
    lines.extend(report.by_type.iter().map(share));
    let outcomes = report
        .by_outcome
        .iter()
        .map(|outcome| format!("{} {} ({:.1} %)", outcome.name, outcome.jobs, outcome.percent));
    lines.push(format!("By outcome: {}", outcomes.collect::<Vec<_>>().join(", ")));
    lines
}

/// The jobs that feeds enqueued in addition.
fn fanned_out(report: &Report) -> Vec<String> {
    let fan_out = &report.fan_out;
    let mut lines = vec![
        String::new(),
        format!(
            "On top of these: {} feeds found {} of {} cars on {} pages; {} are kept, and {} jobs \
             were made of them.",
            fan_out.feeds,
            fan_out.vehicles,
            fan_out.cars,
            fan_out.pages,
            fan_out.vehicles_kept,
            fan_out.jobs_said,
        ),
        head("Fanned out"),
    ];
    lines.extend(fan_out.by_type.iter().map(share));
    lines.push(format!(
        "Of {} jobs {} failed and {} were made twice; made to end, mean: {}; fields {}, missing / \
         in conflict {}",
        fan_out.jobs,
        fan_out.failed,
        fan_out.made_twice,
        time(fan_out.mean_ms),
        fan_out.fields.found,
        doubts(&fan_out.fields),
    ));
    lines
}

/// The calls that reached the third parties, the injected faults, and the breaker that has opened.
fn called(report: &Report) -> [String; 4] {
    let calls = CallCounts {
        total: report.calls,
        rows: report.calls_by_status.clone(),
        sites: report.calls_of_sites.clone(),
    };
    let struck: u64 = report.faults.iter().map(|fault| fault.struck).sum();
    let breaker = report.breaker.as_ref();
    let breaker =
        breaker.map_or("closed".to_owned(), |open| format!("{}: {}", open.state, open.why));
    [
        format!("\nThe link shortener saw {}", answers(&calls)),
        format!("The dealer sites saw {}", visits(&calls)),
        format!("{} faults were injected, and struck {struck} calls", report.faults.len()),
        format!("The breaker of {} is {breaker}", report.walled),
    ]
}

fn row(name: &str, before: &dyn ToString, after: &dyn ToString) -> String {
    format!("{name:<48}{:>14}{:>18}", before.to_string(), after.to_string())
}

fn head(name: &str) -> String {
    format!("{name:<26}jobs    share  succeeded  failed      mean  95 % in")
}

fn share(share: &Share) -> String {
    let Share { kind, jobs, percent, succeeded, failed, mean_ms, p95_ms } = share;
    let (mean, p95) = (time(*mean_ms), time(*p95_ms));
    format!(
        "  {kind:<24}{jobs:>4}  {percent:>5.1} %  {succeeded:>9}  {failed:>6}{mean:>10}{p95:>9}"
    )
}

fn doubts(fields: &Fields) -> String {
    format!("{} / {}", fields.missing, fields.conflicting)
}

/// Milliseconds or seconds: most jobs need milliseconds, but the old system's mean is minutes.
pub(super) fn time(ms: Option<u64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms @ ..1_000) => format!("{ms} ms"),
        Some(ms) => format!("{:.1} s", Duration::from_millis(ms).as_secs_f64()),
    }
}

fn shortened(body: &str) -> String {
    let mut shown: String = body.chars().take(SHOWN).collect();
    if shown.len() < body.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{head, share, shortened, time};
    use crate::verdict::tally::Share;

    #[test]
    fn a_time_has_the_unit_that_suits_it() {
        assert_eq!(time(Some(202_500)), "202.5 s");
        assert_eq!(time(Some(1_685)), "1.7 s");
        assert_eq!(time(Some(53)), "53 ms");
        assert_eq!(time(None), "-");
    }

    #[test]
    fn a_long_body_is_cut() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ä".repeat(100)).chars().count(), 65);
    }

    #[test]
    fn the_numbers_of_a_type_stand_under_their_names() {
        let line = share(&Share {
            kind: "product_detail_scraping",
            jobs: 15,
            percent: 9.9,
            succeeded: 15,
            failed: 0,
            mean_ms: Some(53),
            p95_ms: Some(1_685),
        });
        let expected =
            "  product_detail_scraping   15    9.9 %         15       0     53 ms    1.7 s";
        assert_eq!(line, expected);
        assert_eq!(head("By type").len(), line.len());
    }
}
