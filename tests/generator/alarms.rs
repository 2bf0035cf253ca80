//! The parts of `infra/monitoring.yaml` that follow from the job types: alarms and metric filters.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::JobType;

/// A metric that an alarm reads: its id, its CloudWatch name, how it is summed up, and what it is told of.
struct Read<'a> {
    id: &'a str,
    name: &'a str,
    stat: &'a str,
    of: Of<'a>,
}

/// What a metric is told of.
#[derive(Clone, Copy)]
enum Of<'a> {
    Type(&'a str),
    Dependency(&'a str),
    /// A queue, as SQS tells it; the name without the stack's.
    Queue(&'a str),
    /// A function, as Lambda tells it; the name without the stack's.
    Function(&'a str),
}

impl Of<'_> {
    /// Namespace, and name and value of the dimension, as YAML.
    fn place(self) -> (&'static str, &'static str, String) {
        let ours = |name: &str| format!("!Sub \"${{Stack}}-{name}\"");
        match self {
            Self::Type(name) => ("!Ref Stack", "type", name.to_owned()),
            Self::Dependency(name) => ("!Ref Stack", "dependency", name.to_owned()),
            Self::Queue(name) => ("AWS/SQS", "QueueName", ours(name)),
            Self::Function(name) => ("AWS/Lambda", "FunctionName", ours(name)),
        }
    }
}

/// What the template says of one alarm.
struct Alarm<'a> {
    /// The alarm's name, under which the runbook has a paragraph.
    name: &'a str,
    /// The type or dependency that it is about, in camel case for the logical id and as in its name.
    about: (&'a str, &'a str),
    /// Whether it wakes somebody.
    pages: bool,
    /// An expression over the metrics; with one metric, its id.
    expression: &'a str,
    reads: Vec<Read<'a>>,
    period_s: u32,
    /// How many of how many periods must be over the threshold.
    of: (u32, u32),
    above: u32,
}

impl Alarm<'_> {
    fn yaml(&self) -> String {
        let Self { name, about: (id, about), pages, expression, period_s, of, above, .. } = self;
        let topic = if *pages { "PageTopic" } else { "TicketTopic" };
        let kind = if *pages { "page" } else { "ticket" };
        let anchor = name.to_lowercase();
        let mut text = format!(
            "  {name}{id}:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n\
             \x20     AlarmName: !Sub ${{Stack}}-{name}-{about}\n\
             \x20     AlarmDescription: {kind}; infra/runbook.md#{anchor}\n\
             \x20     AlarmActions: [!Ref {topic}]\n      OKActions: [!Ref {topic}]\n\
             \x20     ComparisonOperator: GreaterThanThreshold\n      Threshold: {above}\n\
             \x20     EvaluationPeriods: {}\n      DatapointsToAlarm: {}\n\
             \x20     TreatMissingData: notBreaching\n      Metrics:\n",
            of.1, of.0
        );
        let is_plain = self.reads.len() == 1;
        if !is_plain {
            let _ = writeln!(
                text,
                "        - {{ Id: result, Expression: \"{expression}\", ReturnData: true }}"
            );
        }
        for read in &self.reads {
            let (namespace, dimension, value) = read.of.place();
            let _ = write!(
                text,
                "        - Id: {}\n          ReturnData: {is_plain}\n          MetricStat:\n\
                 \x20           Period: {period_s}\n            Stat: {}\n            Metric:\n\
                 \x20             Namespace: {namespace}\n              MetricName: {}\n\
                 \x20             Dimensions: [{{ Name: {dimension}, Value: {value} }}]\n",
                read.id, read.stat, read.name
            );
        }
        text
    }
}

/// The share of failures among the jobs that ended, in percent.
const SHARE: &str = "100 * (dead + quarantined) / (succeeded + dead + quarantined)";

/// `expression`, but zero while the breaker of the type's dependency is open: that is another alarm's business.
fn unless_open(job: &JobType, expression: &str) -> String {
    match job.dependency {
        Some(_) => format!("IF(open > 0, 0, {expression})"),
        None => expression.to_owned(),
    }
}

fn ends(job: &JobType) -> Vec<Read<'_>> {
    let read = |id, name| Read { id, name, stat: "Sum", of: Of::Type(&job.kind) };
    vec![read("succeeded", "Succeeded"), read("dead", "Dead"), read("quarantined", "Quarantined")]
}

fn open(job: &JobType) -> Option<Read<'_>> {
    let of = Of::Dependency(job.dependency.as_deref()?);
    Some(Read { id: "open", name: "BreakerOpen", stat: "Maximum", of })
}

/// The alarms of a job type.
pub(crate) fn of_type(job: &JobType) -> String {
    let id = job.logical_id("");
    let about = (id.as_str(), job.folder.as_str());
    let (high, dead_letters) = (format!("{}-high", job.folder), format!("{}-dlq", job.folder));
    let one = |name, stat, of| vec![Read { id: "m", name, stat, of }];
    let share = unless_open(job, &format!("IF(succeeded + dead + quarantined >= 20, {SHARE}, 0)"));
    let day = format!("IF(dead + quarantined >= 3, {SHARE}, 0)");
    let oldest = "IF(clears > 0, 0, MAX([age, FILL(normal, 0), FILL(high, 0)]))";
    let oldest = unless_open(job, oldest);
    let own = |id, name| Read { id, name, stat: "Maximum", of: Of::Type(&job.kind) };
    let sqs = |id, queue| Read {
        id,
        name: "ApproximateAgeOfOldestMessage",
        stat: "Maximum",
        of: Of::Queue(queue),
    };
    let mut ages = vec![own("age", "OldestJobAge"), own("clears", "BacklogClears")];
    ages.extend([sqs("normal", &job.folder), sqs("high", &high)]);
    ages.extend(open(job));
    let mut shares = ends(job);
    shares.extend(open(job));
    let function = Of::Function(&job.folder);
    let alarm = |name, pages, expression, reads, period_s, of, above| Alarm {
        name,
        about,
        pages,
        expression,
        reads,
        period_s,
        of,
        above,
    };
    let visible = "ApproximateNumberOfMessagesVisible";
    let waiting = one(visible, "Maximum", Of::Queue(&dead_letters));
    let new = one("NewPatterns", "Sum", Of::Type(&job.kind));
    let alarms = [
        alarm("FailureShare", true, &*share, shares, 300, (2, 3), 5),
        alarm("FailureShareOfDay", true, &*day, ends(job), 86_400, (1, 1), 20),
        alarm("OldestJob", false, &*oldest, ages, 60, (5, 5), 300),
        alarm("DeadLetters", false, "m", waiting, 60, (10, 10), 0),
        alarm("NewPattern", false, "m", new, 300, (1, 1), 0),
        alarm("FunctionErrors", false, "m", one("Errors", "Sum", function), 300, (3, 3), 0),
        alarm("Throttles", false, "m", one("Throttles", "Sum", function), 60, (5, 5), 0),
    ];
    alarms.iter().map(Alarm::yaml).collect::<Vec<_>>().join("\n") + "\n" + &filter(&id, &job.folder)
}

/// The metric filter that counts the alarm lines of a function.
fn filter(id: &str, folder: &str) -> String {
    format!(
        "  AlarmLines{id}:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n\
         \x20     LogGroupName: !Sub /aws/lambda/${{Stack}}-{folder}\n\
         \x20     FilterPattern: '{{ $.outcome = \"alarm\" }}'\n      MetricTransformations:\n\
         \x20       - {{ MetricNamespace: !Ref Stack, MetricName: AlarmLines, MetricValue: \"1\" }}\n\n"
    )
}

/// The alarms of the dependencies that all jobs of a type share.
pub(crate) fn of_dependencies(types: &[JobType]) -> String {
    let names: BTreeSet<&str> = types.iter().filter_map(|job| job.dependency.as_deref()).collect();
    let alarm = |name: &str| {
        let id: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let (first, rest) = id.split_at(id.len().min(1));
        let id = first.to_uppercase() + rest;
        let of = Of::Dependency(name);
        let alarm = Alarm {
            name: "BreakerOpenLong",
            about: (id.as_str(), name),
            pages: true,
            expression: "m",
            reads: vec![Read { id: "m", name: "BreakerOpen", stat: "Minimum", of }],
            period_s: 60,
            of: (15, 15),
            above: 0,
        };
        alarm.yaml()
    };
    names.into_iter().map(alarm).collect::<Vec<_>>().join("\n")
}
