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
            Condition::Absent => stored.is_none(),
            Condition::Unchanged(expected) => {
                stored.is_some_and(|stored| expected.iter().all(|value| stored.contains(value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(condition: Condition) -> TableItem {
        let key = [("pk", "a".to_owned()), ("sk", "b".to_owned())];
        let attributes = vec![("text", Value::Text("four".into())), ("count", Value::Number(7))];
        TableItem { table: "table".into(), key, attributes, condition }
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
        ] {
            let item = item(condition);
            let may = (item.may_replace(None), item.may_replace(Some(&stored)));
            assert_eq!(may, (over_none, over_stored), "{item:?}");
        }
    }

    #[test]
    fn its_bytes_are_those_of_names_and_values() {
        assert_eq!(item(Condition::Always).bytes(), (2 + 1) * 2 + 4 + 4 + 5 + 8);
    }
}
