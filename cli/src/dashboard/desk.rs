//! Where requests become questions to the reader, and answers pages.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    acts::Act,
    badge::Badge,
    pages::{self, Frame, Page, unanswered},
    question::{Ask, Question, Reply},
    security::{FORBIDDEN, Guard},
};
use crate::exit::{Exit, Failure};

/// What the pages need: whom to ask, and who listens.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    questions: mpsc::Sender<Ask>,
    pub(super) ticks: Arc<watch::Sender<u64>>,
    badge: Arc<Badge>,
    pub(super) guard: Guard,
}

impl Desk {
    /// A desk that asks through `questions`.
    pub(super) fn new(questions: mpsc::Sender<Ask>, badge: Badge, guard: Guard) -> Self {
        let (ticks, _) = watch::channel(0);
        let (ticks, badge) = (Arc::new(ticks), Arc::new(badge));
        Self { questions, ticks, badge, guard }
    }

    /// By which the reader tells the tabs that something was read, and sees how many there are.
    pub(super) fn ticks(&self) -> Arc<watch::Sender<u64>> {
        self.ticks.clone()
    }

    /// The answer to a question.
    pub(super) async fn ask(&self, question: Question) -> Result<Reply, Failure> {
        let gone = || Failure::new(Exit::Failed, "ended", "the dashboard is ending");
        let (reply, answer) = oneshot::channel();
        self.questions.send(Ask { question, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The page that `make` makes of the answer, or one that says why there is none.
    pub(super) async fn page(
        &self,
        path: &'static str,
        question: Result<Question, Failure>,
        make: impl FnOnce(&Reply) -> Page,
    ) -> Response {
        let reply = match question {
            Ok(question) => self.ask(question).await,
            Err(failure) => Err(failure),
        };
        match &reply {
            Ok(reply) => {
                let mut page = make(reply);
                page.permit(self.guard.token());
                written(StatusCode::OK, &page, &Frame::of(&self.badge, path, Some(reply)))
            }
            Err(failure) => {
                let frame = Frame::of(&self.badge, path, None);
                written(status(failure), &pages::refused(failure), &frame)
            }
        }
    }

    /// The page that says where to look whether an act was done.
    pub(super) fn unanswered(&self, act: &Act, failure: &Failure) -> Response {
        let page = unanswered::page(act, failure);
        written(status(failure), &page, &Frame::of(&self.badge, "", None))
    }

    /// The page that says why nothing was done. It is not read anew: the request would be another one.
    pub(super) fn refused(&self, failure: &Failure) -> Response {
        let page = Page { is_still: true, ..pages::refused(failure) };
        written(status(failure), &page, &Frame::of(&self.badge, "", None))
    }
}

fn written(status: StatusCode, page: &Page, frame: &Frame) -> Response {
    match pages::html(page, frame) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The HTTP status of a failure.
pub(super) fn status(failure: &Failure) -> StatusCode {
    match (failure.exit(), failure.code.as_str()) {
        (_, FORBIDDEN) => StatusCode::FORBIDDEN,
        (Exit::Usage, _) => StatusCode::BAD_REQUEST,
        (_, "not_found") => StatusCode::NOT_FOUND,
        (_, "late") => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
