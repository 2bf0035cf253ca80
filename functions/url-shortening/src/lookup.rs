//! Looks up the links kept for cars. Jobs of a batch that ask at the same time share one call.

use std::time::Duration;

use evenkeel::{base::gather::Gatherer, ports::PortError};
use inventory::{link::KeptLink, vehicles::Vehicles};

/// Dealer and VIN.
type Car = (String, String);

/// The answer to one question.
type Answer = Result<Option<KeptLink>, PortError>;

/// Most cars of one call.
const CARS_A_CALL: usize = 25;

/// How long the first question waits for those of other jobs of its batch.
const GATHERING: Duration = Duration::from_millis(2);

/// The table of vehicles, for questions about one car each.
#[derive(Debug)]
pub(crate) struct Lookup<V> {
    pub(crate) vehicles: V,
    questions: Gatherer<Car, Answer>,
}

impl<V: Vehicles> Lookup<V> {
    pub(crate) const fn new(vehicles: V) -> Self {
        Self { vehicles, questions: Gatherer::new(CARS_A_CALL, GATHERING) }
    }

    /// The link kept for a car. Strongly consistent: it shows every write that ended before the question.
    pub(crate) async fn link(&self, dealer: &str, vin: &str) -> Answer {
        // Without a table, there is no call to wait for.
        if self.vehicles.table().is_none() {
            return Ok(None);
        }
        let car = (dealer.to_owned(), vin.to_owned());
        self.questions.ask(car, |cars| self.links(cars)).await
    }

    async fn links(&self, cars: Vec<Car>) -> Vec<Answer> {
        match self.vehicles.kept_links(&cars).await {
            Ok(links) => links.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); cars.len()],
        }
    }
}
