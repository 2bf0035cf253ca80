//! The deployed job, built from the environment.

use evenkeel::{
    aws::{DynamoStore, SqsQueue},
    base::{
        config::{ConfigError, Reader, Tables},
        time::SystemClock,
    },
    http::{Hosts, Outbound, Settings},
    job::robots::Robots,
    lambda::Start,
};
use inventory::dynamo::DynamoVehicles;

use crate::{fan_out::Queues, job::DealerComFeed};

impl DealerComFeed<DynamoVehicles, DynamoStore, SqsQueue, SystemClock> {
    /// Builds the job type from the environment.
    pub fn start(start: &Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let settings = Settings::read(&mut reader);
        let (tables, table) = (Tables::read(&mut reader), reader.required("VEHICLES_TABLE"));
        let queues = Queues {
            scraping: reader.required("SCRAPING_QUEUE_ARN"),
            shortening: reader.required("SHORTENING_QUEUE_ARN"),
        };
        let (settings, tables, table, queues) = reader.finish((settings, tables, table, queues))?;
        let outbound = Outbound::new(&settings, Hosts::public(), SystemClock)
            .map_err(|error| ConfigError::of("the outbound client", &error.to_string()))?;
        let store = DynamoStore::new(&start.aws, tables);
        Ok(Self::new(
            outbound,
            Robots::new(store.clone(), SystemClock),
            DynamoVehicles::new(&start.aws, table),
            store,
            SqsQueue::new(&start.aws),
            queues,
            SystemClock,
        ))
    }
}
