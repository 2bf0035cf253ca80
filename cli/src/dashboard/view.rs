//! What a page consists of, before it is HTML: sections of tiles, charts, facts, forms, a table and a text. All texts
//! are plain; the template escapes them.

use crate::text::{clean, clean_lines};

/// How a value is to be taken. Each has a colour, and the text says the same without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be watched.
    Warn,
    /// Not as it should be.
    Bad,
}

impl Tone {
    /// The name of its CSS class.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A short text, perhaps with a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// One line, without control characters.
    pub text: String,
    /// Where it leads: a path of the dashboard.
    pub href: Option<String>,
    /// What is shown when the pointer rests on it, such as a time in UTC.
    pub title: Option<String>,
    /// RFC 3339, if it is a time.
    pub time: Option<String>,
    /// How it is to be taken.
    pub tone: Tone,
    /// Whether it is a number, which is aligned to the right.
    pub is_number: bool,
    /// The key that follows its link, if the link leads to a change. It is a capital.
    pub key: Option<char>,
}

impl Cell {
    /// A text from anywhere. Characters that change what is around them become `�`.
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()), ..Self::default() }
    }

    /// A number, with the unit or mark that belongs to it, such as `100+`.
    #[must_use]
    pub fn number(text: impl AsRef<str>) -> Self {
        Self { is_number: true, ..Self::text(text) }
    }

    /// The same with a link.
    #[must_use]
    pub fn href(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    /// The same in this tone.
    #[must_use]
    pub const fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// A number that stands out.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Tile {
    pub label: String,
    pub value: Cell,
    /// How old it is, or what it is compared with.
    pub note: String,
}

/// A name and a value.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Fact {
    pub name: String,
    pub value: Cell,
}

/// A table with a head.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The names of the columns.
    pub head: Vec<String>,
    /// Of each row as many cells as the head has.
    pub rows: Vec<Vec<Cell>>,
    /// What is said if there are no rows.
    pub empty: String,
}

/// A chart as a page shows it: drawn, with its legend, and as a table.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Figure {
    pub id: String,
    pub title: String,
    /// What a reader who does not see it should know.
    pub summary: String,
    /// A complete element. Its texts are escaped.
    pub svg: String,
    pub legend: Vec<Key>,
    pub table: Table,
}

/// An entry of a legend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The class that gives line and mark their colour.
    pub class: String,
    /// What has this colour.
    pub name: String,
    /// The latest value with its unit.
    pub value: String,
}

/// A field of a form: a choice if it has options, and a text otherwise.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Field {
    pub name: String,
    pub label: String,
    pub value: String,
    pub options: Vec<Choice>,
    pub is_required: bool,
}

/// One option of a field.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub is_chosen: bool,
}

/// A form that asks for a page. It changes nothing.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Form {
    pub action: String,
    pub fields: Vec<Field>,
    pub submit: String,
}

/// Where forms lead that change something.
pub const ACT: &str = "/act";

/// Where forms lead that first ask whether to.
pub const CONFIRM: &str = "/confirm";

/// A form that changes something, or leads to the page that asks whether to.
#[derive(Clone, Debug, Default)]
pub struct ActForm {
    /// [`ACT`] or [`CONFIRM`].
    pub action: String,
    /// What it does, for those who do not see what stands around it.
    pub title: String,
    /// Names and values that are sent as they are.
    pub hidden: Vec<(String, String)>,
    /// What can be chosen or written.
    pub fields: Vec<Field>,
    /// What its button says.
    pub submit: String,
    /// The key that sends it, a capital.
    pub key: Option<char>,
    /// Whether it may do harm.
    pub is_dangerous: bool,
    /// By which the server knows its own pages. The router fills it in.
    pub token: String,
}

impl ActForm {
    /// Whether sending it changes something at once.
    #[must_use]
    pub fn is_post(&self) -> bool {
        self.action == ACT
    }
}

/// An event on a timeline.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Moment {
    pub at: Cell,
    pub what: Cell,
    pub detail: String,
}

/// A part of a page. What is empty is not shown.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its id in the page.
    pub id: String,
    /// What stands above it.
    pub title: String,
    /// A sentence below the heading.
    pub note: String,
    /// Numbers that stand out.
    pub tiles: Vec<Tile>,
    /// A form that narrows down what is listed.
    pub form: Option<Form>,
    /// Charts with their tables.
    pub figures: Vec<Figure>,
    /// Names with their values.
    pub facts: Vec<Fact>,
    /// Forms that change something.
    pub acts: Vec<ActForm>,
    /// Events, the earliest first.
    pub moments: Vec<Moment>,
    /// Rows of values.
    pub table: Option<Table>,
    /// Several lines in a fixed font, such as JSON.
    pub text: Option<String>,
    /// Where the list goes on.
    pub next: Option<Cell>,
}

impl Section {
    /// A section with a heading only.
    #[must_use]
    pub fn new(id: &str, title: &str) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), ..Self::default() }
    }

    /// The same with a sentence below the heading.
    #[must_use]
    pub fn note(mut self, note: impl AsRef<str>) -> Self {
        self.note = clean(note.as_ref());
        self
    }

    /// The same with lines in a fixed font.
    #[must_use]
    pub fn lines(mut self, lines: &str) -> Self {
        self.text = Some(clean_lines(lines));
        self
    }

    /// Adds a name with a value.
    pub fn fact(&mut self, name: &str, value: Cell) {
        self.facts.push(Fact { name: name.to_owned(), value });
    }

    /// Adds a name with a value, if there is one.
    pub fn fact_some(&mut self, name: &str, value: Option<Cell>) {
        if let Some(value) = value {
            self.fact(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_the_direction_of_writing_is_shown_as_a_mark() {
        assert_eq!(Cell::text("a\u{202e}b\nc").text, "a�b c");
        let lines = Section::new("a", "A").lines("a\u{202e}\n<b>").text;
        assert_eq!(lines.as_deref(), Some("a�\n<b>"));
    }
}
