use sandbox::rebrandly::{CreatedBy, Domain, Link, LinkStatus};
use serde_json::json;

use super::{Evidence, Verdict, is_over, judge};
use crate::demo::accident::Accident;
use crate::demo::car::Car;
use crate::demo::chance::Chance;
use crate::demo::incident::Message;
use crate::demo::job::{Job, Spelling, Taken};
use crate::demo::record::Record;
use crate::demo::replay::Sent;

/// Three jobs that went well, the second of them without an id, the third after its process was
/// killed; and a body that is no message.
struct Story {
    jobs: Vec<Job>,
    sent: Vec<Sent>,
    records: Vec<Record>,
    links: Vec<Link>,
    accident: Option<Accident>,
    queued: u64,
    dead_letters: u64,
}

impl Story {
    fn good() -> Self {
        let jobs: Vec<Job> = (0..3).map(job).collect();
        let mut sent: Vec<Sent> = (0..3)
            .map(|n| sent(Some(n), jobs[n].body(Spelling::Plain), 1_000 * n as u64))
            .collect();
        sent.push(sent_again(&sent[1], 9_000));
        sent.push(self::sent(None, "nonsense".into(), 5));
        let mut records: Vec<Record> =
            jobs.iter().enumerate().map(|(n, job)| succeeded(job, n)).collect();
        records[2].crashes = 1;
        records.push(Record {
            pk: "q#abc".into(),
            state: "quarantined".into(),
            body: Some("nonsense".into()),
            ended_at: Some(6),
            ..Record::default()
        });
        let links = jobs.iter().enumerate().map(|(n, job)| link(job, n)).collect();
        let accident = Some(Accident { job: 2, pid: 7, at_ms: 2_100 });
        Self { jobs, sent, records, links, accident, queued: 0, dead_letters: 0 }
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            jobs: &self.jobs,
            sent: &self.sent,
            records: &self.records,
            links: &self.links,
            accident: self.accident,
            queued: self.queued,
            dead_letters: self.dead_letters,
        }
    }

    fn verdict(&self) -> Verdict {
        judge(&self.evidence())
    }

    /// The one thing that is wrong.
    fn finding(&self) -> String {
        let verdict = self.verdict();
        assert!(!verdict.holds());
        assert_eq!(verdict.findings.len(), 1, "{:?}", verdict.findings);
        verdict.findings[0].clone()
    }
}

fn job(n: usize) -> Job {
    let serial = u32::try_from(n).expect("small");
    let car = Car::draw(&mut Chance::of(n as u64), serial);
    let id = (n != 1).then(|| format!("listing-{n}"));
    Job { id, car, titled: n == 0, taken: Taken::Free }
}

fn sent(job: Option<usize>, body: String, at_ms: u64) -> Sent {
    Sent { message: Message { job, body }, at_ms }
}

fn sent_again(first: &Sent, at_ms: u64) -> Sent {
    Sent { at_ms, ..first.clone() }
}

fn succeeded(job: &Job, n: usize) -> Record {
    let tag = job.car.first_slashtag();
    let result = json!({
        "short_url": format!("rebrand.ly/{tag}"), "slashtag": tag, "link_id": format!("l{n}"),
        "via": "created", "candidate": 1,
    });
    Record {
        pk: job.key().unwrap_or_else(|| "url_shortening#d:0f".into()),
        state: "succeeded".into(),
        payload: Some(job.payload().to_string()),
        result: Some(result.to_string()),
        ended_at: Some(1_000 * n as u64 + 500),
        claims: 1,
        attempts: 1,
        ..Record::default()
    }
}

fn link(job: &Job, n: usize) -> Link {
    let slashtag = job.car.first_slashtag();
    Link {
        id: format!("l{n}"),
        title: slashtag.clone(),
        slashtag,
        destination: job.car.destination.clone(),
        domain: Domain { id: "d".into(), full_name: "rebrand.ly".into() },
        status: LinkStatus::Active,
        visible: true,
        created_by: CreatedBy::Api,
        created_at_ms: 1,
        updated_at_ms: 1,
    }
}

#[test]
fn a_good_end_holds() {
    let story = Story::good();
    let verdict = story.verdict();
    assert_eq!(verdict.findings, Vec::<String>::new());
    assert!(verdict.holds());
    assert!(is_over(&story.evidence()));
    assert_eq!(verdict.times_ms(), [500, 500, 500]);
    assert_eq!(verdict.recovery_ms, Some(400));
    assert_eq!((verdict.links_made, verdict.lost, verdict.duplicate_links), (3, 0, 0));
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
        assert_eq!(verdict.successes().count(), 2, "{state}");
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
fn what_nobody_asked_for_is_found() {
    let mut story = Story::good();
    let destination = "https://www.elsewhere.example/".into();
    story.links.push(Link { id: "l9".into(), destination, ..story.links[0].clone() });
    assert!(story.finding().starts_with("nobody asked for rebrand.ly/"));

    let mut story = Story::good();
    story.records.push(Record { pk: "url_shortening#d:9".into(), ..story.records[1].clone() });
    assert_eq!(story.finding(), "nobody asked for the job url_shortening#d:9");

    let mut story = Story::good();
    let body = story.sent[0].message.body.clone();
    story.records.push(Record { body: Some(body), ..story.records[3].clone() });
    assert!(story.finding().starts_with("a good message was quarantined"));
}

#[test]
fn what_is_left_in_a_queue_is_found() {
    let story = Story { queued: 2, ..Story::good() };
    assert_eq!(story.finding(), "messages left in the queue: 2");
    assert!(!is_over(&story.evidence()));
    let story = Story { dead_letters: 1, ..Story::good() };
    assert_eq!(story.finding(), "messages left in the dead-letter queue: 1");
}

#[test]
fn a_kill_that_hit_nobody_shows_nothing() {
    let mut story = Story::good();
    story.records[2].crashes = 0;
    assert_eq!(story.finding(), "the job of process 7 does not know of its crash");
    let story = Story { accident: None, ..Story::good() };
    assert_eq!(story.finding(), "no process was killed");
}
