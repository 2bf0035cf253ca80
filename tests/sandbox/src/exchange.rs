//! Takes one call from its arrival to its answer, whichever third party it goes to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::faults::{CannedAnswer, FaultKind};
use crate::held::HeldCall;
use crate::reply::Reply;
use crate::strikes::Strike;
use crate::subject::Subject;
use crate::world::{State, World};

/// A call in progress.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    world: Arc<World>,
    connection: Connection,
    subject: &'a Subject,
    call_id: u64,
    latency: Duration,
}

/// Whether a call is admitted on arrival, and the fault that strikes it.
enum Arrival {
    TurnedAway(Reply),
    Served(Option<Strike>),
}

impl<'a> Exchange<'a> {
    /// Takes a call from arrival to answer.
    ///
    /// `admit` may refuse the call, before a fault is spent on it. `work` does what the call asks
    /// for. Both run under the lock and receive the time in epoch milliseconds.
    pub(crate) async fn run<W>(
        world: Arc<World>,
        connection: Connection,
        subject: &'a Subject,
        admit: impl FnOnce(&mut State, u64) -> Result<(), Reply>,
        work: W,
    ) -> Reply
    where
        W: FnOnce(&mut State, u64) -> Reply + Send + 'static,
    {
        let (call_id, latency, arrival) = arrive(&world, subject, admit);
        let exchange = Self { world, connection, subject, call_id, latency };
        let reply = match arrival {
            Arrival::TurnedAway(refusal) => {
                pass(latency).await;
                refusal
            }
            Arrival::Served(None) => exchange.work_after(latency, work).await,
            Arrival::Served(Some(strike)) => exchange.go_wrong(strike, work).await,
        };
        exchange.world.lock().calls.answered(call_id, reply.status);
        reply
    }

    async fn go_wrong<W>(&self, strike: Strike, work: W) -> Reply
    where
        W: FnOnce(&mut State, u64) -> Reply + Send + 'static,
    {
        match &strike.kind {
            FaultKind::Hang => {
                self.wait_for_release(&strike, None).await;
                self.work_after(self.latency, work).await
            }
            FaultKind::Hold => {
                let reply = self.work_after(self.latency, work).await;
                self.wait_for_release(&strike, reply.link_id.clone()).await;
                reply
            }
            FaultKind::Latency(ms) if strike.after_work => {
                let reply = self.work_after(self.latency, work).await;
                sleep(Duration::from_millis(*ms)).await;
                reply
            }
            FaultKind::Latency(ms) => {
                let latency = self.latency.saturating_add(Duration::from_millis(*ms));
                self.work_after(latency, work).await
            }
            FaultKind::Status(answer) => {
                self.lose(strike.after_work, work).await;
                canned(answer.clone())
            }
            FaultKind::Html => {
                self.lose(strike.after_work, work).await;
                Reply::html(403, None)
            }
            FaultKind::Challenge => {
                self.lose(strike.after_work, work).await;
                Reply::challenge()
            }
            FaultKind::Collapse => match &self.subject.empty_list {
                Some(empty) => {
                    self.lose(strike.after_work, work).await;
                    empty.clone()
                }
                // Does not occur: the fault does not strike calls that list nothing.
                None => self.work_after(self.latency, work).await,
            },
            FaultKind::Reset => {
                self.lose(strike.after_work, work).await;
                let never: Infallible = self.connection.reset().await;
                match never {}
            }
        }
    }

    /// Waits as long as the call takes and discards its answer. The work is done only if the fault
    /// strikes after it.
    async fn lose<W>(&self, after_work: bool, work: W)
    where
        W: FnOnce(&mut State, u64) -> Reply + Send + 'static,
    {
        if after_work {
            self.work_after(self.latency, work).await;
        } else {
            pass(self.latency).await;
        }
    }

    /// Does the work once `latency` has passed.
    ///
    /// The work runs on a task of its own. A slow server also finishes a call that its client has
    /// given up on: the link then appears after the client looked for it and found nothing.
    async fn work_after<W>(&self, latency: Duration, work: W) -> Reply
    where
        W: FnOnce(&mut State, u64) -> Reply + Send + 'static,
    {
        let world = Arc::clone(&self.world);
        let call_id = self.call_id;
        let worked = tokio::spawn(async move {
            pass(latency).await;
            let mut state = world.lock();
            let reply = work(&mut state, world.now_ms());
            state.calls.worked_on(call_id, reply.link_id.clone());
            reply
        });
        let broken = json!({"message": "The sandbox itself is broken", "code": "Sandbox"});
        worked.await.unwrap_or_else(|_| Reply::json(500, &broken))
    }

    /// Waits until the control endpoint releases the call. If the client leaves first, the call is
    /// no longer listed as held.
    ///
    /// Does not wait if the fault has been removed in the meantime. A test that cleared the faults
    /// releases no more calls, so this one would wait forever.
    async fn wait_for_release(&self, strike: &Strike, link_id: Option<String>) {
        let released = {
            let mut state = self.world.lock();
            if !state.faults.has(strike.fault_id) {
                return;
            }
            state.held.add(HeldCall {
                call_id: self.call_id,
                client_port: self.connection.client_port(),
                fault: strike.kind.name().to_owned(),
                slashtag: self.subject.slashtag.clone(),
                destination: self.subject.destination.clone(),
                link_id,
                visit: self.subject.visit.clone(),
            })
        };
        let _leaving = Leaving { world: &self.world, call_id: self.call_id };
        // The sender is dropped to release the call, so an error is the normal result.
        let _ = released.await;
    }
}

/// Removes a call from the held calls when its wait ends, whether by a release or by the client
/// leaving.
struct Leaving<'a> {
    world: &'a World,
    call_id: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.world.lock().held.remove(self.call_id);
    }
}

/// Records a call and decides, under the same lock, whether it is admitted and which fault strikes
/// it.
fn arrive(
    world: &World,
    subject: &Subject,
    admit: impl FnOnce(&mut State, u64) -> Result<(), Reply>,
) -> (u64, Duration, Arrival) {
    let mut state = world.lock();
    let now_ms = world.now_ms();
    let arrival = match admit(&mut state, now_ms) {
        Err(refusal) => Arrival::TurnedAway(refusal),
        Ok(()) => Arrival::Served(state.faults.strike(subject, now_ms)),
    };
    let fault = match &arrival {
        Arrival::Served(Some(strike)) => Some(strike.kind.name()),
        Arrival::Served(None) | Arrival::TurnedAway(_) => None,
    };
    let call_id = state.calls.arrive(subject, now_ms, fault);
    (call_id, Duration::from_millis(state.settings.latency_ms), arrival)
}

/// Waits for `latency`. Zero does not sleep, because tokio's shortest sleep is a millisecond.
async fn pass(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}

fn canned(answer: CannedAnswer) -> Reply {
    let CannedAnswer { status, body, html, retry_after } = answer;
    let reply = match (html, body) {
        (true, body) => Reply::html(status, body),
        (false, Some(body)) => Reply::text(status, body),
        (false, None) => {
            Reply::json(status, &json!({"message": "Injected fault", "code": "InjectedFault"}))
        }
    };
    match retry_after {
        Some(seconds) => reply.with_header("retry-after", seconds.to_string()),
        None => reply,
    }
}
