//! What goes wrong around the functions of a simulation, and when. Each event depends on the seed and its feature
//! only.

use std::time::Duration;

use evenkeel::testing::{
    BEGINNING, Draw, EntryOutcome, POLICY, PartitionLimits, TableHabits,
    containers::FunctionSettings, sqs::Habits,
};
use sandbox::{CannedAnswer, FaultKind, Scope, Service, SettingsChange, Target};
use serde_json::{Value, json};

use super::{
    feeds,
    plan::{BEFORE, Plan, when},
};
use crate::bench::scenario::Happens;

/// The key of the account at first, and the one that it is rotated to. Neither may be seen anywhere.
pub(crate) const KEYS: [&str; 2] = ["planted-key-one", "planted-key-two"];

/// What both have in common.
pub(crate) const PLANTED: &str = "planted-key";

/// Calls that the third party of the links allows in a second, and in an hour.
const ENFORCED: [u32; 2] = [10, 20_000];

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// What the bench can do.
    Bench(Box<Happens>),
    /// Every process of the functions that is at work dies.
    Kill,
    /// The schedule of the sweeper does not fire for this long.
    MissTicks(Duration),
    /// The dealer's site lists more cars: those of this change and of all before it.
    SiteGrows(u32),
    /// The functions are updated: each process that starts from now on has the newer version.
    Deploy,
    /// The third party of the errands cannot be reached for this long.
    NetworkIsDown(Duration),
}

/// What happens, in order of time.
pub(crate) fn events(plan: &Plan) -> Vec<(Duration, Event)> {
    let mut events = around(plan);
    events.extend(upstream(plan));
    events.retain(|(at, _)| *at <= plan.until);
    events.sort_by_key(|(at, _)| *at);
    events
}

/// The events of processes, queues, tables and the schedule.
fn around(plan: &Plan) -> Vec<(Duration, Event)> {
    let (draw, features) = (plan.draw(), &plan.features);
    let of = |name: &str| features.of(name).unwrap_or_default();
    let mut events = vec![
        (Duration::ZERO, Event::Bench(Box::new(Happens::QueuesBehave(habits(plan), plan.seed)))),
        (Duration::ZERO, Event::Bench(Box::new(Happens::TablesBehave(table_habits(plan))))),
    ];
    if let Some(change) = functions(features.has("cold_starts"), features.has("few_containers")) {
        events.push((Duration::ZERO, Event::Bench(Box::new(Happens::FunctionsChange(change)))));
    }
    if features.has("killed") {
        events.extend((0..3).map(|nth| (when(draw, "killed", nth), Event::Kill)));
    }
    if features.has("partition_limits") {
        let (from, limits) = (when(draw, "partition_limits", 0), Some(SMALL));
        let until = from + Duration::from_secs_f64(20.0 + 100.0 * of("partition_limits"));
        events.push((from, Event::Bench(Box::new(Happens::PartitionsAreLimited(limits)))));
        events.push((until, Event::Bench(Box::new(Happens::PartitionsAreLimited(None)))));
    }
    if features.has("partial_batches") {
        for nth in 0..4_u64 {
            let call = if nth.is_multiple_of(2) { "insert" } else { "settle" };
            let outcomes = outcomes(draw, nth, of("partial_batches"));
            let happens = Happens::EntriesEnd(call, outcomes);
            events.push((when(draw, "partial_batches", nth), Event::Bench(Box::new(happens))));
        }
    }
    let grows = |(at, change)| (at, Event::SiteGrows(change));
    events.extend(feeds::changes(plan).into_iter().map(grows));
    if let Some(intensity) = features.of("deployments") {
        let at = when(draw, "deployments", 0);
        events.push((at, Event::Deploy));
        // Some processes of the older version go on for long, and others end soon.
        let pause = Duration::from_secs_f64(20.0 + 200.0 * intensity);
        events.push((at + pause, Event::Kill));
    }
    if features.has("missed_ticks") {
        let span = Duration::from_secs_f64(60.0 + 240.0 * of("missed_ticks"));
        let miss = |nth| (when(draw, "missed_ticks", nth), Event::MissTicks(span));
        events.extend((0..2).map(miss));
    }
    events
}

/// What each partition of the tables serves in a second while they are limited.
const SMALL: PartitionLimits = PartitionLimits { writes: 3, reads: 8 };

fn habits(plan: &Plan) -> Habits {
    let of = |name: &str| plan.features.of(name).unwrap_or_default();
    Habits {
        shuffles: plan.features.has("disorder"),
        is_fair: plan.features.has("loud_dealer"),
        delivers_twice: of("duplicates") * 0.1,
        comes_again: of("duplicates") * 0.05,
        refuses: of("refused_sends") * 0.1,
    }
}

fn table_habits(plan: &Plan) -> TableHabits {
    let lag = plan.features.of("index_lag").unwrap_or_default();
    TableHabits {
        index_lag: Duration::from_secs(10).mul_f64(lag),
        // DynamoDB removes expired items at any time after their end.
        removes_expired_after: plan.features.of("ttl").map(|intensity| {
            let late = plan.draw().unit("ttl", 0, "late", 0);
            Duration::from_mins(10).mul_f64((1.0 - intensity) * late)
        }),
        refuses: None,
        unreadable: None,
        ignores_fences: plan.planted,
    }
}

/// How Lambda runs the functions, if not as usual.
fn functions(
    has_cold_starts: bool,
    has_few: bool,
) -> Option<fn(FunctionSettings) -> FunctionSettings> {
    fn cold(settings: FunctionSettings) -> FunctionSettings {
        let cold_start = Duration::from_millis(400);
        FunctionSettings { cold_start, idle: Some(Duration::from_mins(1)), ..settings }
    }
    fn few(settings: FunctionSettings) -> FunctionSettings {
        FunctionSettings { concurrency: Some(2), ..settings }
    }
    match (has_cold_starts, has_few) {
        (true, true) => Some(|settings| few(cold(settings))),
        (true, false) => Some(cold),
        (false, true) => Some(few),
        (false, false) => None,
    }
}

/// How the next entries of a batch end.
fn outcomes(draw: Draw, nth: u64, intensity: f64) -> Vec<EntryOutcome> {
    use EntryOutcome::{Applied, InDoubt, Refused, Throttled};
    let outcome = |place| {
        let drawn = draw.unit("partial_batches", nth, "outcome", place) / intensity.max(0.01);
        match drawn {
            ..0.2 => InDoubt,
            0.2..0.4 => Throttled,
            0.4..0.5 => Refused,
            _ => Applied,
        }
    };
    (0..20).map(outcome).collect()
}

/// The events of the third parties and of the key.
fn upstream(plan: &Plan) -> Vec<(Duration, Event)> {
    let (draw, features) = (plan.draw(), &plan.features);
    let mut events = Vec::new();
    let mut fails =
        |at, fault| events.push((at, Event::Bench(Box::new(Happens::ThirdPartyFails(fault)))));
    if let Some(intensity) = features.of("upstream_slow") {
        let slow = FaultKind::Latency(1_000 + draw.below(6_000, "upstream_slow", 0, "ms", 0));
        fails(BEFORE, fault(plan, slow, share(intensity * 0.5, plan.seed), false));
    }
    if let Some(intensity) = features.of("upstream_hostile") {
        let canned = |status, retry_after| {
            FaultKind::Status(CannedAnswer { status, retry_after, ..CannedAnswer::default() })
        };
        let kinds = [
            (FaultKind::Html, false),
            (FaultKind::status(500), true),
            (canned(429, Some(7)), false),
            (FaultKind::Reset, true),
            (FaultKind::Hang, false),
        ];
        for (seed, (kind, after_work)) in (plan.seed..).zip(kinds) {
            fails(BEFORE, fault(plan, kind, share(intensity * 0.1, seed), after_work));
        }
    }
    if let Some(intensity) = features.of("upstream_down") {
        let span = Duration::from_secs_f64(20.0 + 220.0 * intensity);
        let at = when(draw, "upstream_down", 0);
        let for_ms = u64::try_from(span.as_millis()).unwrap_or_default();
        let after_work = draw.unit("upstream_down", 0, "after_work", 0) < 0.3;
        fails(at, fault(plan, FaultKind::status(503), Scope::for_ms(for_ms), after_work));
        events.push((at, Event::NetworkIsDown(span)));
    }
    if features.has("rate_limited") {
        let change = SettingsChange {
            rate_per_second: Some(ENFORCED[0]),
            rate_per_hour: Some(ENFORCED[1]),
            read_lag_ms: Some(1_500),
            ..SettingsChange::default()
        };
        events.push((Duration::ZERO, Event::Bench(Box::new(Happens::ThirdPartyChanges(change)))));
    }
    if let Some(intensity) = features.of("key_rotated") {
        let at = when(draw, "key_rotated", 0);
        let found = at + Duration::from_secs_f64(10.0 + 200.0 * intensity);
        events.push((at, Event::Bench(Box::new(Happens::ThirdPartyChanges(accepts(KEYS[1]))))));
        events.push((found, Event::Bench(Box::new(Happens::KeyRotates(KEYS[1].to_owned())))));
    }
    events
}

/// The account accepts this key only.
pub(crate) fn accepts(key: &str) -> SettingsChange {
    SettingsChange { api_keys: Some(vec![key.to_owned()]), ..SettingsChange::default() }
}

/// A fault of the links' account, or if the plan has feeds of the dealer's site as well.
fn fault(plan: &Plan, kind: FaultKind, scope: Scope, after_work: bool) -> sandbox::Fault {
    let service = (!plan.features.has("feeds")).then_some(Service::Rebrandly);
    let on = Target { service, ..Target::default() };
    sandbox::Fault { kind, on, scope, after_work }
}

/// A share of the calls.
fn share(share: f64, seed: u64) -> Scope {
    Scope::share(share.clamp(0.01, 1.0), seed)
}

/// A call of the sweeper besides those of the schedule: a tick, or an operator's command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Tick,
    Command(Value),
    /// What an operator asks for through the dashboard or the command line.
    Operate(Value),
}

/// The further calls of the sweeper.
pub(crate) fn calls(plan: &Plan) -> Vec<(Duration, Call)> {
    let draw = plan.draw();
    let mut calls = Vec::new();
    if plan.features.has("doubled_ticks") {
        calls.extend((0..5).map(|nth| (when(draw, "doubled_ticks", nth), Call::Tick)));
    }
    if plan.features.has("commands") {
        let quarantined = draw.unit("commands", 0, "quarantined", 0) < 0.5;
        let retry = json!({"command": "retry", "type": "errand", "quarantined": quarantined});
        calls.push((when(draw, "commands", 0), Call::Command(retry)));
        calls.push((when(draw, "commands", 1), Call::Command(json!({"command": "audit"}))));
    }
    if let Some(intensity) = plan.features.of("operators") {
        calls.extend(operations(draw, intensity));
    }
    calls.retain(|(at, _)| *at <= plan.until);
    calls
}

/// What operators do: they cancel jobs, retry jobs that wait or were given up, and open a breaker by hand for a while.
fn operations(draw: Draw, intensity: f64) -> Vec<(Duration, Call)> {
    let asks = |act: &Value| json!({"act": act, "by": "operator", "reason": "as drawn"});
    let key = |nth| {
        let number = draw.below(40, "operators", 0, "job", nth);
        let prefix =
            if number.is_multiple_of(2) { "errand#g:errand" } else { "url_shortening#g:link" };
        format!("{prefix}-{number}")
    };
    let act = |nth: u64| {
        let name = if nth.is_multiple_of(2) { "cancel" } else { "retry" };
        let jobs: Vec<String> = (0..4).map(|job| key(nth * 4 + job)).collect();
        let act = json!({"do": name, "on": {"jobs": jobs}});
        (when(draw, "operators", nth), Call::Operate(asks(&act)))
    };
    let mut calls: Vec<(Duration, Call)> = (0..4).map(act).collect();
    let at = when(draw, "breaker_by_hand", 0);
    let until = BEGINNING + at + Duration::from_secs_f64(20.0 + 100.0 * intensity);
    let (dependency, until) = (POLICY.dependency, until.as_millis());
    let open = json!({"do": "breaker", "dependency": dependency, "set": "open", "until": until});
    calls.push((at, Call::Operate(asks(&open))));
    calls
}
