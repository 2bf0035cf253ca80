//! Which address leads to which page.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::from_fn_with_state,
    response::{
        IntoResponse as _, Redirect, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{MethodRouter, get, post},
};
use futures_util::stream;

use super::{
    acts::{self, Act},
    cells,
    desk::{Desk, status},
    metrics,
    pages::{
        Page, cars, confirm, dependencies, errors, job, jobs, operations, overview, queues,
        succeeded,
    },
    params::Params,
    question::{Found, Question},
    security::check_first,
    view::{ACT, CONFIRM},
};
use crate::{
    args::{ListCars, ListJobs, ListOps, ListRejected, OneCar, OneJob, OneOp, Watch},
    exit::{Exit, Failure},
};

/// Tabs that may be open at the same time.
const MOST_TABS: usize = 20;

/// Bytes of a form that is sent.
const MOST_BODY: usize = 16_384;

/// Every route with the methods that it knows. The tests of requests go through all of them.
fn routes() -> [(&'static str, MethodRouter<Desk>); 18] {
    [
        ("/", get(show_overview)),
        ("/queues", get(show_queues)),
        ("/jobs", get(list_jobs)),
        ("/job", get(show_job)),
        ("/succeeded", get(list_succeeded)),
        ("/dependencies", get(show_dependencies)),
        ("/errors", get(show_errors)),
        ("/rejected", get(list_rejected)),
        ("/cars", get(list_cars)),
        ("/car", get(show_car)),
        ("/operations", get(list_operations)),
        ("/operation", get(show_operation)),
        (CONFIRM, get(confirm)),
        (ACT, post(act)),
        ("/metrics", get(show_metrics)),
        ("/events", get(events)),
        ("/static/style.css", get(style)),
        ("/static/app.js", get(script)),
    ]
}

/// Every route, behind the guard.
pub(super) fn router(desk: Desk) -> Router {
    let guard = desk.guard.clone();
    let router = Router::new();
    let router = routes().into_iter().fold(router, |router, (path, to)| router.route(path, to));
    router
        .fallback(absent)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(guard, check_first))
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

async fn list_succeeded(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let params = Params::read(query.as_deref(), &["type"]);
    let shown = params.clone().unwrap_or_default();
    let question = params.map(|params| Question::Succeeded(params.some("type")));
    desk.page("/jobs", question, |reply| succeeded::page(reply, &shown)).await
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

async fn list_operations(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &[]).map(|_| {
        Question::Operations(ListOps {
            page: crate::args::Page { limit: operations::MOST, cursor: None },
        })
    });
    desk.page("/operations", question, operations::list).await
}

async fn show_operation(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let question = Params::read(query.as_deref(), &["id"]).and_then(|params| {
        let id = params.some("id").ok_or_else(|| Failure::usage("id: expected an operation"))?;
        Ok(Question::Operation(OneOp { id }))
    });
    desk.page("/operations", question, operations::page).await
}

/// Shows what an act would do, with the form that does it.
async fn confirm(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let asked = Params::read(query.as_deref(), &acts::NAMES);
    let asked = asked.and_then(|params| Act::read(&params));
    match desk.guard.permits_writes().and(asked) {
        Ok(act) => {
            let question = Ok(Question::Preview(act.clone()));
            desk.page("", question, |reply| confirm::page(reply, &act)).await
        }
        Err(failure) => desk.refused(&failure),
    }
}

/// Acts, and leads to the entry of the operations log: loading that page again does not act again.
async fn act(State(desk): State<Desk>, body: String) -> Response {
    let (act, question) = match asked(&desk, &body) {
        Ok(asked) => asked,
        Err(failure) => return desk.refused(&failure),
    };
    match acted(&desk, question).await {
        Ok(id) => Redirect::to(&cells::path("/operation", &[("id", &id)])).into_response(),
        Err(failure) if failure.may_be_done => desk.unanswered(&act, &failure),
        Err(failure) => desk.refused(&failure),
    }
}

/// What a form asks for, if it may.
fn asked(desk: &Desk, body: &str) -> Result<(Act, Question), Failure> {
    let params = Params::read(Some(body), &acts::POSTED)?;
    desk.guard.check_token(params.text("token"))?;
    let act = Act::read(&params)?;
    let as_of: Option<u64> = match params.text("as_of") {
        "" if act.is_dangerous() => {
            let message = "as_of: missing; expected that of the page that asks whether to act";
            return Err(Failure::usage(message));
        }
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Failure::usage(format!("as_of: {text:?}, expected milliseconds since 1970"))
        })?),
    };
    let question = Question::Act(act.clone(), params.text("reason").to_owned(), as_of);
    Ok((act, question))
}

/// Acts, and returns the id of the entry of the log.
async fn acted(desk: &Desk, question: Question) -> Result<String, Failure> {
    match desk.ask(question).await?.found {
        Found::Operation(entry) => Ok(entry.id),
        _ => Err(Failure::new(Exit::Failed, "unreadable", "the act has no entry of the log")),
    }
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
