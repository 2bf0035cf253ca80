//! What runs, ticks and scrapings keep for later ones, as another version or a person may have written it.

use std::time::Duration;

use dealer_com_feed::{Feed, inventory as feed, reading};
use evenkeel::{
    base::time::{Clock as _, Time},
    dependency::stats::Day,
    job::robots,
    ports::{
        Control as _,
        notes::{CRASH_STORM, CrashStorm, DeadLetter, Finding, Limits, NoteKey, OPEN_OPS, Opened},
    },
};
use inventory::vehicles::{CarAndPage, KeptPage};
use product_detail_scraping::{Scraping, kept_reading::KeptReading, page};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sweeper::{
    lead::{self, Lead},
    memory::{self, Memory},
    operator::entry::Entry,
    pass::{observe, patterns::Pattern},
    plan::observation::Observation,
};
use url::Url;

use super::{FEW, wait};
use crate::bench::{Bench, errands::DEPENDENCY};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);

/// A page of a feed with one car.
const PAGE: &str = r#"{"inventory":[{"vin":"1HGCM82633A004352","year":2021,"make":"Honda","model":"Accord","link":"/a.htm"}]}"#;

/// The cursors of the two job types whose jobs take several runs.
#[test]
fn run_cursors() {
    let site = json!({"dealer_slug": "acme", "site_url": "https://www.acme.example"});
    let acme: Feed = serde_json::from_value(site).unwrap();
    let url: Url = "https://www.acme.example/".parse().unwrap();
    let page = feed::read(PAGE.as_bytes(), &url).unwrap();
    target!("run_cursors", |text: &str| {
        let of_chain = url_shortening::resumes_at(text).is_some();
        let unfinished = reading::continued(text, &acme, None);
        let Some(next) = reading::continued(text, &acme, Some(&page)) else { return of_chain };
        let cursor: Value = serde_json::from_str(&next).unwrap();
        assert_eq!(cursor["idle"], 1, "a page was finished: {next}");
        unfinished.is_some() || of_chain
    });
}

/// What a kept reading rests on, and in the next line the result. `@RULES` stands for the rules of today.
#[test]
fn kept_reading() {
    let payload = json!({
        "dealer_slug": "acme", "vin": "1HGCM82633A004352", "url": "https://acme.example/1",
    });
    let payload: Scraping = serde_json::from_value(payload).unwrap();
    target!("kept_reading", |text: &str| {
        let (basis, result) = text.split_once('\n').unwrap_or((text, ""));
        let basis = Some(basis.replace("@RULES", &page::RULES.to_string()));
        let kept = KeptPage { page: result.to_owned(), basis, asked_at: None };
        let known = CarAndPage { data: None, page: Some(kept) };
        let is_used = KeptReading::of(&known, &payload, NOW).is_some();
        if is_used {
            let result: Value = serde_json::from_str(result).unwrap();
            assert!(result["record"].is_object(), "{result}");
        }
        is_used
    });
}

#[test]
fn kept_robots() {
    let url: Url = "https://www.acme.example/new/car.htm".parse().unwrap();
    target!("kept_robots", |text: &str| {
        let allowed = robots::read_kept(text, &url, NOW);
        if allowed.is_some() {
            let note: Value = serde_json::from_str(text).unwrap();
            assert_ne!(note["read_at"], 0, "a copy that was never read is not used");
        }
        allowed == Some(false)
    });
}

/// Whether a text is a note of this type. What was read is written and read again.
fn is_note<T: Serialize + DeserializeOwned>(text: &str) -> bool {
    let Ok(note) = serde_json::from_str::<T>(text) else { return false };
    let written = serde_json::to_string(&note).unwrap();
    let again = serde_json::from_str::<T>(&written);
    assert!(again.is_ok(), "it was written and cannot be read: {written}");
    true
}

#[test]
fn sweeper_notes() {
    target!("sweeper_notes", |text: &str| {
        let kinds = [
            is_note::<Entry>(text),
            is_note::<Finding>(text),
            is_note::<DeadLetter>(text),
            is_note::<CrashStorm>(text),
            is_note::<Opened>(text),
            is_note::<Lead>(text),
        ];
        // These take any object.
        let lenient = [
            is_note::<Memory>(text),
            is_note::<Limits>(text),
            is_note::<Observation>(text),
            is_note::<Day>(text),
            is_note::<Pattern>(text),
        ];
        kinds.contains(&true) || lenient.iter().all(|is_one| *is_one)
    });
}

/// A tick does its work whatever its notes say, and so does the next one after the leader's note was damaged.
#[test]
fn sweeper_tick() {
    target!("sweeper_tick", FEW, |text: &str| {
        wait(async {
            let bench = Bench::errands();
            let now = bench.clock.now();
            let minute = format!("{:015}", now.before(MINUTE).as_millis());
            let notes = [
                memory::note_key(),
                NoteKey::new(OPEN_OPS, "998199999999999-1f3a"),
                NoteKey::new(observe::HISTORY, minute),
                NoteKey::new(CRASH_STORM, "errand"),
                NoteKey::watched(DEPENDENCY),
            ];
            for note in &notes {
                bench.store.put_note(note, text, now + MINUTE * 60).await.unwrap();
            }
            let report = bench.tick().await.expect("no note makes a tick fail");
            assert!(!report.another_leads, "{report:?}");
            bench.store.put_note(&lead::note_key(), text, now + MINUTE * 60).await.unwrap();
            let report = bench.tick().await.expect("the leader's note makes no tick fail");
            !report.another_leads && serde_json::from_str::<Memory>(text).is_ok()
        })
    });
}
