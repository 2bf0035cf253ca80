//! What is particular about clients on real connections: they wait, give up, are reset, and race.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;
use crate::client::{ClientError, plain_http};
use crate::faults::{Fault, FaultKind, Scope, Target};
use crate::settings::SettingsChange;

const CAR: &str = "https://dealer.test/car/1";

/// A sandbox, its control client, and a client of its API.
struct Stage {
    sandbox: Sandbox,
    control: Client,
    http: reqwest::Client,
}

impl Stage {
    async fn new() -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        Self { control: sandbox.client(), http: plain_http(), sandbox }
    }

    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.api_url());
        self.http.request(method, url).header("apikey", "local-key").header("workspace", "any")
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.ask(Method::POST, "/links").json(body)
    }

    async fn create(&self, slashtag: &str) -> (StatusCode, Value) {
        answer(self.post(&json!({"slashtag": slashtag, "destination": CAR}))).await
    }

    async fn fault(&self, kind: FaultKind, scope: Scope, after_work: bool) -> u64 {
        let fault = Fault { kind, on: Target::default(), scope, after_work };
        self.control.add_fault(&fault).await.unwrap()
    }

    async fn change(&self, change: SettingsChange) {
        self.control.change_settings(&change).await.unwrap();
    }

    /// Sends a POST from a task of its own, and waits until the sandbox holds it.
    async fn held_post(&self) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
        let request = self.post(&json!({"slashtag": "a", "destination": CAR}));
        let call = tokio::spawn(request.send());
        while self.control.held().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        call
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_a_tcp_reset_and_the_work_may_have_been_done() {
    let stage = Stage::new().await;
    stage.fault(FaultKind::Reset, Scope::calls(1), true).await;
    let mut stream = TcpStream::connect(&stage.sandbox.url()["http://".len()..]).await.unwrap();
    let body = json!({"slashtag": "a", "destination": CAR}).to_string();
    let length = body.len();
    let head = "POST /v1/links HTTP/1.1\r\nhost: x\r\napikey: local-key\r\n";
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let calls = stage.control.calls().await.unwrap();
    assert_eq!((calls[0].status, calls[0].fault.as_deref()), (None, Some("reset")));
    assert_eq!(calls[0].link_id, Some(stage.control.links().await.unwrap()[0].id.clone()));
}

#[tokio::test(start_paused = true)]
async fn latency_adds_up_and_work_outlives_an_impatient_client() {
    let stage = Stage::new().await;
    stage.change(SettingsChange { latency_ms: Some(1_000), ..SettingsChange::default() }).await;
    stage.fault(FaultKind::Latency(30_000), Scope::calls(2), false).await;
    let started = Instant::now();
    assert_eq!(stage.create("a").await.0, 200);
    assert_eq!(started.elapsed().as_secs(), 31);
    let request = stage.post(&json!({"slashtag": "b", "destination": CAR}));
    let given_up = request.timeout(Duration::from_secs(5)).send().await.unwrap_err();
    assert!(given_up.is_timeout());
    assert_eq!(stage.control.links().await.unwrap().len(), 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.control.links().await.unwrap().len(), 2);
    let late = stage.control.calls().await.unwrap().remove(1);
    assert_eq!((late.status, late.link_id.is_some()), (None, true));
}

#[tokio::test]
async fn a_held_call_has_done_its_work_and_answers_on_release() {
    let stage = Stage::new().await;
    stage.fault(FaultKind::Hold, Scope::calls(1), false).await;
    let call = stage.held_post().await;
    let held = stage.control.held().await.unwrap().remove(0);
    assert_eq!(held.link_id, Some(stage.control.links().await.unwrap()[0].id.clone()));
    assert_eq!((held.slashtag.as_deref(), held.fault.as_str()), (Some("a"), "hold"));
    assert_ne!(held.client_port, 0);
    assert_eq!(stage.control.release_held().await.unwrap(), 1);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(stage.control.held().await.unwrap(), []);
    assert_eq!(stage.control.calls().await.unwrap()[0].status, Some(200));
}

#[tokio::test]
async fn the_call_of_a_disconnected_client_is_no_longer_held() {
    let stage = Stage::new().await;
    stage.fault(FaultKind::Hang, Scope::calls(1), false).await;
    stage.held_post().await.abort();
    while !stage.control.held().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let calls = stage.control.calls().await.unwrap();
    assert_eq!((calls[0].status, calls[0].link_id.as_ref()), (None, None));
    assert_eq!(stage.control.links().await.unwrap(), []);
}

#[tokio::test]
async fn shutdown_ends_hanging_calls_and_frees_the_port() {
    let stage = Stage::new().await;
    stage.fault(FaultKind::Hang, Scope::calls(1), false).await;
    let call = stage.held_post().await;
    stage.sandbox.shutdown().await;
    assert!(call.await.unwrap().is_err());
    let refused = stage.control.health().await.unwrap_err();
    assert!(matches!(refused, ClientError::Transport(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_concurrent_calls_for_a_slashtag_one_succeeds() {
    let stage = Stage::new().await;
    stage
        .change(SettingsChange { rate_per_second: Some(1_000), ..SettingsChange::default() })
        .await;
    let mut racers = JoinSet::new();
    for _ in 0..50 {
        racers.spawn(stage.post(&json!({"slashtag": "a", "destination": CAR})).send());
    }
    let answers = racers.join_all().await;
    let won = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count();
    assert_eq!(won, 1);
    let counts = stage.control.call_counts().await.unwrap();
    assert_eq!((counts.of("POST", Some(200)), counts.of("POST", Some(403))), (1, 49));
    let calls = stage.control.calls().await.unwrap();
    assert_eq!(calls.iter().filter(|call| call.link_id.is_some()).count(), 1);
    assert!(calls.is_sorted_by_key(|call| (call.at_ms, call.id)));
}
