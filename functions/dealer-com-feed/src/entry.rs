//! One entry of a site's list: where its fields may stand, and what was there instead of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::field::{self, Reading};

/// Most items of a list in an entry that are looked at.
const MAX_ITEMS: usize = 200;

/// Lists of `{name, value}` that hold what is not a field of its own, the more exact one first: the
/// other is written for people.
const ATTRIBUTES: [&str; 2] = ["trackingAttributes", "attributes"];

/// An entry, and what was wrong with the fields read from it so far.
pub(crate) struct Entry<'a> {
    fields: &'a Map<String, Value>,
    placeholders: BTreeSet<&'static str>,
    unreadable: BTreeSet<&'static str>,
}

impl<'a> Entry<'a> {
    pub(crate) const fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, placeholders: BTreeSet::new(), unreadable: BTreeSet::new() }
    }

    /// The object itself.
    pub(crate) const fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// The object called `name`.
    pub(crate) fn object(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.fields.get(name).and_then(Value::as_object)
    }

    /// The beginning of the list called `name`, nothing if there is none.
    pub(crate) fn list(&self, name: &str) -> &'a [Value] {
        items(self.fields.get(name))
    }

    /// Everything that goes by one of `names`: the entry's own fields, and then its attributes.
    fn values(&self, names: &[&str]) -> Vec<&'a Value> {
        let own = names.iter().filter_map(|name| self.fields.get(*name));
        let attributes = ATTRIBUTES.iter().flat_map(|list| self.list(list));
        let meant = attributes.filter(|attribute| {
            let name = attribute.get("name").and_then(Value::as_str);
            name.is_some_and(|name| names.contains(&name))
        });
        own.chain(meant.filter_map(|attribute| attribute.get("value"))).collect()
    }

    /// Reads the field that goes by one of `names`; `field` is its name in the notes.
    pub(crate) fn read<T>(
        &mut self,
        field: &'static str,
        names: &[&str],
        parse: impl Fn(&str) -> Reading<T>,
    ) -> Option<T> {
        let values = self.values(names);
        self.settle(field, values.into_iter().filter_map(|value| reading(value, &parse)))
    }

    /// The first thing found among `readings`; if there is none, what there was instead is noted.
    pub(crate) fn settle<T>(
        &mut self,
        field: &'static str,
        readings: impl IntoIterator<Item = Reading<T>>,
    ) -> Option<T> {
        let (mut placeholder, mut unreadable) = (false, false);
        for reading in readings {
            match reading {
                Reading::Found(found) => return Some(found),
                Reading::Placeholder => placeholder = true,
                Reading::Unreadable => unreadable = true,
            }
        }
        if unreadable {
            self.unreadable.insert(field);
        } else if placeholder {
            self.placeholders.insert(field);
        }
        None
    }

    /// The fields that held a placeholder, and those that held something else than was expected,
    /// each in order.
    pub(crate) fn into_notes(self) -> (Vec<String>, Vec<String>) {
        let names = |fields: BTreeSet<&'static str>| -> Vec<String> {
            fields.into_iter().map(str::to_owned).collect()
        };
        (names(self.placeholders), names(self.unreadable))
    }
}

/// The beginning of a list; nothing if it is none.
pub(crate) fn items(value: Option<&Value>) -> &[Value] {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    &items[..items.len().min(MAX_ITEMS)]
}

/// What a value turns out to be; nothing if it is null, which is how a field is left out.
pub(crate) fn reading<T>(value: &Value, parse: impl Fn(&str) -> Reading<T>) -> Option<Reading<T>> {
    if value.is_null() {
        return None;
    }
    Some(field::text(value).map_or(Reading::Unreadable, |text| parse(&text)))
}
