//! Runs a plan: the bench with everything that the plan says of it, until all work is done.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use evenkeel::{
    base::{
        mutants,
        time::{Clock as _, Time},
    },
    dependency::limiter::Rates,
    testing::{
        BEGINNING, Fault, LogSearch, TableHabits, containers::FunctionSettings, sqs::Habits,
    },
};
use futures_util::future::join_all;
use sandbox::SettingsChange;

use super::{
    coverage::Coverage,
    feeds, load,
    oracle::{Oracle, Seen, Violation},
    plan::{BAD_TIME, BEFORE, Plan},
    sent::{Kind, Sent},
    strikes::{Strike, Strikes},
    weather::{self, Call, Event, KEYS, PLANTED},
};
use crate::bench::{self, Bench, processes::SWEEPER, scenario::Happens};

/// The rates of the links' account, and of the errands' if they have some.
const LINK_RATES: Rates = Rates::each_second(8, 18_000);
const ERRAND_RATES: Rates = Rates::each_second(2, 7_200);

/// Virtual time within which all work is done once everything is well.
const LONGEST: Duration = Duration::from_hours(12);

/// How often it is checked whether all work is done. Simulated time passes only as fast as there are such checks.
const CHECK: Duration = Duration::from_secs(10);

/// Rounds of healthy jobs after which the breakers are closed.
const ROUNDS: u64 = 4;

/// Longest time of an operator's command: that of the sweeper.
const LONGEST_COMMAND: Duration = Duration::from_secs(130);

/// How much has happened in a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) messages: usize,
    pub(crate) containers: u64,
    pub(crate) port_calls: usize,
    pub(crate) struck: usize,
    pub(crate) minutes: u64,
    pub(crate) seen: Seen,
}

/// The course of a simulation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    pub(crate) violation: Option<Violation>,
    /// The port calls that failed, without those in outages.
    pub(crate) struck: Vec<Strike>,
    pub(crate) size: Size,
    pub(crate) coverage: Coverage,
    /// A hash of every port call with its time.
    pub(crate) trace: u64,
}

/// What outlasts a simulation that panics.
struct Witness {
    oracle: Oracle,
    strikes: Strikes,
    log: LogSearch,
}

/// Runs a plan on a runtime of its own, in virtual time.
pub(crate) fn run(plan: &Plan) -> Course {
    let witness = Witness {
        oracle: Oracle::default(),
        strikes: Strikes::of(plan),
        log: LogSearch::new(PLANTED),
    };
    mutants::turn_on(plan.mutant);
    let played = catch_unwind(AssertUnwindSafe(|| {
        let _guard = witness.log.begin();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(plan, &witness))
    }));
    mutants::turn_on(None);
    let (size, trace) = played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let what = text.unwrap_or_default();
        witness.oracle.breaks("nothing panics", BEGINNING, "the simulation", what);
        (Size::default(), 0)
    });
    let (violation, struck) = (witness.oracle.violation(), witness.strikes.struck());
    let mut coverage = witness.oracle.coverage();
    coverage.add(&witness.strikes.coverage());
    Course { violation, struck, size, coverage, trace }
}

fn errand_rates(plan: &Plan) -> Option<Rates> {
    plan.features.has("rate_limited").then_some(ERRAND_RATES)
}

async fn play(plan: &Plan, witness: &Witness) -> (Size, u64) {
    let mut kinds =
        vec![bench::Kind::Errands(errand_rates(plan)), bench::Kind::Shortening(LINK_RATES)];
    if plan.features.has("feeds") {
        kinds.extend([bench::Kind::Feeds, bench::Kind::Pages]);
    }
    let bench = Bench::of(&kinds);
    let began = bench.now();
    prepare(&bench, plan, witness).await;
    let sends = load::load(plan);
    // On the heap: it holds everything that happens.
    let story = Box::pin(async {
        tokio::select! {
            biased;
            () = witness.oracle.watch(&bench) => {}
            () = course(&bench, plan, &sends, witness) => {}
        }
    });
    bench.run_while(story).await;
    let [(calls, hash), (more_calls, other)] =
        [bench.faults.count_and_hash(), bench.sweeper_faults.count_and_hash()];
    let started = bench.functions.iter().map(|function| function.containers.started());
    let size = Size {
        messages: sends.len(),
        containers: started.sum(),
        port_calls: calls + more_calls,
        struck: witness.strikes.count(),
        minutes: bench.now().since(began).as_secs() / 60,
        seen: witness.oracle.seen(),
    };
    (size, hash ^ other.rotate_left(1))
}

/// Sets up what the plan says of the whole time, and lets the oracle see.
async fn prepare(bench: &Bench, plan: &Plan, witness: &Witness) {
    let most_skew = Duration::from_secs(1).mul_f64(plan.features.of("skew").unwrap_or_default());
    bench.processes.differ(plan.draw(), most_skew, bench.clock);
    bench.unmetered();
    let oracle = witness.oracle.clone();
    bench.store.observe(move |write| oracle.wrote(write));
    let (oracle, clock, store) = (witness.oracle.clone(), bench.clock, bench.store.clone());
    bench.sqs.observe(move |change| oracle.changed(change, clock.now(), &store));
    let strikes = witness.strikes.clone();
    bench.faults.decide(move |site| strikes.decide(0, site));
    let strikes = witness.strikes.clone();
    bench.sweeper_faults.decide(move |site| strikes.decide(SWEEPER, site));
    bench.control().change_settings(&weather::accepts(KEYS[0])).await.unwrap();
    bench.keys.rotate(KEYS[0]);
    feeds::prepare(bench, plan).await;
}

/// Everything that happens, from the first message to the last check.
async fn course(bench: &Bench, plan: &Plan, sends: &[Sent], witness: &Witness) {
    let Witness { oracle, strikes, log } = witness;
    let began = bench.now();
    let rest = async {
        sleep_until(bench, began + BEFORE + BAD_TIME.min(plan.until)).await;
    };
    let sending = async {
        for sent in sends {
            sleep_until(bench, began + sent.at).await;
            send(bench, oracle, sent);
        }
    };
    tokio::join!(sending, happening(bench, plan, began), calling(bench, plan, oracle, began), rest);
    strikes.end();
    recover(bench, plan).await;
    let mut all = sends.to_vec();
    let mut is_closed = false;
    if !quiet(bench, oracle).await {
        return;
    }
    for round in 0..ROUNDS {
        let healthy = load::healthy(round);
        for sent in &healthy {
            send(bench, oracle, sent);
        }
        all.extend(healthy);
        if !quiet(bench, oracle).await {
            return;
        }
        is_closed = oracle.breakers_are_closed(bench).await;
        if is_closed {
            break;
        }
    }
    if !is_closed {
        let what = format!("not after {ROUNDS} rounds of jobs that go well");
        oracle.breaks("breakers close", bench.now(), "breakers", what);
    }
    oracle.account_for(&all, bench);
    oracle.crashes_are_counted(bench);
    oracle.count_rejected(bench);
    oracle.links_are_single(bench).await;
    let froze = |strike: &&Strike| matches!(strike.fault, Fault::Freeze(_));
    let frozen = u64::try_from(strikes.struck().iter().filter(froze).count()).unwrap_or_default();
    let rates = [(Kind::Errand, errand_rates(plan)), (Kind::Link, Some(LINK_RATES))];
    oracle.rates_are_kept(bench, rates, frozen).await;
    oracle.keys_are_nowhere(bench, log.found());
}

async fn sleep_until(bench: &Bench, at: Time) {
    tokio::time::sleep(at.since(bench.now())).await;
}

fn send(bench: &Bench, oracle: &Oracle, sent: &Sent) {
    let function = &bench.functions[match sent.kind {
        Kind::Errand => 0,
        Kind::Link => 1,
        Kind::Feed => 2,
    }];
    let source = if sent.is_high { &function.job_type.high } else { &function.job_type.normal };
    let id = bench.sqs.send_to(&source.queue, sent.message(feeds::addressed(bench, &sent.body)));
    if sent.forgery.is_some() {
        oracle.forged(id);
    }
}

async fn happening(bench: &Bench, plan: &Plan, began: Time) {
    for (at, event) in weather::events(plan) {
        sleep_until(bench, began + at).await;
        match event {
            Event::Bench(happens) => bench.happen(*happens).await,
            Event::Kill => {
                for function in &bench.functions {
                    function.containers.kill();
                }
            }
            Event::SiteGrows(change) => feeds::grow(bench, change).await,
            Event::Deploy => bench.processes.deploy(),
            Event::MissTicks(span) => bench.miss_ticks_until(bench.now() + span),
            Event::NetworkIsDown(span) => bench.journal.go_down(bench.now() + span),
        }
    }
}

/// The calls of the sweeper besides its schedule. They may overlap with it and with each other.
async fn calling(bench: &Bench, plan: &Plan, oracle: &Oracle, began: Time) {
    let calls = weather::calls(plan).into_iter().map(async |(at, call)| {
        sleep_until(bench, began + at).await;
        match call {
            Call::Tick => drop(bench.tick().await),
            Call::Operate(request) => {
                oracle.operated(&request);
                // Its process may die in it, and an act that was begun is carried on by the sweeper.
                let answer = Box::pin(bench.operate(&request));
                let _ = tokio::time::timeout(LONGEST_COMMAND, answer).await;
            }
            Call::Command(command) => {
                oracle.commanded(&command);
                // Its process may die in it.
                let answer = Box::pin(bench.command(&command));
                let _ = tokio::time::timeout(LONGEST_COMMAND, answer).await;
            }
        }
    });
    join_all(calls).await;
}

/// Lets everything around the functions be well again.
async fn recover(bench: &Bench, plan: &Plan) {
    let control = bench.control();
    control.clear_faults().await.unwrap();
    let settings = SettingsChange {
        api_keys: Some(KEYS.map(str::to_owned).to_vec()),
        read_lag_ms: Some(0),
        ..SettingsChange::default()
    };
    control.change_settings(&settings).await.unwrap();
    bench.keys.rotate(KEYS[1]);
    bench.sqs.behave(Habits::default(), plan.seed);
    bench.store.behave(TableHabits { ignores_fences: plan.planted, ..TableHabits::default() });
    bench.happen(Happens::PartitionsAreLimited(None)).await;
    for call in ["insert", "settle"] {
        bench.store.plan_entries(call, []);
    }
    for function in &bench.functions {
        let timeout = function.containers.settings().timeout;
        function.containers.set(FunctionSettings::with_timeout(timeout));
    }
}

/// Waits until all work is done; false if a rule is broken.
async fn quiet(bench: &Bench, oracle: &Oracle) -> bool {
    let end = bench.now() + LONGEST;
    while !bench.is_quiet() {
        if oracle.is_broken() {
            return false;
        }
        if bench.now() > end {
            let open =
                bench.store.records().into_iter().find(|record| record.phase.ended_at().is_none());
            let (about, what) = match open {
                Some(record) => (record.key.clone(), format!("{:?}", record.phase)),
                None => ("queues".to_owned(), format!("{} messages are left", bench.sqs.len())),
            };
            oracle.breaks("all work is done once everything is well", bench.now(), &about, what);
            return false;
        }
        tokio::time::sleep(CHECK).await;
    }
    !oracle.is_broken()
}
