//! Tests on the whole local stack: real queues, the real template, functions under MiniStack.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sandbox::{Client as Control, SettingsChange, dealers::SiteSettings};
use serde_json::{Value, json};
use tokio::time::sleep;
use xtask::{
    artifact::Profile,
    aws::{
        dynamodb,
        sqs::{self, Outgoing},
    },
    local::{Options, Stack, State},
    workspace::Workspace,
};

use super::{command::evenkeel, dashboard::every_page, eventually};

/// How long the tables or the service are unavailable. Outages of a whole minute are tested in
/// virtual time: of the tables in `tests/engine/outages.rs`, of the service in
/// `tests/shortening.rs`.
const OUTAGE: Duration = Duration::from_secs(12);

struct Local {
    stack: Stack,
    control: Control,
}

impl Local {
    async fn start() -> Self {
        let workspace = Workspace::find().await.unwrap();
        let options = Options { profile: Profile::Dev, wires: true, ..Options::default() };
        let stack = Stack::start(&workspace, &options).await.unwrap();
        let control = Control::new(stack.sandbox_url());
        Self { stack, control }
    }

    async fn send(&self, queue: &str, bodies: &[String]) {
        let messages: Vec<Outgoing> = bodies.iter().map(Outgoing::new).collect();
        let queue = self.stack.output(queue).unwrap();
        sqs::send_batch(self.stack.client(), queue, &messages).await.unwrap();
    }

    /// Waits until all messages are acknowledged and all jobs have ended.
    async fn drained(&self) {
        for queue in ["UrlShorteningQueueUrl", "UrlShorteningHighQueueUrl"] {
            let queue = self.stack.output(queue).unwrap();
            eventually("the queue is empty", async || {
                sqs::depth(self.stack.client(), queue).await.unwrap().is_empty()
            })
            .await;
        }
        let dead = self.stack.output("UrlShorteningDeadLetterQueueUrl").unwrap();
        assert!(
            sqs::depth(self.stack.client(), dead).await.unwrap().is_empty(),
            "no message became a dead letter"
        );
        // A parked job has no message until the sweeper releases it.
        eventually("every job has ended", async || {
            const OPEN: [&str; 4] = ["queued", "running", "waiting", "parked"];
            let records = self.records().await;
            records.values().all(|record| !OPEN.contains(&record["state"].as_str().unwrap()))
        })
        .await;
    }

    /// All items of the jobs table, by key.
    async fn records(&self) -> BTreeMap<String, Value> {
        let table = self.stack.output("JobsTableName").unwrap();
        let items = dynamodb::scan(self.stack.client(), table).await.unwrap();
        items.into_iter().map(|item| (item["pk"].as_str().unwrap().to_owned(), item)).collect()
    }

    /// Asserts that the account's key is in no item of a table, in no answer of the command, on no page of the dashboard
    /// and in no line that the functions or MiniStack have printed. A panic is no JSON, so all lines count.
    async fn shows_no_key(&self) {
        let key = xtask::local::API_KEY;
        for table in ["JobsTableName", "ControlTableName", "VehiclesTableName"] {
            let name = self.stack.output(table).unwrap();
            let items = dynamodb::scan(self.stack.client(), name).await.unwrap();
            assert!(!items.is_empty(), "{table}");
            let shown = items.iter().find(|item| item.to_string().contains(key));
            assert_eq!(shown, None, "{table}");
        }
        let commands: [&[&str]; 5] = [
            &["jobs", "list"],
            &["breaker", "show", "rebrandly"],
            &["limiter", "show", "rebrandly"],
            &["ops", "log"],
            &["report"],
        ];
        for words in commands {
            let shown = evenkeel(&self.stack, words).await.to_string();
            assert!(!shown.contains(key), "{words:?}: {shown}");
        }
        let records = self.records().await;
        let pages = every_page(&self.stack, records.keys().next().unwrap()).await;
        for path in ["/", "/jobs", "/queues", "/dependencies", "/errors", "/cars", "/metrics"] {
            assert!(pages.contains_key(path), "{path} is not in {:?}", pages.keys());
        }
        let shown: Vec<_> = pages.iter().filter(|(_, text)| text.contains(key)).collect();
        assert!(shown.is_empty(), "{shown:?}");
        let log = self.stack.log().unwrap();
        assert!(log.contains(r#""level":"#), "the functions have printed lines");
        let shown: Vec<&str> = log.lines().filter(|line| line.contains(key)).collect();
        assert_eq!(shown, [""; 0]);
    }

    /// Asserts that each of these jobs has succeeded and that the sandbox has exactly one link to
    /// its destination.
    async fn check_done(&self, ids: impl IntoIterator<Item = u32>) {
        let records = self.records().await;
        let links = self.control.links().await.unwrap();
        for id in ids {
            let record = &records[&format!("url_shortening#g:job-{id}")];
            assert_eq!(record["state"], "succeeded", "{record}");
            let result: Value = serde_json::from_str(record["result"].as_str().unwrap()).unwrap();
            let made: Vec<_> =
                links.iter().filter(|link| link.destination == destination(id)).collect();
            assert_eq!(made.len(), 1, "links of job {id}");
            assert_eq!(result["link_id"], made[0].id, "job {id}");
        }
    }
}

fn destination(id: u32) -> String {
    format!("https://www.acme.example/new/{id}")
}

fn body(id: u32) -> String {
    let payload = json!({
        "destination": destination(id),
        "dealer_slug": "acme",
        "vin": format!("1HGCM82633A{id:06}"),
    });
    let id = format!("job-{id}");
    json!({"version": 1, "type": "url_shortening", "id": id, "payload": payload}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_on_both_queues_are_one_job_and_invalid_messages_are_rejected() {
    let local = Local::start().await;
    let slow = SettingsChange {
        latency_ms: Some(300),
        rate_per_second: Some(1000),
        ..SettingsChange::default()
    };
    local.control.change_settings(&slow).await.unwrap();
    let copies = vec![body(0); 50];
    let bad =
        ["not json".to_owned(), body(7).replace("1HGCM", "1HGC"), body(8).replace("url_", "")];
    let others: Vec<String> = (1..7).map(body).collect();
    tokio::join!(
        local.send("UrlShorteningQueueUrl", &copies),
        local.send("UrlShorteningHighQueueUrl", &copies),
        local.send("UrlShorteningQueueUrl", &others),
        local.send("UrlShorteningQueueUrl", &bad),
    );
    local.drained().await;
    local.check_done(0..7).await;
    assert!(local.stack.function_processes().len() >= 4, "several processes were running");
    let records = local.records().await;
    assert_eq!(records["url_shortening#g:job-0"]["claims"], 1, "one run");
    let calls = local.control.calls().await.unwrap();
    let runs = calls.iter().filter(|call| call.destination == Some(destination(0))).count();
    assert_eq!(runs, 1, "one call");
    let kept: BTreeSet<(&str, &str)> = records
        .values()
        .filter(|record| record["state"] == "rejected")
        .map(|record| (record["flaw"].as_str().unwrap(), record["why"].as_str().unwrap()))
        .collect();
    let flaws: Vec<&str> = kept.iter().map(|(flaw, _)| *flaw).collect();
    assert_eq!(flaws, ["alien", "invalid", "malformed"], "{kept:?}");
    assert!(kept.contains(&("invalid", "payload.vin: 16 characters, expected 17")), "{kept:?}");
    local.stack.stop().await.unwrap();
}

/// Adds a feed to the schedules, pauses and resumes it, and sends its message.
async fn schedule_and_run(stack: &Stack, name: &str, payload: &str) {
    let add = ["feeds", "add", name, "--every", "6h", "--payload", payload];
    for change in ["created", "unchanged"] {
        assert_eq!(evenkeel(stack, &add).await["change"], change);
    }
    for (verb, state) in [("pause", "paused"), ("resume", "on")] {
        evenkeel(stack, &["feeds", verb, name]).await;
        let list = evenkeel(stack, &["feeds", "list"]).await;
        let [feed] = list["feeds"].as_array().unwrap().as_slice() else { panic!("{list}") };
        assert_eq!((&feed["state"], &feed["group"]), (&json!(state), &json!(name)));
        assert_eq!(feed["schedule"], "rate(6 hours)", "{feed}");
    }
    assert_eq!(evenkeel(stack, &["feeds", "run", name]).await["change"], "sent");
}

/// A feed and the jobs that it creates, through all three functions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_leads_to_pages_and_links() {
    let local = Local::start().await;
    let settings = SiteSettings { cars: 6, ..SiteSettings::default() };
    local.control.put_site("acme", &settings).await.unwrap();
    let payload = json!({"dealer_slug": "acme", "site_url": local.control.site_origin("acme")});
    schedule_and_run(&local.stack, "acme", &payload.to_string()).await;
    eventually("all jobs have succeeded", async || {
        let records = local.records().await;
        let done = records.values().filter(|record| record["state"] == "succeeded").count();
        done == 1 + 6 + 6
    })
    .await;
    let records = local.records().await;
    let of = |kind: &str| records.keys().filter(|key| key.starts_with(kind)).count();
    let kinds = ["dealer_com_feed#", "product_detail_scraping#", "url_shortening#"].map(of);
    assert_eq!((kinds, records.len()), ([1, 6, 6], 13));
    let links = local.control.links().await.unwrap();
    for car in local.control.cars("acme").await.unwrap() {
        let made = links.iter().filter(|link| link.destination.ends_with(&car.path)).count();
        assert_eq!(made, 1, "links of {}", car.path);
        let (_, page) = records
            .iter()
            .find(|(key, _)| key.starts_with("product_detail_scraping#") && key.contains(&car.vin))
            .unwrap();
        let result: Value = serde_json::from_str(page["result"].as_str().unwrap()).unwrap();
        assert_eq!(result["record"]["price_cents"]["value"], json!(car.price * 100), "{result}");
    }
    local.shows_no_key().await;
    evenkeel(&local.stack, &["feeds", "remove", "acme"]).await;
    assert_eq!(evenkeel(&local.stack, &["feeds", "list"]).await["feeds"], json!([]));
    let log = evenkeel(&local.stack, &["ops", "log"]).await;
    let acts = log["operations"].as_array().unwrap().iter();
    let acts: Vec<&str> = acts.map(|entry| entry["act"]["what"].as_str().unwrap()).collect();
    let expected = ["feeds remove", "feeds run", "feeds resume", "feeds pause", "feeds add"];
    assert_eq!(acts, expected);
    local.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_service_loses_nothing() {
    let local = Local::start().await;
    local.send("UrlShorteningQueueUrl", &(0..5).map(body).collect::<Vec<_>>()).await;
    local.stack.sandbox_wire().unwrap().set(State::Cut);
    local.send("UrlShorteningQueueUrl", &(5..20).map(body).collect::<Vec<_>>()).await;
    sleep(OUTAGE / 2).await;
    local.stack.sandbox_wire().unwrap().set(State::Silent);
    sleep(OUTAGE / 2).await;
    local.stack.sandbox_wire().unwrap().set(State::Whole);
    local.drained().await;
    local.check_done(0..20).await;
    local.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_tables_loses_nothing() {
    let local = Local::start().await;
    local.send("UrlShorteningQueueUrl", &(0..5).map(body).collect::<Vec<_>>()).await;
    local.stack.aws_wire().unwrap().set(State::Cut);
    local.send("UrlShorteningQueueUrl", &(5..20).map(body).collect::<Vec<_>>()).await;
    sleep(OUTAGE).await;
    local.stack.aws_wire().unwrap().set(State::Whole);
    local.drained().await;
    local.check_done(0..20).await;
    local.stack.stop().await.unwrap();
}
