//! `evenkeel feeds`: schedules that send a feed's message to its queue. The change itself is made here and not by the
//! operators' function, which only logs it: the intent before the change, and a failure after it.

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::noted::{Intent, noted};
use crate::{
    args::{AddFeed, ChangeFeed, FeedsCommand, Write},
    deployment::{Deployment, JobType, queue_name},
    exit::{Exit, Failure},
    output::Answer,
    ports::{Fault, Outgoing, Ports, Schedule},
    rows::{self, Common, RawRow, is_group},
    schema::{self, Schema},
    shapes::{FeedChanged, FeedList, FeedShown},
    table::{Fields, table},
    text,
};

/// Schedules that a list reads. Each is a call.
const MOST: usize = 1_000;

/// Calls at the same time.
const AT_ONCE: usize = 16;

/// Fields of a message that every run of a schedule may share.
const FIELDS: [&str; 4] = ["version", "type", "priority", "payload"];

/// What the stack says of its feeds, in its SSM parameter.
#[derive(Debug, Deserialize)]
struct Feeds {
    /// The schedule group.
    group: String,
    /// ARN of the role with which schedules send.
    role: String,
    /// The job types that are feeds.
    types: Vec<String>,
}

impl Feeds {
    async fn of<P: Ports>(ports: &P, stack: &Deployment) -> Result<Self, Failure> {
        let name = format!("/{}/feeds", stack.name);
        let hint = "deploy the stack's present template, which has the schedule group and its role";
        let Some(text) = ports.parameter(&name).await? else {
            let message = format!("the stack has no SSM parameter {name}");
            return Err(Failure::new(Exit::Unreachable, "missing", message).hint(hint));
        };
        serde_json::from_str(&text).map_err(|error| {
            let message = format!("{name}: expected group, role and types as JSON: {error}");
            Failure::new(Exit::Unreachable, "bad_configuration", message).hint(hint)
        })
    }

    /// The job type that is asked for, or the only one.
    fn kind<'a>(&'a self, asked: Option<&'a str>) -> Result<&'a str, Failure> {
        let known = || self.types.join(", ");
        match (asked, self.types.as_slice()) {
            (Some(kind), types) if types.iter().any(|known| known == kind) => Ok(kind),
            (Some(kind), _) => {
                Err(Failure::usage(format!("type: {kind:?}, expected one of {}", known())))
            }
            (None, [only]) => Ok(only.as_str()),
            (None, _) => {
                Err(Failure::usage(format!("--type: missing; expected one of {}", known())))
            }
        }
    }
}

/// The name of the schedule group. Fails if the parameter that names it is missing, or if it cannot be listed.
pub(super) async fn readable_group<P: Ports>(
    ports: &P,
    stack: &Deployment,
) -> Result<String, Failure> {
    let feeds = Feeds::of(ports, stack).await?;
    ports.schedules(&feeds.group, 1).await?;
    Ok(feeds.group)
}

fn shown(schedule: &Schedule) -> FeedShown {
    let body = &schedule.message.body;
    let message = text::json_with(body, &schema::sensitive_of_any());
    FeedShown {
        name: schedule.name.clone(),
        schedule: schedule.expression.clone(),
        time_zone: schedule.time_zone.clone(),
        state: if schedule.enabled { "on" } else { "paused" }.to_owned(),
        queue: schedule.queue.clone(),
        group: schedule.message.group.clone(),
        payload: message.get("payload").cloned().unwrap_or_default(),
    }
}

/// Lists the feeds.
pub(super) async fn list<P: Ports>(ports: &P, stack: &Deployment) -> Result<Answer, Failure> {
    let feeds = Feeds::of(ports, stack).await?;
    let names = ports.schedules(&feeds.group, MOST + 1).await?;
    let mut list = FeedList { more: names.len() > MOST, ..FeedList::default() };
    let reads = names.iter().take(MOST).map(|name| ports.schedule(&feeds.group, name));
    let reads: Vec<Result<Option<Schedule>, Fault>> =
        stream::iter(reads).buffered(AT_ONCE).collect().await;
    for (name, read) in names.iter().zip(reads) {
        match read {
            Ok(Some(schedule)) => list.feeds.push(shown(&schedule)),
            // It was removed meanwhile.
            Ok(None) => {}
            Err(Fault::Unreadable(_)) => list.others.push(name.clone()),
            Err(fault) => return Err(fault.into()),
        }
    }
    let row = |feed: &FeedShown| {
        vec![
            feed.name.clone(),
            feed.schedule.clone(),
            feed.time_zone.clone(),
            feed.state.clone(),
            feed.queue.clone(),
            feed.group.clone().unwrap_or_default(),
        ]
    };
    let head = ["NAME", "SCHEDULE", "TIME ZONE", "STATE", "QUEUE", "GROUP"];
    let text = table(&head, list.feeds.iter().map(row).collect());
    let mut remark = match list.feeds.len() {
        0 => "no feeds; `evenkeel feeds add --help` shows how to add one".to_owned(),
        count => format!("{count} in all"),
    };
    if list.more {
        remark = format!("the first {MOST} schedules; there are more");
    }
    if !list.others.is_empty() {
        remark = format!("{remark}; schedules of other tools: {}", list.others.join(", "));
    }
    Ok(Answer::list(&list, "feeds", text)?.remark(remark))
}

/// Changes a feed, or sends its message.
pub(super) async fn change<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &FeedsCommand,
) -> Result<Answer, Failure> {
    let feeds = Feeds::of(ports, stack).await?;
    match given {
        FeedsCommand::Add(given) => add(ports, stack, &feeds, given).await,
        FeedsCommand::Pause(given) => enable(ports, stack, &feeds, given, false).await,
        FeedsCommand::Resume(given) => enable(ports, stack, &feeds, given, true).await,
        FeedsCommand::Remove(given) => remove(ports, stack, &feeds, given).await,
        FeedsCommand::Run(given) => send(ports, stack, &feeds, given).await,
        FeedsCommand::List => list(ports, stack).await,
    }
}

/// The message of a feed, checked as `submit` checks it.
fn message(given: &AddFeed, kind: &str) -> Result<Outgoing, Failure> {
    let schema = Schema::of(kind)
        .ok_or_else(|| Failure::usage(format!("type: this version has no schema of {kind:?}")))?;
    let wrong = |why: String| Failure::usage(format!("--payload: {why}"));
    let fields: Map<String, Value> = rows::one(&given.payload).map_err(wrong)?;
    if let Some(other) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let why = format!("{other}: expected none, because every run sends the same message");
        return Err(wrong(why));
    }
    let dealer = fields["payload"].get("dealer_slug").and_then(Value::as_str).map(str::trim);
    let group = given.group.as_deref().or(dealer.filter(|dealer| is_group(dealer)));
    let common = Common { kind, schema: &schema, group };
    let mut checked = rows::check(vec![RawRow { line: 1, message: Ok(fields.clone()) }], &common);
    if let Some(row) = checked.good.pop() {
        return Ok(row.message);
    }
    let problems = checked.problems.iter();
    let problems = problems.map(|found| format!("{}: {}", found.field, found.problem));
    Err(Failure::usage(problems.collect::<Vec<String>>().join("; ")))
}

/// Whether two schedules send the same message at the same times.
fn is_same(one: &Schedule, other: &Schedule) -> bool {
    let body = |schedule: &Schedule| serde_json::from_str::<Value>(&schedule.message.body).ok();
    let rest = |schedule: &Schedule| {
        let Schedule { expression, time_zone, queue, message, .. } = schedule.clone();
        (expression, time_zone, queue, message.group)
    };
    rest(one) == rest(other) && body(one) == body(other)
}

/// Does an act that the operations log notes. Returns a remark if its result could not be noted.
async fn logged<P: Ports>(
    ports: &P,
    stack: &Deployment,
    what: &'static str,
    name: &str,
    write: &Write,
    act: impl Future<Output = Result<(), Failure>>,
) -> Result<Option<String>, Failure> {
    let intent = Intent { what, about: name.to_owned(), reason: write.reason.as_deref() };
    noted(ports, stack, intent, write.dry_run, act).await
}

async fn add<P: Ports>(
    ports: &P,
    stack: &Deployment,
    feeds: &Feeds,
    given: &AddFeed,
) -> Result<Answer, Failure> {
    let kind = feeds.kind(given.kind.as_deref())?;
    let wanted = Schedule {
        name: given.name.clone(),
        expression: given.expression(),
        time_zone: given.time_zone.clone(),
        enabled: true,
        queue: queue_name(&stack.job_type(kind)?.normal).to_owned(),
        message: message(given, kind)?,
    };
    let (group, role) = (&feeds.group, &feeds.role);
    let Some(held) = ports.schedule(group, &given.name).await? else {
        let act =
            async { ports.create_schedule(group, role, &wanted).await.map_err(Failure::from) };
        let remark = logged(ports, stack, "feeds add", &given.name, &given.write, act).await?;
        return changed(stack, "created", &given.write, &wanted, remark);
    };
    if is_same(&held, &wanted) {
        return changed(stack, "unchanged", &given.write, &held, None);
    }
    if !given.replace {
        let message = format!("{}: there is a feed of this name with another content", given.name);
        return Err(Failure::new(Exit::Usage, "exists", message)
            .hint("`evenkeel feeds list --json` shows it; --replace changes it"));
    }
    // A feed that is paused stays paused.
    let wanted = Schedule { enabled: held.enabled, ..wanted };
    let act = async { ports.replace_schedule(group, role, &wanted).await.map_err(Failure::from) };
    let remark = logged(ports, stack, "feeds replace", &given.name, &given.write, act).await?;
    changed(stack, "replaced", &given.write, &wanted, remark)
}

/// The schedule of a feed that must exist.
async fn held<P: Ports>(ports: &P, feeds: &Feeds, name: &str) -> Result<Schedule, Failure> {
    let found = ports.schedule(&feeds.group, name).await?;
    found.ok_or_else(|| {
        Failure::new(Exit::Failed, "not_found", format!("no feed {name}"))
            .hint("`evenkeel feeds list` shows the feeds")
    })
}

async fn enable<P: Ports>(
    ports: &P,
    stack: &Deployment,
    feeds: &Feeds,
    given: &ChangeFeed,
    enabled: bool,
) -> Result<Answer, Failure> {
    let held = held(ports, feeds, &given.name).await?;
    if held.enabled == enabled {
        return changed(stack, "unchanged", &given.write, &held, None);
    }
    let (what, change) =
        if enabled { ("feeds resume", "resumed") } else { ("feeds pause", "paused") };
    let act = async {
        ports.enable_schedule(&feeds.group, &given.name, enabled).await.map_err(Failure::from)
    };
    let remark = logged(ports, stack, what, &given.name, &given.write, act).await?;
    changed(stack, change, &given.write, &Schedule { enabled, ..held }, remark)
}

async fn remove<P: Ports>(
    ports: &P,
    stack: &Deployment,
    feeds: &Feeds,
    given: &ChangeFeed,
) -> Result<Answer, Failure> {
    let held = held(ports, feeds, &given.name).await?;
    let act =
        async { ports.delete_schedule(&feeds.group, &given.name).await.map_err(Failure::from) };
    let remark = logged(ports, stack, "feeds remove", &given.name, &given.write, act).await?;
    changed(stack, "removed", &given.write, &held, remark)
}

/// Sends a feed's message now, also if it is paused.
async fn send<P: Ports>(
    ports: &P,
    stack: &Deployment,
    feeds: &Feeds,
    given: &ChangeFeed,
) -> Result<Answer, Failure> {
    let held = held(ports, feeds, &given.name).await?;
    let is_its = |job: &&JobType| queue_name(&job.normal) == held.queue;
    let Some(job) = stack.types.iter().find(is_its) else {
        let message = format!("{}: its queue {} is none of this stack", held.name, held.queue);
        return Err(Failure::new(Exit::Failed, "not_found", message)
            .hint("`evenkeel feeds add --replace` lets it send to the present one"));
    };
    let act = async {
        let sent = ports.send(&job.normal, std::slice::from_ref(&held.message)).await?;
        sent.into_iter().collect::<Result<(), String>>().map_err(|why| {
            let message = format!("the queue did not accept it: {why}");
            Failure::new(Exit::Failed, "unavailable", message).hint("try again")
        })
    };
    let remark = logged(ports, stack, "feeds run", &given.name, &given.write, act).await?;
    changed(stack, "sent", &given.write, &held, remark)
}

/// Shows what was done to a feed, or would be.
fn changed(
    stack: &Deployment,
    change: &str,
    write: &Write,
    schedule: &Schedule,
    remark: Option<String>,
) -> Result<Answer, Failure> {
    let feed = shown(schedule);
    let mut fields = Fields::default();
    fields.add("feed", &feed.name);
    fields.add(if write.dry_run { "would be" } else { "change" }, change);
    fields.add("schedule", format!("{} {}", feed.schedule, feed.time_zone));
    fields.add("state", &feed.state);
    fields.add("queue", &feed.queue);
    fields.add_some("group", feed.group.as_ref());
    let dry_run = write.dry_run;
    let answer =
        Answer::one(&FeedChanged { change: change.to_owned(), dry_run, feed }, fields.text())?;
    if dry_run {
        return Ok(answer.remark("nothing was done"));
    }
    if let Some(remark) = remark {
        return Ok(answer.remark(remark));
    }
    Ok(if stack.is_local() && ["created", "replaced", "resumed"].contains(&change) {
        let name = text::quoted(&schedule.name);
        let remark =
            "the local AWS keeps schedules and does not run them; send the message by hand";
        answer.remark(format!("{remark}: evenkeel --local feeds run {name}"))
    } else {
        answer
    })
}

#[cfg(test)]
#[path = "feeds_tests.rs"]
mod tests;
