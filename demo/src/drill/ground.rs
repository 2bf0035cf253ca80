//! What a drill acts on: a running stack, the sandbox, the gate before AWS, and the command `evenkeel`.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use sandbox::dealers::SiteSettings;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use xtask::aws::sqs::Outgoing;
use xtask::aws::{Client, dynamodb, lambda, sqs};
use xtask::local::Stack;
use xtask::workspace::Workspace;

use super::gate::Gate;

/// The dealers' sites. `harbor` is the one whose feed may be gone.
pub(super) const SITES: [&str; 2] = ["lakeside", "harbor"];

/// Cars of each site.
const CARS: u32 = 6;

/// Longest run of `evenkeel`: its longest call is one of the operators' function.
const COMMAND_WITHIN: Duration = Duration::from_mins(2);

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) stack: &'a Stack,
    pub(super) gate: &'a Gate,
    pub(super) sandbox: sandbox::Client,
    workspace: &'a Workspace,
    /// The binary of `cli`, which cargo has built beside this program.
    evenkeel: PathBuf,
}

/// What a command has printed, on either stream, and whether it ended with 0 or 3.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) is_answer: bool,
}

impl<'a> Ground<'a> {
    /// Also makes the dealers' sites.
    pub(super) async fn of(
        workspace: &'a Workspace,
        stack: &'a Stack,
        gate: &'a Gate,
    ) -> Result<Self> {
        let demo = env::current_exe().context("expected to know where this program is")?;
        let sandbox = sandbox::Client::new(stack.sandbox_url());
        for site in SITES {
            let settings = SiteSettings { cars: CARS, ..SiteSettings::default() };
            sandbox.put_site(site, &settings).await.with_context(|| format!("the site {site}"))?;
        }
        Ok(Self { stack, gate, sandbox, workspace, evenkeel: demo.with_file_name("evenkeel") })
    }

    pub(super) fn aws(&self) -> &Client {
        self.stack.client()
    }

    /// Sends messages to the queue that this output of the template names.
    pub(super) async fn send(&self, output: &str, messages: &[Outgoing]) -> Result<()> {
        sqs::send_batch(self.aws(), self.stack.output(output)?, messages).await.map(drop)
    }

    /// The item of the job table with this key.
    pub(super) async fn job(&self, key: &str) -> Result<Option<Value>> {
        let table = self.stack.output("JobsTableName")?;
        dynamodb::get(self.aws(), table, &json!({ "pk": key })).await
    }

    /// The event source mappings of the function that this output of the template names.
    pub(super) async fn mappings(&self, output: &str) -> Result<Vec<lambda::Mapping>> {
        lambda::mappings(self.aws(), self.stack.output(output)?).await
    }

    /// Runs `evenkeel` on this stack.
    pub(super) async fn evenkeel(&self, words: &[&str]) -> Result<Printed> {
        let mut command = Command::new(&self.evenkeel);
        command.args(words).arg("--local").current_dir(self.workspace.root()).kill_on_drop(true);
        let done = timeout(COMMAND_WITHIN, command.output()).await;
        let done = done.with_context(|| format!("evenkeel {words:?}: not within its time"))?;
        let done = done.context("evenkeel cannot be started")?;
        let text = [done.stdout, done.stderr].concat();
        let is_answer = matches!(done.status.code(), Some(0 | 3));
        Ok(Printed { text: String::from_utf8_lossy(&text).into_owned(), is_answer })
    }

    /// Looks until something holds; fails with `what` if it does not within that time.
    pub(super) async fn until(
        &self,
        what: &str,
        within: Duration,
        holds: impl AsyncFn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        while !holds(self).await? {
            if Instant::now() >= deadline {
                bail!("{what}: not within {} s", within.as_secs());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// A message with an id of the sender's.
pub(super) fn message(kind: &str, id: &str, payload: &Value) -> Outgoing {
    let body = json!({ "version": 1, "type": kind, "id": id, "payload": payload });
    Outgoing::new(body.to_string())
}

/// The payload of a shortening job; the number makes car and address.
pub(super) fn link(number: u32) -> Value {
    json!({
        "destination": format!("https://www.lakeside.example/new/{number}"),
        "dealer_slug": "lakeside",
        "vin": format!("1HGCM82633A{number:06}"),
    })
}

#[expect(clippy::disallowed_methods, reason = "the records' times are the real ones")]
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> 1)
}
