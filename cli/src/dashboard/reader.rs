//! The one reader behind all tabs: it keeps the live part up to date while a tab is open, and answers what pages ask.

use std::{
    cell::RefCell, collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration,
};

use evenkeel::base::time::{Clock, Time};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    allowance::Allowance,
    live::{Live, Poller},
    question::{Ask, Found, JobFound, PAGE_WAITS, Question, Reply},
};
use crate::{
    args::{Command, ListedState, OneJob, TimeForm, Write},
    commands::{
        self, cars, explain,
        find::{find, unreadable},
        jobs, operations, rejected,
        shown::job_list,
    },
    deployment::Deployment,
    due::{self, EVER, Wanted, partitions},
    exit::Failure,
    moment::Moment,
    output::Answer,
    ports::{Kept, Ports},
};

/// Time between two looks at what is due, while a tab is open.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Answers that are kept. The oldest goes first.
const MOST_KEPT: usize = 64;

/// Ended jobs that are read for the errors.
pub(super) const MOST_ENDED: usize = 1_000;

/// Jobs of a type that are shown of those that have succeeded.
pub(super) const MOST_SUCCEEDED: usize = 50;

/// Reads for all tabs.
pub(super) struct Reader<'a, P, C> {
    ports: &'a P,
    stack: Arc<Deployment>,
    clock: &'a C,
    /// Tells the tabs when the live part was read. Each open tab listens.
    ticks: Arc<watch::Sender<u64>>,
    poller: Mutex<Poller>,
    live: RefCell<Arc<Live>>,
    kept: RefCell<BTreeMap<String, (Time, Found)>>,
    allowance: RefCell<Allowance>,
}

impl<'a, P: Ports, C: Clock> Reader<'a, P, C> {
    pub(super) fn new(
        ports: &'a P,
        stack: &Deployment,
        clock: &'a C,
        ticks: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self {
            ports,
            stack: Arc::new(stack.clone()),
            clock,
            ticks,
            poller: Mutex::default(),
            live: RefCell::default(),
            kept: RefCell::default(),
            allowance: RefCell::new(Allowance::new(clock.now())),
        }
    }

    /// Answers until nobody can ask any more. While a tab is open it also keeps the live part up to date.
    pub(super) async fn run(&self, mut asks: mpsc::Receiver<Ask>) {
        let mut running: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + '_>>> =
            FuturesUnordered::new();
        let mut ticks = interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                ask = asks.recv() => match ask {
                    Some(ask) => {
                        let (done, refreshed) = oneshot::channel();
                        running.push(Box::pin(async move {
                            self.refresh().await;
                            // The page may have stopped waiting.
                            let _ = done.send(());
                        }));
                        running.push(Box::pin(self.reply(ask, refreshed)));
                    }
                    None => return,
                },
                Some(()) = running.next(), if !running.is_empty() => {}
                _ = ticks.tick() => {
                    if self.ticks.receiver_count() > 0 {
                        running.push(Box::pin(self.refresh()));
                    }
                }
            }
        }
    }

    /// Answers a question with what is known when `refreshed` comes, or when the page has waited for long enough.
    async fn reply(&self, Ask { question, reply }: Ask, refreshed: oneshot::Receiver<()>) {
        let mut reading = Box::pin(self.found(&question));
        let reads = timeout(question.waits(), &mut reading);
        let (_, found) = tokio::join!(timeout(PAGE_WAITS, refreshed), reads);
        if let Ok(found) = found {
            // A browser that has left needs no answer.
            let _ = reply.send(found.map(|found| self.answer(found)));
        } else {
            if matches!(question, Question::Act(..)) {
                // The log that is looked at next must not be older than the act.
                self.kept.borrow_mut().clear();
            }
            let _ = reply.send(Err(question.late()));
            // What is slow is kept for the next request. Its failure is told there.
            let _ = reading.await;
        }
    }

    fn answer(&self, (read_at, found): (Time, Found)) -> Reply {
        Reply {
            now: self.clock.now(),
            live: self.live.borrow().clone(),
            stack: self.stack.clone(),
            found,
            read_at,
        }
    }

    /// Reads what is due of the live part. If another call does so already, only the very first answer waits for it:
    /// a page is not held up by a service that hangs.
    async fn refresh(&self) {
        let has_read = !self.live.borrow().read_at.is_empty();
        let mut poller = match self.poller.try_lock() {
            Ok(poller) => poller,
            Err(_) if has_read => return,
            Err(_) => self.poller.lock().await,
        };
        let now = self.clock.now();
        if !poller.is_due(now) {
            return;
        }
        let publish = |live: &Live| *self.live.borrow_mut() = Arc::new(live.clone());
        if poller.refresh(self.ports, &self.stack, now, &self.allowance, publish).await {
            self.ticks.send_replace(now.as_millis());
        }
    }

    /// The answer to a question: one that is kept, if it is not too old.
    async fn found(&self, question: &Question) -> Result<(Time, Found), Failure> {
        let now = self.clock.now();
        let Some(kept_for) = question.kept_for() else {
            return Ok((now, self.unkept(question, now).await?));
        };
        let name = format!("{question:?}");
        if let Some((at, found)) = self.kept.borrow().get(&name)
            && now.since(*at) < kept_for
        {
            return Ok((*at, found.clone()));
        }
        let (found, units) = self.read(question, now).await?;
        self.allowance.borrow_mut().charge(now, units);
        let mut kept = self.kept.borrow_mut();
        kept.insert(name, (now, found.clone()));
        if kept.len() > MOST_KEPT {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
            let oldest = oldest.map(|(name, _)| name.clone());
            kept.retain(|name, _| Some(name) != oldest.as_ref());
        }
        Ok((now, found))
    }

    /// What is polled anyway, or what the operators' function answers.
    async fn unkept(&self, question: &Question, now: Time) -> Result<Found, Failure> {
        match question {
            Question::Preview(act) => {
                let command = act.command(Write { dry_run: true, ..Write::default() }, None);
                let answer = self.operate(&command, now).await?;
                Ok(Found::Preview(answer.into_value()?))
            }
            Question::Act(act, reason, as_of) => {
                let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
                let command = act.command(Write { reason, dry_run: false }, *as_of);
                let answer = self.operate(&command, now).await;
                // It may have been done even if there was no answer.
                self.kept.borrow_mut().clear();
                if let Ok(mut poller) = self.poller.try_lock() {
                    poller.expire();
                }
                Ok(Found::Operation(answer?.into_value()?))
            }
            _ => Ok(Found::Live),
        }
    }

    async fn operate(&self, command: &Command, now: Time) -> Result<Answer, Failure> {
        let moment = Moment { now, form: TimeForm::Relative };
        // On the heap: it holds every command.
        Box::pin(commands::write(command, self.ports, &self.stack, moment)).await
    }

    /// Reads the answer, and what that has cost.
    async fn read(&self, question: &Question, now: Time) -> Result<(Found, f64), Failure> {
        let (ports, stack) = (self.ports, &*self.stack);
        Ok(match question {
            Question::Jobs(wanted) => {
                let (listed, left_out) = jobs::read_list(ports, stack, wanted, now).await?;
                (Found::Jobs(job_list(&listed, left_out)), listed.units)
            }
            Question::Rejected(wanted) => {
                let listed = rejected::read_list(ports, stack, wanted).await?;
                (Found::Jobs(job_list(&listed, 0)), listed.units)
            }
            Question::Job(job) => {
                let found = self.job(job, now).await?;
                let units = found.explanation.read_units;
                (Found::Job(Box::new(found)), units)
            }
            Question::Errors(since) => {
                let types: Vec<_> = stack.types.iter().collect();
                let wanted = Wanted {
                    partitions: partitions(&types, &[ListedState::Dead], &[]),
                    from: now.before(*since),
                    until: EVER,
                    most: MOST_ENDED,
                    ..Wanted::default()
                };
                let listed = due::list(ports, &stack.jobs, &wanted).await?;
                (Found::Errors(listed.items, listed.next.is_some()), listed.units)
            }
            Question::Cars(wanted) => {
                let cars = cars::read_list(ports, stack, wanted).await?;
                let units = cars.read_units;
                (Found::Cars(cars), units)
            }
            Question::Car(wanted) => {
                let car = cars::read(ports, stack, wanted).await?;
                let units = car.read_units;
                (Found::Car(Box::new(car)), units)
            }
            Question::Operations(wanted) => {
                let (list, _) = operations::read_list(ports, stack, wanted).await?;
                let units = list.read_units;
                (Found::Operations(list), units)
            }
            Question::Operation(wanted) => {
                let (operation, units) = operations::read(ports, stack, wanted).await?;
                (Found::Operation(Box::new(operation)), units)
            }
            Question::Succeeded(kind) => {
                let (mut found, mut units) = (Vec::new(), 0.0);
                for job in stack.chosen(kind.as_deref())? {
                    let read = ports.succeeded(&stack.control, &job.kind, MOST_SUCCEEDED).await?;
                    units += read.units;
                    found.push((job.kind.clone(), read.value));
                }
                (Found::Succeeded(found), units)
            }
            Question::Live | Question::Preview(_) | Question::Act(..) => (Found::Live, 0.0),
        })
    }

    async fn job(&self, wanted: &OneJob, now: Time) -> Result<JobFound, Failure> {
        let (ports, stack) = (self.ports, &*self.stack);
        let found = find(ports, stack, wanted).await?;
        let (mut job, mut message) = (None, None);
        match &found.item {
            Some(Kept::Job(record)) => job = Some(jobs::shape(record, found.units)),
            Some(Kept::Rejected(kept)) => message = Some(rejected::shape(kept, found.units)),
            Some(Kept::Unreadable(why)) => return Err(unreadable(&found.key, why)),
            None => {}
        }
        let explanation = explain::explanation(ports, stack, wanted, &found, now).await?;
        Ok(JobFound { job, rejected: message, explanation })
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
