//! Several processes of the real function that compete for one job, over DynamoDB's protocol and
//! real sockets.

use std::{path::PathBuf, time::Duration};

use evenkeel::{
    ports::Store,
    record::{Phase, Record},
};
use sandbox::{FaultKind, Method, Sandbox, Scope, Settings, SettingsChange, Target};
use serde_json::{Value, json};
use xtask::process;

use super::{
    eventually,
    function::{Function, failed, now_ms, record},
};
use crate::local_tables::LocalTables;

const DESTINATION: &str = "https://www.acme.example/new/1HGCM82633A004352";

/// A second car.
const OTHER_VIN: &str = "1M8GDM9AXKP042788";

/// The key of the account, which must show nowhere.
const PLANTED_KEY: &str = "planted-key-7f3a";

fn body() -> String {
    let payload = json!({
        "destination": DESTINATION, "dealer_slug": "acme", "vin": "1HGCM82633A004352",
    });
    let message =
        json!({"version": 1, "type": "url_shortening", "id": "the-job", "payload": payload});
    message.to_string()
}

/// The two tables, a sandbox, and a folder for logs.
struct World {
    tables: LocalTables,
    sandbox: Sandbox,
    logs: PathBuf,
}

impl World {
    async fn new(name: &str) -> Self {
        let tables = LocalTables::start().await;
        inventory::dynamo::local_table(&tables.config, "vehicles").await;
        let api_keys = vec![PLANTED_KEY.to_owned()];
        let settings = Settings { api_keys, rate_per_second: 10_000, ..Settings::default() };
        let sandbox = Sandbox::start_with(0, settings).await.unwrap();
        let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&logs).unwrap();
        Self { tables, sandbox, logs }
    }

    async fn function(&self, name: &str) -> Function {
        let binary = Function::build().await;
        let base_url = self.sandbox.api_url();
        let variables = [
            ("AWS_ENDPOINT_URL", self.tables.endpoint.as_str()),
            ("JOBS_TABLE", "jobs"),
            ("CONTROL_TABLE", "control"),
            ("VEHICLES_TABLE", "vehicles"),
            ("REBRANDLY_BASE_URL", &base_url),
            ("REBRANDLY_DOMAIN", "rebrand.ly"),
            ("REBRANDLY_API_KEY", PLANTED_KEY),
        ];
        Function::start(&binary, &variables, self.logs.join(name)).await
    }

    async fn job(&self) -> Option<Record> {
        self.tables.store.read("url_shortening#g:the-job").await.unwrap()
    }

    async fn links(&self) -> usize {
        let links = self.sandbox.client().links().await.unwrap();
        links.iter().filter(|link| link.destination == DESTINATION).count()
    }
}

/// A hundred copies of one message: ten batches of ten, five processes concurrently. One of the
/// messages is delivered twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_concurrent_copies_give_one_run_and_one_link() {
    let world = World::new("copies").await;
    // Slow enough that all other copies arrive during the run.
    let slow = SettingsChange { latency_ms: Some(1500), ..SettingsChange::default() };
    world.sandbox.client().change_settings(&slow).await.unwrap();
    let mut functions = Vec::new();
    for number in 0..5 {
        functions.push(world.function(&format!("{number}.log")).await);
    }
    let mut waiting: Vec<Value> =
        (0..99).map(|n| record(&format!("message-{n}"), &body(), 1)).collect();
    waiting.push(record("message-0", &body(), 2));
    for receives in 3..9 {
        let answers = answers(&functions, &waiting).await;
        waiting =
            answers.iter().flat_map(failed).map(|id| record(&id, &body(), receives)).collect();
        if waiting.is_empty() {
            break;
        }
        // A message that was given back is delivered again when the run is over.
        eventually("the run ends", async || {
            world.job().await.is_some_and(|job| job.phase.ended_at().is_some())
        })
        .await;
    }
    assert_eq!(waiting, Vec::<Value>::new(), "all messages are acknowledged");
    let job = world.job().await.unwrap();
    assert!(matches!(job.phase, Phase::Succeeded { .. }), "{job:?}");
    assert_eq!((job.counters.claims, job.counters.attempts, job.counters.crashes), (1, 1, 0));
    let calls = world.sandbox.client().call_counts().await.unwrap();
    assert_eq!((calls.total, world.links().await), (1, 1));
}

/// Distributes the records in batches of ten; all functions work concurrently. Returns the
/// responses.
async fn answers(functions: &[Function], records: &[Value]) -> Vec<Value> {
    let mut answers = Vec::new();
    let batches: Vec<_> = records.chunks(10).collect();
    for round in batches.chunks(functions.len()) {
        let mut running = Vec::new();
        for (function, batch) in functions.iter().zip(round) {
            running.push(function.invoke(batch.to_vec(), Duration::from_secs(15)).await);
        }
        for answer in running {
            answers.push(answer.await.unwrap());
        }
    }
    answers
}

/// The first process is stopped during its call. It continues after its lease has expired and a
/// second process has done the job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_continues_after_its_lease_changes_nothing() {
    let world = World::new("zombie").await;
    let control = world.sandbox.client();
    let hold = sandbox::Fault {
        kind: FaultKind::Hold,
        on: Target { method: Some(Method::Post), ..Target::default() },
        scope: Scope::calls(1),
        after_work: false,
    };
    control.add_fault(&hold).await.unwrap();
    let (first, second) = (world.function("first.log").await, world.function("second.log").await);
    // Just enough time for a run to start; the lease ends five seconds later.
    let time = Duration::from_millis(8500);
    let woken = first.invoke(vec![record("message-1", &body(), 1)], time).await;
    eventually("the link is made", async || !control.held().await.unwrap().is_empty()).await;
    process::stop(first.pid()).unwrap();
    control.release_held().await.unwrap();
    let Phase::Running { lease_until, .. } = world.job().await.unwrap().phase else {
        panic!("expected a running job")
    };

    eventually("the lease is over", async || now_ms() > lease_until.as_millis()).await;
    let copy = vec![record("message-2", &body(), 1)];
    let answer = second.invoke(copy, Duration::from_secs(15)).await.await.unwrap();
    assert_eq!(failed(&answer), Vec::<String>::new());
    let done = world.job().await.unwrap();
    assert!(matches!(done.phase, Phase::Succeeded { .. }), "{done:?}");
    assert_eq!((done.counters.crashes, done.fence), (1, 2));

    process::cont(first.pid()).unwrap();
    assert_eq!(
        failed(&woken.await.unwrap()),
        ["message-1"],
        "the first process acknowledges nothing"
    );
    // Its time was over long ago, so it does not try to settle. `tests/engine/batch.rs`
    // tests a run that does settle after another one has taken its job.
    assert!(first.log().contains(r#""outcome":"out_of_time""#), "{}", first.log());
    assert_eq!(world.job().await.unwrap(), done, "the end of the first run changed nothing");
    assert_eq!(world.links().await, 1);
    let again = vec![record("message-1", &body(), 2)];
    let answer = second.invoke(again, Duration::from_secs(15)).await.await.unwrap();
    assert_eq!(
        failed(&answer),
        Vec::<String>::new(),
        "the first message finds that the job has ended"
    );
}

/// A job that succeeds, one whose key is refused, and a message that holds the key itself by mistake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_in_no_log_and_no_record_of_a_job() {
    let world = World::new("planted-key").await;
    let function = world.function("function.log").await;
    let time = Duration::from_secs(15);
    let done = function.invoke(vec![record("message-1", &body(), 1)], time).await.await.unwrap();
    assert_eq!(failed(&done), Vec::<String>::new());

    let rotated = vec!["another-key".to_owned()];
    let revoked = SettingsChange { api_keys: Some(rotated), ..SettingsChange::default() };
    world.sandbox.client().change_settings(&revoked).await.unwrap();
    let second = body().replace("the-job", "second-job").replace("1HGCM82633A004352", OTHER_VIN);
    let with_key = json!({"version": 1, "type": "url_shortening", "apikey": PLANTED_KEY});
    let messages =
        vec![record("message-2", &second, 1), record("message-3", &with_key.to_string(), 1)];
    let answer = function.invoke(messages, time).await.await.unwrap();

    let refused = world.tables.store.read("url_shortening#g:second-job").await.unwrap().unwrap();
    assert!(matches!(refused.phase, Phase::Parked { .. }), "{refused:?}");
    let records = format!("{:?}\n{refused:?}", world.job().await.unwrap());
    let log = function.log();
    assert!(log.contains("http_401") && log.contains(r#""outcome":"rejected""#), "{log}");
    for (place, text) in [("log", log), ("records", records), ("answer", answer.to_string())] {
        assert!(!text.contains(PLANTED_KEY), "{place}: {text}");
    }
}

/// The log names everything that is missing or wrong, not only the first problem, and the process
/// exits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misconfigured_function_logs_all_problems_and_exits() {
    let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let binary = Function::build().await;
    let variables = [("CONTROL_TABLE", "control"), ("REBRANDLY_BASE_URL", "rebrandly")];
    let mut function = Function::start(&binary, &variables, logs.join("misconfigured.log")).await;
    assert!(!function.ended().await.success());
    let log = function.log();
    for problem in [
        "JOBS_TABLE is not set",
        "REBRANDLY_BASE_URL is not an http or https address",
        "REBRANDLY_DOMAIN is not set",
        "REBRANDLY_API_KEY or REBRANDLY_API_KEY_SECRET_ARN is not set",
    ] {
        assert!(log.contains(problem), "{problem}: {log}");
    }
}
