//! What the commands need of AWS, as one port with two implementations: [`crate::aws`], and one in memory for tests.
//!
//! Every method names the table, queue or function that it asks, because these names are known only once the stack's
//! configuration has been read.

mod account;
mod schedules;

use std::{collections::BTreeMap, future::Future, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter, stats::Calls},
    message::RejectedMessage,
    ports::maintenance::Depth,
    record::Record,
};
use serde_json::Value;

pub use account::Account;
pub use schedules::{Schedule, Schedules};

/// Why a call to AWS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No credentials were found, or they have expired.
    NoCredentials(String),
    /// The credentials do not allow the call.
    Denied {
        /// The IAM action that is missing, such as `dynamodb:Query`.
        action: String,
        /// What AWS says.
        why: String,
    },
    /// The table, queue or function does not exist.
    Missing(String),
    /// AWS could not be reached, throttled the call, or had an internal error.
    Unavailable(String),
    /// The answer is not in a format that this version reads.
    Unreadable(String),
    /// AWS does not accept what it was given.
    Refused(String),
}

/// What a call has read, and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Read<T> {
    /// The value that was read.
    pub value: T,
    /// DynamoDB's read units. Zero where the service does not tell, as some local ones do not.
    pub units: f64,
}

/// The configuration of a function, as far as the commands use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionFacts {
    /// The whole ARN, with account and region.
    pub arn: String,
    /// Its environment variables.
    pub variables: BTreeMap<String, String>,
    /// When its code or configuration was changed last, in Lambda's own notation.
    pub last_modified: Option<String>,
    /// SHA-256 of its package, in base64.
    pub code_sha256: Option<String>,
    /// `Active`, `Pending`, `Inactive` or `Failed`.
    pub state: Option<String>,
}

/// An item of the table `Jobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A job's record.
    Job(Box<Record>),
    /// A message that was rejected.
    Rejected(Box<RejectedMessage>),
    /// An item that this version cannot decode, and why.
    Unreadable(String),
}

/// An entry of the index `due`, with the attributes that the index projects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/records.md describes the attributes under the same names")]
pub struct DueItem {
    pub key: String,
    pub partition: String,
    pub due_at: Time,
    pub state: String,
    pub kind: String,
    pub class: Option<String>,
    pub fingerprint: Option<String>,
    pub group: Option<String>,
    pub priority: Option<String>,
    pub created_at: Option<Time>,
}

/// One page of a query of the index `due`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// The entries, earliest first.
    pub items: Vec<DueItem>,
    /// Whether the partition has more entries in the span after the last one of this page.
    pub more: bool,
}

/// A note of the table `Control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its sort key.
    pub name: String,
    /// JSON, as docs/sweeper.md describes it.
    pub text: String,
}

/// An event source mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingFacts {
    /// `Enabled`, `Disabled` or a state in between, in Lambda's own words.
    pub state: String,
    /// `MaximumConcurrency`, if it is set.
    pub concurrency: Option<u32>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// JSON of the message format.
    pub body: String,
    /// The message group, by which fair queues balance senders.
    pub group: Option<String>,
}

/// What a function has answered to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// What it returned, as JSON.
    Answer(Value),
    /// It refused the call, or could not do it: the sentence that it gave.
    Failed(String),
}

/// An item of the table of cars as plain JSON: texts, numbers, truth values, lists and objects.
pub type Attributes = BTreeMap<String, Value>;

/// A page of a query, and whether there is more.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ItemPage {
    pub items: Vec<Attributes>,
    pub more: bool,
}

/// AWS, as far as the commands use it.
pub trait Ports: Account + Schedules {
    /// Names of the functions of account and region that end with `-sweeper`.
    fn sweepers(&self) -> impl Future<Output = Result<Vec<String>, Fault>> + Send;

    /// The configuration of a function; `None` if there is none of this name.
    fn function(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<FunctionFacts>, Fault>> + Send;

    /// The value of an SSM parameter; `None` if there is none of this name.
    fn parameter(&self, name: &str) -> impl Future<Output = Result<Option<String>, Fault>> + Send;

    /// ARN of the identity whose credentials are used.
    fn caller(&self) -> impl Future<Output = Result<String, Fault>> + Send;

    /// Reads an item of the table `Jobs` (strongly consistent).
    fn item(
        &self,
        table: &str,
        key: &str,
    ) -> impl Future<Output = Result<Read<Option<Kept>>, Fault>> + Send;

    /// Reads entries of one partition of the index `due` within `span`, both ends inclusive, earliest first: at most
    /// `most`, those after the entry `after` of the same partition.
    fn due(
        &self,
        table: &str,
        partition: &str,
        span: [Time; 2],
        after: Option<&DueItem>,
        most: usize,
    ) -> impl Future<Output = Result<Read<DuePage>, Fault>> + Send;

    /// Reads the breaker of a dependency; `None` if it has never tripped, or not for a week.
    fn breaker(
        &self,
        table: &str,
        dependency: &str,
    ) -> impl Future<Output = Result<Read<Option<Breaker>>, Fault>> + Send;

    /// Reads the limiter with this name; `None` if it has not been used for a day.
    fn limiter(
        &self,
        table: &str,
        name: &str,
    ) -> impl Future<Output = Result<Read<Option<Limiter>>, Fault>> + Send;

    /// Reads at most `most` notes of a kind, such as `watched#3`, by name.
    fn notes(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> impl Future<Output = Result<Read<Vec<Note>>, Fault>> + Send;

    /// The text of a note; `None` if there is none (strongly consistent).
    fn note(
        &self,
        table: &str,
        kind: &str,
        name: &str,
    ) -> impl Future<Output = Result<Read<Option<String>>, Fault>> + Send;

    /// Calls a function once and waits for its answer, for at most `limit`. It is not called again if the answer is
    /// lost.
    fn invoke(
        &self,
        function: &str,
        request: &Value,
        limit: Duration,
    ) -> impl Future<Output = Result<Called, Fault>> + Send;

    /// Reads at most `most` notes of a kind whose names lie within `names`, both ends inclusive, by name.
    fn notes_between(
        &self,
        table: &str,
        kind: &str,
        names: &[String; 2],
        most: usize,
    ) -> impl Future<Output = Result<Read<Vec<Note>>, Fault>> + Send;

    /// Reads at most `most` notes of a kind whose names come after `after`, by name.
    fn notes_after(
        &self,
        table: &str,
        kind: &str,
        after: &str,
        most: usize,
    ) -> impl Future<Output = Result<Read<Vec<Note>>, Fault>> + Send;

    /// Reads the call statistics of a dependency from `from` on: the beginning of each bucket of ten seconds, with the
    /// sums of all its shards and of the breaker's generations, earliest first.
    fn calls(
        &self,
        table: &str,
        dependency: &str,
        from: Time,
    ) -> impl Future<Output = Result<Read<Vec<(Time, Calls)>>, Fault>> + Send;

    /// The keys of the newest jobs of a type that have succeeded, with the times of their successes, the newest first:
    /// at most `most`, as far as the items of the last minutes keep them. They are two to three minutes late.
    fn succeeded(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> impl Future<Output = Result<Read<Vec<(Time, String)>>, Fault>> + Send;

    /// Approximate numbers of messages in the queue with this ARN.
    fn depth(&self, queue: &str) -> impl Future<Output = Result<Depth, Fault>> + Send;

    /// The event source mapping with this id; `None` if there is none.
    fn mapping(&self, id: &str)
    -> impl Future<Output = Result<Option<MappingFacts>, Fault>> + Send;

    /// Sends up to ten messages to the queue with this ARN. For each message: whether the queue accepted it, or why
    /// not. Not idempotent, but the engine recognizes a message that is sent twice.
    fn send(
        &self,
        queue: &str,
        messages: &[Outgoing],
    ) -> impl Future<Output = Result<Vec<Result<(), String>>, Fault>> + Send;

    /// Reads items of one partition of the auxiliary table whose sort keys begin with `prefix`, by sort key: at most
    /// `most`, those after the sort key `after`. `keys` are the names of partition key and sort key.
    fn items(
        &self,
        table: &str,
        keys: &[String; 2],
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Read<ItemPage>, Fault>> + Send;
}
