//! Gathers questions that are asked at the same time, so that one call answers them all.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::sync::oneshot;

/// A question, and where its answer goes.
type Asked<Q, A> = (Q, oneshot::Sender<A>);

/// Gathers questions of type `Q`, each of which has an answer of type `A`.
///
/// The first one who asks waits for the others and makes the call. If its future is dropped before, the others ask again.
#[derive(Debug)]
pub struct Gatherer<Q, A> {
    /// The questions that the next call takes along.
    waiting: Mutex<Vec<Asked<Q, A>>>,
    /// Most questions of one call.
    most: usize,
    /// How long the first one waits.
    wait: Duration,
}

impl<Q: Clone, A> Gatherer<Q, A> {
    /// A gatherer whose calls take at most so many questions. The first one waits for so long; if that is zero, until
    /// the other futures of its task have had their turn.
    #[must_use]
    pub const fn new(most: usize, wait: Duration) -> Self {
        Self { waiting: Mutex::new(Vec::new()), most, wait }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Asked<Q, A>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a question. `call` answers several, in their order; it must be the same for all who ask.
    pub async fn ask<F>(&self, question: Q, call: impl Fn(Vec<Q>) -> F) -> A
    where
        F: Future<Output = Vec<A>>,
    {
        loop {
            let (answer, answered) = oneshot::channel();
            let leads = {
                let mut waiting = self.waiting();
                waiting.push((question.clone(), answer));
                waiting.len() == 1
            };
            if leads {
                self.lead(&call).await;
            }
            if let Ok(answer) = answered.await {
                return answer;
            }
            // The future that was to ask has been dropped.
        }
    }

    async fn lead<F>(&self, call: &impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Vec<A>>,
    {
        let unasked = Unasked(&self.waiting);
        if self.wait.is_zero() {
            others_first().await;
        } else {
            tokio::time::sleep(self.wait).await;
        }
        let mut asked = VecDeque::from(std::mem::take(&mut *self.waiting()));
        // From here on, another question begins another call.
        drop(unasked);
        while !asked.is_empty() {
            let some = asked.drain(..asked.len().min(self.most));
            let (questions, to): (Vec<Q>, Vec<_>) = some.unzip();
            for (to, answer) in to.into_iter().zip(call(questions).await) {
                // One who was cut off has no use for the answer.
                let _ = to.send(answer);
            }
        }
    }
}

/// Lets the other futures of the task have their turn. Unlike tokio's `yield_now`, it does not wait for the runtime to
/// look for events: what the task waits for otherwise is not there yet.
async fn others_first() {
    let mut is_second = false;
    poll_fn(|context| {
        if is_second {
            return Poll::Ready(());
        }
        is_second = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The questions of the one that leads. If it is dropped before its call, so are they, and each asks again.
struct Unasked<'a, Q, A>(&'a Mutex<Vec<Asked<Q, A>>>);

impl<Q, A> Drop for Unasked<'_, Q, A> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use futures_util::future::join_all;

    use super::*;

    /// Asks for the doubles of these numbers; returns the answers, and what was asked together.
    async fn doubles(gatherer: &Gatherer<u32, u32>, numbers: &[u32]) -> (Vec<u32>, Vec<Vec<u32>>) {
        let calls = RefCell::new(Vec::new());
        let call = |numbers: Vec<u32>| {
            calls.borrow_mut().push(numbers.clone());
            ready(numbers.into_iter().map(|number| 2 * number).collect())
        };
        let answers = join_all(numbers.iter().map(|number| gatherer.ask(*number, call))).await;
        (answers, calls.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn questions_of_one_moment_share_calls() {
        for wait in [Duration::ZERO, Duration::from_millis(2)] {
            let gatherer = Gatherer::new(2, wait);
            for _ in 0..2 {
                let (answers, calls) = doubles(&gatherer, &[1, 2, 3]).await;
                assert_eq!((answers, calls), (vec![2, 4, 6], vec![vec![1, 2], vec![3]]));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_one_that_leads_is_cut_off_the_others_ask_again() {
        let wait = Duration::from_millis(2);
        let gatherer = Gatherer::new(10, wait);
        let cut_off = async {
            let _ = tokio::time::timeout(wait / 2, doubles(&gatherer, &[1])).await;
        };
        let other = async {
            tokio::time::sleep(wait / 4).await;
            doubles(&gatherer, &[2]).await
        };
        let ((), (answers, calls)) = tokio::join!(cut_off, other);
        assert_eq!((answers, calls), (vec![4], vec![vec![2]]));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_call_is_cut_off_the_others_ask_again() {
        let gatherer: Gatherer<u32, u32> = Gatherer::new(10, Duration::ZERO);
        let never = |_: Vec<u32>| std::future::pending();
        let cut_off = async {
            let _ = tokio::time::timeout(Duration::from_millis(1), gatherer.ask(1, never)).await;
        };
        let other = gatherer.ask(2, |numbers: Vec<u32>| ready(numbers));
        let ((), answer) = tokio::join!(cut_off, other);
        assert_eq!(answer, 2);
    }
}
