//! `evenkeel jobs tail`: changes of a type's jobs as they happen.
//!
//! A change is what differs between two looks at the index `due`. A job that has left the index runs or has ended: its
//! record is read by its key. Each look has a bounded number of reads. A job that succeeds at its first run is never on
//! the index and is not seen.

mod seen;

use std::time::Duration;

use evenkeel::base::time::{Clock, Time};
use futures_util::{StreamExt, stream};

use self::seen::{Look, Seen};
use crate::{
    args::{ListedState, TailJobs, TimeForm},
    commands::{Context, dependencies},
    deployment::Deployment,
    due::{EVER, partitions},
    exit::{Exit, Failure},
    moment::{Moment, local, span},
    output::{Streams, unread},
    ports::Ports,
    shapes::JobChange,
    table::{BAD, NAME, styled},
    text::clean,
};

/// Entries of a partition that are followed: the earliest.
const MOST_A_PARTITION: usize = 50;

/// Dependencies besides the shared ones whose parked jobs are followed: four partitions each.
const MOST_DEPENDENCIES: usize = 20;

/// Records that one look reads.
const MOST_RECORDS: usize = 25;

/// Reads at the same time.
const AT_ONCE: usize = 32;

/// How far behind its record an entry of an ended job may appear on the index.
const LATE: Duration = Duration::from_secs(30);

/// Time between two lines that say what the reads cost.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Writes the changes of a type until its time is over or nobody reads them. Ctrl-C ends it from outside.
pub(crate) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &TailJobs,
    context: &Context<'_>,
    clock: &impl Clock,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let partitions = followed(ports, stack, &given.kind).await?;
    let end = given.span.map(|span| clock.now() + span);
    let (mut seen, mut costs) = (Seen::default(), Costs::new(clock.now()));
    let mut ended_from = clock.now().before(LATE);
    loop {
        let now = clock.now();
        let failed = match look(ports, stack, &partitions, ended_from, &mut seen, now).await {
            Ok((changes, looked)) => {
                ended_from = now.before(LATE);
                if let Some(line) = costs.add(&looked, given, now) {
                    streams.note(&line);
                }
                for change in changes.iter().filter(|change| concerns(change, &given.kind)) {
                    let text = line(change, context.moment);
                    if let Err(error) = streams.entry(change, &text, context.form) {
                        return unread(&error);
                    }
                }
                looked.failed
            }
            Err(failure) => Some(failure),
        };
        match failed {
            Some(failure) if failure.code == "unavailable" => {
                streams.failure(&failure, context.form);
            }
            Some(failure) => return Err(failure),
            None => {}
        }
        if end.is_some_and(|end| clock.now() + given.every > end) {
            streams.note(&costs.line(clock.now()));
            return Ok(Exit::Done);
        }
        tokio::time::sleep(given.every).await;
    }
}

/// The partitions that hold the jobs of a type.
async fn followed<P: Ports>(
    ports: &P,
    stack: &Deployment,
    kind: &str,
) -> Result<Vec<String>, Failure> {
    use ListedState::{Dead, Parked, Queued, Running, Waiting};
    let job = stack.job_type(kind)?;
    let dependencies = if let Some(shared) = &job.dependency {
        vec![shared.clone()]
    } else {
        let known = dependencies::known(ports, stack).await?;
        known.first(MOST_DEPENDENCIES).0.to_vec()
    };
    Ok(partitions(&[job], &[Queued, Running, Waiting, Parked, Dead], &dependencies))
}

/// One look at the index and at some of the jobs that have left it.
async fn look<P: Ports>(
    ports: &P,
    stack: &Deployment,
    partitions: &[String],
    ended_from: Time,
    seen: &mut Seen,
    now: Time,
) -> Result<(Vec<JobChange>, Look), Failure> {
    let read = |partition: &String| {
        // Ended jobs stay on the index for weeks: only the latest are new.
        let from = if partition.starts_with("dead#") { ended_from } else { Time::default() };
        let partition = partition.clone();
        async move { ports.due(&stack.jobs, &partition, [from, EVER], None, MOST_A_PARTITION).await }
    };
    let reads: Vec<Result<_, _>> =
        stream::iter(partitions.iter().map(read)).buffer_unordered(AT_ONCE).collect().await;
    let (mut pages, mut looked) = (Vec::new(), Look::default());
    for read in reads {
        let read = read?;
        looked.add(read.units);
        looked.full += usize::from(read.value.more);
        pages.push(read.value);
    }
    let mut changes = seen.look(pages, now);
    for key in seen.take_missing(MOST_RECORDS) {
        let read = match ports.item(&stack.jobs, &key).await {
            Ok(read) => read,
            // What was found so far is not lost. The others are missing at the next look again.
            Err(fault) => {
                looked.failed = Some(fault.into());
                break;
            }
        };
        looked.add(read.units);
        changes.extend(seen.read(&key, read.value.as_ref(), now));
    }
    Ok((changes, looked))
}

/// Whether a change is of this type: a host's partition holds parked jobs of other types as well.
fn concerns(change: &JobChange, kind: &str) -> bool {
    change.kind == kind
}

/// A change in a line for people.
fn line(change: &JobChange, moment: Moment) -> String {
    let at = Time::from_millis(change.at);
    // Every line would say "now".
    let at = if moment.form == TimeForm::Relative { local(at) } else { moment.show(at) };
    let style = match change.state.as_str() {
        "dead" | "quarantined" | "rejected" => BAD,
        _ => NAME,
    };
    let was = change.was.as_deref().map(|was| format!("{was} → ")).unwrap_or_default();
    let why = [change.class.as_deref(), change.why.as_deref()];
    let why: Vec<&str> = why.into_iter().flatten().collect();
    let text = format!(
        "{at}  {}  {}{}  {}",
        clean(&change.key),
        clean(&was),
        styled(style, &change.state),
        clean(&why.join(": "))
    );
    text.trim_end().to_owned()
}

/// What the reads have cost.
struct Costs {
    began: Time,
    told_at: Option<Time>,
    units: f64,
}

impl Costs {
    const fn new(now: Time) -> Self {
        Self { began: now, told_at: None, units: 0.0 }
    }

    /// Adds a look. Returns the line to write: after the first look, and then once a minute.
    fn add(&mut self, look: &Look, given: &TailJobs, now: Time) -> Option<String> {
        self.units += look.units;
        let Some(told_at) = self.told_at else {
            self.told_at = Some(now);
            let more = match look.full {
                0 => String::new(),
                full => format!(
                    "; {full} partitions have more than {MOST_A_PARTITION} entries, of which the earliest are followed"
                ),
            };
            return Some(format!(
                "following {}: {} reads every {}, {:.1} read units a second{more}",
                given.kind,
                look.reads,
                span(given.every),
                look.units / given.every.as_secs_f64(),
            ));
        };
        if now.since(told_at) < TELL_EVERY {
            return None;
        }
        self.told_at = Some(now);
        Some(self.line(now))
    }

    fn line(&self, now: Time) -> String {
        let seconds = now.since(self.began).as_secs_f64().max(1.0);
        format!("{:.1} read units a second, {:.0} in all", self.units / seconds, self.units)
    }
}

#[cfg(test)]
mod tests {
    use evenkeel::testing::TestClock;

    use super::*;
    use crate::{Stop, args::Form, memory::MemoryPorts, ports::DueItem, stack, stack::Target};

    fn given(seconds: u64) -> TailJobs {
        TailJobs {
            kind: "a".into(),
            span: Some(Duration::from_secs(seconds)),
            every: Duration::from_secs(2),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_change_is_silent_and_the_reads_are_told() {
        let waiting = DueItem {
            key: "a#g:1".into(),
            partition: "waiting#arn:aws:sqs:eu-west-1:123456789012:s-a#3".into(),
            state: "waiting".into(),
            kind: "a".into(),
            ..DueItem::default()
        };
        let ports =
            MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#).with_due([waiting]);
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut streams = Streams::plain(&mut out, &mut err);
        let (stop, clock) = (Stop::default(), TestClock::default());
        let moment = Moment { now: clock.now(), form: TimeForm::Relative };
        let context = Context { form: Form::Jsonl, moment, stop: &stop };
        let exit = run(&ports, &stack, &given(7), &context, &clock, &mut streams).await.unwrap();
        assert_eq!((exit, out.as_slice()), (Exit::Done, &b""[..]));
        let told = String::from_utf8(err).unwrap();
        assert!(told.starts_with("following a: ") && told.contains("reads every 2 s, "), "{told}");
        assert!(told.trim_end().ends_with("in all"), "{told}");
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_told_and_followed_on() {
        let item = |n: &str| DueItem {
            key: format!("a#g:{n}"),
            partition: "parked#d".into(),
            state: "parked".into(),
            kind: "a".into(),
            ..DueItem::default()
        };
        let ports = || MemoryPorts::stack("s", r#"[{"type":"a","dependency":"d"}]"#);
        let stack = stack::find(&ports(), &Target::default()).await.unwrap();
        let (partitions, now, mut seen) =
            (["parked#d".to_owned()], Time::default(), Seen::default());
        let mut look = async |ports: MemoryPorts| {
            look(&ports, &stack, &partitions, now, &mut seen, now).await.unwrap()
        };
        assert!(look(ports().with_due([item("1")])).await.0.is_empty());
        // The first one has left the index, and its record cannot be read.
        let (changes, looked) = look(ports().with_due([item("2")]).denying_items()).await;
        assert_eq!(changes.len(), 1, "what was found before: {changes:?}");
        assert_eq!(looked.failed.map(|failure| failure.exit()), Some(Exit::Unreachable));
        let (changes, looked) = look(ports().with_due([item("2")])).await;
        assert!(
            looked.failed.is_none() && looked.reads == 2,
            "its record is read now: {changes:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_type_is_refused() {
        let ports = MemoryPorts::stack("s", r#"[{"type":"b"}]"#);
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let failure = followed(&ports, &stack, "a").await.unwrap_err();
        assert_eq!(failure.message, "type: \"a\", expected one of b");
    }
}
