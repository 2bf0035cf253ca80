//! The key is revoked, and a new one is put into the secret two minutes later.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::SettingsChange;
use tokio::time::sleep;
use xtask::aws::secrets;

use super::bench::{Bench, count, states};
use super::page::Page;

const JOBS: u32 = 60;
const REVOKED_FOR: Duration = Duration::from_mins(2);
const NEW_KEY: &str = "another-local-key";

pub(super) async fn run(bench: &Bench<'_>) -> Result<Page> {
    let mut page = Page::new(
        "The key is revoked",
        format!(
            "Ten jobs, then Rebrandly refuses the key with 401; {} more jobs, one a second; after {} s \
             a new key is valid and put into the secret. Nothing is deployed meanwhile.",
            JOBS - 10,
            REVOKED_FOR.as_secs()
        ),
    );
    bench.send(0..10).await?;
    bench.until_done(10, Duration::from_mins(1), |_| {}).await?;
    let keys = |key: &str| SettingsChange {
        api_keys: Some(vec![key.to_owned()]),
        ..SettingsChange::default()
    };
    bench.sandbox.change_settings(&keys(NEW_KEY)).await.context("the sandbox's keys")?;
    bench.say("the key is revoked");
    for job in 10..JOBS {
        bench.send([job]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    sleep(REVOKED_FOR.saturating_sub(Duration::from_secs((JOBS - 10).into()))).await;
    let records = bench.records().await?;
    let met = states(&records);
    bench.say(&format!("{met:?}, breaker {}", bench.breaker().await?));
    let refused = bench.sandbox.call_counts().await.context("the calls")?.of("POST", Some(401));
    secrets::store(bench.aws(), "evenkeel/rebrandly", NEW_KEY).await?;
    bench.say("the secret holds the new key");
    let new_at = bench.elapsed();
    let records = bench.until_done(JOBS as usize, Duration::from_mins(15), |_| {}).await?;
    let took = bench.elapsed().saturating_sub(new_at);
    let log = bench.stack.log()?;
    let alarms = log.lines().filter(|line| line.contains(r#""outcome":"alarm""#)).count();
    let most = records.iter().map(|record| count(record, "attempts")).max().unwrap_or_default();
    page.see("states while the key was refused", format!("{met:?}"));
    page.see("calls that were refused", refused);
    page.see("seconds from the new key until all were done", took.as_secs());
    page.see("most attempts of a job", most);
    page.must("nothing is dead", !met.contains_key("dead"));
    page.must("everything is parked", met.get("parked") == Some(&(JOBS as usize - 10)));
    page.must("one alarm line", alarms == 1);
    page.must("with the new key all are done, without a redeploy", most == 1);
    Ok(page)
}
