//! The control endpoint: it sets what the sandbox answers, injects faults, and reports received
//! calls.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::calls::{Call, CallCounts};
use crate::dealers::{SiteChange, SiteReport, SiteSettings};
use crate::faults::{Fault, FaultReport};
use crate::held::HeldCall;
use crate::rebrandly::{Link, Preload};
use crate::settings::{Settings, SettingsChange};
use crate::world::World;

type SharedWorld = Shared<Arc<World>>;

/// The routes of the endpoint, relative to `/control`.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/health", get(health))
        .route("/settings", get(settings).put(change_settings))
        .route("/links", get(links).post(preload))
        .route("/sites", get(sites))
        .route("/sites/{slug}", put(put_site).patch(change_site))
        .route("/sites/{slug}/cars", get(cars))
        .route("/calls", get(calls).delete(clear_calls))
        .route("/calls/count", get(count_calls))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/held", get(held))
        .route("/held/release", post(release_held))
}

/// A request that is rejected. The message names the field at fault.
struct BadInput(String);

impl IntoResponse for BadInput {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "message": self.0 }))).into_response()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadInput> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // The root's path is a dot, which would name no field.
        let field = if path == "." { "body" } else { &path };
        BadInput(format!("{field}: {}", error.inner()))
    })?;
    json.end().map_err(|error| BadInput(format!("body: {error}")))?;
    Ok(value)
}

async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn settings(Shared(world): SharedWorld) -> Json<Settings> {
    Json(world.lock().settings.clone())
}

async fn change_settings(
    Shared(world): SharedWorld,
    body: Bytes,
) -> Result<Json<Settings>, BadInput> {
    let change: SettingsChange = parse(&body)?;
    let mut state = world.lock();
    state.settings.merge(change);
    Ok(Json(state.settings.clone()))
}

async fn links(Shared(world): SharedWorld) -> Json<Vec<Link>> {
    Json(world.lock().account.all().to_vec())
}

async fn preload(Shared(world): SharedWorld, body: Bytes) -> Result<Json<Vec<Link>>, BadInput> {
    let preloads: Vec<Preload> = parse(&body)?;
    let mut state = world.lock();
    state.account.preload(preloads, world.now_ms()).map(Json).map_err(BadInput)
}

async fn sites(Shared(world): SharedWorld) -> Json<Vec<SiteReport>> {
    Json(world.lock().sites.reports())
}

async fn put_site(
    Shared(world): SharedWorld,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Json<SiteReport>, BadInput> {
    let settings: SiteSettings = parse(&body)?;
    let mut state = world.lock();
    state.sites.put(&slug, settings, world.now_ms()).map(Json).map_err(BadInput)
}

async fn change_site(
    Shared(world): SharedWorld,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, BadInput> {
    let change: SiteChange = parse(&body)?;
    let mut state = world.lock();
    let Some(site) = state.sites.get_mut(&slug) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    site.change(change, world.now_ms()).map_err(BadInput)?;
    Ok(Json(site.report()).into_response())
}

async fn cars(Shared(world): SharedWorld, Path(slug): Path<String>) -> Response {
    match world.lock().sites.get(&slug) {
        Some(site) => Json(site.cars()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn calls(Shared(world): SharedWorld) -> Json<Vec<Call>> {
    Json(world.lock().calls.list())
}

async fn count_calls(Shared(world): SharedWorld) -> Json<CallCounts> {
    Json(world.lock().calls.count())
}

async fn clear_calls(Shared(world): SharedWorld) -> StatusCode {
    world.lock().calls.clear();
    StatusCode::NO_CONTENT
}

async fn faults(Shared(world): SharedWorld) -> Json<Vec<FaultReport>> {
    let state = world.lock();
    Json(state.faults.list(world.now_ms()))
}

async fn add_fault(Shared(world): SharedWorld, body: Bytes) -> Result<Json<Value>, BadInput> {
    let fault: Fault = parse(&body)?;
    fault.check().map_err(BadInput)?;
    let mut state = world.lock();
    let id = state.faults.add(fault, world.now_ms());
    Ok(Json(json!({ "id": id })))
}

async fn clear_faults(Shared(world): SharedWorld) -> Json<Value> {
    let mut state = world.lock();
    state.faults.clear();
    Json(json!({"released": state.held.release()}))
}

/// Calls that the fault holds stay held until they are released.
async fn remove_fault(
    Shared(world): SharedWorld,
    Path(id): Path<String>,
) -> Result<StatusCode, BadInput> {
    let id = id.parse().map_err(|_| BadInput("id: must be a number".to_owned()))?;
    let removed = world.lock().faults.remove(id);
    Ok(if removed { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

async fn held(Shared(world): SharedWorld) -> Json<Vec<HeldCall>> {
    Json(world.lock().held.list())
}

async fn release_held(Shared(world): SharedWorld) -> Json<Value> {
    Json(json!({"released": world.lock().held.release()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint<T: DeserializeOwned>(body: &str) -> String {
        parse::<T>(body.as_bytes()).err().expect("it was taken").0
    }

    #[test]
    fn problems_of_a_request_name_the_field() {
        let settings = complaint::<SettingsChange>;
        assert!(settings(r#"{"read_lag_ms":"x"}"#).starts_with("read_lag_ms: "));
        assert!(settings(r#"{"conflict_shape":"round"}"#).starts_with("conflict_shape: "));
        assert!(settings(r#"{"read_lag":1}"#).contains("`read_lag`"));
        assert!(settings("").starts_with("body: "));
        assert!(settings("{} {}").starts_with("body: "));
        let fault = complaint::<Fault>;
        assert!(fault(r#"{"kind":"explode","scope":{"calls":1}}"#).starts_with("kind: expected"));
        assert!(fault(r#"{"kind":"reset","scope":{"calls":-1}}"#).starts_with("scope.calls: "));
        assert!(fault(r#"{"kind":"reset"}"#).contains("`scope`"));
        assert!(
            fault(r#"{"kind":"reset","scope":{"calls":1},"on":{"method":"PUT"}}"#)
                .starts_with("on.method: ")
        );
        let site = complaint::<SiteSettings>;
        assert!(site(r#"{"shapes":{"title":"round"}}"#).starts_with("shapes.title: "));
        assert!(site(r#"{"page_cap":-1}"#).starts_with("page_cap: "));
        let change = complaint::<SiteChange>;
        assert!(change(r#"{"prices":{"1HGCM82633A004352":"x"}}"#).starts_with("prices."));
        assert!(change(r#"{"seed":1}"#).contains("`seed`"));
        let preloads = complaint::<Vec<Preload>>;
        assert!(preloads(r#"[{"slashtag":"a"}]"#).starts_with("[0]: missing field `destination`"));
    }
}
