//! What a site's robots.txt allows us (RFC 9309), and how it is kept.
//!
//! ```text
//!  this container ── older than a day ──► control table ── older than a day ──► GET /robots.txt
//!                                                                                 │
//!  2xx: its rules for us, kept for a day    4xx: everything is allowed ◄──────────┤
//!  5xx or no answer: the last good copy; without one nothing is allowed, for an hour at most
//! ```
//!
//! The product token is `evenkeel`, the first word of our User-Agent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use robotxt::Robots as Rules;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{
    base::time::{Clock, Time},
    dependency::limiter::Rates,
    failure::{Class, Classified as _, Failure},
    http::{FetchError, Fetched, Outbound, Request, transport::Transport},
    job::{Gate, Run},
    ports::{Control, notes::NoteKey},
};

/// Our product token.
const AGENT: &str = "evenkeel";

/// The kind of the notes that hold what sites allow. The name is the site's origin.
const ROBOTS: &str = "robots";

/// How long a copy is used without asking again (RFC 9309, section 2.4).
const FRESH: Duration = Duration::from_hours(24);

/// How long a copy is kept, for when the site cannot be reached.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long a site may be unreachable before it counts as one without rules.
const LONGEST_UNREACHABLE: Duration = Duration::from_hours(1);

/// When a site that could not be reached is asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// Most bytes of a file that are fetched. The parser reads the first 500 KiB (RFC 9309, section 2.5).
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Most bytes of our rules that are kept. Of longer ones the shortest patterns are kept, which forbid most.
const MAX_RULES_BYTES: usize = 8 * 1024;

/// The longest delay between two calls that a site may ask for.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Failure code of a call that the site's robots.txt forbids.
pub const FORBIDDEN: &str = "robots";

/// Failure code of a call whose site has no robots.txt that could be read.
pub const UNREACHABLE: &str = "robots_unreachable";

/// Most sites that a container remembers.
const MOST_SITES: usize = 256;

/// What is known of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Copy {
    /// When it was read, in milliseconds since the epoch; 0 if it never was.
    read_at: u64,
    /// The rules for us, as the lines of a robots.txt.
    rules: String,
    /// The delay that the site asks for between two calls, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    /// Since when it could not be reached, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<u64>,
}

impl Copy {
    /// The rules for us of a site's file.
    fn of(body: &[u8], now: Time) -> Self {
        let rules = Rules::parse(body, AGENT);
        let delay = rules.crawl_delay().map(|delay| delay.min(LONGEST_DELAY));
        let delay_ms = delay.and_then(|delay| u64::try_from(delay.as_millis()).ok());
        let delay_ms = delay_ms.filter(|delay| *delay > 0);
        Self { read_at: now.as_millis(), rules: lines(&rules), delay_ms, failing_since: None }
    }

    /// A site without rules.
    fn free(now: Time) -> Self {
        Self { read_at: now.as_millis(), ..Self::default() }
    }

    fn is_fresh(&self, now: Time) -> bool {
        self.read_at > 0 && now.since(Time::from_millis(self.read_at)) < FRESH
    }

    fn allows(&self, url: &Url) -> bool {
        let file = format!("User-agent: {AGENT}\n{}", self.rules);
        Rules::parse(file.as_bytes(), AGENT).is_url_allowed(url)
    }
}

/// The rules for us as lines, of at most [`MAX_RULES_BYTES`].
fn lines(rules: &Rules) -> String {
    if rules.always() == Some(false) {
        return "Disallow: /\n".to_owned();
    }
    let mut shortest: Vec<_> = rules.rules().iter().collect();
    shortest.sort_by_key(|rule| (rule.pattern().len(), rule.is_allow()));
    let mut lines = String::new();
    for rule in shortest {
        let verb = if rule.is_allow() { "Allow" } else { "Disallow" };
        let line = format!("{verb}: {}\n", rule.pattern());
        if lines.len() + line.len() > MAX_RULES_BYTES {
            break;
        }
        lines.push_str(&line);
    }
    lines
}

/// A copy, and until when this container uses it.
#[derive(Clone, Debug)]
struct Remembered {
    copy: Copy,
    until: Time,
}

/// What sites allow us, shared by all containers and job types.
#[derive(Debug)]
pub struct Robots<N, C> {
    notes: N,
    clock: C,
    sites: Mutex<BTreeMap<String, Remembered>>,
    /// Held while a site is asked, so that the jobs of a batch ask once.
    asking: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl<N: Control, C: Clock> Robots<N, C> {
    /// Keeps copies as notes of this control table.
    pub fn new(notes: N, clock: C) -> Self {
        let (sites, asking) = (Mutex::default(), Mutex::default());
        Self { notes, clock, sites, asking }
    }

    fn sites(&self) -> MutexGuard<'_, BTreeMap<String, Remembered>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the site allows us this address. Reads its robots.txt if there is no fresh copy, which takes a slot of
    /// the host like any other call.
    ///
    /// Fails if the site cannot be reached and there is no copy, or if the call may not be made now.
    pub async fn allows<T: Transport, G: Gate>(
        &self,
        outbound: &Outbound<C, T>,
        url: &Url,
        run: &Run<'_, G>,
    ) -> Result<bool, Failure> {
        if matches!(url.host(), None | Some(Host::Domain(""))) {
            return Ok(true);
        }
        let site = url.origin().ascii_serialization();
        if let Some(known) = self.remembered(&site) {
            let known = usable(&known, self.clock.now())?;
            slow_down(outbound, &known, run);
            return Ok(known.allows(url));
        }
        let asking = self.asking(&site);
        let copy = {
            let _one_at_a_time = asking.lock().await;
            // Another job may have asked while this one waited.
            match self.remembered(&site) {
                Some(known) => usable(&known, self.clock.now()),
                None => self.copy(outbound, &site, url, run).await,
            }
        };
        drop(asking);
        self.forget_asked();
        let copy = copy?;
        slow_down(outbound, &copy, run);
        Ok(copy.allows(url))
    }

    fn remembered(&self, site: &str) -> Option<Copy> {
        let now = self.clock.now();
        self.sites().get(site).filter(|known| known.until > now).map(|known| known.copy.clone())
    }

    fn asking(&self, site: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asking.entry(site.to_owned()).or_default())
    }

    /// Removes the locks that nobody holds.
    fn forget_asked(&self) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    /// The rates for an address: those of the client, or slower ones if the site asks for that and this container knows.
    pub fn rates(&self, rates: Rates, url: Option<&Url>) -> Rates {
        let site = url.map(|url| url.origin().ascii_serialization());
        let sites = self.sites();
        let copy = site.and_then(|site| sites.get(&site)).map(|known| &known.copy);
        match copy.and_then(|copy| copy.delay_ms) {
            Some(delay_ms) => slower(rates, delay_ms),
            None => rates,
        }
    }

    async fn copy<T: Transport, G: Gate>(
        &self,
        outbound: &Outbound<C, T>,
        site: &str,
        url: &Url,
        run: &Run<'_, G>,
    ) -> Result<Copy, Failure> {
        let now = self.clock.now();
        let key = NoteKey::new(ROBOTS, site);
        let note = self.notes.note(&key).await.map_err(|error| error.unstarted())?;
        let kept: Copy =
            note.value.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if kept.is_fresh(now) {
            self.remember(site, &kept, Time::from_millis(kept.read_at) + FRESH);
            return Ok(kept);
        }
        let copy = match fetch(outbound, url, run).await {
            Ok(body) => Copy::of(&body, now),
            Err(error) => match error.class() {
                Class::Transient => {
                    Copy { failing_since: kept.failing_since.or(Some(now.as_millis())), ..kept }
                }
                // The call was not made, or the site asks for fewer calls.
                Class::Deferred | Class::Unstarted | Class::Throttled => return Err(error.into()),
                // A site that refuses the file has no rules (RFC 9309, section 2.3.1.3).
                _ => Copy::free(now),
            },
        };
        let until = if copy.is_fresh(now) { now + FRESH } else { now + ASKED_AGAIN };
        self.remember(site, &copy, until);
        let text = serde_json::to_string(&copy).unwrap_or_default();
        self.notes.put_note(&key, &text, now + KEPT).await.map_err(|error| error.unstarted())?;
        usable(&copy, now)
    }

    fn remember(&self, site: &str, copy: &Copy, until: Time) {
        let mut sites = self.sites();
        if sites.len() >= MOST_SITES && !sites.contains_key(site) {
            sites.pop_first();
        }
        sites.insert(site.to_owned(), Remembered { copy: copy.clone(), until });
    }
}

/// Keeps to the delay that the site asks for, from the next call on.
fn slow_down<C: Clock, T: Transport, G: Gate>(
    outbound: &Outbound<C, T>,
    copy: &Copy,
    run: &Run<'_, G>,
) {
    if let Some(delay_ms) = copy.delay_ms {
        run.gate.keep_to(slower(outbound.rates(), delay_ms));
    }
}

/// The copy that holds now: the last good one of a site that cannot be reached, or none after an hour.
fn usable(copy: &Copy, now: Time) -> Result<Copy, Failure> {
    let Some(since) = copy.failing_since.map(Time::from_millis) else { return Ok(copy.clone()) };
    if copy.read_at > 0 {
        return Ok(copy.clone());
    }
    if now.since(since) >= LONGEST_UNREACHABLE {
        return Ok(Copy::free(now));
    }
    let why = "the site's robots.txt cannot be reached, so that nothing is allowed for now";
    let failure = Failure::new(Class::Transient, UNREACHABLE, why);
    Err(failure.with_retry_after(Some(ASKED_AGAIN)))
}

async fn fetch<C: Clock, T: Transport, G: Gate>(
    outbound: &Outbound<C, T>,
    url: &Url,
    run: &Run<'_, G>,
) -> Result<Vec<u8>, FetchError> {
    let Ok(address) = robotxt::robots_url(url) else { return Ok(Vec::new()) };
    let request = Request::get("robots.txt", address.as_str()).accepting("text/plain");
    let request = request.at_most(MAX_BYTES);
    match run.call(|limit| outbound.fetch(&request, limit)).await? {
        Fetched::Content(content) => Ok(content.body),
        // The request was not conditional.
        Fetched::NotModified => Ok(Vec::new()),
    }
}

/// Rates with at least this delay between two calls.
fn slower(rates: Rates, delay_ms: u64) -> Rates {
    let asked = u32::try_from(60_000 / delay_ms.max(1)).unwrap_or(u32::MAX).max(1);
    if asked >= rates.per_minute { rates } else { Rates::each_minute(asked, 1) }
}

/// Whether a robots.txt allows this URL to us, and how many bytes of its rules are kept. For fuzz targets.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn read(body: &[u8], url: &Url) -> (bool, usize) {
    let copy = Copy::of(body, Time::default());
    (copy.allows(url), copy.rules.len())
}

/// Whether a kept copy of a robots.txt allows this URL to us; `None` if the note cannot be read, or is too old to be
/// used. For fuzz targets.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn read_kept(note: &str, url: &Url, now: Time) -> Option<bool> {
    let copy: Copy = serde_json::from_str(note).ok()?;
    copy.is_fresh(now).then(|| copy.allows(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn allowed(file: &str, path: &str) -> bool {
        let url: Url = format!("https://dealer.example{path}").parse().unwrap();
        Copy::of(file.as_bytes(), NOW).allows(&url)
    }

    #[test]
    fn our_group_counts_or_else_that_of_all() {
        let file = "User-agent: *\nDisallow: /\n\nUser-agent: Evenkeel\nDisallow: /api/\nAllow: /api/car\n\n\
                    User-agent: other\nDisallow: /used";
        for (path, expected) in
            [("/", true), ("/used/car", true), ("/api/list", false), ("/api/car/7?a=b", true)]
        {
            assert_eq!(allowed(file, path), expected, "{path}");
        }
        assert!(!allowed("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf"));
        assert!(!allowed("\u{feff}user-agent:*\r\ndisallow:/", "/car"), "a BOM and Windows lines");
        for without in
            ["", "<!doctype html><p>Not found", "Disallow: /", "User-agent: x\nDisallow: /"]
        {
            assert!(allowed(without, "/car"), "{without}");
        }
    }

    #[test]
    fn of_long_rules_the_broadest_are_kept() {
        let allowed = (0..20_000).map(|n| format!("Allow: /a/very/long/path/of/a/page/{n}\n"));
        let allowed: String = allowed.collect();
        let file = format!("User-agent: evenkeel\nDisallow: /private\n{allowed}");
        let copy = Copy::of(file.as_bytes(), NOW);
        assert!(copy.rules.len() <= MAX_RULES_BYTES);
        assert!(!copy.allows(&"https://dealer.example/private/car".parse().unwrap()));
    }

    #[test]
    fn a_delay_slows_the_calls_down_to_one_a_minute_at_most() {
        let rates = Rates::each_minute(120, 2);
        for (asked, per_minute) in
            [("2", Some(30)), ("0.1", None), ("0", None), ("90", Some(1)), ("soon", None)]
        {
            let copy = Copy::of(format!("User-agent: *\nCrawl-delay: {asked}").as_bytes(), NOW);
            let slowed =
                copy.delay_ms.map(|delay| slower(rates, delay)).filter(|now| *now != rates);
            assert_eq!(slowed.map(|rates| rates.per_minute), per_minute, "{asked}");
        }
    }

    #[test]
    fn a_site_that_cannot_be_reached_forbids_all_for_an_hour_or_keeps_its_last_rules() {
        let since = NOW.as_millis();
        let failing = Copy { failing_since: Some(since), ..Copy::default() };
        let url: Url = "https://dealer.example/car".parse().unwrap();
        let soon = usable(&failing, NOW + Duration::from_mins(59)).unwrap_err();
        assert_eq!((soon.class(), soon.code()), (Class::Transient, UNREACHABLE));
        assert!(usable(&failing, NOW + LONGEST_UNREACHABLE).unwrap().allows(&url));
        let good = Copy::of(b"User-agent: *\nDisallow: /car", NOW);
        let stale = Copy { failing_since: Some(since), ..good };
        assert!(!usable(&stale, NOW + FRESH * 3).unwrap().allows(&url));
    }

    /// That is read on the runtime's thread: it takes milliseconds.
    #[test]
    fn of_a_long_file_the_first_500_kib_count() {
        let file = |fill: usize| {
            let comments = "#\n".repeat(fill / 2);
            format!("User-agent: *\nDisallow: /used\n{comments}Disallow: /new\n")
        };
        for (fill, allows_new) in [(400 * 1024, false), (500 * 1024, true), (MAX_BYTES, true)] {
            let file = file(fill);
            assert_eq!(
                (allowed(&file, "/used/car"), allowed(&file, "/new/car")),
                (false, allows_new),
                "{fill}"
            );
        }
    }

    #[test]
    fn hostile_files_are_read_in_time_that_grows_with_their_length() {
        let star = format!("User-agent: *\nDisallow: /{}$", "*a".repeat(60_000));
        let long: Url = format!("https://dealer.example/{}", "a".repeat(2_000)).parse().unwrap();
        let copy = Copy::of(star.as_bytes(), NOW);
        assert!(copy.rules.len() <= MAX_RULES_BYTES && copy.allows(&long));
    }
}
