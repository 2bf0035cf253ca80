//! The report as a table, before and after.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::time::Duration;

use sandbox::CallCounts;

use super::progress::answers;
use super::report::Report;

/// Characters of a quarantined body that are shown.
const SHOWN: usize = 64;

/// Prints the report.
pub(super) fn print(report: &Report) {
    println!("\n{}", text(report));
}

fn text(report: &Report) -> String {
    let mut lines = vec![row("", &"before", &"after")];
    lines.extend(compared(report));
    lines.extend(counted(report));
    lines.push(String::new());
    lines.push(format!("Quarantined: {}", report.quarantined));
    for kept in &report.quarantine {
        lines.push(format!("  {}: {}", kept.flaw, kept.why));
        lines.push(format!("    {}", shortened(&kept.body)));
    }
    let calls = CallCounts {
        total: report.calls,
        rows: report.calls_by_status.clone(),
        ..CallCounts::default()
    };
    lines.push(format!("\nThe service saw {}", answers(&calls)));
    lines.push(if report.ok {
        "\nNo job was lost, done twice or failed.".to_owned()
    } else {
        format!("\nFAILED, {} findings:", report.findings.len())
    });
    lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
    lines.join("\n")
}

/// What is known of the old system as well.
fn compared(report: &Report) -> [String; 5] {
    let before = report.before;
    let share =
        |count: &dyn ToString, percent: f64| format!("{} ({percent:.1} %)", count.to_string());
    [
        row("Jobs (before: of all three types)", &before.jobs, &report.jobs),
        row(
            "Failed",
            &share(&before.failed, before.failed_percent),
            &share(&report.failed, report.failed_percent),
        ),
        row("  because the slashtag was taken", &before.slashtag_conflicts, &report.taken_failed),
        row("Send to link, mean", &time(Some(before.mean_ms)), &time(report.mean_ms)),
        row(
            "Send to link, median / 95 % within",
            &"not known",
            &format!("{} / {}", time(report.median_ms), time(report.p95_ms)),
        ),
    ]
}

/// What nobody counted in the old system.
fn counted(report: &Report) -> [String; 7] {
    let after = |name: &str, value: &dyn ToString| row(name, &"", value);
    [
        after("Messages lost", &format!("{} of {}", report.lost, report.messages)),
        after("Messages that repeated another", &report.repeated_messages),
        after("Destinations with two links", &report.duplicate_links),
        after("Links made", &report.links_made),
        after("Links adopted, there before or answer lost", &report.adopted),
        after("Links under an alternate slashtag", &report.alternates),
        after("From the killed process to its job's end", &time(report.recovery_ms)),
    ]
}

fn row(name: &str, before: &dyn ToString, after: &dyn ToString) -> String {
    format!("{name:<48}{:>14}{:>18}", before.to_string(), after.to_string())
}

/// Most links are made within milliseconds, while the old system's mean is in minutes.
fn time(ms: Option<u64>) -> String {
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
    use super::{shortened, time};

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
}
