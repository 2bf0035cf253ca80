//! The parts of the dashboard in `infra/monitoring.yaml` that follow from the job types: metrics of widgets, as JSON. A
//! share by type needs the metrics of each type by name, since CloudWatch's search has no arithmetic type by type.

use crate::JobType;

/// The counters of ends, by the letter with which their ids begin.
const ENDS: [(char, &str); 3] = [('s', "Succeeded"), ('d', "Dead"), ('q', "Quarantined")];

/// The variables of the dashboard's body.
pub(crate) fn variables(types: &[JobType]) -> String {
    let lines = |lines: Vec<String>| {
        let lines: Vec<String> = lines.iter().map(|line| format!("            {line}")).collect();
        lines.join(",\n")
    };
    format!(
        "        - Shares: !Sub |-\n{}\n          Depths: !Sub |-\n{}\n",
        lines(shares(types)),
        lines(types.iter().flat_map(depths).collect())
    )
}

/// The share of failures among the jobs that ended, in percent: of each type, and of all.
fn shares(types: &[JobType]) -> Vec<String> {
    let of_type = |(n, job): (usize, &JobType)| {
        let kind = &job.kind;
        let counts = ENDS.map(|(id, name)| {
            format!(
                r#"["${{Stack}}", "{name}", "type", "{kind}", {{"id": "{id}{n}", "stat": "Sum", "visible": false}}]"#
            )
        });
        let share = format!(
            r#"[{{"expression": "100 * (d{n} + q{n}) / (s{n} + d{n} + q{n})", "id": "share{n}", "label": "{kind}"}}]"#
        );
        counts.into_iter().chain([share]).collect::<Vec<String>>()
    };
    let sum = |ids: &[char]| {
        let all =
            (0..types.len()).flat_map(|n| ids.iter().map(move |id| format!("FILL({id}{n}, 0)")));
        format!("SUM([{}])", all.collect::<Vec<String>>().join(", "))
    };
    let all = format!(
        r#"[{{"expression": "100 * {} / {}", "id": "share", "label": "all types"}}]"#,
        sum(&['d', 'q']),
        sum(&['s', 'd', 'q'])
    );
    types.iter().enumerate().flat_map(of_type).chain([all]).collect()
}

/// The depth of each queue of a type.
fn depths(job: &JobType) -> [String; 3] {
    ["", "-high", "-dlq"].map(|ending| {
        format!(
            r#"["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${{Stack}}-{}{ending}", {{"stat": "Maximum"}}]"#,
            job.folder
        )
    })
}
