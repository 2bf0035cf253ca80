//! One call of the function: a tick, or a command.

use std::time::Duration;

use evenkeel::{
    aws::{DynamoStore, Mappings, SqsQueue},
    config::{ConfigError, Reader},
    lambda::Start,
    oversight::{Mailboxes, Oversight, Scaling},
    policy::ANSWER_RESERVE,
    ports::PortError,
    random::{Random, SystemRandom},
    telemetry,
    time::{Clock, SystemClock, Time},
};
use serde_json::{Value, json};

use crate::{
    command::{self, Command},
    config::Config,
    lead::Leader,
    pass::{Pass, audit, balance, observe, release, rescue, triage},
    survey::{View, survey},
    tick::{Report, Tick},
};

/// How much longer than the call a lease lasts: nothing of it may be under way when another leads.
const LEAD_GRACE: Duration = Duration::from_secs(2);

/// Longest time for looking at everything.
const SURVEY_TIME: Duration = Duration::from_secs(8);

/// Time kept for observing.
const OBSERVE_TIME: Duration = Duration::from_secs(5);

/// What a sweeper needs from outside.
pub trait Ports {
    /// The tables.
    type Store: Oversight;
    /// The queues.
    type Queue: Mailboxes;
    /// The event source mappings.
    type Mappings: Scaling;
    /// The clock.
    type Clock: Clock;
    /// The dice.
    type Random: Random;
}

/// The ports of a deployed sweeper.
#[derive(Clone, Copy, Debug)]
pub struct Deployed;

impl Ports for Deployed {
    type Store = DynamoStore;
    type Queue = SqsQueue;
    type Mappings = Mappings;
    type Clock = SystemClock;
    type Random = SystemRandom;
}

/// The sweeper: its ports and what it looks after.
pub struct Sweep<P: Ports> {
    /// The tables.
    pub store: P::Store,
    /// The queues.
    pub queue: P::Queue,
    /// The event source mappings.
    pub mappings: P::Mappings,
    /// The clock.
    pub clock: P::Clock,
    /// The dice.
    pub random: P::Random,
    /// What it looks after.
    pub config: Config,
}

impl Sweep<Deployed> {
    /// Builds the sweeper from the environment.
    pub async fn start(start: Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let (config, tables, vehicles) = Config::read(&mut reader);
        let config = reader.finish(config)?;
        let store = DynamoStore::new(&start.aws, tables).with_vehicles(vehicles);
        store.warm().await;
        let (queue, mappings) = (SqsQueue::new(&start.aws), Mappings::new(&start.aws));
        Ok(Self { store, queue, mappings, clock: SystemClock, random: SystemRandom, config })
    }
}

impl<P: Ports> Sweep<P> {
    /// Answers a call: a command if it names one, else a tick. Fails with a sentence if the command is
    /// none that there is, or the tables are broken.
    pub async fn answer(&self, call: &Value, deadline: Time) -> Result<Value, String> {
        let answer = match Command::read(call, &self.config)? {
            Some(command) => command::run(self, &command, deadline).await,
            None => self.tick(deadline).await.map(|report| json!(report)),
        };
        answer.map_err(|error| error.to_string())
    }

    /// One tick. Fails only if it cannot find out whether it leads.
    pub async fn tick(&self, deadline: Time) -> Result<Report, PortError> {
        let (now, owner) = (self.clock.now(), self.random.token());
        let lead = Leader::take(&self.store, &owner, deadline + LEAD_GRACE, now).await?;
        let Some((mut leader, memory)) = lead else {
            return Ok(Report { another_leads: true, ..Report::default() });
        };
        let end = deadline.before(ANSWER_RESERVE);
        let limit = SURVEY_TIME.min(end.since(self.clock.now()));
        let from = memory.watched_from.clone();
        let looked = survey(&self.store, &self.queue, &self.config, &from, now);
        let mut cut_short = Vec::new();
        let view = tokio::time::timeout(limit, looked).await.unwrap_or_else(|_| {
            cut_short.push("survey");
            View::default()
        });
        let mut tick = Tick::new(owner, now, view, memory);
        tick.memory.forget(now);
        tick.memory.watched_from.clone_from(&tick.view.watched_next);
        for pass in Pass::ALL {
            // Whatever the others take, somebody must be told how things stand.
            let kept = if pass == Pass::Observe { Duration::ZERO } else { OBSERVE_TIME };
            let limit = pass.time_box().min(end.before(kept).since(self.clock.now()));
            let ran = tokio::time::timeout(limit, self.run(pass, &mut tick, &mut leader)).await;
            match ran {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    telemetry::port_failed(pass.name(), &error);
                    cut_short.push(pass.name());
                }
                Err(_) => cut_short.push(pass.name()),
            }
        }
        let left = leader.leave(&self.store, &tick.memory, self.clock.now()).await;
        if let Err(error) = left {
            telemetry::port_failed("swap_note", &error);
        }
        telemetry::swept(&tick.done, &cut_short, self.clock.now().since(now));
        Ok(Report { another_leads: false, done: tick.done, cut_short })
    }

    async fn run(&self, pass: Pass, tick: &mut Tick, leader: &mut Leader) -> Result<(), PortError> {
        match pass {
            Pass::Rescue => rescue::rescue(self, tick).await,
            Pass::Release => release::release(self, tick, leader).await,
            Pass::Triage => triage::triage(self, tick).await,
            Pass::Audit => audit::audit(self, tick).await,
            Pass::Balance => balance::balance(self, tick).await,
            Pass::Observe => observe::observe(self, tick).await,
        }
    }
}
