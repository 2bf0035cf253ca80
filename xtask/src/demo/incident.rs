//! The shortening part of the incident of August 2025: what is there before it, what is sent, what
//! breaks, and when.

use std::time::Duration;

use sandbox::rebrandly::Preload;
use sandbox::{CannedAnswer, Fault, FaultKind, Method, Scope, Target};

use super::car::Car;
use super::chance::Chance;
use super::job::{self, Job, Spelling, Taken};

/// Shortening jobs of the incident: 87.4 % of 151.
pub(super) const JOBS: usize = 132;

/// Jobs whose first slashtag is taken before they begin, by whom.
const TAKEN: [(Taken, usize); 4] = [
    (Taken::ByInvisible, 2),
    (Taken::ByOurs, 10),
    (Taken::ByForeign, 6),
    (Taken::ByForeignTwice, 1),
];

/// Every so many jobs there is one whose sender gives no id.
const WITHOUT_ID: usize = 6;

/// Time between two jobs: four a second.
const PACE: Duration = Duration::from_millis(250);

/// The job whose process is killed. Early, so that its message comes back soon, and before
/// anything else breaks.
const KILLED: usize = 20;

/// The jobs before which something breaks.
const CONNECTIONS_BREAK: usize = 36;
const LIMIT_IS_REACHED: usize = 56;
const SERVICE_BREAKS: usize = 88;

/// For how long the service is broken.
const BROKEN_MS: u64 = 2_000;

/// What happens at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Messages are sent, in one call.
    Send(Vec<Message>),
    /// The service breaks; the text says how.
    Break(&'static str, Vec<Fault>),
    /// A job is sent, and the process that works on it is killed.
    Kill(usize),
}

/// An action and its time since the beginning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) action: Action,
}

/// A body to send, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The place of the job in the incident; none for what is no message of a job.
    pub(super) job: Option<usize>,
    pub(super) body: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) seed: u64,
    pub(super) jobs: Vec<Job>,
    pub(super) preloads: Vec<Preload>,
    /// In order of time.
    pub(super) events: Vec<Event>,
}

impl Incident {
    /// The incident that follows from a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let jobs = jobs(&mut chance);
        let preloads = jobs.iter().enumerate().flat_map(|(n, job)| preloads(job, n)).collect();
        let mut events = first_messages(&mut chance, &jobs);
        repeat(&mut chance, &jobs, &mut events);
        let nobodys = Car::draw(&mut chance, 999_999);
        events.extend(job::malformed(&nobodys).into_iter().enumerate().map(|(n, body)| {
            send(PACE.mul_f64(12.3 + 23.0 * f64::from(u32::try_from(n).unwrap_or(0))), None, body)
        }));
        events.extend(breakdowns(seed));
        events.sort_by_key(|event| event.at);
        Self { seed, jobs, preloads, events }
    }

    /// How many jobs find their first slashtag taken.
    pub(super) fn taken(&self) -> usize {
        self.jobs.iter().filter(|job| job.taken != Taken::Free).count()
    }

    /// How many messages are sent.
    pub(super) fn messages(&self) -> usize {
        let count = |event: &Event| match &event.action {
            Action::Send(messages) => messages.len(),
            Action::Break(..) => 0,
            Action::Kill(_) => 1,
        };
        self.events.iter().map(count).sum()
    }
}

fn jobs(chance: &mut Chance) -> Vec<Job> {
    let taken = TAKEN.iter().flat_map(|(taken, count)| std::iter::repeat_n(*taken, *count));
    let mut by_place = vec![Taken::Free; JOBS];
    for (place, taken) in places_of_taken(chance).into_iter().zip(taken) {
        if let Some(slot) = by_place.get_mut(place) {
            *slot = taken;
        }
    }
    let first = u32::try_from(chance.below(800_000)).unwrap_or_default();
    (0..)
        .zip(by_place)
        .map(|(number, taken)| {
            let car = Car::draw(chance, first + number * 1_009);
            let place = usize::try_from(number).unwrap_or_default();
            let id = (!place.is_multiple_of(WITHOUT_ID))
                .then(|| format!("listing-{:08x}", chance.bits() >> 32));
            Job { id, car, titled: chance.below(3) > 0, taken }
        })
        .collect()
}

/// Places in an order of chance. The first two are of those after the killed one: a job that waits
/// for a link to show is under way for long, and none must be when the process is killed. The
/// killed one itself is left out, because without a link of its own it would have none to lose.
fn places_of_taken(chance: &mut Chance) -> Vec<usize> {
    let mut places = chance.shuffled(KILLED + 1..JOBS);
    places.truncate(2);
    let mut others = chance.shuffled(0..JOBS);
    others.retain(|place| *place != KILLED && !places.contains(place));
    places.extend(others);
    places
}

/// The links that are in the way of a job. `number` varies how a link of ours is written down.
fn preloads(job: &Job, number: usize) -> Vec<Preload> {
    let link = |slashtag: String, destination: String, visible: bool| Preload {
        slashtag,
        destination,
        domain: None,
        visible,
    };
    let Job { car, taken, .. } = job;
    let elsewhere = || car.destination.replace(".htm", "-relisted.htm");
    let ours = match number % 4 {
        0 => car.destination.clone(),
        1 => car.destination.replacen("://www.", "://", 1),
        2 => car.destination.replacen("https:", "http:", 1),
        _ => format!("{}/", car.destination),
    };
    let first = car.first_slashtag();
    match taken {
        Taken::Free => Vec::new(),
        Taken::ByOurs => vec![link(first, ours, true)],
        Taken::ByForeign => vec![link(first, elsewhere(), true)],
        Taken::ByInvisible => vec![link(first, elsewhere(), false)],
        Taken::ByForeignTwice => {
            vec![link(first, elsewhere(), true), link(car.second_slashtag(), elsewhere(), true)]
        }
    }
}

fn send(at: Duration, job: Option<usize>, body: String) -> Event {
    Event { at, action: Action::Send(vec![Message { job, body }]) }
}

/// When a job is sent for the first time, give or take a moment.
fn slot(place: usize) -> Duration {
    PACE.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX))
}

fn first_messages(chance: &mut Chance, jobs: &[Job]) -> Vec<Event> {
    jobs.iter()
        .enumerate()
        .map(|(place, job)| {
            if place == KILLED {
                return Event { at: slot(place), action: Action::Kill(place) };
            }
            let late = Duration::from_millis(chance.below(120));
            send(slot(place) + late, Some(place), job.body(Spelling::Plain))
        })
        .collect()
}

/// Adds fifteen messages that ask once more for what was asked for before: in the same call as the
/// first one, right after it or long after it, as they were or spelled differently. Nobody repeats
/// the job whose process is killed, so that it comes back by nothing but its own message.
fn repeat(chance: &mut Chance, jobs: &[Job], events: &mut Vec<Event>) {
    let mut places = chance.shuffled(0..jobs.len());
    places.retain(|place| *place != KILLED);
    for (n, place) in places.into_iter().take(12).enumerate() {
        let Some(job) = jobs.get(place) else { continue };
        let spelling = if n % 3 == 2 { Spelling::Odd } else { Spelling::Plain };
        let message = Message { job: Some(place), body: job.body(spelling) };
        let later = match n % 4 {
            0 => {
                if let Some(first) = first_call(events, place) {
                    first.extend([message.clone(), message]);
                }
                continue;
            }
            1 => 150 + chance.below(300),
            _ => 2_000 + chance.below(20_000),
        };
        let at = slot(place) + Duration::from_millis(later);
        events.push(Event { at, action: Action::Send(vec![message]) });
    }
}

/// The messages of the call by which a job is sent for the first time.
fn first_call(events: &mut [Event], place: usize) -> Option<&mut Vec<Message>> {
    events.iter_mut().find_map(|event| match &mut event.action {
        Action::Send(messages) => {
            messages.iter().any(|message| message.job == Some(place)).then_some(messages)
        }
        Action::Break(..) | Action::Kill(_) => None,
    })
}

/// What the service does wrong, and when.
fn breakdowns(seed: u64) -> Vec<Event> {
    let fault = |kind: FaultKind, scope: Scope, after_work: bool| Fault {
        kind,
        on: Target { method: Some(Method::Post), ..Target::default() },
        scope,
        after_work,
    };
    let busy = CannedAnswer { status: 429, retry_after: Some(2), ..CannedAnswer::default() };
    let some = Scope { share: Some(0.4), seed: Some(seed), ..Scope::for_ms(BROKEN_MS) };
    let connections = vec![
        fault(FaultKind::Reset, Scope::calls(1), false),
        fault(FaultKind::Reset, Scope::calls(1), true),
        fault(FaultKind::Html, Scope::calls(1), false),
    ];
    let limit =
        Fault { on: Target::default(), ..fault(FaultKind::Status(busy), Scope::calls(12), false) };
    let broken = vec![
        fault(FaultKind::status(500), some, true),
        fault(FaultKind::status(500), Scope::for_ms(BROKEN_MS), false),
    ];
    [
        (
            CONNECTIONS_BREAK,
            "two connections are reset, and a firewall answers with a page",
            connections,
        ),
        (LIMIT_IS_REACHED, "the next 12 calls are answered 429", vec![limit]),
        (
            SERVICE_BREAKS,
            "for 2 s links are answered 500, some of them after they were made",
            broken,
        ),
    ]
    .into_iter()
    .map(|(place, how, faults)| Event { at: slot(place), action: Action::Break(how, faults) })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Action, Incident, JOBS};

    fn sent(incident: &Incident, job: Option<usize>) -> usize {
        let messages = incident.events.iter().map(|event| match &event.action {
            Action::Send(messages) => messages.iter().filter(|m| m.job == job).count(),
            Action::Kill(killed) => usize::from(job == Some(*killed)),
            Action::Break(..) => 0,
        });
        messages.sum()
    }

    #[test]
    fn the_mix_is_that_of_the_incident_whatever_the_seed() {
        for seed in [0, 1, 20_250_824] {
            let incident = Incident::of(seed);
            assert_eq!(incident.jobs.len(), JOBS);
            assert_eq!(incident.taken(), 19);
            assert_eq!(incident.preloads.len(), 20);
            assert_eq!(sent(&incident, None), 5);
            assert_eq!(incident.messages(), JOBS + 15 + 5);
            assert!((0..JOBS).all(|job| sent(&incident, Some(job)) >= 1));
        }
    }

    #[test]
    fn jobs_differ_in_everything_that_tells_them_apart() {
        let incident = Incident::of(20_250_824);
        let distinct = |of: fn(&super::Job) -> String| {
            incident.jobs.iter().map(of).collect::<HashSet<_>>().len()
        };
        assert_eq!(distinct(|job| job.car.destination.clone()), JOBS);
        assert_eq!(distinct(|job| job.car.vin.clone()), JOBS);
        assert_eq!(distinct(|job| job.car.first_slashtag()), JOBS);
        assert_eq!(distinct(|job| job.payload().to_string()), JOBS);
        let ids = incident.jobs.iter().filter_map(|job| job.id.as_ref()).collect::<HashSet<_>>();
        assert_eq!(ids.len(), JOBS - 22);
    }

    #[test]
    fn a_seed_is_one_incident() {
        assert_eq!(Incident::of(1).events, Incident::of(1).events);
        assert_ne!(Incident::of(1).events, Incident::of(2).events);
    }

    #[test]
    fn four_jobs_a_second() {
        let last = Incident::of(1)
            .events
            .iter()
            .filter_map(|event| match &event.action {
                Action::Send(messages) if messages[0].job == Some(JOBS - 1) => Some(event.at),
                _ => None,
            })
            .min();
        let last = last.expect("it is sent").as_secs();
        assert!((32..=33).contains(&last), "{last} s");
    }
}
