//! Measures the pages of the dashboard, which serves in this process as `evenkeel dashboard` does.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Parser as _;
use evenkeel::base::time::SystemClock;
use evenkeel_cli::{Stop, Streams, Target, args::Cli, run};
use serde_json::Value;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use url::form_urlencoded::byte_serialize;
use xtask::aws::client::plain_http;

use super::{
    fill::Filled,
    place::Place,
    table::{Measured, Row},
};

/// How long the tab of [`leave_tab_open`] is open.
const TAB_IS_OPEN: Duration = Duration::from_secs(30);

/// What the dashboard writes: its address, told as soon as it is known.
struct Announcement {
    written: Vec<u8>,
    told: Option<oneshot::Sender<String>>,
}

impl Write for Announcement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let value: Option<Value> = serde_json::from_slice(&self.written).ok();
        let url = value.as_ref().and_then(|value| value["url"].as_str());
        if let Some(url) = url
            && let Some(told) = self.told.take()
        {
            told.send(url.to_owned()).unwrap();
        }
        Ok(())
    }
}

/// Serves a dashboard of this place while `work` has its address.
pub(super) async fn beside<T>(place: &Place, work: impl AsyncFnOnce(String) -> T) -> T {
    let cli = Cli::parse_from(["evenkeel", "dashboard", "--local", "--json", "--port", "0"]);
    let surroundings = place.surroundings();
    let (told, address) = oneshot::channel();
    let mut out = Announcement { written: Vec::new(), told: Some(told) };
    let mut err = Vec::new();
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |target: Target| place.ports(&target).await;
    let stop = Stop::default();
    let serving = run(&cli, &surroundings, &SystemClock, &stop, connect, &mut streams);
    let working = async move { work(address.await.unwrap()).await };
    tokio::select! {
        done = Box::pin(working) => done,
        exit = Box::pin(serving) => panic!("the dashboard has ended: {exit:?}"),
    }
}

/// A value in a query.
fn encoded(value: &str) -> String {
    byte_serialize(value.as_bytes()).collect()
}

/// Every page, each with the address that is asked and the one that the table shows.
fn pages(filled: &Filled) -> [(String, &'static str); 16] {
    let Filled { parked, dealer, vin, operation } = filled;
    let own = |page: &'static str| (page.to_owned(), page);
    [
        own("/"),
        own("/queues"),
        own("/jobs"),
        own("/jobs?state=parked"),
        own("/jobs?state=dead"),
        (format!("/job?id={}", encoded(parked)), "/job?id=PARKED"),
        own("/succeeded"),
        own("/dependencies"),
        own("/errors"),
        own("/errors?since=24h"),
        own("/rejected"),
        (format!("/cars?dealer={dealer}"), "/cars?dealer="),
        (format!("/car?dealer={dealer}&vin={vin}"), "/car?dealer=&vin="),
        own("/operations"),
        (format!("/operation?id={operation}"), "/operation?id="),
        own("/metrics"),
    ]
}

/// Measures each page so often, each time of a dashboard that has just started: nothing that it shows is kept from
/// before, except what all pages share.
pub(super) async fn measure(place: &Place, filled: &Filled, rounds: usize) -> Vec<Row> {
    let pages = pages(filled);
    let mut rows: Vec<Row> = pages.iter().map(|(_, shown)| Row::new((*shown).to_owned())).collect();
    for _ in 0..rounds {
        beside(place, async |url: String| {
            for ((page, _), row) in pages.iter().zip(&mut rows) {
                row.add(requested(place, &format!("{url}{page}")).await);
            }
        })
        .await;
    }
    rows
}

/// Asks for a page, to its last byte. On dynoxide every page is there in time; on MiniStack it may be one that says
/// what has not answered.
async fn requested(place: &Place, address: &str) -> Measured {
    let http = plain_http().unwrap();
    let (before, began) = (place.meter.used(), Instant::now());
    let answer = http.get(address).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    let (took, used) = (began.elapsed(), place.meter.used() - before);
    assert!(status.is_success() || place.has_queues(), "{address}: {status}: {text}");
    Measured { took, used }
}

/// What one tab has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Visits {
    /// Times that the dashboard has told it that something was read.
    pub(super) ticks: u64,
    /// Times that it has asked for the page.
    pub(super) requests: u64,
    /// Requests among these that got no page.
    pub(super) failed: u64,
}

/// A tab that is open until `end`, as `cli/static/app.js` has it: it reads the page anew whenever the dashboard says
/// that something was read.
pub(super) async fn tab(url: &str, end: Instant) -> Visits {
    let http = plain_http().unwrap();
    let mut visits = Visits::default();
    let left = end.saturating_duration_since(Instant::now());
    let events = http.get(format!("{url}/events")).timeout(left + Duration::from_secs(5));
    let mut events = events.send().await.unwrap();
    while let Ok(chunk) = timeout_at(end, events.chunk()).await {
        let Some(chunk) = chunk.unwrap() else { panic!("the dashboard has closed the events") };
        if !String::from_utf8_lossy(&chunk).contains("event: tick") {
            continue;
        }
        visits.ticks += 1;
        visits.requests += 1;
        let page = http.get(format!("{url}/")).send().await;
        let is_there = page.is_ok_and(|page| page.status().is_success());
        visits.failed += u64::from(!is_there);
    }
    visits
}

/// Opens the overview in one tab and counts the read units a second, from the start of the dashboard on. Returns a
/// sentence for the document; `broken` gets another one if that is more than `most`.
#[expect(clippy::print_stdout, reason = "who measures wants to see it")]
pub(super) async fn leave_tab_open(place: &Place, most: f64, broken: &mut Vec<String>) -> String {
    let (before, began) = (place.meter.used(), Instant::now());
    let end = began + TAB_IS_OPEN;
    let visits = beside(place, async |url: String| tab(&url, end).await).await;
    let used = place.meter.used() - before;
    let a_second = used.units / began.elapsed().as_secs_f64();
    let seconds = TAB_IS_OPEN.as_secs();
    let Visits { ticks, requests, .. } = visits;
    let text = format!(
        "One tab on `/` for {seconds} s, from the start of the dashboard on: \
         {a_second:.1} read units a second; {} calls, {ticks} events, {requests} requests.",
        used.calls
    );
    println!("{text}");
    if a_second > most {
        broken.push(format!("a tab: {a_second:.1} read units a second, bound {most}"));
    }
    text
}
