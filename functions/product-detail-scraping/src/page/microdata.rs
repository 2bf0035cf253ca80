//! Finds the cars in the linked data that stands in the attributes of a page's elements: microdata (HTML standard,
//! chapter 5) and `RDFa` Lite 1.1. Each item is converted to the form of JSON-LD.

use std::collections::{BTreeMap, BTreeSet};

use inventory::budget::Budget;
use serde_json::{Map, Value, map::Entry};

use super::{
    json_ld::walk,
    markup::{Markup, Tag},
    shown_text::{Join, raised},
    sighting::{Role, Sightings},
    weight::weight,
};

/// Deepest nesting of items. Deeper items count as part of the item around them.
const MAX_DEPTH: usize = 16;

/// Most properties read of one page, and the longest property in bytes. Together they bound the
/// memory to some megabytes.
const MAX_PROPERTIES: usize = 2_000;
const MAX_PROPERTY_BYTES: usize = 2_048;

/// Most names of one property.
const MAX_NAMES: usize = 4;

/// Most elements outside of an item that it refers to, and the most bytes of all that items refer to.
const MAX_REFERENCES: usize = 8;
const MAX_REFERRED_BYTES: usize = 512 * 1024;

/// Steps for a tag, and for each open item or property that has to notice it.
const TAG_STEPS: usize = 4;
const OPEN_STEPS: usize = 4;

/// Reads the cars in a page's microdata and `RDFa`.
pub fn read(markup: &Markup<'_>, seen: &mut Sightings<'_>) {
    let budget = seen.budget();
    let mut items = Items {
        open: Vec::new(),
        complete: Vec::new(),
        refers: references(markup, budget),
        parts: BTreeMap::new(),
        left: MAX_PROPERTIES,
        budget,
    };
    for tag in markup.tags() {
        if !budget.step(TAG_STEPS + items.open.len() * OPEN_STEPS) {
            break;
        }
        if tag.closing {
            items.close(tag.name);
        } else {
            items.begin(&tag);
        }
        items.hear(&tag);
    }
    // Items that are still open at the end of a truncated page are read, too.
    items.close_from(0);
    for (item, role) in items.merged() {
        walk(&item, role, seen);
    }
    if items.left == 0 {
        seen.skipped("properties");
    }
}

/// The ids of the elements that items refer to.
fn references<'m>(markup: &'m Markup<'_>, budget: &Budget) -> BTreeSet<&'m str> {
    let tags = markup.tags().take_while(|_| budget.step(TAG_STEPS));
    let lists = tags.filter_map(|tag| tag.attribute("itemref"));
    let ids = lists.flat_map(|list| list.split_ascii_whitespace().take(MAX_REFERENCES));
    ids.take(MAX_PROPERTIES).collect()
}

/// The items of a page.
struct Items<'a> {
    /// The items and properties whose elements have not ended, from the outermost to the innermost.
    open: Vec<Open<'a>>,
    /// The closed items that are not the value of another item's property.
    complete: Vec<Complete<'a>>,
    /// The ids of elements that items refer to, and the properties of those elements.
    refers: BTreeSet<&'a str>,
    parts: BTreeMap<&'a str, Map<String, Value>>,
    /// The number of properties that may still be read.
    left: usize,
    budget: &'a Budget,
}

/// An item whose element has ended.
struct Complete<'a> {
    values: Map<String, Value>,
    /// The ids that it refers to.
    refers: &'a str,
    role: Role,
}

/// An element that has not ended yet.
struct Open<'a> {
    /// The element's name.
    element: &'a str,
    /// The number of open elements of that name, including its own. Other elements are not
    /// counted, so a missing end tag of one of them does not matter.
    depth: usize,
    /// The property of the item around it whose value this is.
    property: Option<&'a str>,
    what: What<'a>,
}

enum What<'a> {
    /// An item, with the ids that it refers to.
    Item(Map<String, Value>, &'a str),
    /// The properties of an element with this id, which items refer to.
    Part(Map<String, Value>, &'a str),
    /// A property whose value is the text of its element.
    Text(String),
}

impl<'a> Items<'a> {
    /// Handles a start tag.
    fn begin(&mut self, tag: &Tag<'a>) {
        let is_leaf = tag.self_closing || tag.is_void();
        if !is_leaf {
            for open in &mut self.open {
                if open.element.eq_ignore_ascii_case(tag.name) {
                    open.depth += 1;
                }
            }
            let id = tag.attribute("id").filter(|id| self.refers.contains(id));
            if let Some(id) = id {
                self.push(tag.name, None, What::Part(Map::new(), id));
            }
        }
        let kind = tag.attribute("itemtype").or_else(|| tag.attribute("typeof"));
        let is_item = tag.attribute("itemscope").is_some() || tag.attribute("typeof").is_some();
        let property = tag.attribute("itemprop").or_else(|| {
            // Other elements have the attribute, too, such as `meta` for social networks.
            tag.attribute("property").filter(|_| self.is_within_item())
        });
        if !is_leaf && is_item {
            let mut values = Map::new();
            if let Some(kind) = kind {
                values.insert("@type".to_owned(), Value::from(shortened(kind)));
            }
            let refers = tag.attribute("itemref").unwrap_or_default();
            self.push(tag.name, property, What::Item(values, refers));
        } else if let Some(property) = property {
            match value(tag) {
                Some(value) => self.add(property, &Value::from(shortened(value))),
                None if is_leaf => self.add(property, &Value::from("")),
                None => self.push(tag.name, Some(property), What::Text(String::new())),
            }
        }
    }

    fn is_within_item(&self) -> bool {
        self.open.iter().any(|open| !matches!(open.what, What::Text(_)))
    }

    fn push(&mut self, element: &'a str, property: Option<&'a str>, what: What<'a>) {
        if self.open.len() < MAX_DEPTH && self.left > 0 {
            self.left -= 1;
            self.open.push(Open { element, depth: 1, property, what });
        }
    }

    /// Handles the text behind a tag: it belongs to every property around it.
    fn hear(&mut self, tag: &Tag<'_>) {
        let text = shortened(tag.text);
        for open in &mut self.open {
            if let What::Text(heard) = &mut open.what
                && heard.len() < MAX_PROPERTY_BYTES
                && self.budget.keep(text.len() + 1)
            {
                match if tag.begins("sup") { raised(heard, text) } else { Join::Glued } {
                    Join::Dropped => {}
                    Join::Spaced => {
                        heard.push(' ');
                        heard.push_str(text);
                    }
                    Join::Glued | Join::Apart => heard.push_str(text),
                }
            }
        }
    }

    /// Handles an end tag.
    fn close(&mut self, name: &str) {
        for open in &mut self.open {
            if open.element.eq_ignore_ascii_case(name) {
                open.depth -= 1;
            }
        }
        if let Some(outermost) = self.open.iter().position(|open| open.depth == 0) {
            self.close_from(outermost);
        }
    }

    /// Closes the element at this index of `open` and all within it.
    fn close_from(&mut self, outermost: usize) {
        while self.open.len() > outermost {
            let Some(open) = self.open.pop() else { return };
            match open.what {
                What::Text(heard) => {
                    self.add(open.property.unwrap_or_default(), &Value::from(shortened(&heard)));
                }
                What::Part(values, id) => {
                    self.parts.entry(id).or_insert(values);
                }
                What::Item(values, refers) => match open.property {
                    // An item is the value of one name. A copy under each would double with each level.
                    Some(names) if self.is_within_item() => {
                        let name = names.split_ascii_whitespace().next().unwrap_or_default();
                        self.add(name, &Value::Object(values));
                    }
                    _ => {
                        let is_part = self.is_within_item();
                        let role = if is_part { Role::Listed } else { Role::Main };
                        self.complete.push(Complete { values, refers, role });
                    }
                },
            }
        }
    }

    /// Adds a value under each name of a property to the innermost item.
    fn add(&mut self, names: &str, value: &Value) {
        let items = self.open.iter_mut().rev();
        let mut values = items.filter_map(|open| match &mut open.what {
            What::Item(values, _) | What::Part(values, _) => Some(values),
            What::Text(_) => None,
        });
        let Some(values) = values.next().filter(|_| self.left > 0) else { return };
        self.left -= 1;
        let bytes = weight(value, self.budget);
        for name in names.split_ascii_whitespace().take(MAX_NAMES) {
            if !self.budget.step(bytes) || !self.budget.keep(bytes) {
                return;
            }
            // RDFa may write a prefix.
            let name = name.rsplit([':', '/', '#']).next().unwrap_or(name);
            insert(values, name, value.clone());
        }
    }

    /// The complete items, each with the properties of the elements that it refers to.
    fn merged(&mut self) -> Vec<(Value, Role)> {
        let complete = std::mem::take(&mut self.complete);
        let mut bytes_left = MAX_REFERRED_BYTES;
        let merged = complete.into_iter().map(|Complete { mut values, refers, role }| {
            for id in refers.split_ascii_whitespace().take(MAX_REFERENCES) {
                let part = self.parts.get(id).filter(|_| bytes_left > 0);
                for (name, value) in part.into_iter().flatten() {
                    let bytes = name.len() + weight(value, self.budget);
                    // Once one does not fit, none is weighed any more.
                    bytes_left = bytes_left.saturating_sub(bytes);
                    if bytes_left == 0 || !self.budget.keep(bytes) {
                        break;
                    }
                    insert(&mut values, name, value.clone());
                }
            }
            (Value::Object(values), role)
        });
        merged.collect()
    }
}

/// Adds a value. Several values of one property become an array.
fn insert(values: &mut Map<String, Value>, name: &str, value: Value) {
    match values.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(value);
        }
        Entry::Occupied(mut entry) => {
            let held = entry.get_mut();
            if let Value::Array(values) = held {
                values.push(value);
            } else {
                *held = Value::Array(vec![held.take(), value]);
            }
        }
    }
}

/// The value of a property, from the attribute that the HTML standard (section 5.2.4) defines for
/// the element; `None` if it is the element's text. `content` takes precedence, because many sites write it on any
/// element.
fn value<'a>(tag: &Tag<'a>) -> Option<&'a str> {
    let attribute = match tag.name.to_ascii_lowercase().as_str() {
        "a" | "area" | "link" => "href",
        "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => "src",
        "data" | "meter" => "value",
        "object" => "data",
        "time" => "datetime",
        _ => "content",
    };
    tag.attribute("content")
        .or_else(|| tag.attribute(attribute))
        .or_else(|| tag.attribute("resource"))
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_PROPERTY_BYTES)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::page::{record::Details, vocabulary::Provenance};

    const VIN: &str = "1HGCM82633A004352";

    fn seen(html: &str) -> (Vec<Details>, usize) {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::Microdata, VIN, &base, &budget);
        read(&Markup::of(html, &budget), &mut seen);
        let (details, warnings) = seen.chosen(|_| true);
        (details, warnings.len())
    }

    /// A car's element with the content `inner`.
    fn car(inner: &str) -> String {
        format!(
            "<div itemscope itemtype='https://schema.org/Car'>\
             <meta itemprop=vin content={VIN}>{inner}</div>"
        )
    }

    #[test]
    fn a_value_is_read_from_the_attribute_of_its_element() {
        let html =
            car("<h1 itemprop='name'>2003 Accord</h1><span itemprop=sku content=A1>x</span>\
             <a itemprop=image href=/1.jpg>x</a><img itemprop=image src=/2.jpg>\
             <data itemprop=modelDate value=2003>x</data>");
        let (cars, warnings) = seen(&html);
        assert_eq!((cars.len(), warnings), (1, 0));
        assert_eq!(cars[0].title.as_deref(), Some("2003 Accord"));
        assert_eq!(cars[0].stock_number.as_deref(), Some("A1"));
        assert_eq!(cars[0].year, Some(2003));
        assert_eq!(cars[0].images.as_ref().map(Vec::len), Some(2));
    }

    #[test]
    fn raised_digits_are_part_of_a_number_only_where_nothing_else_can_be_meant() {
        for (price, expected) in [
            ("1850<sup>0</sup>", vec![1_850_000]),
            ("18<b>,995</b>", vec![1_899_500]),
            ("18,995<sup>99</sup>", vec![1_899_500]),
            ("18,995<sup>1</sup>", vec![1_899_500]),
            ("1850<sup>99</sup>", vec![]),
            ("18995<sup>1</sup>", vec![]),
            ("<sup>$</sup>18995<sup>*</sup>", vec![1_899_500]),
        ] {
            let offer = format!("<i itemprop=offers itemscope><b itemprop=price>{price}</b></i>");
            assert_eq!(seen(&car(&offer)).0[0].asking_cents, expected, "{price}");
        }
    }

    #[test]
    fn properties_of_inner_items_do_not_belong_to_the_outer_item() {
        let html =
            car("<div itemprop=brand itemscope><div>x</div><b itemprop=name>Honda</b></div>\
             <span itemprop=offers itemscope><i itemprop=price>$25,995</i><p></span>\
             <b itemprop=name>Accord</b>");
        let (cars, _) = seen(&html);
        assert_eq!(cars[0].make.as_deref(), Some("Honda"));
        assert_eq!(cars[0].title.as_deref(), Some("Accord"));
        assert_eq!(cars[0].asking_cents, [2_599_500]);
    }

    #[test]
    fn an_unclosed_item_is_read() {
        let html = car("<b itemprop=name>Accord").replace("</div>", "");
        assert_eq!(seen(&html).0[0].title.as_deref(), Some("Accord"));
    }

    #[test]
    fn nesting_and_number_of_properties_are_bounded() {
        let deep = "<div itemscope itemprop=item>".repeat(10_000);
        assert_eq!(seen(&deep), (vec![], 0));
        let wide = car(&"<b itemprop=color>Blue</b>".repeat(10_000));
        let (cars, warnings) = seen(&wide);
        assert_eq!((cars.len(), warnings), (1, 1));
    }

    proptest! {
        #[test]
        fn random_markup_gives_no_car(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<div itemscope>", "</div>", "<p itemprop=name itemscope>", "</p>", "<b", ">",
                    "<i itemprop=vin>", "x", "</i>", "<meta itemprop='name", "'", "<br itemscope/>",
                ]),
                0..40,
            ),
        ) {
            let (cars, warnings) = seen(&parts.concat());
            prop_assert!(cars.is_empty() && warnings == 0);
        }
    }
}
