mod page;
mod story;

use sandbox::rebrandly::{CreatedBy, Link, LinkStatus};

use super::{Verdict, is_over};
use crate::incident::event::Message;
use crate::incident::site::Site;
use crate::replay::Sent;
use crate::scene::record::Record;
use story::{FEED, MADE, SCRAPING, Story, fault, read, scraped};

fn successes(verdict: &Verdict) -> usize {
    verdict.ends.iter().filter(|end| end.outcome.is_ok()).count()
}

#[test]
fn a_good_end_holds() {
    let story = Story::good();
    let verdict = story.verdict();
    assert_eq!(verdict.findings, Vec::<String>::new());
    assert!(verdict.holds());
    assert!(is_over(&story.evidence()));
    let times = |ends: &[super::End]| ends.iter().map(|end| end.took_ms).collect::<Vec<_>>();
    assert_eq!(times(&verdict.ends), [Some(500); 5]);
    assert_eq!(times(&verdict.fanned_out), [Some(50); 4]);
    assert_eq!(verdict.recovery_ms, Some(400));
    assert_eq!((verdict.links_made, verdict.vehicles_kept), (5, 2));
    assert_eq!((verdict.lost, verdict.duplicate_links, verdict.duplicate_jobs), (0, 0, 0));
    assert_eq!((successes(&verdict), verdict.shortened().count()), (5, 3));
}

#[test]
fn a_job_without_a_record_is_lost() {
    let mut story = Story::good();
    story.records.remove(1);
    let verdict = story.verdict();
    assert!(!verdict.holds());
    assert!(!is_over(&story.evidence()));
    assert_eq!(verdict.lost, 2, "both of its messages");
    assert_eq!(verdict.ends[1].outcome, Err("it has no record".into()));
    assert_eq!(verdict.ends[1].standing(), "no record");
}

#[test]
fn a_body_that_nobody_kept_is_lost() {
    let mut story = Story::good();
    story.records.pop();
    assert_eq!(story.finding(), "a message was lost: nonsense");
}

#[test]
fn a_job_that_still_runs_at_the_end_is_lost_and_one_that_waits_is_not() {
    for (state, lost) in [("running", 1), ("waiting", 0), ("parked", 0), ("queued", 0)] {
        let mut story = Story::good();
        story.records[0] =
            Record { state: state.into(), ended_at: None, ..story.records[0].clone() };
        let verdict = story.verdict();
        assert!(!verdict.holds(), "{state}");
        assert!(!is_over(&story.evidence()), "{state}");
        assert_eq!(verdict.lost, lost, "{state}");
        assert_eq!(successes(&verdict), 4, "{state}");
        assert_eq!(verdict.ends[0].standing(), state);
    }
}

#[test]
fn a_second_link_to_one_destination_is_found() {
    let mut story = Story::good();
    let second = Link {
        id: "l9".into(),
        slashtag: "another".into(),
        destination: story.links[0].destination.replace("https://www.", "http://") + "/",
        ..story.links[0].clone()
    };
    story.links.push(second);
    assert!(story.finding().contains("was done twice"), "{}", story.finding());
    assert_eq!(story.verdict().duplicate_links, 1);
}

#[test]
fn a_second_link_to_a_car_of_a_feed_is_found_as_well() {
    let mut story = Story::good();
    story.links.push(Link {
        id: "l9".into(),
        slashtag: "another".into(),
        ..story.links[3].clone()
    });
    assert!(story.finding().contains("was done twice"), "{}", story.finding());
    assert_eq!(story.verdict().duplicate_links, 1);
}

#[test]
fn an_adopted_link_besides_a_made_one_is_a_second_link() {
    let mut story = Story::good();
    let before = Link { id: "l9".into(), created_by: CreatedBy::Preload, ..story.links[0].clone() };
    story.links.push(before);
    assert!(story.finding().contains("was done twice"));
}

#[test]
fn a_record_that_points_to_a_foreign_link_is_a_failure() {
    let mut story = Story::good();
    story.links[0].destination = "https://www.elsewhere.example/".into();
    story.links[0].created_by = CreatedBy::Preload;
    assert!(story.finding().ends_with("leads to https://www.elsewhere.example/"));
    assert!(story.verdict().ends[0].outcome.is_err());
}

#[test]
fn a_record_that_points_nowhere_is_a_failure() {
    let mut story = Story::good();
    story.links.remove(2);
    assert!(story.finding().ends_with("does not exist"));
    let mut story = Story::good();
    story.links[2].status = LinkStatus::Deleted;
    assert!(story.finding().contains("leads to"));
    let mut story = Story::good();
    story.records[0].result = Some("{}".into());
    assert!(story.finding().contains("has a result"));
    assert_eq!(story.verdict().ends[0].standing(), "wrong result");
}

#[test]
fn a_dead_job_is_a_failure_but_not_lost() {
    let mut story = Story::good();
    story.records[0].state = "dead".into();
    story.records[0].why = Some("attempts spent".into());
    assert!(story.finding().ends_with("its record is dead: attempts spent"));
    assert_eq!(story.verdict().lost, 0);
    assert!(is_over(&story.evidence()));
}

#[test]
fn a_page_or_a_feed_that_was_read_wrongly_is_a_failure() {
    let mut story = Story::good();
    let other = Site::made_up("harbor-honda", 2).pages.remove(1);
    story.records[SCRAPING].result = Some(scraped(&other).to_string());
    assert!(story.finding().contains("the page of"), "{}", story.finding());
    let mut story = Story::good();
    story.records[FEED].result = Some(read(1).to_string());
    assert!(story.finding().starts_with("the feed of lakeside-toyota failed"));
}

#[test]
fn a_job_that_a_feed_has_not_made_is_found() {
    let mut story = Story::good();
    let missing = story.records.remove(MADE);
    let finding = story.finding();
    assert!(finding.starts_with("the feed's product_detail_scraping for"), "{finding}");
    assert!(finding.ends_with("failed: it has no record"), "{finding}");
    let verdict = story.verdict();
    assert_eq!((verdict.lost, verdict.fanned_out.len()), (0, 4));
    story.records.push(Record { state: "dead".into(), ..missing });
    assert!(story.finding().contains("its record is dead"), "{}", story.finding());
}

#[test]
fn a_job_that_a_feed_has_made_twice_is_found() {
    let mut story = Story::good();
    let pk = "product_detail_scraping#g:another".to_owned();
    story.records.push(Record { pk, ..story.records[MADE].clone() });
    assert!(story.finding().contains("was made more than once"), "{}", story.finding());
    assert_eq!(story.verdict().duplicate_jobs, 1);
}

#[test]
fn it_is_not_over_while_a_job_waits_that_a_feed_has_made() {
    let mut story = Story::good();
    let record = Record { state: "parked".into(), ended_at: None, ..story.records[MADE].clone() };
    story.records[MADE] = record;
    assert!(!is_over(&story.evidence()));
    assert!(story.finding().contains("its record is parked"), "{}", story.finding());
}

#[test]
fn a_car_that_is_not_kept_is_found() {
    let mut story = Story::good();
    story.vehicles.remove(0);
    assert!(story.finding().ends_with("was listed and is not kept"), "{}", story.finding());
    assert_eq!(story.verdict().vehicles_kept, 1);
}

#[test]
fn what_nobody_asked_for_is_found() {
    let mut story = Story::good();
    let destination = "https://www.elsewhere.example/".into();
    story.links.push(Link { id: "l9".into(), destination, ..story.links[0].clone() });
    assert!(story.finding().starts_with("no message asked for rebrand.ly/"));

    let mut story = Story::good();
    story.records.push(Record { pk: "url_shortening#d:9".into(), ..story.records[1].clone() });
    assert_eq!(story.finding(), "no message asked for the job url_shortening#d:9");

    let mut story = Story::good();
    let body = story.sent[0].message.body.clone();
    let kept = story.records.last().cloned().expect("the kept body");
    story.records.push(Record { body: Some(body), ..kept });
    assert!(story.finding().starts_with("a valid message was rejected"));
}

#[test]
fn what_is_left_in_a_queue_is_found() {
    let story = Story { queued: 2, ..Story::good() };
    assert_eq!(story.finding(), "messages left in the queues: 2");
    assert!(!is_over(&story.evidence()));
    let story = Story { dead_letters: 1, ..Story::good() };
    assert_eq!(story.finding(), "messages left in the dead-letter queues: 1");
}

#[test]
fn a_kill_that_hit_nobody_shows_nothing() {
    let mut story = Story::good();
    story.records[2].crashes = 0;
    assert_eq!(story.finding(), "the job of process 7 does not know of its crash");
    let story = Story { accident: None, ..Story::good() };
    assert_eq!(story.finding(), "no process was killed");
}

#[test]
fn a_fault_that_struck_nobody_shows_nothing() {
    let story = Story { faults: vec![fault(1)], ..Story::good() };
    assert_eq!(story.finding(), "a fault (html) struck 1 of 2 calls");
}

#[test]
fn a_mean_above_the_aim_is_found() {
    let mut story = Story::good();
    story.records[0].ended_at = Some(22_999);
    assert!(story.verdict().holds());
    story.records[0].ended_at = Some(23_000);
    assert!(story.finding().starts_with("the mean of the times is 5000 ms"));
}

#[test]
fn a_message_of_a_newer_version_may_stay_in_its_queue_and_may_not_vanish() {
    let mut story = Story::good();
    let newer = r#"{"version":2,"type":"url_shortening","payload":{}}"#.to_owned();
    let message = Message { job: None, body: newer };
    story.sent.push(Sent { message, at_ms: story.sent[0].at_ms });
    let finding = "messages that wait for an update, and are gone: 1";
    assert_eq!(story.finding(), finding);
    assert!(!is_over(&story.evidence()));
    story.queued = 1;
    assert!(story.verdict().holds() && is_over(&story.evidence()));
}
