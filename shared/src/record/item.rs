//! An item of a job type's own table, which the engine writes in the same call as the end of the run that made it.
//!
//! The engine does not know what the item is. Both writes travel together and each takes effect on its own: if the
//! end is refused because another run has taken over, the item may be written all the same. Its [`Condition`] has to
//! say when it must not be.

/// Most bytes of the texts of one item. A batch of ten stays well below DynamoDB's limits.
pub const MAX_ITEM_BYTES: usize = 64 * 1024;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// DynamoDB's type `S`.
    Text(String),
    /// DynamoDB's type `N`, here a whole number that is not negative.
    Number(u64),
}

/// When an item may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In any case. An item with the same key is replaced.
    Always,
    /// If there is no item with the same key.
    Absent,
    /// If the item exists and its attributes have these values. Attributes that are not set are left as they are.
    Unchanged(Vec<(&'static str, Value)>),
    /// Unless there is an item whose attribute `by` is larger than that of this one: of several writers the one with
    /// the largest number wins, whoever comes first. Attributes that are not set are left as they are.
    Latest {
        /// An attribute of the item, which it sets to a number.
        by: &'static str,
        /// The number in the stored item when it was read; `None` if there was none. The call that ends the run writes
        /// the item if that is still so. If not, it takes a call of its own.
        seen: Option<u64>,
    },
}

/// An item to write with the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableItem {
    /// The name of the table. The function needs the permission to write to it.
    pub table: String,
    /// Name and value of the partition key, and of the sort key. Both are texts.
    pub key: [(&'static str, String); 2],
    /// The other attributes.
    pub attributes: Vec<(&'static str, Value)>,
    /// When it may be written.
    pub condition: Condition,
}

impl TableItem {
    /// What tells it from all other items: its table and its key.
    #[must_use]
    pub fn place(&self) -> (&str, &[(&'static str, String); 2]) {
        (&self.table, &self.key)
    }

    /// The bytes of its texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let length = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Number(_) => 8,
        };
        self.key.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>()
            + self.attributes.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>()
    }

    /// Whether the item's condition holds for the attributes of the stored item.
    #[must_use]
    pub fn may_replace(&self, stored: Option<&[(&'static str, Value)]>) -> bool {
        match &self.condition {
            Condition::Always => true,
            Condition::Absent | Condition::Unchanged(_) => self.is_as_expected(stored),
            Condition::Latest { by, .. } => {
                let stored = stored.and_then(|stored| number(stored, by));
                stored.is_none_or(|stored| Some(stored) <= number(&self.attributes, by))
            }
        }
    }

    /// Attributes that the stored item must have for the call that ends the run to write this one; `None` if there
    /// must be no item. Such a call cannot compare otherwise.
    #[must_use]
    pub fn expected(&self) -> Option<Vec<(&'static str, Value)>> {
        match &self.condition {
            Condition::Always | Condition::Absent => None,
            Condition::Unchanged(expected) => Some(expected.clone()),
            Condition::Latest { by, seen } => {
                let seen = seen.filter(|seen| Some(*seen) <= number(&self.attributes, by))?;
                Some(vec![(*by, Value::Number(seen))])
            }
        }
    }

    /// Whether the stored item is as [`TableItem::expected`] says.
    #[must_use]
    pub fn is_as_expected(&self, stored: Option<&[(&'static str, Value)]>) -> bool {
        match self.expected() {
            None => stored.is_none(),
            Some(expected) => {
                stored.is_some_and(|stored| expected.iter().all(|value| stored.contains(value)))
            }
        }
    }

    /// Whether an item that the call that ends the run has refused may be written by a call of its own.
    #[must_use]
    pub const fn may_follow(&self) -> bool {
        matches!(self.condition, Condition::Always | Condition::Latest { .. })
    }
}

/// The number in an attribute.
fn number(attributes: &[(&'static str, Value)], name: &str) -> Option<u64> {
    attributes.iter().find_map(|(known, value)| match value {
        Value::Number(number) if *known == name => Some(*number),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(condition: Condition) -> TableItem {
        let key = [("pk", "a".to_owned()), ("sk", "b".to_owned())];
        let attributes = vec![("text", Value::Text("four".into())), ("count", Value::Number(7))];
        TableItem { table: "table".into(), key, attributes, condition }
    }

    fn latest(seen: Option<u64>) -> Condition {
        Condition::Latest { by: "count", seen }
    }

    #[test]
    fn a_condition_is_about_the_stored_item() {
        let stored = [("count", Value::Number(7)), ("more", Value::Text("x".into()))];
        let same = Condition::Unchanged(vec![("count", Value::Number(7))]);
        let other = Condition::Unchanged(vec![("count", Value::Number(8))]);
        for (condition, over_none, over_stored) in [
            (Condition::Always, true, true),
            (Condition::Absent, true, false),
            (same, false, true),
            (other, false, false),
            (latest(None), true, true),
            (latest(Some(7)), true, true),
        ] {
            let item = item(condition);
            let may = (item.may_replace(None), item.may_replace(Some(&stored)));
            assert_eq!(may, (over_none, over_stored), "{item:?}");
        }
    }

    #[test]
    fn the_latest_item_stays_whoever_comes_first() {
        for (stored, may) in [(6, true), (7, true), (8, false)] {
            let stored = [("count", Value::Number(stored))];
            for seen in [None, Some(1), Some(7), Some(8)] {
                let item = item(latest(seen));
                assert_eq!(item.may_replace(Some(&stored)), may, "{seen:?} {stored:?}");
                // The call that ends the run writes nothing that may not be written.
                assert!(may || !item.is_as_expected(Some(&stored)), "{seen:?} {stored:?}");
            }
        }
        let stored = [("count", Value::Number(5))];
        for (seen, over_none, over_stored) in
            [(None, true, false), (Some(5), false, true), (Some(4), false, false)]
        {
            let item = item(latest(seen));
            let is = (item.is_as_expected(None), item.is_as_expected(Some(&stored)));
            assert_eq!(is, (over_none, over_stored), "{seen:?}");
        }
    }

    #[test]
    fn its_bytes_are_those_of_names_and_values() {
        assert_eq!(item(Condition::Always).bytes(), (2 + 1) * 2 + 4 + 4 + 5 + 8);
    }
}
