//! Shares as bars, and states over time as a strip.

use super::{WIDTH, at, class, label, opened, rectangle};
use crate::dashboard::{
    charts::short,
    view::{Cell, Figure, Key, Table, Tone},
};

/// Height of one bar with its text.
const BAR: f64 = 34.0;

/// Height of a strip without its times.
const STRIP: f64 = 22.0;

/// A value with its name.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Bar {
    pub name: String,
    pub value: f64,
    /// The value with its unit.
    pub text: String,
}

/// Values side by side, each as long as its share of the largest.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Bars {
    pub id: String,
    pub title: String,
    pub bars: Vec<Bar>,
}

impl Bars {
    /// The chart with its table.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let said: Vec<String> =
            self.bars.iter().map(|bar| format!("{} {}", bar.name, bar.text)).collect();
        let summary = format!("{}: {}", self.title, said.join(", "));
        let row = |bar: &Bar| vec![Cell::text(&bar.name), Cell::number(&bar.text)];
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            svg: self.svg(&summary),
            summary,
            legend: Vec::new(),
            table: Table {
                head: vec!["Name".to_owned(), "Value".to_owned()],
                rows: self.bars.iter().map(row).collect(),
                empty: "Nothing was counted.".to_owned(),
            },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few dozen bars")]
    fn svg(&self, summary: &str) -> String {
        let height = BAR * self.bars.len().max(1) as f64;
        let most = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let mut svg = opened(height, summary);
        for (number, bar) in self.bars.iter().enumerate() {
            let top = BAR * number as f64;
            let share = if most > 0.0 { (bar.value / most).clamp(0.0, 1.0) } else { 0.0 };
            svg += &label(0.0, top + 13.0, "start", &bar.name);
            svg += &label(WIDTH, top + 13.0, "end", &bar.text);
            let size = [(WIDTH * share).max(1.0), 10.0];
            svg += &rectangle(&format!("bar {}", class(number)), [0.0, top + 18.0], size);
        }
        svg + "</svg>"
    }
}

/// A state and how long it lasted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Spell {
    /// In milliseconds since the epoch.
    pub from: u64,
    pub until: u64,
    pub state: String,
    pub tone: Tone,
}

/// The states of one thing over time, such as those of a breaker.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// Its id in the page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Beginning and end of the time shown, in milliseconds since the epoch.
    pub span: [u64; 2],
    /// One after the other, earliest first.
    pub spells: Vec<Spell>,
}

impl Strip {
    /// The spells of states that were seen at these times, each of which lasts until the next is seen, but not longer
    /// than `longest`: what was not looked at is left empty.
    #[must_use]
    pub fn spells(seen: &[(u64, String, Tone)], longest: u64) -> Vec<Spell> {
        let mut spells: Vec<Spell> = Vec::new();
        for (place, (from, state, tone)) in seen.iter().enumerate() {
            let next = seen.get(place + 1).map_or(u64::MAX, |next| next.0);
            let until = next.min(from.saturating_add(longest));
            match spells.last_mut().filter(|last| last.state == *state && last.until == *from) {
                Some(last) => last.until = until,
                None => {
                    spells.push(Spell { from: *from, until, state: state.clone(), tone: *tone });
                }
            }
        }
        spells
    }

    /// The chart with its legend and its table. `show` writes a time in milliseconds for people.
    #[must_use]
    pub fn figure(&self, show: impl Fn(u64) -> String) -> Figure {
        let latest = self.spells.last().map_or("unknown", |spell| spell.state.as_str());
        let summary = format!("{}: latest {latest}", self.title);
        let row = |spell: &Spell| {
            let [from, until] = [spell.from, spell.until].map(|ms| at(ms, &show(ms)));
            vec![from, until, Cell::text(&spell.state).tone(spell.tone)]
        };
        let mut legend: Vec<Key> = Vec::new();
        for spell in &self.spells {
            let key = Key {
                class: spell.tone.class().to_owned(),
                name: spell.state.clone(),
                value: String::new(),
            };
            if !legend.contains(&key) {
                legend.push(key);
            }
        }
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            svg: self.svg(&summary, &show),
            summary,
            legend,
            table: Table {
                head: ["From", "Until", "State"].map(str::to_owned).to_vec(),
                rows: self.spells.iter().rev().map(row).collect(),
                empty: "Nothing was seen.".to_owned(),
            },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "times of an hour, in pixels")]
    fn svg(&self, summary: &str, show: &impl Fn(u64) -> String) -> String {
        let [from, until] = self.span;
        let whole = until.saturating_sub(from).max(1) as f64;
        let x = |ms: u64| WIDTH * (ms.clamp(from, until.max(from)) - from) as f64 / whole;
        let height = STRIP + 18.0;
        let mut svg = opened(height, summary);
        svg += &rectangle("ground", [0.0, 0.0], [WIDTH, STRIP]);
        for spell in &self.spells {
            let (start, end) = (x(spell.from), x(spell.until));
            let class = format!("spell {}", spell.tone.class());
            svg += &rectangle(&class, [start, 0.0], [(end - start).max(0.0), STRIP]);
        }
        svg += &label(0.0, height - 4.0, "start", &show(from));
        svg += &label(WIDTH, height - 4.0, "end", &show(until));
        svg + "</svg>"
    }
}

/// A share of all as a bar: `42 %`.
#[must_use]
pub fn share(name: &str, part: f64, all: f64) -> Bar {
    let value = if all > 0.0 { 100.0 * part / all } else { 0.0 };
    Bar { name: name.to_owned(), value, text: format!("{} %", short(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_the_largest_value() {
        let bars = vec![share("a<b", 3.0, 4.0), share("b", 1.0, 4.0), share("none", 0.0, 0.0)];
        let figure = Bars { title: "T".into(), bars, ..Bars::default() }.figure();
        assert!(figure.svg.contains(r#"width="360.0""#) && figure.svg.contains(r#"width="120.0""#));
        assert!(figure.svg.contains("a&lt;b") && !figure.svg.contains("a<b"), "{}", figure.svg);
        assert_eq!(figure.table.rows[0][1].text, "75 %");
        assert_eq!(figure.table.rows[2][1].text, "0 %");
    }

    #[test]
    fn equal_states_are_one_spell_and_what_was_not_seen_is_none() {
        let seen = |at, state: &str| (at, state.to_owned(), Tone::Plain);
        let seen = [seen(0, "open"), seen(60, "open"), seen(120, "closed"), seen(600, "closed")];
        let spells = Strip::spells(&seen, 180);
        let told: Vec<(u64, u64, &str)> =
            spells.iter().map(|spell| (spell.from, spell.until, spell.state.as_str())).collect();
        assert_eq!(told, [(0, 120, "open"), (120, 300, "closed"), (600, 780, "closed")]);
    }
}
