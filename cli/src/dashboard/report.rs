//! The page of a report: one file that shows everything by itself, without script and without network.
//!
//! It takes plain numbers, so that any command can make it: of a week on a stack, or of a demo.

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
            sections.push(self.days());
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
        let seconds = |took: Option<f64>| {
            Cell::number(took.map(|took| format!("{} s", short(took))).unwrap_or_default())
        };
        let row = |kind: &Kind| {
            vec![
                Cell::text(&kind.name),
                Cell::number(kind.succeeded.to_string()),
                Cell::number(kind.failed.to_string()),
                seconds(kind.median_s),
                seconds(kind.p95_s),
            ]
        };
        let bar = |kind: &Kind| {
            let ended = kind.succeeded.saturating_add(kind.failed);
            Bar { name: kind.name.clone(), value: ended as f64, text: ended.to_string() }
        };
        let bars = self.kinds.iter().map(bar).collect();
        let (id, title) = ("jobs-by-type".to_owned(), "Jobs that ended, by type".to_owned());
        let head = ["Type", "Succeeded", "Failed", "Median", "95th percentile"];
        let mut section = section("types", "By type", &head, self.kinds.iter().map(row).collect());
        section.figures = vec![Bars { id, title, bars }.figure()];
        section
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
    fn days(&self) -> Section {
        let points = |value: &dyn Fn(&Day) -> Option<f64>| {
            self.days.iter().filter_map(|day| Some((day.start, value(day)?))).collect()
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
    fn a_number_without_a_target_is_not_called_unmeasured() {
        let goal =
            |target: &str| Goal { target: target.into(), now: "3".into(), ..Goal::default() };
        let html =
            |target| Report { goals: vec![goal(target)], ..Report::default() }.html().unwrap();
        assert!(!html("").contains("not measured") && html("< 5").contains("not measured"));
        assert!(!html("").contains("By day"), "there is no day");
    }
}
