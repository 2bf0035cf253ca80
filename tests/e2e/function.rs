//! A function's process under a Lambda Runtime API that the test provides. The test decides which
//! events the process gets, what their deadlines are, and when the process is stopped.
//!
//! Protocol: AWS's "Using the Lambda runtime API for custom runtimes".

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path as Segments, State},
    http::{HeaderName, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot},
};
use xtask::{
    artifact::{self, Profile},
    workspace::Workspace,
};

use super::PATIENCE;

/// ARN of the queue that all test messages name as their source.
pub(crate) const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:test-url-shortening";

/// A message as the event source mapping delivers it.
pub(crate) fn record(message_id: &str, body: &str, receives: u32) -> Value {
    json!({
        "messageId": message_id,
        "receiptHandle": format!("receipt-{message_id}-{receives}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": receives.to_string(),
            "SentTimestamp": now_ms().to_string(),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    })
}

#[expect(clippy::disallowed_methods, reason = "Lambda's deadline is a time of the real clock")]
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since_epoch.as_millis()).unwrap()
}

struct Invocation {
    event: Value,
    deadline_ms: u64,
    answer: oneshot::Sender<Value>,
}

struct Api {
    next: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

/// A running function. Its process is killed on drop.
pub(crate) struct Function {
    process: Child,
    invoke: mpsc::Sender<Invocation>,
    log: PathBuf,
}

impl Function {
    /// Builds the binary with the profile of the tests; returns its path.
    pub(crate) async fn build() -> PathBuf {
        let workspace = Workspace::find().await.unwrap();
        let built = artifact::build(&workspace, Profile::Dev).await.unwrap();
        built.path("url-shortening").unwrap().to_owned()
    }

    /// Starts a process whose environment has only `variables` and what Lambda sets.
    pub(crate) async fn start(binary: &Path, variables: &[(&str, &str)], log: PathBuf) -> Self {
        let (invoke, next) = mpsc::channel(1);
        let api = Api { next: tokio::sync::Mutex::new(next), running: Mutex::default() };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(give))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(take))
            .with_state(Arc::new(api));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let fixed = [
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "test"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let output = File::create(&log).unwrap();
        let process = Command::new(binary)
            .env_clear()
            .envs(fixed)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { process, invoke, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Waits until the process has exited.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap()
    }

    /// What the process has printed so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends an event with the deadline in `time`. The receiver gets the function's response.
    pub(crate) async fn invoke(
        &self,
        records: Vec<Value>,
        time: Duration,
    ) -> oneshot::Receiver<Value> {
        let (answer, answered) = oneshot::channel();
        let deadline_ms = now_ms() + u64::try_from(time.as_millis()).unwrap();
        let invocation = Invocation { event: json!({ "Records": records }), deadline_ms, answer };
        self.invoke.send(invocation).await.ok().unwrap();
        answered
    }
}

/// The ids of the messages that a response reports as failed, so that SQS delivers them again.
pub(crate) fn failed(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{answer}"));
    failures.iter().map(|f| f["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

async fn give(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let Some(invocation) = api.next.lock().await.recv().await else {
        // The test has ended and is about to kill the process.
        return std::future::pending().await;
    };
    let id = format!("request-{}", now_ms());
    api.running.lock().unwrap().insert(id.clone(), invocation.answer);
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:test".into()),
        ("lambda-runtime-trace-id", "Root=1-0-0;Sampled=0".into()),
    ];
    (
        headers.map(|(name, value)| (HeaderName::from_static(name), value)),
        invocation.event.to_string(),
    )
}

async fn take(
    State(api): State<Arc<Api>>,
    Segments((id, outcome)): Segments<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if outcome == "error" {
        answer = json!({ "error": answer });
    }
    if let Some(waiting) = api.running.lock().unwrap().remove(&id) {
        let _ = waiting.send(answer);
    }
    StatusCode::ACCEPTED
}
