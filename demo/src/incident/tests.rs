use std::collections::HashSet;

use sandbox::dealers::{Endpoint, Twist};

use super::{Action, FEEDS, Incident, JOBS, KILLED, slot};
use crate::incident::job::{Job, Kind, Work};
use crate::incident::site::Sites;

/// The seed of the demo.
const SEED: u64 = 20_250_824;

fn incident(seed: u64) -> Incident {
    Incident::of(seed, &Sites::made_up())
}

fn sent(incident: &Incident, job: Option<usize>) -> usize {
    let messages = incident.events.iter().map(|event| match &event.action {
        Action::Send(_, messages) => messages.iter().filter(|m| m.job == job).count(),
        Action::Kill(killed) => usize::from(job == Some(*killed)),
        Action::Break(..) | Action::Twist(_) => 0,
    });
    messages.sum()
}

#[test]
fn the_mix_is_that_of_the_incident_whatever_the_seed() {
    for seed in [0, 1, SEED] {
        let incident = incident(seed);
        assert_eq!(incident.jobs.len(), JOBS);
        assert_eq!(Kind::ALL.map(|kind| incident.count(kind)), [132, 15, 4]);
        assert_eq!(incident.taken(), 19);
        assert_eq!(incident.preloads.len(), 20);
        assert_eq!(sent(&incident, None), 7);
        assert_eq!(incident.messages(), JOBS + 15 + 7);
        assert!((0..JOBS).all(|job| sent(&incident, Some(job)) >= 1));
    }
}

#[test]
fn as_many_jobs_as_failed_then_meet_what_failed_them() {
    let incident = incident(SEED);
    let twisted = incident.jobs.iter().filter_map(|job| match &job.work {
        Work::Scrape(page) => page.twist,
        Work::Shorten(_) | Work::Read(_) => None,
    });
    assert_eq!(twisted.collect::<Vec<_>>(), [Twist::BrokenJsonLd, Twist::Bare]);
    // The wall stands before the pages of a feed's cars, whose jobs are none of these.
    let on_sites = incident.events.iter().filter(|event| match &event.action {
        Action::Break(_, faults) => faults
            .iter()
            .all(|fault| fault.on.site.is_some() && fault.on.endpoint != Some(Endpoint::Detail)),
        Action::Send(..) | Action::Twist(_) | Action::Kill(_) => false,
    });
    assert_eq!(incident.taken() + 2 + on_sites.count(), 23);
}

#[test]
fn jobs_differ_in_everything_that_tells_them_apart() {
    let incident = incident(SEED);
    let jobs = &incident.jobs;
    let distinct =
        |of: fn(&Job) -> Option<String>| jobs.iter().filter_map(of).collect::<HashSet<_>>().len();
    assert_eq!(distinct(|job| Some(job.shortening()?.car.destination.clone())), 132);
    assert_eq!(distinct(|job| Some(job.shortening()?.car.vin.clone())), 132);
    assert_eq!(distinct(|job| Some(job.shortening()?.car.first_slashtag())), 132);
    assert_eq!(distinct(|job| Some(job.payload().to_string())), JOBS);
    assert_eq!(distinct(|job| job.id.clone()), JOBS - 24);
}

#[test]
fn messages_go_to_the_queue_of_their_job() {
    let incident = incident(SEED);
    for event in &incident.events {
        let Action::Send(kind, messages) = &event.action else { continue };
        for job in messages.iter().filter_map(|message| message.job) {
            assert_eq!(incident.jobs[job].kind(), *kind, "{job}");
        }
    }
}

#[test]
fn feeds_and_scrapings_are_repeated_as_well() {
    let incident = incident(SEED);
    let repeated = |kind: Kind| {
        let jobs = incident.jobs.iter().enumerate().filter(move |(_, job)| job.kind() == kind);
        jobs.filter(|(place, _)| sent(&incident, Some(*place)) > 1).count()
    };
    assert_eq!(Kind::ALL.map(repeated), [8, 2, 2]);
    assert_eq!(sent(&incident, Some(KILLED)), 1);
}

#[test]
fn what_is_to_break_a_job_is_there_before_it() {
    let incident = incident(SEED);
    let at = |such: &dyn Fn(&Action) -> bool| {
        incident.events.iter().position(|event| such(&event.action)).expect("it happens")
    };
    let first = |job: usize| {
        at(&|action| match action {
            Action::Send(_, messages) => messages.iter().any(|message| message.job == Some(job)),
            _ => false,
        })
    };
    let bare = incident.jobs.iter().position(|job| match &job.work {
        Work::Scrape(page) => page.twist == Some(Twist::Bare),
        _ => false,
    });
    let bare = bare.expect("there is one");
    assert!(at(&|action| matches!(action, Action::Twist(_))) < first(bare));
    assert!(first(FEEDS[0]) < first(bare), "the feed knows the car by then");
    for feed in FEEDS.into_iter().skip(1) {
        let slug = incident.jobs[feed].dealer_slug();
        let breaks = at(&|action| match action {
            Action::Break(_, faults) => faults.iter().any(|f| f.on.site.as_deref() == Some(slug)),
            _ => false,
        });
        assert!(breaks < first(feed), "{slug}");
    }
}

#[test]
fn no_feed_comes_before_the_kill() {
    assert!(FEEDS.iter().all(|feed| *feed > KILLED));
}

#[test]
fn a_seed_is_one_incident() {
    assert_eq!(incident(1).events, incident(1).events);
    assert_ne!(incident(1).events, incident(2).events);
}

#[test]
fn five_jobs_in_two_seconds() {
    assert_eq!(slot(JOBS - 1).as_secs(), 60);
    let last = incident(1).events.into_iter().filter_map(|event| match event.action {
        Action::Send(_, messages) if messages[0].job == Some(JOBS - 1) => Some(event.at),
        _ => None,
    });
    let last = last.min().expect("it is sent").as_secs();
    assert!((60..=61).contains(&last), "{last} s");
}
