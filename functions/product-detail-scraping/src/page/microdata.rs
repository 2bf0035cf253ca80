//! Finds the cars in the microdata of a page, linked data in the attributes of its elements. Each
//! item is converted to the form of JSON-LD.

use serde_json::{Map, Value, map::Entry};

use super::{
    json_ld::walk,
    markup::{Tag, Tags},
    sighting::Sightings,
};

/// Deepest nesting of items. Deeper items count as part of the item around them.
const MAX_DEPTH: usize = 16;

/// Most properties read of one page, and the longest property in bytes. Together they bound the
/// memory to some megabytes.
const MAX_PROPERTIES: usize = 2_000;
const MAX_PROPERTY_BYTES: usize = 2_048;

/// Most names of one property.
const MAX_NAMES: usize = 4;

/// Elements without content, which have no end tag.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// Reads the cars in a page's microdata.
pub fn read(html: &str, seen: &mut Sightings<'_>) {
    let mut items = Items { open: Vec::new(), complete: Vec::new(), left: MAX_PROPERTIES };
    for tag in Tags::new(html) {
        if tag.closing {
            items.close(tag.name);
        } else {
            items.begin(&tag);
        }
        for item in items.complete.drain(..) {
            walk(&item, seen);
        }
    }
    // Items that are still open at the end of a truncated page are read, too.
    items.close_from(0);
    for item in &items.complete {
        walk(item, seen);
    }
    if items.left == 0 {
        seen.skipped("properties");
    }
}

/// The items of a page.
struct Items<'a> {
    /// The items whose elements have not ended, from the outermost to the innermost.
    open: Vec<Item<'a>>,
    /// The closed items that are not the value of another item's property.
    complete: Vec<Value>,
    /// The number of properties that may still be read.
    left: usize,
}

/// An item whose element has not ended yet.
struct Item<'a> {
    /// The element's name.
    element: &'a str,
    /// The number of open elements of that name, including the item's own. Other elements are not
    /// counted, so a missing end tag of one of them does not matter.
    depth: usize,
    /// The property of the item around it whose value this item is.
    property: Option<&'a str>,
    values: Map<String, Value>,
}

impl<'a> Items<'a> {
    /// Handles a start tag.
    fn begin(&mut self, tag: &Tag<'a>) {
        let is_leaf = tag.attributes.ends_with('/')
            || VOID.iter().any(|name| name.eq_ignore_ascii_case(tag.name));
        if !is_leaf {
            for item in &mut self.open {
                if item.element.eq_ignore_ascii_case(tag.name) {
                    item.depth += 1;
                }
            }
        }
        let property = tag.attribute("itemprop");
        if !is_leaf && tag.attribute("itemscope").is_some() {
            self.begin_item(tag, property);
        } else if let Some(property) = property
            && let Some(item) = self.open.last_mut()
            && self.left > 0
        {
            self.left -= 1;
            item.add(property, &Value::from(text(tag)));
        }
    }

    fn begin_item(&mut self, tag: &Tag<'a>, property: Option<&'a str>) {
        if self.open.len() == MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        let mut values = Map::new();
        if let Some(kind) = tag.attribute("itemtype") {
            values.insert("@type".to_owned(), Value::from(shortened(kind)));
        }
        self.open.push(Item { element: tag.name, depth: 1, property, values });
    }

    /// Handles an end tag.
    fn close(&mut self, name: &str) {
        for item in &mut self.open {
            if item.element.eq_ignore_ascii_case(name) {
                item.depth -= 1;
            }
        }
        if let Some(outermost) = self.open.iter().position(|item| item.depth == 0) {
            self.close_from(outermost);
        }
    }

    /// Closes the item at this index of `open` and all items within it.
    fn close_from(&mut self, outermost: usize) {
        while self.open.len() > outermost {
            let Some(item) = self.open.pop() else { return };
            let value = Value::Object(item.values);
            match (item.property, self.open.last_mut()) {
                (Some(property), Some(parent)) => parent.add(property, &value),
                _ => self.complete.push(value),
            }
        }
    }
}

impl Item<'_> {
    /// Adds a value under each name of a property. Several values of one property become an array.
    fn add(&mut self, names: &str, value: &Value) {
        for name in names.split_ascii_whitespace().take(MAX_NAMES) {
            match self.values.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value.clone());
                }
                Entry::Occupied(mut entry) => {
                    let held = entry.get_mut();
                    if let Value::Array(values) = held {
                        values.push(value.clone());
                    } else {
                        *held = Value::Array(vec![held.take(), value.clone()]);
                    }
                }
            }
        }
    }
}

/// The value of a property, from the attribute that the HTML standard (section 5.2.4) defines for
/// the element. `content` takes precedence, because many sites write it on any element.
fn text<'a>(tag: &Tag<'a>) -> &'a str {
    let attribute = match tag.name.to_ascii_lowercase().as_str() {
        "a" | "area" | "link" => "href",
        "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => "src",
        "data" | "meter" => "value",
        "object" => "data",
        "time" => "datetime",
        _ => "content",
    };
    let value = tag.attribute("content").or_else(|| tag.attribute(attribute));
    shortened(value.unwrap_or(tag.text))
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
        let mut seen = Sightings::new(Provenance::Microdata, VIN, &base);
        read(html, &mut seen);
        let (details, warnings) = seen.chosen();
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
