//! The page of a report: one file that shows everything by itself, without script and without network.
//!
//! It takes plain numbers, so that any command can make it: of a week on a stack, or of a demo.

use std::collections::BTreeSet;

use askama::Template;

use super::{
    charts::{Bar, Bars, Lines, Scale, Series, short},
    view::{Cell, Figure, Section, Table, Tone},
};
use crate::text::clean_lines;

/// What a report says.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Such as `Week of 2026-11-16`.
    pub title: String,
    /// The stack and the time that it covers, as a sentence.
    pub about: String,
    /// The plan's targets.
    pub goals: Vec<Goal>,
    /// By job type.
    pub kinds: Vec<Kind>,
    /// By day, the earliest first. Without days, the page has no part for them.
    pub days: Vec<Day>,
    /// Failures of the same kind, the most frequent first.
    pub errors: Vec<ErrorPattern>,
    /// What is about to happen, a sentence each.
    pub forecasts: Vec<String>,
}

/// A target of the plan, and how it was before and is now.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Goal {
    pub name: String,
    /// Such as `< 5 %`; empty if the plan has none.
    pub target: String,
    pub before: String,
    pub now: String,
    /// `None` if nothing was measured, or if there is no target.
    pub is_met: Option<bool>,
}

/// A job type.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Kind {
    pub name: String,
    pub succeeded: u64,
    pub failed: u64,
    /// Median time from creation to success, in seconds.
    pub median_s: Option<f64>,
    /// 95th percentile of the same time.
    pub p95_s: Option<f64>,
}

/// What one day adds to the report.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// When it began, in milliseconds since the epoch.
    pub start: u64,
    /// Such as `16 Nov`.
    pub name: String,
    /// Jobs that succeeded on that day.
    pub succeeded: u64,
    /// Jobs that were given up on that day.
    pub failed: u64,
    /// 95th percentile of the time from creation to success, in seconds.
    pub p95_s: Option<f64>,
    /// The same by job type, of those that had ends.
    pub kinds: Vec<Kind>,
    /// Its hours within the period.
    pub hours: usize,
    /// Those of them about which nothing is known, for instance because they are not over.
    pub unknown_hours: usize,
}

impl Day {
    /// Whether anything is known of it.
    fn is_known(&self) -> bool {
        self.unknown_hours == 0 || self.unknown_hours < self.hours
    }

    /// How much of it is not known; nothing if all of it is.
    fn gap(&self) -> Cell {
        match self.unknown_hours {
            0 => Cell::default(),
            hours => Cell::text(format!("{hours} of {} h", self.hours)).tone(Tone::Warn),
        }
    }
}

/// Failures of the same kind.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ErrorPattern {
    pub fingerprint: String,
    pub kind: String,
    /// A sentence of one of them, without secrets.
    pub example: String,
    pub count: u64,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    title: &'a str,
    about: &'a str,
    style: &'static str,
    sections: &'a [Section],
}

impl Report {
    /// The report as one HTML file. Fails only if a text cannot be written.
    pub fn html(&self) -> Result<String, askama::Error> {
        let mut sections = vec![self.goals(), self.kinds()];
        if !self.days.is_empty() {
            sections.extend([self.days(), self.kinds_by_day()]);
        }
        sections.extend([self.errors(), self.forecasts()]);
        let style = include_str!("../../static/style.css");
        let html = Html { title: &self.title, about: &self.about, style, sections: &sections };
        Ok(clean_lines(&html.render()?))
    }

    fn goals(&self) -> Section {
        let row = |goal: &Goal| {
            let (word, tone) = match goal.is_met {
                Some(true) => ("met", Tone::Good),
                Some(false) => ("missed", Tone::Bad),
                None if goal.target.is_empty() => ("", Tone::Plain),
                None => ("not measured", Tone::Plain),
            };
            vec![
                Cell::text(&goal.name),
                Cell::text(&goal.target),
                Cell::number(&goal.before),
                Cell::number(&goal.now),
                Cell::text(word).tone(tone),
            ]
        };
        let head = ["Goal", "Target", "Before", "Now", ""];
        section("goals", "The plan's targets", &head, self.goals.iter().map(row).collect())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
    fn kinds(&self) -> Section {
        let bar = |kind: &Kind| {
            let ended = kind.succeeded.saturating_add(kind.failed);
            Bar { name: kind.name.clone(), value: ended as f64, text: ended.to_string() }
        };
        let bars = self.kinds.iter().map(bar).collect();
        let (id, title) = ("jobs-by-type".to_owned(), "Jobs that ended, by type".to_owned());
        let head = ["Type", "Succeeded", "Failed", "Median", "95th percentile"];
        let rows = self.kinds.iter().map(cells_of).collect();
        let mut section = section("types", "By type", &head, rows);
        section.figures = vec![Bars { id, title, bars }.figure()];
        section
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
    fn days(&self) -> Section {
        let points = |value: &dyn Fn(&Day) -> Option<f64>| {
            self.known_days().filter_map(|day| Some((day.start, value(day)?))).collect()
        };
        let ends = vec![
            Series {
                name: "succeeded".to_owned(),
                points: points(&|day| Some(day.succeeded as f64)),
            },
            Series { name: "failed".to_owned(), points: points(&|day| Some(day.failed as f64)) },
        ];
        let times = Series { name: "95th percentile".to_owned(), points: points(&|day| day.p95_s) };
        let figures = vec![
            self.by_day("days", "Jobs a day", ends, Scale::Linear, ""),
            self.by_day("times", "Time to success", vec![times], Scale::Log, "s"),
        ];
        Section { figures, ..Section::new("by-day", "By day") }
    }

    /// The days of which something is known. In charts, lines have gaps where the others are.
    fn known_days(&self) -> impl Iterator<Item = &Day> {
        self.days.iter().filter(|day| day.is_known())
    }

    /// Each day by type. What is not known of a day is named beside its numbers.
    #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
    fn kinds_by_day(&self) -> Section {
        let names: BTreeSet<&str> =
            self.days.iter().flat_map(|day| &day.kinds).map(|kind| kind.name.as_str()).collect();
        let ended = |day: &Day, name: &str| {
            let kind = day.kinds.iter().find(|kind| kind.name == name);
            kind.map_or(0, |kind| kind.succeeded.saturating_add(kind.failed))
        };
        let series = |name: &&str| Series {
            name: (*name).to_owned(),
            points: self.known_days().map(|day| (day.start, ended(day, name) as f64)).collect(),
        };
        let series = names.iter().map(series).collect();
        let rows = self.days.iter().flat_map(|day| {
            if !day.is_known() {
                let unknown = [Cell::text(&day.name), Cell::text("not known")];
                let none = vec![Cell::default(); 4];
                return vec![[unknown.to_vec(), none, vec![day.gap()]].concat()];
            }
            let none = Kind { name: "no job ended".to_owned(), ..Kind::default() };
            let kinds = if day.kinds.is_empty() { vec![none] } else { day.kinds.clone() };
            let row = |kind: &Kind| {
                [vec![Cell::text(&day.name)], cells_of(kind), vec![day.gap()]].concat()
            };
            kinds.iter().map(row).collect::<Vec<_>>()
        });
        let head = ["Day", "Type", "Succeeded", "Failed", "Median", "95th percentile", "Not known"];
        let mut section = section("by-type-and-day", "By type and day", &head, rows.collect());
        section.figures =
            vec![self.by_day("types-by-day", "Jobs a day, by type", series, Scale::Linear, "")];
        section
    }

    fn by_day(
        &self,
        id: &str,
        title: &str,
        series: Vec<Series>,
        scale: Scale,
        unit: &'static str,
    ) -> Figure {
        let day = |place: Option<&Day>| place.map(|day| day.start).unwrap_or_default();
        let lines = Lines {
            id: id.to_owned(),
            title: title.to_owned(),
            unit,
            scale,
            series,
            target: None,
            span: [day(self.days.first()), day(self.days.last())],
            step: 24 * 3_600_000,
            filling_from: None,
        };
        let name = |ms: u64| {
            let day = self.days.iter().find(|day| day.start == ms);
            day.map(|day| day.name.clone()).unwrap_or_default()
        };
        lines.figure(name)
    }

    fn errors(&self) -> Section {
        let row = |error: &ErrorPattern| {
            vec![
                Cell::text(&error.fingerprint),
                Cell::number(error.count.to_string()),
                Cell::text(&error.kind),
                Cell::text(&error.example),
            ]
        };
        let head = ["Pattern", "Failures", "Type", "Example"];
        section("errors", "Error patterns", &head, self.errors.iter().map(row).collect())
    }

    fn forecasts(&self) -> Section {
        let rows = self.forecasts.iter().map(|told| vec![Cell::text(told)]).collect();
        section("forecasts", "Forecast", &["What is about to happen"], rows)
    }
}

/// The cells of a type: its name, and its numbers.
fn cells_of(kind: &Kind) -> Vec<Cell> {
    let seconds = |took: Option<f64>| {
        Cell::number(took.map(|took| format!("{} s", short(took))).unwrap_or_default())
    };
    vec![
        Cell::text(&kind.name),
        Cell::number(kind.succeeded.to_string()),
        Cell::number(kind.failed.to_string()),
        seconds(kind.median_s),
        seconds(kind.p95_s),
    ]
}

fn section(id: &str, title: &str, head: &[&str], rows: Vec<Vec<Cell>>) -> Section {
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    let table = Table { head, rows, empty: "None.".to_owned() };
    Section { table: Some(table), ..Section::new(id, title) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_needs_nothing_but_itself_and_no_text_is_markup() {
        let hostile = "</style><script>alert(1)</script>".to_owned();
        let report = Report {
            title: hostile.clone(),
            about: hostile.clone(),
            goals: vec![Goal { name: hostile.clone(), is_met: Some(false), ..Goal::default() }],
            kinds: vec![Kind { name: hostile.clone(), succeeded: 3, ..Kind::default() }],
            days: vec![Day { start: 86_400_000, name: hostile.clone(), ..Day::default() }],
            errors: vec![ErrorPattern { example: hostile.clone(), ..ErrorPattern::default() }],
            forecasts: vec![hostile],
        };
        let html = report.html().unwrap();
        for part in ["<script", "src=", "href=\"/", "http://", "https://"] {
            assert!(!html.contains(part), "{part}");
        }
        assert_eq!(html.matches("</style>").count(), 1, "the only one is our own");
        assert!(html.contains("missed") && html.contains("&#60;script&#62;"), "{html}");
    }

    #[test]
    fn each_type_has_a_row_for_each_day_and_unknown_hours_are_marked() {
        let kind = |name: &str, succeeded| Kind { name: name.into(), succeeded, ..Kind::default() };
        let day = |start, name: &str, kinds, unknown_hours| Day {
            start,
            name: name.into(),
            kinds,
            hours: 24,
            unknown_hours,
            ..Day::default()
        };
        let days = vec![
            day(0, "Mon", vec![kind("a", 7), kind("b", 8)], 0),
            day(86_400_000, "Tue", vec![kind("a", 9)], 3),
            day(172_800_000, "Wed", Vec::new(), 24),
        ];
        let report = Report { days, ..Report::default() };
        let section = report.kinds_by_day();
        let rows = section.table.unwrap().rows;
        let texts = |row: &Vec<Cell>| [0, 1, 2, 6].map(|place| row[place].text.clone());
        let rows: Vec<[String; 4]> = rows.iter().map(texts).collect();
        let expected = [
            ["Mon", "a", "7", ""],
            ["Mon", "b", "8", ""],
            ["Tue", "a", "9", "3 of 24 h"],
            ["Wed", "not known", "", "24 of 24 h"],
        ];
        assert_eq!(rows, expected);
        let [figure] = section.figures.as_slice() else { panic!("one chart") };
        assert_eq!(figure.table.head, ["Time", "a", "b"]);
        assert_eq!(figure.table.rows.len(), 2, "no value of a day that is not known");
        assert_eq!(report.days().figures[0].table.rows.len(), 2);
    }

    #[test]
    fn a_number_without_a_target_is_not_called_unmeasured() {
        let goal =
            |target: &str| Goal { target: target.into(), now: "3".into(), ..Goal::default() };
        let html =
            |target| Report { goals: vec![goal(target)], ..Report::default() }.html().unwrap();
        assert!(!html("").contains("not measured") && html("< 5").contains("not measured"));
        assert!(!html("").contains("By day"), "there is no day");
    }
}
