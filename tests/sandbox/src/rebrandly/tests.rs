//! The link shortener and the control endpoint as their clients see them.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::client::{Client, ClientError};
use crate::faults::{CannedAnswer, Fault, FaultKind, Scope, Target};
use crate::in_process::{ConnectionReset, InProcess};
use crate::settings::{ConflictShape, RetryAfter, Settings, SettingsChange};
use crate::test_http::{TestCall, TestHttp};

const CAR: &str = "https://dealer.test/car/1";

/// A sandbox, its control client, and a client of its API.
struct Stage {
    sandbox: InProcess,
    control: Client,
    http: TestHttp,
}

impl Stage {
    fn new() -> Self {
        let sandbox = InProcess::start(Settings::default(), 1_767_225_600_000);
        Self { control: sandbox.client(), http: TestHttp(sandbox.clone()), sandbox }
    }

    fn ask(&self, method: Method, path: &str) -> TestCall {
        let url = format!("{}{path}", self.sandbox.api_url());
        self.http.request(method, url).header("apikey", "local-key").header("workspace", "any")
    }

    fn post(&self, body: &Value) -> TestCall {
        self.ask(Method::POST, "/links").json(body)
    }

    async fn create(&self, slashtag: &str) -> (StatusCode, Value) {
        answer(self.post(&json!({"slashtag": slashtag, "destination": CAR}))).await
    }

    async fn look_up(&self, slashtag: &str) -> Value {
        let path = format!("/links?domain.fullName=rebrand.ly&slashtag={slashtag}");
        answer(self.ask(Method::GET, &path)).await.1
    }

    async fn fault(&self, kind: FaultKind, scope: Scope, after_work: bool) -> u64 {
        let fault = Fault { kind, on: Target::default(), scope, after_work };
        self.control.add_fault(&fault).await.unwrap()
    }

    async fn change(&self, change: SettingsChange) {
        self.control.change_settings(&change).await.unwrap();
    }

    /// Sends a POST from a task of its own, and waits until the sandbox holds it.
    async fn held_post(&self) -> JoinHandle<Result<Response, ConnectionReset>> {
        let request = self.post(&json!({"slashtag": "a", "destination": CAR}));
        let call = tokio::spawn(request.send());
        while self.control.held().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        call
    }
}

async fn answer(request: TestCall) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_link_is_created_read_changed_and_deleted() {
    let stage = Stage::new();
    let (status, link) = stage.create("Ab-1").await;
    assert_eq!(status, 200);
    assert_eq!(link["shortUrl"], "rebrand.ly/Ab-1");
    assert_eq!(link["domain"]["fullName"], "rebrand.ly");
    assert_eq!(link["createdAt"], link["updatedAt"]);
    assert_eq!(stage.look_up("ab-1").await, json!([link]));
    assert_eq!(stage.look_up("other").await, json!([]));

    let path = format!("/links/{}", link["id"].as_str().unwrap());
    let change = json!({"title": "A car", "destination": "https://dealer.test/car/2"});
    let (_, changed) = answer(stage.ask(Method::POST, &path).json(&change)).await;
    assert_eq!(changed["title"], "A car");
    assert_eq!(answer(stage.ask(Method::GET, &path)).await.1, changed);
    let (status, _) =
        answer(stage.ask(Method::POST, &path).json(&json!({"slashtag": "other"}))).await;
    assert_eq!(status, 403);

    assert_eq!(answer(stage.ask(Method::DELETE, &path)).await.1["status"], "deleted");
    assert_eq!(answer(stage.ask(Method::GET, &path)).await.0, 404);
    assert_eq!(stage.create("ab-1").await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn conflicts_have_the_configured_shape() {
    let stage = Stage::new();
    stage.create("a").await;
    let error =
        json!({"code": "AlreadyExists", "property": "slashtag", "message": "Already exists"});
    let nested = json!({
        "message": "Invalid format", "code": "InvalidFormat", "source": "link", "errors": [error],
    });
    assert_eq!(stage.create("A").await, (StatusCode::FORBIDDEN, nested.clone()));
    let shape = Some(ConflictShape::Flat);
    stage.change(SettingsChange { conflict_shape: shape, ..SettingsChange::default() }).await;
    assert_eq!(stage.create("A").await, (StatusCode::FORBIDDEN, error));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_refused_and_spends_no_fault() {
    let stage = Stage::new();
    stage.fault(FaultKind::status(500), Scope::calls(1), false).await;
    let url = format!("{}/links", stage.sandbox.api_url());
    let (status, body) = answer(stage.http.get(&url).header("apikey", "wrong")).await;
    assert_eq!((status.as_u16(), &body["code"]), (401, &json!("Unauthorized")));
    assert_eq!(answer(stage.http.get(&url)).await.0, 401);
    assert_eq!(stage.control.faults().await.unwrap()[0].struck, 0);
    assert_eq!(stage.control.call_counts().await.unwrap().of("GET", Some(401)), 2);
}

#[tokio::test(start_paused = true)]
async fn the_eleventh_call_of_a_second_is_too_many() {
    let stage = Stage::new();
    for number in 0..10 {
        assert_eq!(stage.create(&format!("a{number}")).await.0, 200);
    }
    let response = stage.ask(Method::GET, "/links").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let style = Some(RetryAfter::XRatelimitReset);
    stage.change(SettingsChange { retry_after: style, ..SettingsChange::default() }).await;
    let response = stage.ask(Method::GET, "/links").send().await.unwrap();
    assert!(response.headers().contains_key("x-ratelimit-reset"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(stage.create("b").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_lagging_link_conflicts_before_it_is_visible() {
    let stage = Stage::new();
    stage.change(SettingsChange { read_lag_ms: Some(2_000), ..SettingsChange::default() }).await;
    stage.create("a").await;
    assert_eq!(stage.look_up("a").await, json!([]));
    assert_eq!(stage.create("a").await.0, 403);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(stage.look_up("a").await.as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invisible_link_conflicts_and_is_never_returned() {
    let stage = Stage::new();
    let preload = Preload {
        slashtag: "theirs".to_owned(),
        destination: CAR.to_owned(),
        domain: None,
        visible: false,
    };
    stage.control.preload(std::slice::from_ref(&preload)).await.unwrap();
    assert_eq!(stage.create("THEIRS").await.0, 403);
    assert_eq!(stage.look_up("theirs").await, json!([]));
    let links = stage.control.links().await.unwrap();
    assert_eq!((links.len(), links[0].created_by), (1, CreatedBy::Preload));
    let twice = stage.control.preload(&[preload]).await.unwrap_err();
    assert!(matches!(twice, ClientError::Refused { status: 400, .. }), "{twice}");
}

#[tokio::test(start_paused = true)]
async fn a_full_plan_is_not_a_conflict() {
    let stage = Stage::new();
    stage.change(SettingsChange { plan_limit: Some(1), ..SettingsChange::default() }).await;
    stage.create("a").await;
    let (status, body) = stage.create("b").await;
    assert_eq!((status.as_u16(), &body["code"]), (403, &json!("LimitReached")));
    assert_eq!(stage.control.links().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_canned_answer_replaces_the_work_or_only_the_response() {
    let stage = Stage::new();
    let canned = CannedAnswer { retry_after: Some(3), ..CannedAnswer::default() };
    let kind = FaultKind::Status(CannedAnswer { status: 503, ..canned });
    stage.fault(kind, Scope::calls(1), false).await;
    stage.fault(FaultKind::status(500), Scope::calls(1), true).await;
    let response = stage.post(&json!({"destination": CAR})).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"3".parse().unwrap())
    );
    assert_eq!(stage.control.links().await.unwrap().len(), 0);
    assert_eq!(stage.create("a").await.0, 500);
    let links = stage.control.links().await.unwrap();
    let calls = stage.control.calls().await.unwrap();
    assert_eq!((calls[0].status, calls[0].link_id.as_ref()), (Some(503), None));
    assert_eq!((calls[1].status, calls[1].link_id.as_ref()), (Some(500), Some(&links[0].id)));
    assert_eq!(calls[1].fault.as_deref(), Some("status"));
}

#[tokio::test(start_paused = true)]
async fn a_firewall_answers_with_html() {
    let stage = Stage::new();
    stage.fault(FaultKind::Html, Scope::calls(1), false).await;
    let response = stage.post(&json!({"destination": CAR})).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_does_nothing_until_the_faults_are_cleared() {
    let stage = Stage::new();
    stage.fault(FaultKind::Hang, Scope::calls(1), false).await;
    let call = stage.held_post().await;
    assert_eq!(stage.control.links().await.unwrap(), []);
    assert_eq!(stage.control.clear_faults().await.unwrap(), 1);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(stage.control.links().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_about_to_be_held_is_not_held_once_the_faults_are_cleared() {
    let stage = Stage::new();
    stage.change(SettingsChange { latency_ms: Some(1_000), ..SettingsChange::default() }).await;
    let fault = stage.fault(FaultKind::Hold, Scope::calls(1), false).await;
    let request = stage.post(&json!({"slashtag": "a", "destination": CAR}));
    let call = tokio::spawn(request.send());
    while stage.control.faults().await.unwrap()[0].struck == 0 {
        tokio::task::yield_now().await;
    }
    stage.control.remove_fault(fault).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_control_api_refuses_invalid_requests_and_counts_no_calls() {
    let stage = Stage::new();
    stage.control.health().await.unwrap();
    let url = format!("{}/control/faults", stage.sandbox.url());
    let fault = json!({"kind": "reset", "scope": {"share": 2.0}});
    let (status, body) = answer(stage.http.post(url).json(&fault)).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], "scope.share: must be above 0 and at most 1");
    let missing = stage.control.remove_fault(7).await.unwrap_err();
    assert!(matches!(missing, ClientError::Refused { status: 404, .. }), "{missing}");
    let id = stage.fault(FaultKind::Reset, Scope::calls(1), false).await;
    stage.control.remove_fault(id).await.unwrap();
    assert_eq!(stage.control.faults().await.unwrap(), []);
    stage.create("a").await;
    assert_eq!(stage.control.call_counts().await.unwrap().total, 1);
    stage.control.clear_calls().await.unwrap();
    assert_eq!(stage.control.call_counts().await.unwrap().total, 0);
    assert_eq!(stage.control.settings().await.unwrap(), Settings::default());
}
