//! Replays the incident in real time.

pub(crate) mod accident;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep_until};
use xtask::aws::sqs::Outgoing;

use crate::incident::Incident;
use crate::incident::event::{Action, Event, Message};
use crate::incident::job::{Job, Kind, Spelling};
use crate::incident::site;
use crate::scene::Scene;
use accident::Accident;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    /// In epoch milliseconds.
    pub(crate) at_ms: u64,
}

/// What has been done so far, for the display and the verdict. Used on one thread only.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) sent: RefCell<Vec<Sent>>,
    pub(crate) accident: Cell<Option<Accident>>,
    /// Lines that the display has not printed yet, with their times.
    pub(crate) news: RefCell<Vec<(Duration, String)>>,
    /// Whether the whole incident has been played.
    pub(crate) over: Cell<bool>,
}

impl Journal {
    fn note_sent(&self, message: Message, at_ms: u64) {
        self.sent.borrow_mut().push(Sent { message, at_ms });
    }

    fn tell(&self, scene: &Scene<'_>, news: String) {
        self.news.borrow_mut().push((scene.clock.elapsed(), news));
    }
}

/// Replays the incident. All events after the accident are delayed by the time that the accident
/// takes.
pub(crate) async fn play(scene: &Scene<'_>, incident: &Incident, journal: &Journal) -> Result<()> {
    let began = Instant::now();
    let mut delayed = Duration::ZERO;
    for Event { at, action } in &incident.events {
        sleep_until(began + *at + delayed).await;
        match action {
            Action::Send(kind, messages) => {
                send(scene, incident, *kind, messages, journal).await?;
            }
            Action::Break(how, faults) => {
                for fault in faults {
                    scene.sandbox.add_fault(fault).await.with_context(|| *how)?;
                }
                journal.tell(scene, (*how).to_owned());
            }
            Action::Twist(page) => {
                site::twist(&scene.sandbox, page).await?;
                journal.tell(scene, format!("the page of {} loses its data", page.vin));
            }
            Action::Kill(place) => {
                let paused = Instant::now();
                let job = incident.jobs.get(*place).context("the accident is of no job")?;
                kill(scene, *place, job, journal).await.context("the accident")?;
                delayed += paused.elapsed();
            }
        }
    }
    journal.over.set(true);
    Ok(())
}

async fn send(
    scene: &Scene<'_>,
    incident: &Incident,
    kind: Kind,
    messages: &[Message],
    journal: &Journal,
) -> Result<()> {
    let outgoing: Vec<Outgoing> = messages
        .iter()
        .map(|message| outgoing(&message.body, message.job.and_then(|job| incident.jobs.get(job))))
        .collect();
    let at_ms = scene.clock.now_ms();
    scene.send(kind, &outgoing).await?;
    for message in messages {
        journal.note_sent(message.clone(), at_ms);
    }
    Ok(())
}

async fn kill(scene: &Scene<'_>, place: usize, job: &Job, journal: &Journal) -> Result<()> {
    let car = &job.shortening().context("it is of a job that makes no link")?.car;
    let message = Message { job: Some(place), body: job.body(Spelling::Plain) };
    let outgoing = outgoing(&message.body, Some(job));
    let (sent_ms, accident) = accident::strike(scene, place, &car.destination, outgoing).await?;
    journal.note_sent(message, sent_ms);
    journal.accident.set(Some(accident));
    let (pid, slashtag) = (accident.pid, car.first_slashtag());
    let news = format!("process {pid} is killed: it has made the link {slashtag}, not recorded it");
    journal.tell(scene, news);
    Ok(())
}

/// A message as upstream systems send it: in the message group of its dealer, if it has a dealer.
fn outgoing(body: &str, job: Option<&Job>) -> Outgoing {
    let group = job.map(|job| job.dealer_slug().to_owned());
    Outgoing { group, ..Outgoing::new(body) }
}
