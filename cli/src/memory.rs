//! The ports in memory, for tests: items are given, and messages that were sent can be seen.

mod account;
mod callees;
mod schedules;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter, stats::Calls},
    ports::maintenance::Depth,
    record::Record,
};
use serde_json::Value;

use self::callees::Callees;
use crate::ports::{
    Attributes, Called, DueItem, DuePage, Fault, FunctionFacts, ItemPage, Kept, MappingFacts, Note,
    Outgoing, Ports, Read, Schedule,
};

/// Read units that every read costs here unless a test says otherwise, so that sums can be tested.
pub const UNITS: f64 = 0.5;

/// [`Ports`] in memory. Tables are not told apart.
#[derive(Debug, Default)]
pub struct MemoryPorts {
    functions: BTreeMap<String, FunctionFacts>,
    parameters: BTreeMap<String, String>,
    items: BTreeMap<String, Kept>,
    due: Vec<DueItem>,
    breakers: BTreeMap<String, Breaker>,
    limiters: BTreeMap<String, Limiter>,
    notes: BTreeMap<String, Vec<Note>>,
    calls: BTreeMap<String, Vec<(Time, Calls)>>,
    succeeded: BTreeMap<String, Vec<(Time, String)>>,
    depths: BTreeMap<String, Depth>,
    mappings: BTreeMap<String, MappingFacts>,
    others: Vec<Attributes>,
    sent: Mutex<Vec<(String, Outgoing)>>,
    callees: Callees,
    schedules: Mutex<BTreeMap<String, Schedule>>,
    /// Bodies that the queue does not accept contain this.
    refused: Option<String>,
    denies_items: bool,
    /// Whether the depth of a queue is never answered.
    hangs: bool,
    /// How many executions the account may have at once, if not as many as most.
    executions: Option<u32>,
    /// Whether the caller may read and call no function.
    is_viewer: bool,
    /// What every read costs, if not [`UNITS`].
    cost: Option<f64>,
}

impl MemoryPorts {
    /// The ports of a stack with this name, whose job types are named by `types`, JSON as in `JOB_TYPES`.
    #[must_use]
    pub fn stack(name: &str, types: &str) -> Self {
        let variables = [
            ("JOBS_TABLE", "jobs".to_owned()),
            ("CONTROL_TABLE", "control".to_owned()),
            ("AUXILIARY_TABLE", "cars".to_owned()),
            ("AUXILIARY_TABLE_KEYS", "dealer vin".to_owned()),
            ("MAPPINGS_PARAMETER", format!("/{name}/mappings")),
            ("QUEUE_ARN_PREFIX", format!("arn:aws:sqs:eu-west-1:123456789012:{name}-")),
            ("JOB_TYPES", types.to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}-sweeper");
        let sweeper = FunctionFacts { arn, variables, ..FunctionFacts::default() };
        let functions = BTreeMap::from([(format!("{name}-sweeper"), sweeper)]);
        let parameters = BTreeMap::from([(format!("/{name}/mappings"), "{}".to_owned())]);
        Self { functions, parameters, ..Self::default() }
    }

    /// The same with a record, and with its entry on the index `due` if it has one.
    #[must_use]
    pub fn with_record(mut self, record: &Record) -> Self {
        if let Some(entry) = record.due_entry() {
            let failure = record.last_failure.as_ref();
            self.due.push(DueItem {
                key: record.key.clone(),
                partition: entry.partition,
                due_at: entry.due_at,
                state: record.phase.name().to_owned(),
                kind: record.kind().to_owned(),
                class: failure.map(|failure| failure.class.clone()),
                fingerprint: failure.map(|failure| failure.fingerprint.clone()),
                group: record.work.group.clone(),
                priority: Some(record.priority().to_owned()),
                created_at: Some(record.work.created_at),
            });
        }
        self.with_item(&record.key, Kept::Job(Box::new(record.clone())))
    }

    /// The same with an item of the table `Jobs`.
    #[must_use]
    pub fn with_item(mut self, key: &str, item: Kept) -> Self {
        self.items.insert(key.to_owned(), item);
        self
    }

    /// The same with entries of the index `due`.
    #[must_use]
    pub fn with_due(mut self, items: impl IntoIterator<Item = DueItem>) -> Self {
        self.due.extend(items);
        self
    }

    /// The same with the breaker of a dependency.
    #[must_use]
    pub fn with_breaker(mut self, dependency: &str, breaker: Breaker) -> Self {
        self.breakers.insert(dependency.to_owned(), breaker);
        self
    }

    /// The same with a limiter.
    #[must_use]
    pub fn with_limiter(mut self, name: &str, limiter: Limiter) -> Self {
        self.limiters.insert(name.to_owned(), limiter);
        self
    }

    /// The same with a note.
    #[must_use]
    pub fn with_note(mut self, kind: &str, name: &str, text: &str) -> Self {
        let note = Note { name: name.to_owned(), text: text.to_owned() };
        self.notes.entry(kind.to_owned()).or_default().push(note);
        self
    }

    /// The same with call statistics of a dependency: the beginning of each bucket, earliest first.
    #[must_use]
    pub fn with_calls(mut self, dependency: &str, calls: Vec<(Time, Calls)>) -> Self {
        self.calls.insert(dependency.to_owned(), calls);
        self
    }

    /// The same with jobs of a type that have succeeded, the newest first.
    #[must_use]
    pub fn with_succeeded(mut self, kind: &str, jobs: &[(Time, &str)]) -> Self {
        let jobs = jobs.iter().map(|(at, key)| (*at, (*key).to_owned()));
        self.succeeded.insert(kind.to_owned(), jobs.collect());
        self
    }

    /// The same with the depth of the queue with this ARN.
    #[must_use]
    pub fn with_depth(mut self, queue: &str, depth: Depth) -> Self {
        self.depths.insert(queue.to_owned(), depth);
        self
    }

    /// The same with event source mappings, by their keys in the parameter; their ids are the keys.
    #[must_use]
    pub fn with_mappings(mut self, mappings: &[(&str, MappingFacts)]) -> Self {
        let ids = mappings.iter().map(|(key, _)| ((*key).to_owned(), Value::from(*key)));
        let ids = Value::Object(ids.collect()).to_string();
        for parameter in self.parameters.values_mut() {
            parameter.clone_from(&ids);
        }
        let mappings = mappings.iter().map(|(key, facts)| ((*key).to_owned(), facts.clone()));
        self.mappings.extend(mappings);
        self
    }

    /// The same with an SSM parameter.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with an item of the auxiliary table.
    #[must_use]
    pub fn with_other(mut self, item: Attributes) -> Self {
        self.others.push(item);
        self
    }

    /// The same with a queue that does not accept bodies that contain this text.
    #[must_use]
    pub fn refusing(mut self, text: &str) -> Self {
        self.refused = Some(text.to_owned());
        self
    }

    /// The same for a caller who may query the tables and read no single record or breaker.
    #[must_use]
    pub fn denying_items(mut self) -> Self {
        self.denies_items = true;
        self
    }

    /// The same with a service of queues that never answers what their depth is.
    #[must_use]
    pub fn with_hanging_queues(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// The same with reads that cost so many read units each, as those of large items and long lists do.
    #[must_use]
    pub fn costing(mut self, units: f64) -> Self {
        self.cost = Some(units);
        self
    }

    fn read<T>(&self, value: T) -> Read<T> {
        Read { value, units: self.cost.unwrap_or(UNITS) }
    }

    /// The messages that were sent, each with the ARN of its queue.
    #[must_use]
    pub fn sent(&self) -> Vec<(String, Outgoing)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ports for MemoryPorts {
    async fn sweepers(&self) -> Result<Vec<String>, Fault> {
        Ok(self.functions.keys().filter(|name| name.ends_with("-sweeper")).cloned().collect())
    }

    async fn function(&self, name: &str) -> Result<Option<FunctionFacts>, Fault> {
        Ok(self.functions.get(name).cloned())
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.parameters.get(name).cloned())
    }

    async fn caller(&self) -> Result<String, Fault> {
        Ok("arn:aws:iam::123456789012:user/operator".to_owned())
    }

    async fn item(&self, _: &str, key: &str) -> Result<Read<Option<Kept>>, Fault> {
        self.may_get()?;
        Ok(self.read(self.items.get(key).cloned()))
    }

    async fn due(
        &self,
        _: &str,
        partition: &str,
        span: [Time; 2],
        after: Option<&DueItem>,
        most: usize,
    ) -> Result<Read<DuePage>, Fault> {
        let wanted = |item: &&DueItem| {
            item.partition == partition && (span[0]..=span[1]).contains(&item.due_at)
        };
        let mut items: Vec<DueItem> = self.due.iter().filter(wanted).cloned().collect();
        // Entries of one time keep the order in which they were given, which is none that a caller may rely on.
        items.sort_by_key(|item| item.due_at);
        if let Some(after) = after {
            let place = items.iter().position(|item| item.key == after.key);
            items.drain(..place.map_or(0, |place| place + 1));
        }
        let more = items.len() > most;
        items.truncate(most);
        Ok(self.read(DuePage { items, more }))
    }

    async fn breaker(&self, _: &str, dependency: &str) -> Result<Read<Option<Breaker>>, Fault> {
        self.may_get()?;
        Ok(self.read(self.breakers.get(dependency).cloned()))
    }

    async fn limiter(&self, _: &str, name: &str) -> Result<Read<Option<Limiter>>, Fault> {
        Ok(self.read(self.limiters.get(name).cloned()))
    }

    async fn notes(&self, _: &str, kind: &str, most: usize) -> Result<Read<Vec<Note>>, Fault> {
        let notes = self.notes.get(kind).into_iter().flatten();
        Ok(self.read(notes.take(most).cloned().collect()))
    }

    async fn note(&self, _: &str, kind: &str, name: &str) -> Result<Read<Option<String>>, Fault> {
        let mut notes = self.notes.get(kind).into_iter().flatten();
        Ok(self.read(notes.find(|note| note.name == name).map(|note| note.text.clone())))
    }

    async fn invoke(&self, function: &str, request: &Value, _: Duration) -> Result<Called, Fault> {
        self.callees.call(function, request).await
    }

    async fn notes_between(
        &self,
        _: &str,
        kind: &str,
        names: &[String; 2],
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        let is_within = |note: &&Note| names[0] <= note.name && note.name <= names[1];
        let notes = self.notes.get(kind).into_iter().flatten().filter(is_within);
        let mut notes: Vec<Note> = notes.cloned().collect();
        notes.sort_by(|one, other| one.name.cmp(&other.name));
        notes.truncate(most);
        Ok(self.read(notes))
    }

    async fn notes_after(
        &self,
        _: &str,
        kind: &str,
        after: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        let notes = self.notes.get(kind).into_iter().flatten();
        let notes = notes.filter(|note| note.name.as_str() > after);
        Ok(self.read(notes.take(most).cloned().collect()))
    }

    async fn calls(
        &self,
        _: &str,
        dependency: &str,
        from: Time,
    ) -> Result<Read<Vec<(Time, Calls)>>, Fault> {
        let calls = self.calls.get(dependency).into_iter().flatten();
        Ok(self.read(calls.filter(|(start, _)| *start >= from).copied().collect()))
    }

    async fn succeeded(
        &self,
        _: &str,
        kind: &str,
        most: usize,
    ) -> Result<Read<Vec<(Time, String)>>, Fault> {
        let jobs = self.succeeded.get(kind).into_iter().flatten();
        Ok(self.read(jobs.take(most).cloned().collect()))
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Fault> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok(self.depths.get(queue).copied().unwrap_or_default())
    }

    async fn mapping(&self, id: &str) -> Result<Option<MappingFacts>, Fault> {
        Ok(self.mappings.get(id).cloned())
    }

    async fn send(
        &self,
        queue: &str,
        messages: &[Outgoing],
    ) -> Result<Vec<Result<(), String>>, Fault> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accept = |message: &Outgoing| {
            if self.refused.as_ref().is_some_and(|text| message.body.contains(text)) {
                return Err("InternalError: try again".to_owned());
            }
            sent.push((queue.to_owned(), message.clone()));
            Ok(())
        };
        Ok(messages.iter().map(&mut accept).collect())
    }

    async fn items(
        &self,
        _: &str,
        keys: &[String; 2],
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Read<ItemPage>, Fault> {
        let text = |item: &Attributes, key: &String| {
            item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let wanted = |item: &&Attributes| {
            let sort = text(item, &keys[1]);
            text(item, &keys[0]) == partition
                && sort.starts_with(prefix)
                && after.is_none_or(|after| sort.as_str() > after)
        };
        let mut items: Vec<Attributes> = self.others.iter().filter(wanted).cloned().collect();
        items.sort_by_key(|item| text(item, &keys[1]));
        let more = items.len() > most;
        items.truncate(most);
        Ok(self.read(ItemPage { items, more }))
    }
}
