//! Schedules that send a message to a queue, in a group of `EventBridge` Scheduler.

use std::future::Future;

use super::{Fault, Outgoing};

/// A schedule that sends a message to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name, unique within its group.
    pub name: String,
    /// When it runs: `rate(…)` or `cron(…)`, in Scheduler's notation.
    pub expression: String,
    /// The time zone of the expression, by its IANA name.
    pub time_zone: String,
    /// Whether it runs at all.
    pub enabled: bool,
    /// The name of the queue.
    pub queue: String,
    /// What it sends.
    pub message: Outgoing,
}

/// Schedules, as far as the commands use them. Every method names the group.
pub trait Schedules: Send + Sync {
    /// The names of the first `most` schedules of a group, by name. Fails with [`Fault::Missing`] if there is no group.
    fn schedules(
        &self,
        group: &str,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>, Fault>> + Send;

    /// A schedule; `None` if there is none of this name. One that sends no message to a queue is
    /// [`Fault::Unreadable`].
    fn schedule(
        &self,
        group: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Schedule>, Fault>> + Send;

    /// Creates a schedule that sends with the role of this ARN. Fails with [`Fault::Refused`] if the group has one of
    /// this name.
    fn create_schedule(
        &self,
        group: &str,
        role: &str,
        schedule: &Schedule,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Writes a schedule anew. Fails with [`Fault::Missing`] if there is none of this name.
    fn replace_schedule(
        &self,
        group: &str,
        role: &str,
        schedule: &Schedule,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Switches a schedule on or off and leaves the rest of it as it is. Fails with [`Fault::Missing`] if there is none
    /// of this name.
    fn enable_schedule(
        &self,
        group: &str,
        name: &str,
        enabled: bool,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Deletes a schedule. Deleting one that does not exist does nothing.
    fn delete_schedule(
        &self,
        group: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}
