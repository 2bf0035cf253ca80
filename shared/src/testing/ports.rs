//! The ports of a worker under test, as one bundle of types.

use std::marker::PhantomData;

use super::{MemoryStore, SeededRandom, SimulatedSqs, TestClock};
use crate::{
    base::time::Clock,
    ports::{Control, Ports, Queue, Store},
};

/// The ports of a test: in memory unless the test names others, with seeded random numbers.
#[allow(clippy::type_complexity, reason = "a marker of three types")]
pub struct TestPorts<S = MemoryStore, Q = SimulatedSqs<TestClock>, C = TestClock>(
    PhantomData<fn() -> (S, Q, C)>,
);

impl<S, Q, C> Ports for TestPorts<S, Q, C>
where
    S: Store + Control + Clone + 'static,
    Q: Queue + 'static,
    C: Clock + Clone + 'static,
{
    type Store = S;
    type Queue = Q;
    type Clock = C;
    type Random = SeededRandom;
}
