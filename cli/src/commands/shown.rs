//! What several commands show: lists of the index, failures, JSON.

use evenkeel::base::time::Time;
use serde_json::Value;

use crate::{
    due::{Listed, Position},
    exit::Failure,
    moment::Moment,
    output::Answer,
    shapes::{Happened, JobList, JobSummary, Noted},
    table::table,
    text::clean,
};

/// What is shown of a list of the index.
pub(crate) fn job_list(listed: &Listed, left_out: usize) -> JobList {
    JobList {
        jobs: listed.items.iter().map(JobSummary::from).collect(),
        more: listed.next.is_some(),
        cursor: listed.next.as_ref().map(Position::cursor),
        dependencies_left_out: left_out,
        read_units: listed.units,
    }
}

/// The answer of a list of the index.
pub(super) fn listing(listed: &Listed, left_out: usize, moment: Moment) -> Result<Answer, Failure> {
    let list = job_list(listed, left_out);
    let row = |job: &JobSummary| {
        vec![
            job.key.clone(),
            job.state.clone(),
            moment.show(Time::from_millis(job.due_at)),
            job.class.clone().unwrap_or_default(),
            job.fingerprint.clone().unwrap_or_default(),
            job.priority.clone().unwrap_or_default(),
        ]
    };
    let head = ["KEY", "STATE", "DUE OR ENDED", "CLASS", "FINGERPRINT", "PRIORITY"];
    let text = table(&head, list.jobs.iter().map(row).collect());
    let count = list.jobs.len();
    let mut remark = match &list.cursor {
        Some(cursor) => format!("{count} shown, and there are more: --after {cursor}"),
        None if count == 0 => "none found".to_owned(),
        None => format!("{count} in all"),
    };
    if left_out > 0 {
        let rest = format!("; {left_out} dependencies were not asked, name one with --dependency");
        remark.push_str(&rest);
    }
    Ok(Answer::list(&list, "jobs", text)?.remark(remark))
}

/// The latest failures as a table.
pub(super) fn history(history: &[Happened], moment: Moment) -> String {
    let row = |failed: &Happened| {
        let at = moment.show(Time::from_millis(failed.at));
        vec![at, failed.class.clone(), failed.code.clone(), failed.message.clone()]
    };
    table(&["WHEN", "CLASS", "CODE", "MESSAGE"], history.iter().map(row).collect())
}

/// Decisions, wake-ups and operators' acts as a table.
pub(super) fn journal(journal: &[Noted], moment: Moment) -> String {
    let row = |entry: &Noted| {
        let at = moment.show(Time::from_millis(entry.at));
        vec![at, entry.what.clone(), entry.op.clone().unwrap_or_default()]
    };
    table(&["WHEN", "WHAT", "OPERATION"], journal.iter().map(row).collect())
}

/// JSON in several lines, each of them clean.
pub(crate) fn indented(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(clean).collect::<Vec<String>>().join("\n")
}
