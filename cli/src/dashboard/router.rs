//! Which address leads to which page.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::from_fn_with_state,
    response::{
        Html, IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::stream;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    badge::Badge,
    metrics,
    pages::{self, Frame, Page, cars, dependencies, errors, job, jobs, overview, queues},
    params::Params,
    reader::{Ask, Question, Reply},
    security::{Hosts, guard},
};
use crate::{
    args::{ListCars, ListJobs, ListRejected, OneCar, OneJob, Watch},
    exit::{Exit, Failure},
};

/// Tabs that may be open at the same time.
const MOST_TABS: usize = 20;

/// What the pages need: whom to ask, and who listens.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    questions: mpsc::Sender<Ask>,
    ticks: Arc<watch::Sender<u64>>,
    badge: Arc<Badge>,
    hosts: Hosts,
}

impl Desk {
    pub(super) fn new(questions: mpsc::Sender<Ask>, badge: Badge, port: u16) -> Self {
        let (ticks, _) = watch::channel(0);
        let (ticks, badge) = (Arc::new(ticks), Arc::new(badge));
        Self { questions, ticks, badge, hosts: Hosts::at(port) }
    }

    /// By which the reader tells the tabs that something was read, and sees how many there are.
    pub(super) fn ticks(&self) -> Arc<watch::Sender<u64>> {
        self.ticks.clone()
    }

    async fn ask(&self, question: Question) -> Result<Reply, Failure> {
        let gone = || Failure::new(Exit::Failed, "ended", "the dashboard is ending");
        let (reply, answer) = oneshot::channel();
        self.questions.send(Ask { question, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The page that `make` makes of the answer, or one that says why there is none.
    async fn page(
        &self,
        path: &'static str,
        question: Result<Question, Failure>,
        make: impl FnOnce(&Reply) -> Page,
    ) -> Response {
        let reply = match question {
            Ok(question) => self.ask(question).await,
            Err(failure) => Err(failure),
        };
        let (status, page, frame) = match &reply {
            Ok(reply) => (StatusCode::OK, make(reply), Frame::of(&self.badge, path, Some(reply))),
            Err(failure) => {
                (status(failure), pages::refused(failure), Frame::of(&self.badge, path, None))
            }
        };
        match pages::html(&page, &frame) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

fn status(failure: &Failure) -> StatusCode {
    match (failure.exit(), failure.code.as_str()) {
        (Exit::Usage, _) => StatusCode::BAD_REQUEST,
        (_, "not_found") => StatusCode::NOT_FOUND,
        (_, "late") => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// Every route, behind the guard.
pub(super) fn router(desk: Desk) -> Router {
    let hosts = desk.hosts;
    Router::new()
        .route("/", get(show_overview))
        .route("/queues", get(show_queues))
        .route("/jobs", get(list_jobs))
        .route("/job", get(show_job))
        .route("/dependencies", get(show_dependencies))
        .route("/errors", get(show_errors))
        .route("/rejected", get(list_rejected))
        .route("/cars", get(list_cars))
        .route("/car", get(show_car))
        .route("/metrics", get(show_metrics))
        .route("/events", get(events))
        .route("/static/style.css", get(style))
        .route("/static/app.js", get(script))
        .fallback(absent)
        .layer(from_fn_with_state(hosts, guard))
        .with_state(desk)
}

async fn show_overview(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &[]).map(|_| Question::Live);
    desk.page("/", question, overview::page).await
}

async fn show_queues(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &[]).map(|_| Question::Live);
    desk.page("/queues", question, queues::page).await
}

async fn show_dependencies(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &[]).map(|_| Question::Live);
    desk.page("/dependencies", question, dependencies::page).await
}

async fn list_jobs(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let params = Params::read(query.as_deref(), &jobs::NAMES);
    // What was asked for stands in the form again, also when it was refused.
    let shown = params.clone().unwrap_or_default();
    let question = params.and_then(|params| {
        Ok(Question::Jobs(ListJobs {
            state: params.states()?,
            kind: params.some("type"),
            dependency: params.some("dependency"),
            class: params.some("class"),
            fingerprint: params.some("fingerprint"),
            group: params.some("group"),
            stuck: false,
            since: params.span("since")?,
            page: params.page(),
            watch: Watch::default(),
        }))
    });
    desk.page("/jobs", question, |reply| jobs::page(reply, &shown)).await
}

async fn show_job(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &["id", "type"]).and_then(|params| {
        let id = params.some("id").ok_or_else(|| Failure::usage("id: expected an id or a key"))?;
        Ok(Question::Job(OneJob { id, kind: params.some("type") }))
    });
    desk.page("/jobs", question, job::page).await
}

async fn show_errors(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let params = Params::read(query.as_deref(), &["since"]);
    let since = params.and_then(|params| params.span("since"));
    let since = since.map(|since| since.unwrap_or(errors::USUAL));
    let shown = since.clone().unwrap_or(errors::USUAL);
    desk.page("/errors", since.map(Question::Errors), |reply| errors::page(reply, shown)).await
}

async fn list_rejected(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let params = Params::read(query.as_deref(), &["type", "cursor"]);
    let shown = params.clone().unwrap_or_default();
    let question = params.map(|params| {
        Question::Rejected(ListRejected { kind: params.some("type"), page: params.page() })
    });
    desk.page("/rejected", question, |reply| jobs::rejected(reply, &shown)).await
}

async fn list_cars(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let params = Params::read(query.as_deref(), &["dealer", "cursor"]);
    let shown = params.clone().unwrap_or_default();
    let question = params.map(|params| match params.some("dealer") {
        Some(dealer) => Question::Cars(ListCars { dealer, page: params.page() }),
        None => Question::Live,
    });
    desk.page("/cars", question, |reply| cars::list(reply, &shown)).await
}

async fn show_car(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &["dealer", "vin"]).and_then(|params| {
        let needed = |name: &str| {
            params.some(name).ok_or_else(|| Failure::usage(format!("{name}: expected a value")))
        };
        Ok(Question::Car(OneCar { dealer: needed("dealer")?, vin: needed("vin")? }))
    });
    desk.page("/cars", question, cars::page).await
}

async fn absent(State(desk): State<Desk>) -> Response {
    let failure = Failure::new(Exit::Failed, "not_found", "there is no such page");
    desk.page("", Err(failure), |_| Page::default()).await
}

async fn show_metrics(State(desk): State<Desk>) -> Response {
    match desk.ask(Question::Live).await {
        Ok(reply) => text("text/plain; version=0.0.4; charset=utf-8", metrics::text(&reply)),
        Err(failure) => (status(&failure), failure.message).into_response(),
    }
}

/// Tells a tab each time something was read. While it listens, the tab counts as open.
async fn events(State(desk): State<Desk>) -> Response {
    if desk.ticks.receiver_count() >= MOST_TABS {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many tabs are open").into_response();
    }
    let ticks = stream::unfold(desk.ticks.subscribe(), |mut ticks| async move {
        ticks.changed().await.ok()?;
        let at = *ticks.borrow_and_update();
        Some((Ok::<Event, Infallible>(Event::default().event("tick").data(at.to_string())), ticks))
    });
    Sse::new(ticks).keep_alive(KeepAlive::default()).into_response()
}

fn text(kind: &'static str, body: impl Into<String>) -> Response {
    let body: String = body.into();
    ([(CONTENT_TYPE, kind)], body).into_response()
}

async fn style() -> Response {
    text("text/css; charset=utf-8", include_str!("../../static/style.css"))
}

async fn script() -> Response {
    text("text/javascript; charset=utf-8", include_str!("../../static/app.js"))
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
