//! The report as a page, from the evidence of a demo.

use sandbox::{CallCount, CallCounts};

use super::story::Story;
use crate::incident::Incident;
use crate::report::{Report, page};
use crate::scene::Snapshot;
use crate::scene::clock::Clock;
use crate::scene::record::Breaker;

/// The page of a demo that went like this.
fn html(story: &Story) -> String {
    let incident = Incident {
        seed: 1,
        jobs: story.jobs.clone(),
        preloads: Vec::new(),
        events: Vec::new(),
        walled: "page/walled.example".into(),
    };
    let breaker = Breaker { state: "open".into(), why: "bot_wall".into(), retry_at: None };
    let refused = CallCount { method: "POST".into(), status: Some(403), count: 19 };
    let calls = CallCounts { total: 19, rows: vec![refused], sites: Vec::new() };
    let end = Snapshot { breaker: Some(breaker), calls, ..Snapshot::default() };
    let report = Report::of(&incident, &story.evidence(), &end, Clock::start());
    page::html(&report).expect("a page")
}

/// The rows of all tables of a page, without their markup.
fn rows(html: &str) -> Vec<Vec<String>> {
    let cell = |cell: &str| {
        let text = cell.split("<bdi>").nth(1).and_then(|text| text.split("</bdi>").next());
        text.unwrap_or_default().replace("&#39;", "'")
    };
    let rows = html.split("<tr>").skip(1).filter_map(|row| row.split("</tr>").next());
    rows.map(|row| row.split("<td").skip(1).map(cell).collect()).collect()
}

fn assert_rows<const N: usize>(html: &str, expected: &[[&str; N]]) {
    let rows = rows(html);
    for row in expected {
        assert!(rows.iter().any(|found| found == row), "{row:?}: {rows:#?}");
    }
}

#[test]
fn the_page_compares_the_incident_with_the_plans_targets_and_with_before() {
    let html = html(&Story::good());
    let goals = [
        ["failed jobs", "below 5 %", "15.2 %", "0.0 %", "met"],
        ["failed because the slashtag was taken", "", "19", "0", ""],
        ["mean time from sending to the end", "below 60 s", "202.5 s", "500 ms", "met"],
        ["from a killed process to its job's end", "below 5 min", "not known", "400 ms", "met"],
        ["messages lost", "", "not known", "0", ""],
        ["jobs done twice", "", "not known", "0", ""],
        ["url_shortening", "3", "0", "", "0.5 s"],
        ["product_detail_scraping", "1", "0", "", "0.5 s"],
        ["dealer_com_feed", "1", "0", "", "0.5 s"],
    ];
    assert_rows(&html, &goals);
    assert_rows(&html, &[["HTTP 403", "19", "link shortener", "POST"]]);
}

#[test]
fn a_target_that_was_missed_is_called_so() {
    let mut story = Story::good();
    story.records[0].state = "dead".into();
    let html = html(&story);
    assert_rows(&html, &[["failed jobs", "below 5 %", "15.2 %", "20.0 %", "missed"]]);
    assert_rows(&html, &[["url_shortening", "2", "1", "", "0.5 s"]]);
}

#[test]
fn the_page_needs_no_script_and_nothing_from_elsewhere() {
    let html = html(&Story::good());
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg"), "{html}");
    for part in ["<script", "src=", "<link", "http://", "https://"] {
        assert!(!html.contains(part), "{part}");
    }
}
