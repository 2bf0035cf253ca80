//! The pages: each makes sections of what the reader has found, and one template makes HTML of them.

pub(super) mod cars;
pub(super) mod confirm;
pub(super) mod dependencies;
pub(super) mod errors;
pub(super) mod job;
pub(super) mod jobs;
pub(super) mod operations;
pub(super) mod overview;
pub(super) mod queues;
pub(super) mod succeeded;
pub(super) mod unanswered;

use askama::Template;
use evenkeel::base::time::Time;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    allowance::UNITS_PER_SECOND,
    badge::Badge,
    cells,
    live::Part,
    question::Reply,
    view::{Cell, Section, Tone},
};
use crate::{
    exit::Failure,
    moment::span,
    text::{clean, clean_lines},
};

/// The pages in the order of the navigation: path and name.
const PAGES: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/queues", "Queues"),
    ("/jobs", "Jobs"),
    ("/dependencies", "Dependencies"),
    ("/errors", "Errors"),
    ("/rejected", "Rejected"),
    ("/cars", "Cars"),
    ("/operations", "Operations"),
];

/// What is particular about a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) sections: Vec<Section>,
    /// Whether it is not read anew by itself: it asks something, or says what has become of a request.
    pub(super) is_still: bool,
}

impl Page {
    /// Gives this token to the forms that change something. Without a token, nothing that leads to a change is left.
    pub(super) fn permit(&mut self, token: Option<&str>) {
        for section in &mut self.sections {
            let Some(token) = token else {
                section.acts.clear();
                let rows = section.table.iter_mut().flat_map(|table| &mut table.rows);
                for cell in rows.flatten().filter(|cell| cell.key.is_some()) {
                    *cell = Cell::default();
                }
                continue;
            };
            for act in &mut section.acts {
                token.clone_into(&mut act.token);
            }
        }
    }
}

/// A link of the navigation.
#[derive(Clone, Debug)]
struct Place {
    href: &'static str,
    name: &'static str,
    is_here: bool,
}

/// What is the same on every page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    badge: Badge,
    places: Vec<Place>,
    /// How old what is shown is.
    age: Cell,
    /// Why a part is old.
    warnings: Vec<String>,
    cost: String,
}

impl Frame {
    /// The frame of the page at `path`, with what is known of the age of its content.
    pub(super) fn of(badge: &Badge, path: &str, reply: Option<&Reply>) -> Self {
        let place = |(href, name): (&'static str, &'static str)| Place {
            href,
            name,
            is_here: href == path,
        };
        let places = PAGES.into_iter().map(place).collect();
        let mut frame = Self {
            badge: badge.clone(),
            places,
            age: Cell::default(),
            warnings: Vec::new(),
            cost: String::new(),
        };
        let Some(reply) = reply else { return frame };
        frame.age = age(reply);
        frame.cost = format!(
            "{:.1} read units in the last minute (polling pauses beyond {:.0}); {:.1} since the start",
            reply.live.units_last_minute,
            60.0 * UNITS_PER_SECOND,
            reply.live.units
        );
        for (part, trouble) in &reply.live.trouble {
            let for_how_long = span(reply.now.since(trouble.since));
            let (what, why) = (part_name(*part), clean(&trouble.failure.message));
            frame.warnings.push(format!("{what} cannot be read for {for_how_long}: {why}"));
        }
        frame.warnings.extend(not_read(reply));
        frame
    }
}

/// How old the oldest part is of what changes by the second, and of what this page has asked for.
fn age(reply: &Reply) -> Cell {
    let parts = [Part::Gates, Part::Calls, Part::Queues];
    let parts = parts.iter().filter_map(|part| reply.live.read_at.get(part));
    let oldest = parts.copied().chain([reply.read_at]).min().unwrap_or_default();
    let mut cell = cells::age(oldest.as_millis(), reply.now);
    cell.text = format!("Read {}", cell.text);
    cell
}

/// Which parts were neither read nor given up yet; none before anything was read.
fn not_read(reply: &Reply) -> Option<String> {
    let live = &reply.live;
    let is_missing =
        |part: &Part| !live.read_at.contains_key(part) && !live.trouble.contains_key(part);
    let missing = Part::ALL.into_iter().filter(is_missing).map(part_name);
    let missing: Vec<&str> = missing.collect();
    let has_begun = missing.len() < Part::ALL.len();
    (has_begun && !missing.is_empty()).then(|| format!("Not read yet: {}", missing.join(", ")))
}

const fn part_name(part: Part) -> &'static str {
    match part {
        Part::Known => "Dependencies",
        Part::Opened => "Breakers that have opened lately",
        Part::Observed => "The sweeper's report",
        Part::Gates => "Breakers and limiters",
        Part::Calls => "Calls",
        Part::Queues => "Queues",
        Part::History => "History",
        Part::Ended => "What was given up lately",
    }
}

#[derive(Template)]
#[template(path = "page.html")]
struct Html<'a> {
    title: &'a str,
    sections: &'a [Section],
    is_still: bool,
    frame: &'a Frame,
}

/// The page as HTML: the template escapes what is markup, and here goes what turns the direction of writing or has no
/// shape. Fails only if a text cannot be written.
pub(super) fn html(page: &Page, frame: &Frame) -> Result<String, askama::Error> {
    let Page { title, sections, is_still } = page;
    let html = Html { title, sections, is_still: *is_still, frame }.render()?;
    Ok(clean_lines(&html))
}

/// The page that says why there is no other.
pub(super) fn refused(failure: &Failure) -> Page {
    let message = crate::text::redact(&failure.message);
    let mut section = Section::new("refused", "This could not be shown").note(message);
    section.fact("code", Cell::text(&failure.code));
    section.fact_some("what helps", failure.hint.as_ref().map(Cell::text));
    Page { title: "Not shown".to_owned(), sections: vec![section], is_still: false }
}

/// The time of day on this machine, for the axes of charts.
pub(super) fn clock(ms: u64) -> String {
    let timestamp = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    timestamp.map_or_else(
        || Time::from_millis(ms).to_string(),
        |timestamp| {
            timestamp.to_zoned_datetime(TimeZone::system()).strftime("%H:%M:%S").to_string()
        },
    )
}

/// A tile's tone by whether something is as it should be.
pub(super) const fn good_if(is_good: bool) -> Tone {
    if is_good { Tone::Good } else { Tone::Bad }
}
