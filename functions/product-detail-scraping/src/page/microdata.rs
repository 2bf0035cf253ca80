//! Microdata: linked data in the attributes of a page, brought into the form of JSON-LD.

use serde_json::{Map, Value, map::Entry};

use super::{
    json_ld::walk,
    markup::{Tag, Tags},
    sighting::Sightings,
};

/// Deepest nesting of items that is told apart.
const MAX_DEPTH: usize = 16;

/// Most properties read of one page, and the longest, in bytes: together some megabytes.
const MAX_PROPERTIES: usize = 2_000;
const MAX_PROPERTY_BYTES: usize = 2_048;

/// Most names of one property.
const MAX_NAMES: usize = 4;

/// Elements without content, which no end tag closes.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// Reads the cars that a page's attributes describe.
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
    // A page cut short is read as far as it goes.
    items.close_from(0);
    for item in &items.complete {
        walk(item, seen);
    }
    if items.left == 0 {
        seen.skipped("properties");
    }
}

/// The items of a page, open ones in their nesting.
struct Items<'a> {
    open: Vec<Item<'a>>,
    /// Those that are closed and belong to no other.
    complete: Vec<Value>,
    /// How many more properties will be read.
    left: usize,
}

/// An item whose element has not ended yet.
struct Item<'a> {
    /// The element's name.
    element: &'a str,
    /// Elements of that name that have not ended, the item's own among them. Other elements do not
    /// count, so that one left open does no harm.
    depth: usize,
    /// Of what property of the item around it this is the value.
    property: Option<&'a str>,
    values: Map<String, Value>,
}

impl<'a> Items<'a> {
    /// An element begins.
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

    /// An element ends.
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

    /// Closes this item and all in it.
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
    /// Adds a value under each name of a property. A property that has one already is a list.
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

/// The value of a property: where the kind of element puts it (HTML, section 5.2.4), but
/// `content` first, because many sites write that on any element.
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

    /// A car around `inner`.
    fn car(inner: &str) -> String {
        format!(
            "<div itemscope itemtype='https://schema.org/Car'>\
             <meta itemprop=vin content={VIN}>{inner}</div>"
        )
    }

    #[test]
    fn a_value_stands_where_its_element_puts_it() {
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
    fn inner_items_keep_their_properties_to_themselves() {
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
    fn an_item_that_never_ends_is_read() {
        let html = car("<b itemprop=name>Accord").replace("</div>", "");
        assert_eq!(seen(&html).0[0].title.as_deref(), Some("Accord"));
    }

    #[test]
    fn neither_depth_nor_number_is_unbounded() {
        let deep = "<div itemscope itemprop=item>".repeat(10_000);
        assert_eq!(seen(&deep), (vec![], 0));
        let wide = car(&"<b itemprop=color>Blue</b>".repeat(10_000));
        let (cars, warnings) = seen(&wide);
        assert_eq!((cars.len(), warnings), (1, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_passed_over(
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
