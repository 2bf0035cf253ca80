//! Looks up the links kept for cars. Jobs of a batch that ask at the same time share one call.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use evenkeel::ports::PortError;
use inventory::{link::KeptLink, vehicles::Vehicles};
use tokio::sync::oneshot;

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
    /// The questions that the next call takes along. The first of them makes the call.
    waiting: Mutex<Vec<(Car, oneshot::Sender<Answer>)>>,
}

impl<V: Vehicles> Lookup<V> {
    pub(crate) const fn new(vehicles: V) -> Self {
        Self { vehicles, waiting: Mutex::new(Vec::new()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Car, oneshot::Sender<Answer>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link kept for a car. Strongly consistent: it shows every write that ended before the question.
    pub(crate) async fn link(&self, dealer: &str, vin: &str) -> Answer {
        let car = (dealer.to_owned(), vin.to_owned());
        let (answer, answered) = oneshot::channel();
        let leads = {
            let mut waiting = self.waiting();
            waiting.push((car.clone(), answer));
            waiting.len() == 1
        };
        if leads {
            let _questions = Questions(&self.waiting);
            // The other jobs of the batch ask before this one goes on.
            tokio::time::sleep(GATHERING).await;
            let asked = std::mem::take(&mut *self.waiting());
            for chunk in chunks(asked) {
                self.ask(chunk).await;
            }
        }
        if let Ok(answer) = answered.await {
            return answer;
        }
        // The job that was to ask has ended before.
        let mut links = self.vehicles.kept_links(&[car]).await?;
        Ok(links.pop().flatten())
    }

    async fn ask(&self, asked: Vec<(Car, oneshot::Sender<Answer>)>) {
        let (cars, answers): (Vec<Car>, Vec<_>) = asked.into_iter().unzip();
        let found = self.vehicles.kept_links(&cars).await;
        for (place, answer) in answers.into_iter().enumerate() {
            let link = found.clone().map(|links| links.get(place).cloned().flatten());
            // A job whose time was over before has no use for its answer.
            let _ = answer.send(link);
        }
    }
}

/// The questions of the one that leads. If its run is cut off, they are dropped, and each asks for itself.
struct Questions<'a>(&'a Mutex<Vec<(Car, oneshot::Sender<Answer>)>>);

impl Drop for Questions<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn chunks<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks = Vec::new();
    while all.len() > CARS_A_CALL {
        let rest = all.split_off(CARS_A_CALL);
        chunks.push(std::mem::replace(&mut all, rest));
    }
    chunks.push(all);
    chunks
}

#[cfg(test)]
mod tests {
    use inventory::testing::MemoryVehicles;

    use super::*;

    /// The run of the job that was to ask is cut off while it waits for the others.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_is_cut_off_leaves_the_others_their_answers() {
        let lookup = Lookup::new(MemoryVehicles::default());
        let cut_off = async {
            let _ = tokio::time::timeout(GATHERING / 2, lookup.link("acme", "1")).await;
        };
        let other = async {
            tokio::time::sleep(GATHERING / 4).await;
            lookup.link("acme", "2").await
        };
        let ((), answer) = tokio::join!(cut_off, other);
        assert_eq!(answer, Ok(None));
        let later = tokio::time::timeout(GATHERING * 2, lookup.link("acme", "3")).await;
        assert_eq!(later, Ok(Ok(None)), "the next one leads again");
    }
}
