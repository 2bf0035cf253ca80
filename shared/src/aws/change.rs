//! A change of a control item.

use super::item::Attribute;

/// The new attributes of a control item.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Vec<Attribute>,
    pub(super) set: Vec<Attribute>,
    /// Attributes that the item must not have.
    pub(super) removed: Vec<&'static str>,
}

impl Change {
    /// Sets these attributes, and removes those of `options` that are not among them.
    pub(super) fn new(key: Vec<Attribute>, set: Vec<Attribute>, options: &[&'static str]) -> Self {
        let is_set = |name: &str| set.iter().any(|(other, _)| *other == name);
        let removed = options.iter().copied().filter(|name| !is_set(name)).collect();
        Self { key, set, removed }
    }

    /// The item as this change makes it, if nobody else has added to it.
    pub(super) fn item(self) -> Vec<Attribute> {
        [self.key, self.set].concat()
    }
}
