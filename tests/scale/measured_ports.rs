//! The command's ports on the tables of a local service, with what every read costs. Functions, parameters and mappings
//! have fixed answers: dynoxide has none, and on MiniStack they would bring functions that change the tables meanwhile.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter, stats::Calls},
    ports::maintenance::Depth,
};
use evenkeel_cli::{
    aws::AwsPorts,
    ports::{
        Account, Called, DueItem, DuePage, Fault, FunctionFacts, ItemPage, Kept, MappingFacts,
        Note, Outgoing, Ports, Read, Schedule, Schedules,
    },
};
use serde_json::{Value, json};

use super::{
    meter::Meter,
    stack::{CARS_TABLE, CONFIGURED, CONTROL_TABLE, JOBS_TABLE, QUEUE_PREFIX, SOURCES, STACK},
};

/// [`Ports`] whose reads are measured.
#[derive(Clone, Debug)]
pub(super) struct MeasuredPorts {
    pub(super) tables: AwsPorts,
    pub(super) meter: Meter,
    /// Whether the service has queues.
    pub(super) has_queues: bool,
}

impl MeasuredPorts {
    /// Waits for a read, and counts what it costs.
    async fn read<T>(
        &self,
        reading: impl Future<Output = Result<Read<T>, Fault>>,
    ) -> Result<Read<T>, Fault> {
        let call = self.meter.begin();
        let read = reading.await;
        call.cost(read.as_ref().map_or(0.0, |read| read.units));
        read
    }
}

/// The failure of what no measured command does.
fn missing<T>() -> Result<T, Fault> {
    Err(Fault::Missing("here are tables and no functions".to_owned()))
}

fn sweeper() -> FunctionFacts {
    let variables = [
        ("JOBS_TABLE", JOBS_TABLE),
        ("CONTROL_TABLE", CONTROL_TABLE),
        ("AUXILIARY_TABLE", CARS_TABLE),
        ("AUXILIARY_TABLE_KEYS", "dealer vin"),
        ("MAPPINGS_PARAMETER", "/mappings"),
        ("QUEUE_ARN_PREFIX", QUEUE_PREFIX),
        ("JOB_TYPES", CONFIGURED),
    ];
    FunctionFacts {
        arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{STACK}-sweeper"),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..FunctionFacts::default()
    }
}

impl Ports for MeasuredPorts {
    async fn sweepers(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![format!("{STACK}-sweeper")])
    }

    async fn function(&self, name: &str) -> Result<Option<FunctionFacts>, Fault> {
        Ok((name == format!("{STACK}-sweeper")).then(sweeper))
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, Fault> {
        let mappings: BTreeMap<&str, &str> =
            SOURCES.into_iter().map(|source| (source, source)).collect();
        Ok((name == "/mappings").then(|| json!(mappings).to_string()))
    }

    async fn caller(&self) -> Result<String, Fault> {
        Ok("arn:aws:iam::000000000000:user/operator".to_owned())
    }

    async fn item(&self, table: &str, key: &str) -> Result<Read<Option<Kept>>, Fault> {
        self.read(self.tables.item(table, key)).await
    }

    async fn due(
        &self,
        table: &str,
        partition: &str,
        span: [Time; 2],
        after: Option<&DueItem>,
        most: usize,
    ) -> Result<Read<DuePage>, Fault> {
        self.read(self.tables.due(table, partition, span, after, most)).await
    }

    async fn breaker(&self, table: &str, dependency: &str) -> Result<Read<Option<Breaker>>, Fault> {
        self.read(self.tables.breaker(table, dependency)).await
    }

    async fn limiter(&self, table: &str, name: &str) -> Result<Read<Option<Limiter>>, Fault> {
        self.read(self.tables.limiter(table, name)).await
    }

    async fn notes(&self, table: &str, kind: &str, most: usize) -> Result<Read<Vec<Note>>, Fault> {
        self.read(self.tables.notes(table, kind, most)).await
    }

    async fn note(
        &self,
        table: &str,
        kind: &str,
        name: &str,
    ) -> Result<Read<Option<String>>, Fault> {
        self.read(self.tables.note(table, kind, name)).await
    }

    async fn invoke(&self, _: &str, _: &Value, _: Duration) -> Result<Called, Fault> {
        missing()
    }

    async fn notes_between(
        &self,
        table: &str,
        kind: &str,
        names: &[String; 2],
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        self.read(self.tables.notes_between(table, kind, names, most)).await
    }

    async fn notes_after(
        &self,
        table: &str,
        kind: &str,
        after: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        self.read(self.tables.notes_after(table, kind, after, most)).await
    }

    async fn calls(
        &self,
        table: &str,
        dependency: &str,
        from: Time,
    ) -> Result<Read<Vec<(Time, Calls)>>, Fault> {
        self.read(self.tables.calls(table, dependency, from)).await
    }

    async fn succeeded(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> Result<Read<Vec<(Time, String)>>, Fault> {
        self.read(self.tables.succeeded(table, kind, most)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Fault> {
        if !self.has_queues {
            return Ok(Depth::default());
        }
        let _call = self.meter.begin();
        self.tables.depth(queue).await
    }

    async fn mapping(&self, _: &str) -> Result<Option<MappingFacts>, Fault> {
        Ok(Some(MappingFacts { state: "Enabled".to_owned(), concurrency: Some(8) }))
    }

    async fn send(&self, _: &str, _: &[Outgoing]) -> Result<Vec<Result<(), String>>, Fault> {
        missing()
    }

    async fn items(
        &self,
        table: &str,
        keys: &[String; 2],
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Read<ItemPage>, Fault> {
        self.read(self.tables.items(table, keys, partition, prefix, after, most)).await
    }
}

impl Account for MeasuredPorts {
    async fn unreserved_executions(&self) -> Result<u32, Fault> {
        Ok(1_000)
    }

    async fn may_invoke(&self, _: &str) -> Result<(), Fault> {
        missing()
    }
}

impl Schedules for MeasuredPorts {
    async fn schedules(&self, _: &str, _: usize) -> Result<Vec<String>, Fault> {
        missing()
    }

    async fn schedule(&self, _: &str, _: &str) -> Result<Option<Schedule>, Fault> {
        missing()
    }

    async fn create_schedule(&self, _: &str, _: &str, _: &Schedule) -> Result<(), Fault> {
        missing()
    }

    async fn replace_schedule(&self, _: &str, _: &str, _: &Schedule) -> Result<(), Fault> {
        missing()
    }

    async fn enable_schedule(&self, _: &str, _: &str, _: bool) -> Result<(), Fault> {
        missing()
    }

    async fn delete_schedule(&self, _: &str, _: &str) -> Result<(), Fault> {
        missing()
    }
}
