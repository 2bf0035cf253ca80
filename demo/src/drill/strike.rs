//! How each fault strikes, how a look at the stack tells that it is mended, and what mends it from outside.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sandbox::dealers::SiteChange;
use sandbox::{CannedAnswer, FaultKind, Method, Scope, Service, SettingsChange, Target};
use serde_json::{Value, json};
use xtask::aws::sqs::Outgoing;
use xtask::aws::{dynamodb, lambda, scheduler, secrets};

use super::fault::{Fault, id};
use super::ground::{Ground, link, message, now_ms};

/// The secret with Rebrandly's key.
const SECRET: &str = "evenkeel/rebrandly";
const NEW_KEY: &str = "rotated-local-key";

/// The schedule of the sweeper.
const SCHEDULE: &str = "evenkeel-sweeper";

/// Numbers of the cars of the jobs that a fault strikes, apart from those of the load.
const FOREIGN_CAR: u32 = 900_001;
const CRASHING_CAR: u32 = 900_002;

/// Slower than any call may be.
const LATENCY_MS: u64 = 12_000;

/// What counts as quick again.
const QUICK_MS: u64 = 1_000;

const DOMAIN: &str = "REBRANDLY_DOMAIN";
const LINKS: &str = "UrlShorteningFunctionName";
const PAGES: &str = "ProductDetailScrapingFunctionName";

fn pages(id: &str) -> String {
    format!("product_detail_scraping#g:{id}")
}

impl Fault {
    pub(super) async fn strike(self, on: &Ground<'_>) -> Result<()> {
        match self {
            Self::RevokedKey => {
                settings(on, |change| change.api_keys = Some(vec![NEW_KEY.to_owned()])).await
            }
            Self::PlanLimit => {
                let own = on.sandbox.links().await.context("the links")?.len() as u64;
                settings(on, |change| change.plan_limit = Some(own)).await
            }
            Self::SlowService => settings(on, |change| change.latency_ms = Some(LATENCY_MS)).await,
            // The sandbox knows every host name; without a dot this is none.
            Self::WrongDomain => set_domain(on, "lakeside").await,
            Self::FeedGone => feed_gone(on).await,
            Self::ForeignSlashtags => foreign_slashtags(on).await,
            Self::PoisonMessage => poison(on).await,
            Self::DeadLetters => dead_letters(on).await,
            Self::TableThrottled => {
                on.gate.throttle("DealerComFeedFunction");
                Ok(())
            }
            Self::QueuePaused => {
                for mapping in on.mappings(PAGES).await? {
                    lambda::set_enabled(on.aws(), &mapping, false).await?;
                }
                Ok(())
            }
            Self::ForgottenBreaker => {
                let reason = "their maintenance, until six";
                let words = ["breaker", "open", "rebrandly", "--for", "1d", "--reason", reason];
                let printed = on.evenkeel(&words).await?;
                ensure!(printed.is_answer, "breaker open: {}", printed.text);
                Ok(())
            }
            Self::ScheduleOff => scheduler::set_enabled(on.aws(), SCHEDULE, false).await,
        }
    }

    /// Whether the cause is gone, whoever has mended it. Looks at the stack and the third parties only.
    pub(super) async fn is_mended(self, on: &Ground<'_>) -> Result<bool> {
        let settings = on.sandbox.settings().await.context("the sandbox's settings")?;
        Ok(match self {
            Self::RevokedKey => settings.api_keys.contains(&secrets::text(on.aws(), SECRET).await?),
            Self::PlanLimit => {
                let own = on.sandbox.links().await.context("the links")?.len() as u64;
                settings.plan_limit.is_none_or(|limit| limit > own)
            }
            Self::SlowService => settings.latency_ms <= QUICK_MS,
            Self::WrongDomain => {
                let variables = lambda::environment(on.aws(), on.stack.output(LINKS)?).await?;
                variables.get(DOMAIN).is_some_and(|domain| domain == "rebrand.ly")
            }
            Self::FeedGone => is_fresh(on).await?,
            Self::ForeignSlashtags => {
                has_ended(on, &format!("url_shortening#g:{}", id::LINK)).await?
            }
            Self::PoisonMessage => begins_anew(on).await?,
            Self::DeadLetters => {
                let mut known = true;
                for id in id::UNACKNOWLEDGED {
                    known &= on.job(&pages(id)).await?.is_some();
                }
                known
            }
            Self::TableThrottled => !on.gate.throttles(),
            Self::QueuePaused => on.mappings(PAGES).await?.iter().all(|mapping| mapping.enabled),
            Self::ForgottenBreaker => !is_forced_open(on).await?,
            Self::ScheduleOff => {
                scheduler::schedule(on.aws(), SCHEDULE).await?["State"] == "ENABLED"
            }
        })
    }

    /// Does what its answer says is done outside of `evenkeel`.
    pub(super) async fn mend_outside(self, on: &Ground<'_>) -> Result<()> {
        match self {
            Self::RevokedKey => secrets::store(on.aws(), SECRET, NEW_KEY).await.map(drop),
            Self::PlanLimit => settings(on, |change| change.plan_limit = Some(1_000_000)).await,
            Self::SlowService => settings(on, |change| change.latency_ms = Some(0)).await,
            Self::WrongDomain => set_domain(on, "rebrand.ly").await,
            Self::FeedGone => set_feed(on, true).await,
            Self::ScheduleOff => scheduler::set_enabled(on.aws(), SCHEDULE, true).await,
            Self::ForeignSlashtags
            | Self::PoisonMessage
            | Self::DeadLetters
            | Self::TableThrottled
            | Self::QueuePaused
            | Self::ForgottenBreaker => Ok(()),
        }
    }
}

async fn settings(on: &Ground<'_>, set: impl FnOnce(&mut SettingsChange)) -> Result<()> {
    let mut change = SettingsChange::default();
    set(&mut change);
    on.sandbox.change_settings(&change).await.map(drop).context("the sandbox's settings")
}

async fn set_domain(on: &Ground<'_>, domain: &str) -> Result<()> {
    let function = on.stack.output(LINKS)?;
    let mut variables = lambda::environment(on.aws(), function).await?;
    variables.insert(DOMAIN.to_owned(), domain.to_owned());
    lambda::set_environment(on.aws(), function, &variables).await
}

async fn set_feed(on: &Ground<'_>, has: bool) -> Result<()> {
    let change =
        SiteChange { widget: Some(has), inventory_post: Some(has), ..SiteChange::default() };
    on.sandbox.change_site("harbor", &change).await.map(drop).context("the site harbor")
}

async fn feed_gone(on: &Ground<'_>) -> Result<()> {
    set_feed(on, false).await?;
    let site = on.sandbox.site_origin("harbor");
    let payload = json!({ "dealer_slug": "harbor", "site_url": site });
    on.send("DealerComFeedQueueUrl", &[message("dealer_com_feed", id::FEED, &payload)]).await
}

/// Whether the feed was read after all; an old snapshot in its place does not count.
async fn is_fresh(on: &Ground<'_>) -> Result<bool> {
    let Some(job) = on.job(&format!("dealer_com_feed#g:{}", id::FEED)).await? else {
        return Ok(false);
    };
    let result: Value = job["result"].as_str().unwrap_or("{}").parse().unwrap_or_default();
    Ok(job["state"] == "succeeded" && result["stale"] != true)
}

/// Rebrandly says that each name of the car is taken, and shows no link that has it.
async fn foreign_slashtags(on: &Ground<'_>) -> Result<()> {
    let payload = link(FOREIGN_CAR);
    let conflict =
        json!({ "code": "AlreadyExists", "property": "slashtag", "message": "Already exists" });
    let answer =
        CannedAnswer { status: 403, body: Some(conflict.to_string()), ..CannedAnswer::default() };
    let fault = sandbox::Fault {
        kind: FaultKind::Status(answer),
        on: Target {
            service: Some(Service::Rebrandly),
            method: Some(Method::Post),
            destination: payload["destination"].as_str().map(str::to_owned),
            ..Target::default()
        },
        scope: Scope::share(1.0, 1),
        after_work: false,
    };
    on.sandbox.add_fault(&fault).await.context("the names")?;
    on.send("UrlShorteningQueueUrl", &[message("url_shortening", id::LINK, &payload)]).await
}

/// Leaves the record of a job whose third process has died, for the sweeper to find.
async fn poison(on: &Ground<'_>) -> Result<()> {
    let mappings = on.mappings(LINKS).await?;
    let queue = mappings.into_iter().map(|mapping| mapping.queue_arn);
    let queue = queue.min_by_key(String::len).context("expected a queue of shortening jobs")?;
    let now = now_ms();
    let key = format!("url_shortening#g:{}", id::CRASHING);
    let record = json!({
        "pk": key, "fence": 3, "owner": "earlier", "message_id": "gone", "receives": 3,
        "claims": 3, "crashes": 2, "payload": link(CRASHING_CAR).to_string(), "queue": queue,
        "dependency": "rebrandly", "retention_s": 8_985_600, "created_at": now,
        "state": "running", "lease_until": now, "due_at": now,
        "due": format!("running#{queue}#0"),
    });
    dynamodb::put(on.aws(), on.stack.output("JobsTableName")?, &record).await
}

/// Messages that the sweeper has sent back once before, and that nothing has acknowledged since.
async fn dead_letters(on: &Ground<'_>) -> Result<()> {
    let cars = on.sandbox.cars("lakeside").await.context("the cars of lakeside")?;
    let site = on.sandbox.site_origin("lakeside");
    let again = ("evenkeel-purpose".to_owned(), "redrive".to_owned());
    let letters = id::UNACKNOWLEDGED.iter().zip(&cars).map(|(id, car)| {
        let url = format!("{site}/{}", car.path);
        let payload = json!({ "dealer_slug": "lakeside", "vin": car.vin, "url": url });
        let letter = message("product_detail_scraping", id, &payload);
        Outgoing { attributes: vec![again.clone()], ..letter }
    });
    let letters: Vec<Outgoing> = letters.collect();
    ensure!(letters.len() == id::UNACKNOWLEDGED.len(), "lakeside has too few cars");
    on.send("ProductDetailScrapingDeadLetterQueueUrl", &letters).await
}

/// Whether an operator has let the crashing job begin anew, so that its crashes count no more.
async fn begins_anew(on: &Ground<'_>) -> Result<bool> {
    let job = on.job(&format!("url_shortening#g:{}", id::CRASHING)).await?;
    Ok(job.is_some_and(|job| job["crashes"].as_u64().unwrap_or_default() == 0))
}

async fn has_ended(on: &Ground<'_>, key: &str) -> Result<bool> {
    let job = on.job(key).await?.unwrap_or_default();
    Ok(matches!(job["state"].as_str(), Some("succeeded" | "cancelled")))
}

async fn is_forced_open(on: &Ground<'_>) -> Result<bool> {
    let key = json!({ "pk": "breaker#rebrandly", "sk": "state" });
    let table = on.stack.output("ControlTableName")?;
    let item = dynamodb::get(on.aws(), table, &key).await?.unwrap_or_default();
    let until = Duration::from_millis(item["until"].as_u64().unwrap_or_default());
    Ok(item["state"] == "forced_open" && until > Duration::from_millis(now_ms()))
}
