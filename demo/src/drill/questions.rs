//! A second command asks the drill that runs: `cargo xtask drill --check` and `--reveal`.

use std::fs;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use xtask::aws::client::plain_http;
use xtask::local::Description;
use xtask::workspace::Workspace;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// How many of the faults are mended.
    Check,
    /// What was wrong, and how each is found and mended.
    Reveal,
}

impl Question {
    const fn path(self) -> &'static str {
        match self {
            Self::Check => "/check",
            Self::Reveal => "/reveal",
        }
    }
}

/// A question, and where its answer goes.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) answer: oneshot::Sender<String>,
}

type Sender = mpsc::Sender<Asked>;

/// The server of a drill that runs. It ends, and its address is forgotten, when this is dropped.
#[derive(Debug)]
pub(super) struct Desk {
    workspace: Workspace,
    server: JoinHandle<()>,
}

impl Desk {
    /// Listens at a free port, which it notes in the checkout. Returns the questions as well.
    pub(super) async fn open(workspace: &Workspace) -> Result<(Self, mpsc::Receiver<Asked>)> {
        let (sender, asked) = mpsc::channel(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.context("expected a free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        fs::write(workspace.drill_url(), url).context("the drill's address cannot be noted")?;
        let of = |question: Question| {
            get(move |State(sender): State<Sender>| async move { ask(&sender, question).await })
        };
        let routes = [Question::Check, Question::Reveal].into_iter();
        let routes = routes
            .fold(Router::new(), |routes, question| routes.route(question.path(), of(question)))
            .with_state(sender);
        let server = tokio::spawn(async move {
            // It never fails: a connection that cannot be accepted is tried again.
            let _ = axum::serve(listener, routes).await;
        });
        Ok((Self { workspace: workspace.clone(), server }, asked))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.server.abort();
        // If it stays, the next drill writes over it.
        let _ = fs::remove_file(self.workspace.drill_url());
    }
}

async fn ask(sender: &Sender, question: Question) -> Result<String, StatusCode> {
    let (answer, answered) = oneshot::channel();
    let sent = sender.send(Asked { question, answer }).await;
    sent.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answered.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// Asks the drill that runs in this checkout. Fails if none does.
pub(super) async fn put(workspace: &Workspace, question: Question) -> Result<String> {
    let none = "expected a drill to run: `cargo xtask drill --seed N` starts one";
    Description::read(workspace)?.context(none)?;
    let url = fs::read_to_string(workspace.drill_url()).context(none)?;
    let answer = plain_http()?.get(format!("{url}{}", question.path())).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status).context("the drill")?;
    answer.text().await.context("the drill's answer broke off")
}
