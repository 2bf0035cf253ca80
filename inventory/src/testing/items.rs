//! Every decoder of the table's items at once, for fuzz targets.

use evenkeel::aws::item::Item;

use crate::dynamo::items;

/// Lets every decoder read an item; returns how many could.
#[must_use]
pub fn decode_all(item: &Item) -> usize {
    let could = [
        items::known(item).is_some(),
        items::kept_link(item).is_some(),
        items::kept_page(item).is_some(),
        items::data(item).is_some(),
        items::key_of(item).is_some(),
    ];
    could.into_iter().filter(|could| *could).count()
}
