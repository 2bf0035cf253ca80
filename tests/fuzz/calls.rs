//! Events of Lambda, messages, and what the sweeper is called with.

use std::{collections::BTreeSet, time::Duration};

use dealer_com_feed::Feed;
use evenkeel::{
    base::time::{Clock as _, Time},
    lambda, message,
    record::trace::Trace,
    testing::{Faults, MemoryStore, SeededRandom, SimulatedSqs, TestClock, TestPorts},
    worker::Worker,
};
use product_detail_scraping::Scraping;
use serde_json::Value;
use sweeper::{command::Command, config::Config, operator::request::Call};
use url_shortening::{Shortening, import};

use super::{FEW, wait};
use crate::bench::errands::{Errands, Journal};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const PREFIX: &str = "arn:aws:sqs:eu-west-1:123456789012:s-";

#[test]
fn message_body() {
    target!("message_body", |text: &str| {
        let link = message::decode::<Shortening>("url_shortening", text);
        if let Ok(message) = &link {
            assert!(message.key.starts_with("url_shortening#"));
        }
        let page = message::decode::<Scraping>("product_detail_scraping", text).is_ok();
        let feed = message::decode::<Feed>("dealer_com_feed", text).is_ok();
        link.is_ok() || page || feed
    });
}

#[test]
fn traces() {
    target!("traces", |text: &str| {
        let text = text.trim_end();
        let Some(trace) = Trace::of_message(Some(text), Some(text)) else { return false };
        let header = trace.to_string();
        assert!(header.len() <= 74 && trace.id().len() == 35, "{header}");
        assert_eq!(Trace::of_header(&header), Some(trace));
        true
    });
}

/// The ids of the messages of an event.
fn message_ids(event: &Value) -> BTreeSet<String> {
    let records = event["Records"].as_array().into_iter().flatten();
    records.filter_map(|record| record["messageId"].as_str().map(str::to_owned)).collect()
}

#[test]
fn lambda_event() {
    target!("lambda_event", FEW, |text: &str| {
        let Ok(event) = serde_json::from_str::<Value>(text) else { return false };
        wait(async {
            let clock = TestClock::default();
            let process = Faults::default();
            let job = Errands { journal: Journal::default(), clock, rates: None, process };
            let (store, queue) = (MemoryStore::default(), SimulatedSqs::new(clock));
            let random = SeededRandom::new(1);
            let worker = Worker::<_, TestPorts>::new(job, store, queue, clock, random);
            let deadline = clock.now() + Duration::from_secs(15);
            let ids = message_ids(&event);
            let Ok(answer) = lambda::invoke(&worker, event, deadline).await else { return false };
            for failed in answer["batchItemFailures"].as_array().into_iter().flatten() {
                let id = failed["itemIdentifier"].as_str().unwrap();
                assert!(ids.contains(id), "{id:?} is a message of the event");
            }
            true
        })
    });
}

fn config() -> Config {
    let types = r#"[{"type": "errand", "concurrency": [2, 2]}]"#;
    let types = Config::types(types, PREFIX).unwrap();
    Config { types, balance: true, namespace: "s".to_owned() }
}

#[test]
fn sweeper_call() {
    let config = config();
    target!("sweeper_call", |text: &str| {
        let Ok(call) = serde_json::from_str::<Value>(text) else { return false };
        let command = Command::read(&call);
        let asked = Call::read(&call, &config, NOW);
        matches!(command, Ok(Some(_))) || matches!(asked, Ok(Call::Do(_) | Call::Report(_)))
    });
}

#[test]
fn operators_request() {
    target!("operators_request", |text: &str| {
        let request = serde_json::from_str::<Value>(text);
        request.is_ok_and(|request| import::Request::read(&request).is_ok())
    });
}
