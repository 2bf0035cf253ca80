//! What pages ask the reader, and what it answers.

use std::{sync::Arc, time::Duration};

use evenkeel::base::time::Time;
use tokio::sync::oneshot;

use super::{acts::Act, live::Live};
use crate::{
    args::{ListCars, ListJobs, ListOps, ListRejected, OneCar, OneJob, OneOp},
    deployment::Deployment,
    exit::{Exit, Failure},
    ports::DueItem,
    shapes::{
        CarList, CarShown, Explanation, JobList, JobShown, OperationList, OperationShown, Preview,
        RejectedShown,
    },
};

/// How old a list may be.
const LISTS_KEPT: Duration = Duration::from_secs(30);

/// How old one job, or one operation, may be.
const JOB_KEPT: Duration = Duration::from_millis(1_500);

/// How long a page waits for the live part, and for what it shows besides. A part is given up within 2 s, so this names
/// the one that does not answer.
pub(super) const PAGE_WAITS: Duration = Duration::from_millis(2_500);

/// How long a page waits for the operators' function.
const ACT_WAITS: Duration = Duration::from_secs(20);

/// What a page needs besides the live part.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// What is polled anyway.
    Live,
    Jobs(ListJobs),
    Rejected(ListRejected),
    Job(OneJob),
    /// What was given up since so long ago.
    Errors(Duration),
    Cars(ListCars),
    Car(OneCar),
    Operations(ListOps),
    Operation(OneOp),
    /// The newest successes of this type, or of each.
    Succeeded(Option<String>),
    /// What an act would do.
    Preview(Act),
    /// To act, for this reason. An act on many jobs changes what existed at this time, in milliseconds since the epoch.
    Act(Act, String, Option<u64>),
}

impl Question {
    /// How old an answer may be; `None` if it is never kept.
    pub(super) const fn kept_for(&self) -> Option<Duration> {
        match self {
            Self::Live | Self::Preview(_) | Self::Act(..) => None,
            Self::Job(_) | Self::Operation(_) => Some(JOB_KEPT),
            _ => Some(LISTS_KEPT),
        }
    }

    /// How long a page waits for the answer.
    pub(super) const fn waits(&self) -> Duration {
        match self {
            Self::Preview(_) | Self::Act(..) => ACT_WAITS,
            _ => PAGE_WAITS,
        }
    }

    /// The failure of a page whose own part does not answer.
    pub(super) fn late(&self) -> Failure {
        let what = match self {
            Self::Live => "the stack",
            Self::Jobs(_) => "the list of jobs",
            Self::Rejected(_) => "the list of rejected messages",
            Self::Job(_) => "the job",
            Self::Errors(_) => "the list of ended jobs",
            Self::Cars(_) => "the list of cars",
            Self::Car(_) => "the car",
            Self::Operations(_) => "the operations log",
            Self::Operation(_) => "the operation",
            Self::Succeeded(_) => "the list of successes",
            Self::Preview(_) | Self::Act(..) => "the operators' function",
        };
        let message =
            format!("{what}: AWS has not answered within {} ms", self.waits().as_millis());
        let failure = Failure::new(Exit::Failed, "late", message);
        match self {
            Self::Act(..) => failure.perhaps_done(),
            Self::Preview(_) => failure.hint("reload the page: nothing was done"),
            _ => failure.hint(
                "reload the page: what is slow goes on being read, and is kept for half a minute",
            ),
        }
    }
}

/// A record, a rejected message or the lack of both, with what it waits for.
#[derive(Clone, Debug)]
pub(super) struct JobFound {
    pub(super) job: Option<JobShown>,
    pub(super) rejected: Option<RejectedShown>,
    pub(super) explanation: Explanation,
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Live,
    /// Jobs or rejected messages.
    Jobs(JobList),
    Job(Box<JobFound>),
    /// The earliest entries first, and whether there are more.
    Errors(Vec<DueItem>, bool),
    Cars(CarList),
    Car(Box<CarShown>),
    Operations(OperationList),
    /// Of each type the newest, with the times of their successes.
    Succeeded(Vec<(String, Vec<(Time, String)>)>),
    /// An entry of the operations log, also that of an act.
    Operation(Box<OperationShown>),
    Preview(Preview),
}

/// An answer with all that a page shows.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) now: Time,
    pub(super) live: Arc<Live>,
    pub(super) stack: Arc<Deployment>,
    pub(super) found: Found,
    /// When `found` was read.
    pub(super) read_at: Time,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) question: Question,
    pub(super) reply: oneshot::Sender<Result<Reply, Failure>>,
}
