//! Charts as SVG, from plain numbers: no script, no style of their own but classes, and a table beside each.
//!
//! All texts of a chart are escaped here, because the template takes the SVG as it is.

mod axis;
mod bars;
mod lines;

use evenkeel::base::time::Time;

use super::view::Cell;

pub use bars::{Bar, Bars, Spell, Strip, share};
pub use lines::{Lines, Scale, Series, Target};

/// Width of every chart in its own unit. It is scaled to the width that a page has.
const WIDTH: f64 = 360.0;

/// The class of the colour with this number. There are six, which then begin anew.
fn class(number: usize) -> String {
    format!("s{}", number % 6)
}

/// The beginning of a drawing that is described by `summary`.
fn opened(height: f64, summary: &str) -> String {
    let label = escaped(summary);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">"
    )
}

/// A line of text. `anchor` says which end of it is at `x`.
fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = escaped(text);
    format!(
        "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    )
}

/// A rectangle with these classes, from its upper left corner on.
fn rectangle(class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
    )
}

/// A time in the table of a chart: as `text`, and in UTC on hover.
fn at(ms: u64, text: &str) -> Cell {
    let time = Time::from_millis(ms);
    Cell { title: Some(format!("{time} (UTC)")), time: Some(time.to_string()), ..Cell::text(text) }
}

/// A text within an element or an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in crate::text::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number in as few digits as it needs: `0.05`, `3.2`, `1500`.
#[must_use]
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 1.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_as_few_digits_as_it_needs() {
        for (value, text) in
            [(0.0, "0"), (0.05, "0.05"), (3.25, "3.2"), (12.0, "12"), (1_500.4, "1500")]
        {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn no_text_ends_an_element_or_an_attribute() {
        assert_eq!(
            escaped("</text><script x='\"'>&"),
            "&lt;/text&gt;&lt;script x=&#39;&quot;&#39;&gt;&amp;"
        );
        assert_eq!(escaped("a\u{202e}b"), "a�b");
    }
}
