//! Text for people: tables, and lists of named values.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

use crate::text::clean;

/// What names a value, and the head of a table.
pub(crate) const NAME: Style = Style::new().bold();
/// Something that is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to watch.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// Something that is not well.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Columns of the names of values.
const NAME_WIDTH: usize = 16;

/// A text in a style. The text is cleaned.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{}{style:#}", clean(text))
}

/// A table with a head. Every cell is cleaned. Nothing is cut off, so that lines can be searched.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)).collect::<Vec<String>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.trim_fmt();
    let (first, rest) = text.split_once('\n').unwrap_or((text.as_str(), ""));
    format!("{NAME}{first}{NAME:#}\n{rest}\n")
}

/// Lines of a name and a value.
#[derive(Debug, Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Adds a line. The value is cleaned.
    pub(crate) fn add(&mut self, name: &str, value: impl AsRef<str>) {
        let value = clean(value.as_ref());
        // Writing into a text does not fail.
        let _ = writeln!(self.0, "{NAME}{name:NAME_WIDTH$}{NAME:#}{value}");
    }

    /// Adds a line if there is a value.
    pub(crate) fn add_some(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Adds a block of lines below an empty one, such as a table or indented JSON. It must be clean.
    pub(crate) fn block(&mut self, name: &str, lines: &str) {
        let _ = writeln!(self.0, "\n{NAME}{name}{NAME:#}\n{}", lines.trim_end());
    }

    /// The lines, each with its end.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_table_is_aligned_and_clean() {
        let rows = vec![
            vec!["url_shortening#g:a".to_owned(), "dead\u{1b}[2J".to_owned()],
            vec!["b".to_owned(), "x\ny".to_owned()],
        ];
        let text = plain(&table(&["KEY", "STATE"], rows));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "KEY                 STATE",
                "url_shortening#g:a  dead�[2J",
                "b                   x y"
            ]
        );
        assert_eq!(table(&["KEY"], Vec::new()), "");
    }

    #[test]
    fn a_value_stands_behind_its_name() {
        let mut fields = Fields::default();
        fields.add("state", "dead\u{7}");
        fields.add_some("why", None::<&str>);
        fields.block("payload", "{\n}\n");
        assert_eq!(plain(&fields.text()), "state           dead�\n\npayload\n{\n}\n");
    }
}
