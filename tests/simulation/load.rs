//! What is sent in a simulation: errands of the tests' own job type, and links. A message depends only on the plan
//! and its number.

use std::time::Duration;

use evenkeel::{
    message::{Purpose, Woken},
    testing::{BEGINNING, Draw},
};
use serde_json::{Value, json};

use super::{
    feeds,
    plan::{BAD_TIME, Plan, when},
    sent::{Forgery, Kind, Sent},
};
use crate::bench::errands;

/// The least number of messages, and how many more there may be.
const MESSAGES: u64 = 36;
const MORE_MESSAGES: u64 = 30;

/// Dealers among whom the messages are spread.
const DEALERS: u64 = 5;

/// Time between two messages of a burst.
const BURST_STEP: Duration = Duration::from_millis(40);

/// All that is sent, in order of time.
pub(crate) fn load(plan: &Plan) -> Vec<Sent> {
    let draw = plan.draw();
    let count = MESSAGES + draw.below(MORE_MESSAGES, "messages", 0, "", 0);
    let is_kept = |number: &u64| plan.sends.as_ref().is_none_or(|kept| kept.contains(number));
    let sends = (0..count).filter(is_kept).map(|number| message(plan, number));
    let reads = feeds::sends(plan).into_iter().filter(|send| is_kept(&send.number));
    let sends = sends.chain(reads);
    let mut sends: Vec<Sent> = sends.filter(|send| send.at <= plan.until).collect();
    sends.sort_by_key(|send| (send.at, send.number));
    sends
}

/// The message with this number: new, or a repetition of another one, with the same or another payload.
fn message(plan: &Plan, number: u64) -> Sent {
    let draw = plan.draw();
    let happens = |feature: &str, share: f64| {
        let intensity = plan.features.of(feature).unwrap_or_default();
        draw.unit(feature, number, "message", 0) < intensity * share
    };
    let mut send = if number > 0 && happens("repeats", 0.3) {
        let of = draw.below(number, "repeats", number, "of", 0);
        let again = fresh(plan, of, 0);
        let pause = BAD_TIME.mul_f64(draw.unit("repeats", number, "pause", 0));
        Sent { number, at: (again.at + pause).min(BAD_TIME), ..again }
    } else if number > 0 && happens("contradictions", 0.2) {
        let of = draw.below(number, "contradictions", number, "of", 0);
        let other = fresh(plan, of, 1);
        Sent { number, at: other.at + Duration::from_secs(number % 3), ..other }
    } else if number > 0 && happens("forged", 0.2) {
        forged(plan, number)
    } else if happens("garbage", 0.2) {
        let body = format!("no message {number}");
        Sent { body, key: None, takes_ms: None, ..fresh(plan, number, 0) }
    } else {
        fresh(plan, number, 0)
    };
    send.is_high = happens("priorities", 0.5);
    send
}

/// A message that claims to be the engine's: it wakes a job that there is, with a fence that may be right, or one that
/// there is not, or asks for a check.
fn forged(plan: &Plan, number: u64) -> Sent {
    let draw = plan.draw();
    let of = draw.below(number, "forged", number, "of", 0);
    let other = fresh(plan, of, 0);
    let fence = draw.below(6, "forged", number, "fence", 0);
    let key = other.key.clone().unwrap_or_default();
    let nobody = format!("{key}-of-nobody");
    let (wakes, purpose) = match draw.below(3, "forged", number, "kind", 0) {
        0 => (Some(Woken { key, fence }), Purpose::Work),
        1 => (Some(Woken { key: nobody, fence }), Purpose::Work),
        _ => (None, Purpose::Check),
    };
    let at = when(draw, "forged", number);
    Sent { number, at, forgery: Some(Forgery { wakes, purpose }), ..other }
}

/// The new message with this number. A `variant` has another payload under the same id, if it is an errand.
fn fresh(plan: &Plan, number: u64, variant: u64) -> Sent {
    let draw = plan.draw();
    let is_loud = plan
        .features
        .of("loud_dealer")
        .is_some_and(|intensity| draw.unit("loud_dealer", number, "message", 0) < intensity * 0.8);
    let at = if is_loud {
        let step = u32::try_from(number).unwrap_or_default();
        when(draw, "burst", 0) + BURST_STEP * step
    } else {
        when(draw, "message", number)
    };
    let dealer = if is_loud { 0 } else { 1 + draw.below(DEALERS, "dealer", number, "", 0) };
    let is_link = draw.unit("kind", number, "message", 0) < 0.4;
    let deadline = plan.features.of("deadlines").and_then(|intensity| {
        let has = draw.unit("deadlines", number, "message", 0) < intensity * 0.5;
        let seconds = 20 + draw.below(600, "deadlines", number, "seconds", 0);
        has.then(|| (BEGINNING + at + Duration::from_secs(seconds)).to_string())
    });
    let (kind, job_type, id, payload) = if is_link {
        (Kind::Link, "url_shortening", format!("link-{number}"), link(number))
    } else {
        let stands_in = deadline.is_some() && number.is_multiple_of(2);
        let id = if stands_in { format!("fallback-{number}") } else { format!("errand-{number}") };
        (Kind::Errand, "errand", id.clone(), errand(plan, draw, number, variant, &id))
    };
    let takes_ms = payload["takes_ms"].as_u64();
    let mut body = json!({"version": 1, "type": job_type, "id": id, "payload": payload});
    if let Some(deadline) = deadline {
        body["deadline"] = deadline.into();
    }
    let (group, key) = (format!("dealer-{dealer}"), Some(format!("{job_type}#g:{id}")));
    let (is_high, forgery) = (false, None);
    Sent { number, at, kind, is_high, group, body: body.to_string(), key, takes_ms, forgery }
}

/// The destination of the link of this number; each is another car's.
fn link(number: u64) -> Value {
    json!({
        "destination": format!("https://www.acme.example/car/{number}"),
        "dealer_slug": "acme",
        "vin": format!("1HGCM82633A{number:06}"),
    })
}

/// The payload of an errand. Its last run ends well or for good, so that it cannot keep a breaker open for ever.
fn errand(plan: &Plan, draw: Draw, number: u64, variant: u64, name: &str) -> Value {
    let is = |feature: &str, share: f64| {
        let intensity = plan.features.of(feature).unwrap_or_default();
        draw.unit(feature, number, "errand", 0) < intensity * share
    };
    let mut ends: Vec<&str> = Vec::new();
    if is("failing_jobs", 0.6) {
        let failures = ["transient", "anomaly", "conflict", "throttled", "permanent"];
        for nth in 0..=draw.below(4, "failing_jobs", number, "failures", 0) {
            let place = draw.below(5, "failing_jobs", number, "failure", nth);
            ends.push(failures[usize::try_from(place).unwrap_or_default()]);
        }
    }
    if is("crashing_jobs", 0.25) {
        let crashes = 1 + draw.below(3, "crashing_jobs", number, "crashes", 0);
        ends.extend((0..crashes).map(|_| "kill"));
    }
    ends.push("ok");
    let is_long = is("long_jobs", 0.4);
    let steps = if is_long { draw.below(3, "long_jobs", number, "steps", 0) } else { 0 };
    let calls = if is_long { draw.below(3, "long_jobs", number, "calls", 0) } else { 0 };
    let takes_ms = 20 + draw.below(800, "takes", number, "", 0) + variant;
    let mut payload = json!({
        "name": name, "takes_ms": takes_ms, "ends": ends,
        "steps": steps, "calls": calls, "call_ms": 100,
    });
    // The older version does not know the field, and leaves it out of what it writes.
    if is("deployments", 0.5) {
        payload["note"] = format!("note {number}").into();
    }
    payload
}

/// Messages for jobs that go well, to see that the breakers close.
pub(crate) fn healthy(round: u64) -> Vec<Sent> {
    let send = |number: u64| {
        let number = 100_000 + round * 100 + number;
        let (kind, job_type, id, payload) = if number.is_multiple_of(2) {
            (Kind::Link, "url_shortening", format!("link-{number}"), link(number))
        } else {
            let name = format!("errand-{number}");
            (Kind::Errand, "errand", name.clone(), json!({"name": name, "takes_ms": 30}))
        };
        let key = format!("{job_type}#g:{id}");
        debug_assert!(kind == Kind::Link || key == errands::key(&id));
        let body = json!({"version": 1, "type": job_type, "id": id, "payload": payload});
        let takes_ms = payload["takes_ms"].as_u64();
        let (at, group, body) = (Duration::ZERO, "dealer-1".to_owned(), body.to_string());
        let (is_high, forgery) = (false, None);
        Sent { number, at, kind, is_high, group, body, key: Some(key), takes_ms, forgery }
    };
    (0..12).map(send).collect()
}
