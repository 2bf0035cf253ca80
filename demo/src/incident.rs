//! The incident of August 2025: links that exist before it, the messages, and when they are sent.

mod breakdown;
pub(crate) mod car;
pub(crate) mod chance;
pub(crate) mod event;
pub(crate) mod job;
pub(crate) mod site;

use std::time::Duration;

use sandbox::dealers::Twist;
use sandbox::rebrandly::Preload;

use breakdown::{breakdowns, lasting_outage, walled};
use car::Car;
use chance::Chance;
use event::{Action, Event, FEEDS, Message, PACE, slot};
use job::{Feed, Job, Kind, Shortening, Spelling, Taken, Work};
use site::{Page, Site, Sites};

/// Jobs of the incident, without those that feeds enqueue.
pub(crate) const JOBS: usize = 151;

/// From place 6 on, every tenth job is a scraping job. All other jobs except the feeds are
/// shortening jobs: 132 jobs, 87.4 %.
const SCRAPINGS_EVERY: usize = 10;
const FIRST_SCRAPING: usize = 6;

/// How many shortening jobs find their first slashtag used, by whom.
const TAKEN: [(Taken, usize); 4] = [
    (Taken::ByInvisible, 2),
    (Taken::ByOurs, 10),
    (Taken::ByForeign, 6),
    (Taken::ByForeignTwice, 1),
];

/// The lists that each feed reads; an empty entry means all of them. Certified cars are also in the
/// list of used cars.
const LISTS: [&[&str]; 4] =
    [&["new", "used"], &[], &["certified", "new", "used"], &["new", "used"]];

/// The sender gives no id for every sixth job, except feeds.
const WITHOUT_ID: usize = 6;

/// The types of the jobs whose messages are repeated. The first six cover every kind of repetition.
const REPEATED: [Kind; 12] = [
    Kind::Shortening,
    Kind::Feed,
    Kind::Feed,
    Kind::Shortening,
    Kind::Scraping,
    Kind::Scraping,
    Kind::Shortening,
    Kind::Shortening,
    Kind::Shortening,
    Kind::Shortening,
    Kind::Shortening,
    Kind::Shortening,
];

/// The job whose process is killed. It is early, so that its message is redelivered in time, and
/// before any other breakdown.
const KILLED: usize = 20;

/// The whole incident.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) seed: u64,
    pub(crate) jobs: Vec<Job>,
    pub(crate) preloads: Vec<Preload>,
    /// Sorted by time.
    pub(crate) events: Vec<Event>,
    /// The dependency whose breaker opens.
    pub(crate) walled: String,
}

impl Incident {
    /// The incident for a seed and for the pages of the sites.
    pub(crate) fn of(seed: u64, sites: &Sites) -> Self {
        let mut chance = Chance::of(seed);
        let jobs = jobs(&mut chance, sites);
        let shortenings = jobs.iter().filter_map(Job::shortening).enumerate();
        let preloads = shortenings.flat_map(|(n, shortening)| preloads(shortening, n)).collect();
        let mut events = first_messages(&mut chance, &jobs);
        repeat(&mut chance, &jobs, &mut events);
        events.extend(twists(&jobs));
        let nobodys = Car::draw(&mut chance, 999_999);
        let malformed = job::malformed(&nobodys).into_iter().zip(0_u32..);
        events.extend(malformed.map(|((kind, body), n)| {
            let at = PACE.mul_f64(12.3 + 19.0 * f64::from(n));
            Event { at, action: Action::Send(kind, vec![Message { job: None, body }]) }
        }));
        events.extend(breakdowns(seed, sites));
        events.sort_by_key(|event| event.at);
        Self { seed, jobs, preloads, events, walled: walled(sites) }
    }

    /// The same incident with an outage that lasts for minutes. Not every job succeeds in time.
    pub(crate) fn with_a_lasting_outage(mut self) -> Self {
        self.events.extend(lasting_outage());
        self.events.sort_by_key(|event| event.at);
        self
    }

    /// How many jobs find their first slashtag used.
    pub(crate) fn taken(&self) -> usize {
        self.jobs.iter().filter(|job| job.is_taken()).count()
    }

    /// How many jobs there are of a type.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.jobs.iter().filter(|job| job.kind() == kind).count()
    }

    /// How many messages are sent.
    pub(crate) fn messages(&self) -> usize {
        let count = |event: &Event| match &event.action {
            Action::Send(_, messages) => messages.len(),
            Action::Break(..) | Action::Twist(_) => 0,
            Action::Kill(_) => 1,
        };
        self.events.iter().map(count).sum()
    }
}

/// The type of the job at a place.
fn kind_at(place: usize) -> Kind {
    if FEEDS.contains(&place) {
        Kind::Feed
    } else if place % SCRAPINGS_EVERY == FIRST_SCRAPING {
        Kind::Scraping
    } else {
        Kind::Shortening
    }
}

fn jobs(chance: &mut Chance, sites: &Sites) -> Vec<Job> {
    let taken = taken_by_place(chance);
    let first = u32::try_from(chance.below(800_000)).unwrap_or_default();
    let mut feeds = sites.fed.iter().zip(LISTS);
    let mut pages = pages(sites).into_iter();
    let mut jobs = Vec::with_capacity(JOBS);
    for ((place, taken), number) in taken.into_iter().enumerate().zip(0_u32..) {
        let kind = kind_at(place);
        let work = match kind {
            Kind::Shortening => {
                let car = Car::draw(chance, first + number * 1_009);
                let titled = chance.below(3) > 0;
                Some(Work::Shorten(Shortening { car, titled, taken }))
            }
            Kind::Scraping => pages.next().map(Work::Scrape),
            Kind::Feed => feeds.next().map(|(site, lists)| Work::Read(feed(site, lists))),
        };
        // Without an id, the record is found by its payload, and a feed's record holds defaults
        // that this crate does not know.
        let has_id = kind == Kind::Feed || !place.is_multiple_of(WITHOUT_ID);
        let id = has_id.then(|| format!("listing-{:08x}", chance.bits() >> 32));
        jobs.extend(work.map(|work| Job { id, work }));
    }
    jobs
}

fn feed(site: &Site, lists: &'static [&'static str]) -> Feed {
    Feed {
        dealer_slug: site.slug.clone(),
        site_url: site.url.clone(),
        lists,
        pages: site.pages.clone(),
    }
}

/// The pages to scrape, in order: those of the sites without a feed, and in the middle a page that
/// a feed has listed before. That page has lost its data meanwhile, so the job must use the feed's
/// data.
fn pages(sites: &Sites) -> Vec<Page> {
    let mut pages: Vec<Page> = sites.paged.iter().flat_map(|site| site.pages.clone()).collect();
    let known = sites.fed.first().and_then(|site| site.pages.last());
    if let Some(known) = known {
        let bare = Page { twist: Some(Twist::Bare), ..known.clone() };
        pages.insert(pages.len() / 2, bare);
    }
    pages
}

/// Who uses the first slashtag of the job at each place.
fn taken_by_place(chance: &mut Chance) -> Vec<Taken> {
    let taken = TAKEN.iter().flat_map(|(taken, count)| std::iter::repeat_n(*taken, *count));
    let mut by_place = vec![Taken::Free; JOBS];
    for (place, taken) in places_of_taken(chance).into_iter().zip(taken) {
        if let Some(slot) = by_place.get_mut(place) {
            *slot = taken;
        }
    }
    by_place
}

/// Places of shortening jobs in random order. The first two come after the killed job: a job that
/// waits for an invisible link takes long, and no such job may run when the process is killed. The
/// killed job itself is left out, because it must create a link of its own.
fn places_of_taken(chance: &mut Chance) -> Vec<usize> {
    let suits = |place: &usize| *place != KILLED && kind_at(*place) == Kind::Shortening;
    let mut places = chance.shuffled(KILLED + 1..JOBS);
    places.retain(suits);
    places.truncate(2);
    let mut others = chance.shuffled(0..JOBS);
    others.retain(|place| suits(place) && !places.contains(place));
    places.extend(others);
    places
}

/// The links that exist before a job. `number` varies the spelling of a link with the right
/// destination.
fn preloads(shortening: &Shortening, number: usize) -> Vec<Preload> {
    let link = |slashtag: String, destination: String, visible: bool| Preload {
        slashtag,
        destination,
        domain: None,
        visible,
    };
    let Shortening { car, taken, .. } = shortening;
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

fn send(at: Duration, place: usize, job: &Job, spelling: Spelling) -> Event {
    let message = Message { job: Some(place), body: job.body(spelling) };
    Event { at, action: Action::Send(job.kind(), vec![message]) }
}

fn first_messages(chance: &mut Chance, jobs: &[Job]) -> Vec<Event> {
    jobs.iter()
        .enumerate()
        .map(|(place, job)| {
            if place == KILLED {
                return Event { at: slot(place), action: Action::Kill(place) };
            }
            let late = Duration::from_millis(chance.below(120));
            send(slot(place) + late, place, job, Spelling::Plain)
        })
        .collect()
}

/// Adds fifteen messages that repeat others: in the same call as the first one, right after it, or
/// long after it, some of them in another spelling. The job whose process is killed is not
/// repeated, so that only its own message can bring it back.
fn repeat(chance: &mut Chance, jobs: &[Job], events: &mut Vec<Event>) {
    let mut places = chance.shuffled(0..jobs.len());
    places.retain(|place| *place != KILLED);
    for (n, kind) in REPEATED.into_iter().enumerate() {
        let of_kind = |place: &usize| jobs.get(*place).is_some_and(|job| job.kind() == kind);
        let Some(place) = places.iter().position(of_kind).map(|at| places.remove(at)) else {
            continue;
        };
        let Some(job) = jobs.get(place) else { continue };
        let spelling = if n % 3 == 2 { Spelling::Odd } else { Spelling::Plain };
        let later = match n % 4 {
            0 => {
                if let Some(first) = first_call(events, place) {
                    let message = Message { job: Some(place), body: job.body(spelling) };
                    first.extend([message.clone(), message]);
                }
                continue;
            }
            1 => 150 + chance.below(300),
            _ => 2_000 + chance.below(20_000),
        };
        let at = slot(place) + Duration::from_millis(later);
        events.push(send(at, place, job, spelling));
    }
}

/// The messages of the call that first sends a job.
fn first_call(events: &mut [Event], place: usize) -> Option<&mut Vec<Message>> {
    events.iter_mut().find_map(|event| match &mut event.action {
        Action::Send(_, messages) => {
            messages.iter().any(|message| message.job == Some(place)).then_some(messages)
        }
        Action::Break(..) | Action::Twist(_) | Action::Kill(_) => None,
    })
}

/// A page loses its data shortly before its scraping job is sent. If it did so earlier, the job
/// that the feed enqueued for it might find no data, either.
fn twists(jobs: &[Job]) -> impl Iterator<Item = Event> {
    jobs.iter().enumerate().filter_map(|(place, job)| match &job.work {
        Work::Scrape(page) if page.twist == Some(Twist::Bare) => {
            let at = slot(place.saturating_sub(1));
            Some(Event { at, action: Action::Twist(page.clone()) })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
