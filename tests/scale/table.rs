//! What was measured, as a table of a document.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use super::{bounds::Bound, meter::Used, place::Service};

/// One run of a command, or one request of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) took: Duration,
    pub(super) used: Used,
}

impl Measured {
    /// The time that counts towards a bound.
    fn counted(&self, bound: Bound) -> Duration {
        if bound.counts_service { self.took } else { self.took.saturating_sub(self.used.waited) }
    }
}

/// All runs of one.
#[derive(Clone, Debug)]
pub(super) struct Row {
    what: String,
    runs: Vec<Measured>,
}

impl Row {
    /// A row without runs.
    pub(super) fn new(what: String) -> Self {
        Self { what, runs: Vec::new() }
    }

    /// Adds a run.
    pub(super) fn add(&mut self, run: Measured) {
        self.runs.push(run);
    }

    /// The run in the middle, by its time.
    fn median(&self) -> Measured {
        let mut runs = self.runs.clone();
        runs.sort_by_key(|run| run.took);
        runs[runs.len() / 2]
    }

    fn longest(&self) -> Duration {
        self.runs.iter().map(|run| run.took).max().unwrap_or_default()
    }

    /// The most read units of a run.
    fn units(&self) -> f64 {
        self.runs.iter().map(|run| run.used.units).fold(0.0, f64::max)
    }
}

/// Rows, and a remark below them.
#[derive(Clone, Debug)]
pub(super) struct Table {
    head: &'static str,
    rows: Vec<Row>,
    remark: String,
}

impl Table {
    /// A table whose first column has this head.
    pub(super) const fn of(head: &'static str, rows: Vec<Row>) -> Self {
        Self { head, rows, remark: String::new() }
    }

    /// Adds a sentence below the table.
    pub(super) fn remark(&mut self, text: String) {
        self.remark = text;
    }

    /// A sentence for each row whose longest run is beyond the bound.
    pub(super) fn beyond(&self, bound: Bound) -> Vec<String> {
        let longest = |row: &Row| row.runs.iter().map(|run| run.counted(bound)).max();
        let beyond = self.rows.iter().filter_map(|row| {
            let took = longest(row).filter(|took| *took > bound.longest)?;
            Some(format!("{}: {} ms, bound {} ms", row.what, ms(took), ms(bound.longest)))
        });
        beyond.collect()
    }

    /// The table in Markdown. The time that the service was waited for is that of the median run.
    pub(super) fn markdown(&self) -> String {
        let head = ["median, ms", "of it the service", "longest, ms", "read units at most"];
        let mut text = format!("| {} | {} |\n|---|---|---|---|---|\n", self.head, head.join(" | "));
        for row in &self.rows {
            let median = row.median();
            let times = [median.took, median.used.waited, row.longest()].map(ms);
            let (what, times) = (&row.what, times.map(|ms| ms.to_string()).join(" | "));
            // Writing into a text does not fail.
            let _ = writeln!(text, "| `{what}` | {times} | {} |", row.units());
        }
        if !self.remark.is_empty() {
            let _ = write!(text, "\n{}\n", self.remark);
        }
        text
    }

    /// Writes the table into a document, between its marker lines for the service.
    pub(super) fn write(&self, document: &str, service: Service) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
        let text = fs::read_to_string(&path).unwrap();
        let (begin, end) = markers(service);
        let text = replaced(&text, [&begin, &end], &self.markdown());
        fs::write(&path, text.unwrap_or_else(|why| panic!("{document}: {why}"))).unwrap();
    }
}

fn ms(span: Duration) -> u128 {
    span.as_millis()
}

fn markers(service: Service) -> (String, String) {
    let name = service.name();
    (format!("<!-- measured on {name} -->"), format!("<!-- end of measured on {name} -->"))
}

/// `text` with what is between two marker lines replaced.
fn replaced(text: &str, [begin, end]: [&str; 2], lines: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("expected the marker line `{marker}`");
    let (before, rest) = text.split_once(begin).ok_or_else(|| missing(begin))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| missing(end))?;
    Ok(format!("{before}{begin}\n\n{lines}\n{end}{after}"))
}

fn row(what: &str, spans: &[[u64; 2]]) -> Row {
    let mut row = Row::new(what.to_owned());
    for [took, waited] in spans.iter().map(|span| span.map(Duration::from_millis)) {
        row.add(Measured { took, used: Used { calls: 1, units: 1.5, waited } });
    }
    row
}

#[test]
fn a_table_has_the_median_the_longest_and_the_most_units() {
    let table = Table::of("page", vec![row("/", &[[30, 20], [90, 20], [10, 5]])]);
    assert!(table.markdown().ends_with("| `/` | 30 | 20 | 90 | 1.5 |\n"), "{}", table.markdown());
    let bound = |ms, counts_service| Bound { longest: Duration::from_millis(ms), counts_service };
    assert_eq!(table.beyond(bound(80, true)), ["/: 90 ms, bound 80 ms"]);
    assert!(table.beyond(bound(80, false)).is_empty(), "70 ms of it are ours");
}

#[test]
fn a_document_has_marker_lines_for_each_service() {
    let text = "a\n<!-- begin -->\n\nold\n\n<!-- end -->\nb\n";
    let lines = ["<!-- begin -->", "<!-- end -->"];
    let new = replaced(text, lines, "new\n").unwrap();
    assert_eq!(new, "a\n<!-- begin -->\n\nnew\n\n<!-- end -->\nb\n");
    assert!(replaced("a\n", lines, "new").unwrap_err().contains("<!-- begin -->"));
    for document in ["docs/cli.md", "docs/dashboard.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
        let text = fs::read_to_string(path).unwrap();
        for service in [Service::Dynoxide, Service::MiniStack] {
            let (begin, end) = markers(service);
            assert!(replaced(&text, [&begin, &end], "").is_ok(), "{document}: {begin}");
        }
    }
}
