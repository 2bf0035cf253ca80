//! Reads and writes of the control table that the jobs of a batch make at the same time, for different dependencies:
//! those of a kind share one call.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;

use super::Gates;
use crate::{
    base::gather::Gatherer,
    dependency::{breaker::Breaker, limiter::Limiter},
    policy::BATCH_SIZE,
    ports::{Control, LimiterSwap, PortError, Ports, Seen, Swapped},
};

/// The questions that wait for a call.
#[derive(Debug)]
pub(super) struct Gathered {
    breakers: Gatherer<String, Result<Seen<Breaker>, PortError>>,
    limiters: Gatherer<String, Result<Seen<Limiter>, PortError>>,
    swaps: Gatherer<LimiterSwap, Result<Swapped<Limiter>, PortError>>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            breakers: Gatherer::new(BATCH_SIZE, Duration::ZERO),
            limiters: Gatherer::new(BATCH_SIZE, Duration::ZERO),
            swaps: Gatherer::new(BATCH_SIZE, Duration::ZERO),
        }
    }
}

/// The answer to each of `count` questions.
fn each<T>(
    answers: Result<Vec<Result<T, PortError>>, PortError>,
    count: usize,
) -> Vec<Result<T, PortError>> {
    answers.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}

impl<P: Ports> Gates<P> {
    /// Whether the container knows of no other dependency, as one of a job type that has only one.
    fn knows_one(&self) -> bool {
        self.state().dependencies.len() <= 1
    }

    /// Reads the breaker of a dependency.
    pub(super) async fn read_shared_breaker(
        &self,
        dependency: &str,
    ) -> Result<Seen<Breaker>, PortError> {
        // Nobody else has a question.
        if self.knows_one() {
            return self.control.breaker(dependency).await;
        }
        self.gathered.breakers.ask(dependency.to_owned(), |all| self.read_breakers(all)).await
    }

    async fn read_breakers(&self, all: Vec<String>) -> Vec<Result<Seen<Breaker>, PortError>> {
        match &all[..] {
            [one] => vec![self.control.breaker(one).await],
            _ => each(self.control.breakers(&all).await, all.len()),
        }
    }

    /// Reads the limiter with this name.
    pub(super) async fn read_shared_limiter(&self, name: &str) -> Result<Seen<Limiter>, PortError> {
        if self.knows_one() {
            return self.control.limiter(name).await;
        }
        self.gathered.limiters.ask(name.to_owned(), |all| self.read_limiters(all)).await
    }

    async fn read_limiters(&self, all: Vec<String>) -> Vec<Result<Seen<Limiter>, PortError>> {
        match &all[..] {
            [one] => vec![self.control.limiter(one).await],
            _ => each(self.control.limiters(&all).await, all.len()),
        }
    }

    /// Writes a limiter if its revision is unchanged.
    pub(super) async fn swap_shared_limiter(
        &self,
        swap: LimiterSwap,
    ) -> Result<Swapped<Limiter>, PortError> {
        if self.knows_one() {
            return self.control.swap_limiter(&swap.name, &swap.next, swap.revision).await;
        }
        self.gathered.swaps.ask(swap, |swaps| self.swap_limiters(swaps)).await
    }

    async fn swap_limiters(
        &self,
        swaps: Vec<LimiterSwap>,
    ) -> Vec<Result<Swapped<Limiter>, PortError>> {
        let names: BTreeSet<&str> = swaps.iter().map(|swap| swap.name.as_str()).collect();
        // One call cannot write an item twice.
        if swaps.len() == 1 || names.len() < swaps.len() {
            let each = swaps.iter().map(async |swap| {
                self.control.swap_limiter(&swap.name, &swap.next, swap.revision).await
            });
            return join_all(each).await;
        }
        each(self.control.swap_limiters(&swaps).await, swaps.len())
    }
}
