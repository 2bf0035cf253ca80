//! Values over time, as lines.

use std::fmt::Write as _;

use super::{WIDTH, at, axis::Axis, class, label, opened, short};
use crate::dashboard::view::{Cell, Figure, Key, Table};

/// Height of the whole drawing.
const HEIGHT: f64 = 150.0;
/// Room for the values of the axis.
const LEFT: f64 = 46.0;
/// Room right of the last value.
const RIGHT: f64 = 8.0;
/// Room above the highest value.
const TOP: f64 = 10.0;
/// Room for the times.
const BOTTOM: f64 = 22.0;

/// How many steps two values may be apart and still be joined by a line.
const LONGEST_GAP: u64 = 3;

/// How values are spread over the axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// From zero, in equal steps.
    #[default]
    Linear,
    /// In powers of ten: for durations, whose tail is many times their middle.
    Log,
}

/// A line of a chart, with its name.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What it shows.
    pub name: String,
    /// Times in milliseconds since the epoch, earliest first, each with its value.
    pub points: Vec<(u64, f64)>,
}

/// A value that is aimed at.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Target {
    pub value: f64,
    pub label: String,
}

/// A chart of values over time.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Its id in the page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// The unit of all values, such as `s`; may be empty.
    pub unit: &'static str,
    /// How values are spread.
    pub scale: Scale,
    /// What the chart shows over the same time.
    pub series: Vec<Series>,
    /// A dashed line across the chart.
    pub target: Option<Target>,
    /// Beginning and end of the time shown, in milliseconds since the epoch.
    pub span: [u64; 2],
    /// Time from one value to the next, in milliseconds.
    pub step: u64,
    /// From when on values are not complete, because their buckets are still filling: drawn dashed.
    pub filling_from: Option<u64>,
}

impl Lines {
    /// The chart with its legend and its table. `show` writes a time in milliseconds for people.
    #[must_use]
    pub fn figure(&self, show: impl Fn(u64) -> String) -> Figure {
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            summary: self.summary(),
            svg: self.svg(&show),
            legend: self.legend(),
            table: self.table(&show),
        }
    }

    fn with_unit(&self, value: f64) -> String {
        format!("{} {}", short(value), self.unit).trim_end().to_owned()
    }

    fn legend(&self) -> Vec<Key> {
        let key = |(number, series): (usize, &Series)| Key {
            class: class(number),
            name: series.name.clone(),
            value: series.points.last().map(|point| self.with_unit(point.1)).unwrap_or_default(),
        };
        self.series.iter().enumerate().map(key).collect()
    }

    fn summary(&self) -> String {
        let latest = self.legend().into_iter().filter(|key| !key.value.is_empty());
        let latest: Vec<String> = latest.map(|key| format!("{} {}", key.name, key.value)).collect();
        if latest.is_empty() {
            return format!("{}: nothing was measured", self.title);
        }
        format!("{}: latest {}", self.title, latest.join(", "))
    }

    fn table(&self, show: &impl Fn(u64) -> String) -> Table {
        let mut times: Vec<u64> =
            self.series.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
        times.sort_unstable();
        times.dedup();
        let value = |series: &Series, time: u64| {
            let place = series.points.binary_search_by_key(&time, |point| point.0);
            let value = place.ok().map(|place| self.with_unit(series.points[place].1));
            Cell::number(value.unwrap_or_default())
        };
        let row = |time: &u64| {
            let is_filling = self.filling_from.is_some_and(|from| *time >= from);
            let mark = if is_filling { " (still filling)" } else { "" };
            let mut row = vec![at(*time, &format!("{}{mark}", show(*time)))];
            row.extend(self.series.iter().map(|series| value(series, *time)));
            row
        };
        let mut head = vec!["Time".to_owned()];
        head.extend(self.series.iter().map(|series| series.name.clone()));
        // The latest first: it is what a reader looks for.
        let rows = times.iter().rev().map(row).collect();
        Table { head, rows, empty: "Nothing was measured.".to_owned() }
    }

    #[expect(clippy::cast_precision_loss, reason = "times of an hour, in pixels")]
    fn x(&self, time: u64) -> f64 {
        let [from, until] = self.span;
        let whole = until.saturating_sub(from).max(1) as f64;
        let part = time.clamp(from, until.max(from)) - from;
        LEFT + (WIDTH - LEFT - RIGHT) * part as f64 / whole
    }

    fn y(axis: &Axis, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - axis.place(value))
    }

    fn svg(&self, show: &impl Fn(u64) -> String) -> String {
        let values = self.series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let axis = Axis::over(values.chain(self.target.iter().map(|it| it.value)), self.scale);
        let mut svg = opened(HEIGHT, &self.summary());
        for (value, text) in axis.marks() {
            let y = Self::y(&axis, value);
            svg += &across("grid", y);
            svg += &label(LEFT - 6.0, y + 4.0, "end", &text);
        }
        let [from, until] = self.span;
        svg += &label(LEFT, HEIGHT - 6.0, "start", &show(from));
        svg += &label(WIDTH - RIGHT, HEIGHT - 6.0, "end", &show(until));
        if let Some(target) = &self.target {
            let y = Self::y(&axis, target.value);
            svg += &across("target", y);
            svg += &label(WIDTH - RIGHT, beside(y), "end", &target.label);
        }
        for (number, series) in self.series.iter().enumerate() {
            svg.push_str(&self.line(&axis, series, &class(number)));
        }
        svg + "</svg>"
    }

    /// A series as solid lines, with gaps where values are missing, and a dashed one where they are not complete.
    fn line(&self, axis: &Axis, series: &Series, class: &str) -> String {
        let mut solid = String::new();
        let mut dashed = String::new();
        // Writing into a text does not fail.
        let mut before: Option<(u64, f64)> = None;
        let gap = self.step.saturating_mul(LONGEST_GAP);
        for &(time, value) in series.points.iter().filter(|point| point.1.is_finite()) {
            let (x, y) = (self.x(time), Self::y(axis, value));
            let joined = before.filter(|(last, _)| time.saturating_sub(*last) <= gap);
            if self.filling_from.is_some_and(|from| time >= from) {
                if let Some((last, value)) = joined {
                    let (x, y) = (self.x(last), Self::y(axis, value));
                    let _ = write!(dashed, "M{x:.1} {y:.1}");
                }
                let _ = write!(dashed, "{}{x:.1} {y:.1}", if joined.is_some() { 'L' } else { 'M' });
            } else {
                let _ = write!(solid, "{}{x:.1} {y:.1}", if joined.is_some() { 'L' } else { 'M' });
            }
            before = Some((time, value));
        }
        let path = |d: &str, kind: &str| match d {
            "" => String::new(),
            d => format!(r#"<path class="line {class}{kind}" d="{d}"/>"#),
        };
        path(&solid, "") + &path(&dashed, " filling")
    }
}

/// A line across the whole chart.
fn across(class: &str, y: f64) -> String {
    let end = WIDTH - RIGHT;
    format!("<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")
}

/// Where the label of a line stands: above it, or below it if there is no room.
fn beside(y: f64) -> f64 {
    const LINE_HEIGHT: f64 = 16.0;
    if y < LINE_HEIGHT { y + 12.0 } else { y - 4.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(u64, f64)]) -> Lines {
        let series = vec![Series { name: "</svg>".to_owned(), points: points.to_vec() }];
        let span = [0, 600];
        Lines { title: "T".into(), unit: "s", series, span, step: 60, ..Lines::default() }
    }

    fn paths(svg: &str) -> Vec<&str> {
        svg.split(r#" d=""#).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn a_line_has_a_gap_where_values_are_missing() {
        let svg = chart(&[(0, 1.0), (60, 1.0), (120, 0.0), (600, 1.0)]).svg(&|ms| ms.to_string());
        assert_eq!(paths(&svg), ["M46.0 10.0L76.6 10.0L107.2 128.0M352.0 10.0"]);
    }

    #[test]
    fn what_is_still_filling_is_dashed_and_marked_in_the_table() {
        let lines = Lines { filling_from: Some(120), ..chart(&[(0, 1.0), (60, 1.0), (120, 0.5)]) };
        let figure = lines.figure(|ms| ms.to_string());
        assert_eq!(paths(&figure.svg), ["M46.0 10.0L76.6 10.0", "M76.6 10.0L107.2 69.0"]);
        assert!(figure.svg.contains("filling"));
        assert_eq!(figure.table.rows[0][0].text, "120 (still filling)");
        assert_eq!(figure.table.rows[0][1].text, "0.5 s");
        assert_eq!(figure.table.rows.len(), 3);
    }

    #[test]
    fn no_text_of_a_chart_is_markup() {
        let lines = Lines { title: "<script>".into(), ..chart(&[(0, 1.0)]) };
        let svg = lines.svg(&|_| "<b>".to_owned());
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg.matches("</svg>").count(), 1, "{svg}");
    }

    #[test]
    fn a_chart_without_values_says_so() {
        let figure = chart(&[]).figure(|ms| ms.to_string());
        assert!(figure.summary.contains("nothing was measured"), "{}", figure.summary);
        assert!(figure.table.rows.is_empty());
        let odd = chart(&[(0, f64::NAN), (60, f64::INFINITY)]).figure(|ms| ms.to_string());
        assert_eq!(paths(&odd.svg), Vec::<&str>::new());
    }
}
