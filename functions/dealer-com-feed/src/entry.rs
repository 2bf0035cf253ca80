//! One entry of a site's list: where a field's value may be, and notes on values that are
//! placeholders or unreadable.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::field::{self, Reading};

/// Most items that are read of a list in an entry.
const MAX_ITEMS: usize = 200;

/// Lists of `{name, value}` with further fields. The most exact list is first; the others are
/// formatted for display.
const ATTRIBUTES: [&str; 3] = ["trackingAttributes", "attributes", "highlightedAttributes"];

/// An entry, and notes on the fields read from it so far.
pub(crate) struct Entry<'a> {
    fields: &'a Map<String, Value>,
    /// The names and values of its attributes, the most exact list first.
    attributes: Vec<(&'a str, &'a Value)>,
    placeholders: BTreeSet<&'static str>,
    unreadable: BTreeSet<&'static str>,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(fields: &'a Map<String, Value>) -> Self {
        let attributes = ATTRIBUTES.iter().flat_map(|list| items(fields.get(*list)));
        // Once for all fields that may be in them.
        let attributes = attributes.filter_map(|attribute| {
            Some((attribute.get("name")?.as_str()?, attribute.get("value")?))
        });
        Self {
            fields,
            attributes: attributes.collect(),
            placeholders: BTreeSet::new(),
            unreadable: BTreeSet::new(),
        }
    }

    /// The entry's own fields.
    pub(crate) const fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// The object in field `name`; `None` if it is absent or not an object.
    pub(crate) fn object(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.fields.get(name).and_then(Value::as_object)
    }

    /// The first items of the list in field `name`; empty if it is absent or not a list.
    pub(crate) fn list(&self, name: &str) -> &'a [Value] {
        items(self.fields.get(name))
    }

    /// All values under one of `names`: first the entry's own fields, then its attributes.
    fn values(&self, names: &[&str]) -> Vec<&'a Value> {
        let own = names.iter().filter_map(|name| self.fields.get(*name));
        let meant = self.attributes.iter().filter(|(name, _)| names.contains(name));
        own.chain(meant.map(|(_, value)| *value)).collect()
    }

    /// The first of the values under one of `names` that `parse` knows, without a note.
    pub(crate) fn find<T>(&self, names: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.values(names).into_iter().filter_map(field::text).find_map(|text| parse(&text))
    }

    /// Reads the first usable value under one of `names`; `field` is the field's name in the notes.
    pub(crate) fn read<T>(
        &mut self,
        field: &'static str,
        names: &[&str],
        parse: impl Fn(&str) -> Reading<T>,
    ) -> Option<T> {
        let values = self.values(names);
        self.settle(field, values.into_iter().filter_map(|value| reading(value, &parse)))
    }

    /// Returns the first value found among `readings`. If there is none, notes `field` as
    /// unreadable or as a placeholder.
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

    /// The names of the fields with a placeholder, and of those with an unreadable value, each
    /// sorted.
    pub(crate) fn into_notes(self) -> (Vec<String>, Vec<String>) {
        let names = |fields: BTreeSet<&'static str>| -> Vec<String> {
            fields.into_iter().map(str::to_owned).collect()
        };
        (names(self.placeholders), names(self.unreadable))
    }
}

/// The first items of a list; empty if `value` is not a list.
pub(crate) fn items(value: Option<&Value>) -> &[Value] {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    &items[..items.len().min(MAX_ITEMS)]
}

/// Parses a value; `None` for null, which means that the field is left out.
pub(crate) fn reading<T>(value: &Value, parse: impl Fn(&str) -> Reading<T>) -> Option<Reading<T>> {
    if value.is_null() {
        return None;
    }
    Some(field::text(value).map_or(Reading::Unreadable, |text| parse(&text)))
}
