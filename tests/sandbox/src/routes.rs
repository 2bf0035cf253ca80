//! The routes of every third party and of the control endpoint.

use std::sync::Arc;

use axum::Router;

use crate::control;
use crate::dealers;
use crate::rebrandly;
use crate::world::World;

/// All routes, over one state.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .nest("/control", control::router())
        .merge(rebrandly::router())
        .merge(dealers::router())
        .with_state(world)
}
