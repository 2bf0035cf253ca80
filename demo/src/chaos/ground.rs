//! What chaos acts on: a running stack, the sandbox, the server before AWS, and the messages that were sent.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::SettingsChange;
use sandbox::dealers::{SiteChange, SiteSettings};
use serde_json::{Value, json};
use xtask::aws::sqs::Outgoing;
use xtask::aws::{Client, dynamodb, lambda, sqs};
use xtask::local::Stack;
use xtask::workspace::Workspace;

use super::outage::Gate;
use crate::incident::job::Kind;
use crate::scene::Scene;

/// The dealers' sites.
pub(super) const SITES: [&str; 3] = ["harbor", "lakeside", "mesa"];

/// The cars of each site at first, and how many more come with each read of its feed.
const CARS: u32 = 4;
const MORE_CARS: u32 = 2;

/// How long a message that is looked at stays hidden from others, in seconds.
const LOOKED_AT_S: u32 = 5;

/// Receives of one look at a queue, each of up to ten messages.
const RECEIVES: u32 = 3;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The key of its job's record; none if the body is no message.
    pub(super) key: Option<String>,
    pub(super) body: String,
}

impl Message {
    /// A message for the job with this id.
    pub(super) fn new(kind: Kind, id: &str, payload: &Value) -> Self {
        let body = json!({ "version": 1, "type": kind.name(), "id": id, "payload": payload });
        Self { kind, key: Some(format!("{}#g:{id}", kind.name())), body: body.to_string() }
    }
}

#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) stack: &'a Stack,
    pub(super) workspace: &'a Workspace,
    pub(super) gate: &'a Gate,
    pub(super) scene: Scene<'a>,
    /// Every message that was sent, in order.
    sent: RefCell<Vec<Message>>,
    /// The keys that Rebrandly accepts while all is well.
    keys: Vec<String>,
}

impl<'a> Ground<'a> {
    /// Also makes the dealers' sites.
    pub(super) async fn of(
        workspace: &'a Workspace,
        stack: &'a Stack,
        gate: &'a Gate,
    ) -> Result<Self> {
        let scene = Scene::of(stack)?;
        for site in SITES {
            let settings = SiteSettings { cars: CARS, ..SiteSettings::default() };
            let made = scene.sandbox.put_site(site, &settings).await;
            made.with_context(|| format!("the site {site}"))?;
        }
        let keys = scene.sandbox.settings().await.context("the sandbox's settings")?.api_keys;
        Ok(Self { stack, workspace, gate, scene, sent: RefCell::default(), keys })
    }

    pub(super) fn aws(&self) -> &'a Client {
        self.stack.client()
    }

    pub(super) fn sandbox(&self) -> &sandbox::Client {
        &self.scene.sandbox
    }

    /// What was sent up to now.
    pub(super) fn sent(&self) -> Vec<Message> {
        self.sent.borrow().clone()
    }

    /// Sends messages to the queues of their types.
    pub(super) async fn send(&self, messages: Vec<Message>) -> Result<()> {
        for message in messages {
            self.scene.send(message.kind, &[Outgoing::new(&message.body)]).await?;
            self.sent.borrow_mut().push(message);
        }
        Ok(())
    }

    /// Sends one of the messages again that were sent before, to the queue of high priority if `is_high`. Returns false
    /// if there is none yet.
    pub(super) async fn send_again(&self, pick: u64, is_high: bool) -> Result<bool> {
        let Some(message) = picked(&self.sent(), pick).cloned() else { return Ok(false) };
        let which = if is_high { "High" } else { "" };
        let queue = self.stack.output(&format!("{}{which}QueueUrl", message.kind.output()))?;
        sqs::send_batch(self.aws(), queue, &[Outgoing::new(&message.body)]).await?;
        self.sent.borrow_mut().push(message);
        Ok(true)
    }

    /// One of the processes that run functions now.
    pub(super) fn process(&self, pick: u64) -> Option<u32> {
        picked(&self.stack.function_processes(), pick).copied()
    }

    /// Lets a site list more cars, and returns the message for its feed.
    pub(super) async fn grown(&self, site: &str, reads: u32, id: &str) -> Result<Message> {
        let cars = Some(CARS + MORE_CARS * reads);
        let change = SiteChange { cars, ..SiteChange::default() };
        let changed = self.sandbox().change_site(site, &change).await;
        changed.with_context(|| format!("the site {site}"))?;
        Ok(self.feed(site, id))
    }

    /// The message for the feed of a site.
    pub(super) fn feed(&self, site: &str, id: &str) -> Message {
        let origin = self.sandbox().site_origin(site);
        Message::new(Kind::Feed, id, &json!({ "dealer_slug": site, "site_url": origin }))
    }

    /// The payloads for the pages of the cars that a site lists now.
    pub(super) async fn pages(&self, site: &str) -> Result<Vec<Value>> {
        let origin = self.sandbox().site_origin(site);
        let cars = self.sandbox().cars(site).await;
        let cars = cars.with_context(|| format!("the cars of {site}"))?;
        let page = |car: sandbox::dealers::Car| {
            let url = format!("{origin}/{}", car.path);
            json!({ "dealer_slug": site, "vin": car.vin, "url": url })
        };
        Ok(cars.into_iter().map(page).collect())
    }

    /// Lets Rebrandly accept another key, or those that it accepts while all is well.
    pub(super) async fn revoke_keys(&self, revoked: bool) -> Result<()> {
        let keys = if revoked { vec!["another-key".to_owned()] } else { self.keys.clone() };
        let change = SettingsChange { api_keys: Some(keys), ..SettingsChange::default() };
        self.sandbox().change_settings(&change).await.map(drop).context("the sandbox's settings")
    }

    /// Lets a fault strike the third parties, and returns its number.
    pub(super) async fn add_fault(&self, fault: &sandbox::Fault) -> Result<u64> {
        self.sandbox().add_fault(fault).await.context("the sandbox's faults")
    }

    /// Stops the delivery of messages of a type, or lets it go on.
    pub(super) async fn pause(&self, kind: Kind, paused: bool) -> Result<()> {
        let function = self.stack.output(&format!("{}FunctionName", kind.output()))?;
        for mapping in lambda::mappings(self.aws(), function).await? {
            lambda::set_enabled(self.aws(), &mapping, !paused).await?;
        }
        Ok(())
    }

    /// Deletes messages of a type that can be received now and whose jobs have records. Returns whether there were any.
    /// A message without a record stays: it is all that there is of its job.
    pub(super) async fn delete_recorded(&self, kind: Kind) -> Result<bool> {
        let queue = self.stack.output(&format!("{}QueueUrl", kind.output()))?;
        let mut any = false;
        for _ in 0..RECEIVES {
            for message in sqs::receive(self.aws(), queue, LOOKED_AT_S).await? {
                let Some(key) = key_of(&message.body) else { continue };
                let table = self.stack.output("JobsTableName")?;
                if dynamodb::get(self.aws(), table, &json!({ "pk": key })).await?.is_some() {
                    sqs::delete(self.aws(), queue, &message.receipt_handle).await?;
                    any = true;
                }
            }
        }
        Ok(any)
    }

    /// Lets everything around the functions be well again.
    pub(super) async fn calm(&self) -> Result<()> {
        self.sandbox().clear_faults().await.context("the sandbox's faults")?;
        self.revoke_keys(false).await?;
        for kind in Kind::ALL {
            self.pause(kind, false).await?;
        }
        Ok(())
    }

    /// The dependencies whose breakers are not closed, and their states.
    pub(super) async fn open_breakers(&self) -> Result<Vec<String>> {
        let items = self.items("ControlTableName").await?;
        Ok(items.iter().filter_map(open_breaker).collect())
    }

    /// All items of the table that this output of the template names.
    pub(super) async fn items(&self, output: &str) -> Result<Vec<Value>> {
        dynamodb::scan(self.aws(), self.stack.output(output)?).await
    }

    /// Since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.scene.clock.elapsed()
    }
}

/// One of several, if there are any.
fn picked<T>(from: &[T], pick: u64) -> Option<&T> {
    let place = pick.checked_rem(from.len() as u64)?;
    from.get(usize::try_from(place).unwrap_or_default())
}

/// The key of a message's job, if the message gives its id.
fn key_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(format!("{}#g:{}", body["type"].as_str()?, body["id"].as_str()?))
}

/// What an item of the control table says of a breaker that is not closed.
fn open_breaker(item: &Value) -> Option<String> {
    let dependency = item["pk"].as_str()?.strip_prefix("breaker#")?;
    let state = item["state"].as_str().filter(|_| item["sk"] == "state")?;
    (state != "closed").then(|| format!("{dependency}: {state}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Message, key_of, open_breaker, picked};
    use crate::incident::job::Kind;

    #[test]
    fn a_message_has_the_key_that_is_read_from_its_body() {
        let message = Message::new(Kind::Scraping, "a-1", &json!({ "vin": "x" }));
        assert_eq!(message.key.as_deref(), Some("product_detail_scraping#g:a-1"));
        assert_eq!(key_of(&message.body), message.key);
        for without in ["no json", r#"{"type": "url_shortening"}"#, "7"] {
            assert_eq!(key_of(without), None, "{without}");
        }
    }

    #[test]
    fn a_pick_is_one_of_those_that_there_are() {
        assert_eq!(picked(&[1, 2, 3], 7), Some(&2));
        assert_eq!(picked::<u32>(&[], 7), None);
    }

    #[test]
    fn a_breaker_that_is_not_closed_is_named() {
        let item = |pk: &str, sk: &str, state: &str| json!({ "pk": pk, "sk": sk, "state": state });
        let open = open_breaker(&item("breaker#page/mesa", "state", "open"));
        assert_eq!(open.as_deref(), Some("page/mesa: open"));
        assert_eq!(open_breaker(&item("breaker#page/mesa", "state", "closed")), None);
        assert_eq!(open_breaker(&item("limiter#page/mesa", "state", "open")), None);
        assert_eq!(open_breaker(&json!({ "pk": "breaker#a", "sk": "other" })), None);
    }
}
