//! Fills the tables: jobs as the engine encodes them, and what containers and sweeper have written beside.

mod notes;
mod records;

use evenkeel::{
    aws,
    base::{
        config::Tables,
        time::{Clock as _, SystemClock, Time},
    },
    ports::{Control as _, Swapped},
};
use futures_util::future::join_all;
use inventory::vehicles::{Vehicle, Vehicles as _};

use super::{
    place::Place,
    stack::{CARS_TABLE, CONTROL_TABLE, JOBS_TABLE, SOURCES, STACK, TYPES},
};
use records::Kind;

/// Records that are made and written at a time, and how many calls write them side by side.
const RECORDS_AT_ONCE: u64 = 2_500;
const WRITERS: usize = 4;

/// How many jobs of each kind, and minutes of statistics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amounts {
    pub(super) succeeded: u64,
    pub(super) open: u64,
    pub(super) parked: u64,
    pub(super) dead: u64,
    pub(super) minutes: u64,
}

impl Amounts {
    /// As many as issue 15 asks for, and a day of minutes.
    pub(super) const WHOLE: Self =
        Self { succeeded: 94_000, open: 1_000, parked: 4_000, dead: 1_000, minutes: 1_440 };

    /// What every run of the tests has time for.
    pub(super) const HUNDREDTH: Self =
        Self { succeeded: 940, open: 10, parked: 40, dead: 10, minutes: 15 };

    /// The number of jobs in all states.
    pub(super) const fn jobs(self) -> u64 {
        self.succeeded + self.open + self.parked + self.dead
    }
}

/// What can be asked for by name.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    /// The key of a parked job in the midst of the others.
    pub(super) parked: String,
    pub(super) dealer: String,
    pub(super) vin: String,
    /// An entry of the operations log.
    pub(super) operation: String,
}

/// Creates the tables and fills them.
pub(super) async fn fill(place: &Place, amounts: Amounts) -> Filled {
    let config = place.config().await;
    let tables = Tables { jobs: JOBS_TABLE.into(), control: CONTROL_TABLE.into() };
    let store = aws::local::store(&config, tables).await;
    let now = SystemClock.now();
    for (kind, count) in [
        (Kind::Succeeded, amounts.succeeded),
        (Kind::Open, amounts.open),
        (Kind::Parked, amounts.parked),
        (Kind::Dead, amounts.dead),
    ] {
        write(&config, kind, count, now).await;
    }
    notes::write(&store, amounts.minutes, now).await;
    gates(&store, now).await;
    let vin = cars(&config, now).await;
    if place.has_queues() {
        for source in SOURCES {
            aws::local::queue(&config, &format!("{STACK}-{source}"), None).await;
        }
        for kind in TYPES.map(|kind| kind.replace('_', "-")) {
            aws::local::queue(&config, &format!("{STACK}-{kind}-dlq"), None).await;
        }
    }
    Filled {
        parked: records::key(Kind::Parked, amounts.parked / 2 + 1),
        dealer: DEALER.to_owned(),
        vin,
        operation: notes::operation(0),
    }
}

/// Writes so many jobs of a kind.
async fn write(config: &aws::Config, kind: Kind, count: u64, now: Time) {
    let mut first = 0;
    while first < count {
        let end = count.min(first + RECORDS_AT_ONCE);
        let made: Vec<_> =
            (first..end).map(|number| records::record(kind, number, count, now)).collect();
        let part = made.len().div_ceil(WRITERS);
        join_all(made.chunks(part).map(|part| aws::local::fill(config, JOBS_TABLE, part))).await;
        first = end;
    }
}

/// The breaker and the limiter of the shared dependency, on which most parked jobs wait.
async fn gates(store: &aws::DynamoStore, now: Time) {
    let breaker = notes::open_breaker(now);
    assert_eq!(store.swap_breaker("rebrandly", &breaker, 0).await, Ok(Swapped::Yes));
    let limiter = evenkeel::dependency::limiter::Limiter::default();
    assert_eq!(store.swap_limiter("rebrandly", &limiter, 0).await, Ok(Swapped::Yes));
}

const DEALER: &str = "dealer-1";

/// Cars of one dealer. Returns the VIN of one.
async fn cars(config: &aws::Config, now: Time) -> String {
    let vehicles = inventory::dynamo::local_table(config, CARS_TABLE).await;
    let car = |number| Vehicle {
        vin: format!("1HGCM82633A{number:06}"),
        hash: Some("h".into()),
        list: "used".into(),
        data: r#"{"title":"2019 Honda Accord Sport","price":1849900,"currency":"USD"}"#.into(),
        addresses: Vec::new(),
        asked: None,
        pending: None,
    };
    let cars: Vec<Vehicle> = (0..20).map(car).collect();
    vehicles.keep(DEALER, &cars, now).await.unwrap();
    cars[0].vin.clone()
}
