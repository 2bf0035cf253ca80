use evenkeel::dependency::{
    breaker::{Breaker, State},
    stats::BUCKET,
};

use super::*;
use crate::{memory::MemoryPorts, ports::DueItem, stack, stack::Target};

const NOW: Time = Time::from_millis(1_800_000_000_000);

const TYPES: &str = r#"[{"type":"a","dependency":"d"}]"#;

fn minute(ago: u64) -> (String, String) {
    let at = NOW.as_millis() - ago * 60_000;
    (format!("{at:015}"), format!(r#"{{"at":{at},"types":{{"a":{{"succeeded":{ago}}}}}}}"#))
}

async fn refreshed(ports: &MemoryPorts, poller: &mut Poller, now: Time) -> f64 {
    let stack = stack::find(ports, &Target::default()).await.unwrap();
    let allowance = RefCell::new(Allowance::new(now));
    poller.refresh(ports, &stack, now, &allowance, |_| ()).await;
    allowance.borrow().used
}

#[tokio::test]
async fn every_part_is_read_and_then_only_what_is_due() {
    let calls = Calls { ok: 3, ..Calls::default() };
    let ports = MemoryPorts::stack("s", TYPES)
        .with_breaker("d", open("503"))
        .with_calls("d", vec![(NOW.before(BUCKET), calls), (NOW, calls)]);
    let mut poller = Poller::default();
    refreshed(&ports, &mut poller, NOW).await;
    assert_eq!(poller.live.read_at.len(), Part::ALL.len(), "{:?}", poller.live.read_at);
    assert!(poller.live.breakers["d"].refuses_calls);
    assert_eq!(poller.live.calls["d"].len(), 2);
    assert!(!poller.is_due(NOW + Duration::from_millis(900)));
    let later = NOW + Duration::from_secs(2);
    let used = refreshed(&ports, &mut poller, later).await;
    assert_eq!(poller.live.read_at[&Part::Gates], later);
    assert_eq!(poller.live.read_at[&Part::Observed], NOW);
    // What has opened, of which there are four kinds, a breaker, a limiter and the calls, at half a unit each.
    assert!((used - 3.5).abs() < 0.01, "{used}");
    assert_eq!(poller.live.calls["d"].len(), 2, "a bucket is not there twice");
}

/// A breaker that is open for this reason.
fn open(why: &str) -> Breaker {
    let state = State::Open { retry_at: NOW + Duration::from_secs(40), wait: Duration::ZERO };
    Breaker { generation: 1, state, why: why.to_owned(), ..Breaker::default() }
}

/// The same ports after the breaker of this dependency has opened at `at`.
fn after_opening(ports: MemoryPorts, dependency: &str, at: Time) -> MemoryPorts {
    let opened = Opened { dependency: dependency.to_owned(), at: at.as_millis() };
    let (key, text) = (opened.note_key(), serde_json::to_string(&opened).unwrap());
    ports.with_breaker(dependency, open("a wall")).with_note(key.kind, &key.name, &text)
}

#[tokio::test]
async fn the_breaker_of_any_host_is_read_within_a_second_of_its_opening() {
    let (host, ports) = ("page/a.example", || MemoryPorts::stack("s", TYPES));
    let mut poller = Poller::default();
    refreshed(&ports(), &mut poller, NOW).await;
    let later = NOW + Duration::from_secs(1);
    refreshed(&after_opening(ports(), host, later), &mut poller, later).await;
    assert_eq!(poller.live.breakers[host].why.as_deref(), Some("a wall"));
}

#[tokio::test]
async fn shared_dependencies_are_read_beside_a_breaker_that_has_just_opened() {
    let ports = MemoryPorts::stack("s", TYPES).with_breaker("d", open("503"));
    let ports = after_opening(ports, "page/a.example", NOW);
    let mut poller = Poller::default();
    refreshed(&ports, &mut poller, NOW).await;
    // The first reads use up the allowance of their second.
    refreshed(&ports, &mut poller, NOW + Duration::from_secs(1)).await;
    let names: Vec<&String> = poller.live.breakers.keys().collect();
    assert_eq!(names, ["d", "page/a.example"]);
}

/// A stack of whose dependencies the sweeper has reported twelve; the gates of five are read at a time, in turn.
fn twelve_in_trouble() -> MemoryPorts {
    let names = (0..12).map(|n| format!(r#""page/{n}.example":{{"breaker":"half_open"}}"#));
    let seen: Vec<String> = names.collect();
    let observed = format!(r#"{{"at":{},"dependencies":{{{}}}}}"#, NOW.as_millis(), seen.join(","));
    MemoryPorts::stack("s", TYPES).with_note("observe", "now", &observed)
}

#[tokio::test]
async fn a_breaker_that_has_just_opened_does_not_wait_for_its_turn() {
    let mut poller = Poller::default();
    refreshed(&twelve_in_trouble(), &mut poller, NOW).await;
    assert!(!poller.live.breakers.contains_key("page/9.example"), "it is not its turn");
    let later = NOW + Duration::from_secs(1);
    refreshed(&after_opening(twelve_in_trouble(), "page/9.example", later), &mut poller, later)
        .await;
    assert!(poller.live.breakers["page/9.example"].refuses_calls);
}

#[tokio::test]
async fn what_has_opened_is_read_first_again_after_a_read_that_failed() {
    let mut poller = Poller::default();
    refreshed(&twelve_in_trouble(), &mut poller, NOW).await;
    let later = NOW + Duration::from_secs(1);
    let opened = || after_opening(twelve_in_trouble(), "page/9.example", later);
    refreshed(&opened().denying_items(), &mut poller, later).await;
    assert!(poller.live.trouble.contains_key(&Part::Gates), "{:?}", poller.live.trouble);
    assert!(!poller.live.breakers.contains_key("page/9.example"));
    refreshed(&opened(), &mut poller, later + Part::Gates.every()).await;
    assert!(!poller.live.trouble.contains_key(&Part::Gates), "{:?}", poller.live.trouble);
    assert!(poller.live.breakers["page/9.example"].refuses_calls, "it is not its turn");
}

#[tokio::test]
async fn tabs_are_not_told_that_nothing_has_opened() {
    let ports = MemoryPorts::stack("s", TYPES);
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    let allowance = RefCell::new(Allowance::new(NOW));
    let mut poller = Poller::default();
    let mut told = Vec::new();
    for second in 0..3 {
        let now = NOW + Duration::from_secs(second);
        told.push(poller.refresh(&ports, &stack, now, &allowance, |_| ()).await);
    }
    assert_eq!(told, [true, false, true]);
}

#[tokio::test]
async fn history_is_read_page_by_page_and_then_only_what_is_new() {
    let mut ports = MemoryPorts::stack("s", TYPES);
    for ago in (1..=70).rev() {
        let (name, text) = minute(ago);
        ports = ports.with_note("history", &name, &text);
    }
    let mut poller = Poller::default();
    // The first refresh uses its allowance before the hour is read.
    refreshed(&ports, &mut poller, NOW).await;
    refreshed(&ports, &mut poller, NOW).await;
    let minutes: Vec<u64> =
        poller.live.history.iter().map(|seen| seen.types["a"].succeeded).collect();
    assert_eq!(minutes, (1..60).rev().collect::<Vec<u64>>(), "an hour, the oldest first");
}

/// A stack with 100,000 records: 1,000 of them dead within the hour, 4,000 parked for twenty dependencies in trouble,
/// and an hour of observations. What has succeeded is read by no poll. A read costs four units: 32 KB.
#[tokio::test]
async fn polls_of_a_large_stack_stay_within_ten_read_units_a_second() {
    let dead = |n: u64| DueItem {
        key: format!("a#g:{n}"),
        partition: format!("dead#a#{}", n % 8),
        due_at: NOW.before(Duration::from_secs(n)),
        state: "dead".into(),
        kind: "a".into(),
        ..DueItem::default()
    };
    let names: Vec<String> = (0..20).map(|n| format!("page/{n}.example.com")).collect();
    let seen = |name: &String| format!(r#""{name}":{{"breaker":"open","parked":100,"more":true}}"#);
    let seen: Vec<String> = names.iter().map(seen).collect();
    let observed = format!(r#"{{"at":{},"dependencies":{{{}}}}}"#, NOW.as_millis(), seen.join(","));
    let mut ports = MemoryPorts::stack("s", TYPES)
        .with_due((0..1_000).map(dead))
        .with_note("observe", "now", &observed)
        .costing(4.0);
    for ago in (1..60).rev() {
        let (name, text) = minute(ago);
        ports = ports.with_note("history", &name, &text);
    }
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    let allowance = RefCell::new(Allowance::new(NOW));
    let mut poller = Poller::default();
    for s in (0..300).step_by(2) {
        let now = NOW + Duration::from_secs(s);
        poller.refresh(&ports, &stack, now, &allowance, |_| ()).await;
        let minute = poller.live.units_last_minute;
        assert!(minute <= 60.0 * 10.0 + 150.0, "{minute} in the minute before {s} s");
    }
    // A round, such as one with the list of dead jobs, may overdraw the allowance, which is then made up for.
    let used = poller.live.units;
    assert!(used <= 10.0 * 300.0 + 150.0, "{used} read units in five minutes");
    assert_eq!(poller.live.read_at.len(), Part::ALL.len(), "no part is left out");
    assert_eq!(poller.live.breakers.len(), MOST_WATCHED, "dependencies take turns");
}

#[test]
fn a_stack_that_is_gone_is_asked_about_once_a_minute() {
    let mut poller = Poller::default();
    let mut asked = 0;
    let mut due_at = NOW;
    // As `refresh` does when a part fails, over an hour in which nothing answers.
    while due_at < NOW + Duration::from_hours(1) {
        due_at = due_at + poller.fail(Part::Gates, Failure::usage("gone"), due_at);
        asked += 1;
    }
    assert!((60..=70).contains(&asked), "{asked} calls within the hour");
}

#[tokio::test]
async fn nothing_is_read_while_the_allowance_is_used_up() {
    let ports = MemoryPorts::stack("s", TYPES);
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    let allowance = RefCell::new(Allowance::new(NOW));
    allowance.borrow_mut().charge(NOW, 100.0);
    let mut poller = Poller::default();
    poller.refresh(&ports, &stack, NOW, &allowance, |_| ()).await;
    assert!(poller.live.read_at.is_empty());
}

#[test]
fn a_part_that_fails_is_tried_again_ever_more_seldom() {
    let mut poller = Poller::default();
    let mut fail = || poller.fail(Part::Gates, Failure::usage("x"), NOW).as_secs();
    let pauses = [fail(), fail(), fail(), fail(), fail(), fail(), fail()];
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn dependencies_take_turns() {
    let names: Vec<String> = (0..7).map(|n| n.to_string()).collect();
    let mut next = 0;
    assert_eq!(turn(&names, &mut next), ["0", "1", "2", "3", "4"]);
    assert_eq!(turn(&names, &mut next), ["5", "6", "0", "1", "2"]);
    assert_eq!(turn(&[], &mut next), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_given_up_lately_is_a_problem() {
    let dead = DueItem {
        key: "a#g:1".into(),
        partition: "dead#a#3".into(),
        due_at: NOW.before(Duration::from_mins(5)),
        state: "dead".into(),
        kind: "a".into(),
        ..DueItem::default()
    };
    let ports = MemoryPorts::stack("s", TYPES).with_due([dead]);
    let mut poller = Poller::default();
    refreshed(&ports, &mut poller, NOW).await;
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    let problems = poller.live.problems(&stack, NOW);
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["sweeper_silent", "dead_lately"]);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_hangs_is_named_and_holds_up_no_other() {
    let ports = MemoryPorts::stack("s", TYPES).with_hanging_queues();
    let mut poller = Poller::default();
    let began = tokio::time::Instant::now();
    refreshed(&ports, &mut poller, NOW).await;
    assert!(began.elapsed() < PART_WITHIN + Duration::from_millis(10), "{:?}", began.elapsed());
    let trouble: Vec<&Part> = poller.live.trouble.keys().collect();
    assert_eq!(trouble, [&Part::Queues]);
    let failure = &poller.live.trouble[&Part::Queues].failure;
    assert_eq!(failure.message, "no answer within 2 s");
    assert_eq!(poller.live.read_at.len(), Part::ALL.len() - 1);
}
