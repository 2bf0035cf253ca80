//! The HTML of a page, and what it says of the car itself: microdata and `OpenGraph`.

use serde_json::Value;

use super::address::Address;
use super::car::Car;
use super::shapes::{Prices, Shapes};
use super::vehicle::picture_path;

/// Escapes a text for HTML, including quoted attribute values.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A whole page with these lines.
pub(super) fn document(title: &str, head: &[String], body: &[String]) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>{}</title>\n{}\n</head>\n<body>\n{}\n</body>\n</html>\n",
        escaped(title),
        head.join("\n"),
        body.join("\n"),
    )
}

/// Microdata, and the `data-vin` attribute that scripts look for.
pub(super) fn microdata(car: &Car, shapes: &Shapes) -> String {
    let property = |name: &str, content: &str| {
        format!("<meta itemprop=\"{name}\" content=\"{}\">", escaped(content))
    };
    let offer = plain(&shapes.amount(car.price)).map(|price| {
        [
            "<div itemprop=\"offers\" itemscope itemtype=\"https://schema.org/Offer\">".to_owned(),
            property("price", &price),
            property("priceCurrency", "USD"),
            "</div>".to_owned(),
        ]
        .join("\n")
    });
    [
        format!("<div data-vin=\"{}\" itemscope itemtype=\"https://schema.org/Vehicle\">", car.vin),
        property("vehicleIdentificationNumber", &car.vin),
        property("name", &car.title()),
        property("vehicleModelDate", &car.year.to_string()),
        property("manufacturer", &car.make),
        property("model", &car.model),
        property("color", &car.exterior_color),
        property("mileageFromOdometer", &car.odometer.to_string()),
        offer.unwrap_or_default(),
        "</div>".to_owned(),
    ]
    .join("\n")
}

/// The `OpenGraph` properties, for the page's head.
pub(super) fn open_graph(car: &Car, shapes: &Shapes, address: &Address) -> String {
    let property = |name: &str, content: &str| {
        format!("<meta property=\"{name}\" content=\"{}\">", escaped(content))
    };
    let dollars = match shapes.prices {
        Prices::Traps => car.msrp,
        Prices::Plain | Prices::ContactUs | Prices::Zeroed | Prices::Absent => car.price,
    };
    let price = plain(&shapes.amount(dollars)).map(|price| {
        let currency = property("product:price:currency", "USD");
        [property("product:price:amount", &price), currency].join("\n")
    });
    [
        property("og:type", "product"),
        property("og:title", &car.title()),
        property("og:url", &address.url(&car.path)),
        property("og:image", &address.url(&picture_path(car, 1))),
        price.unwrap_or_default(),
    ]
    .join("\n")
}

/// A value as text; `None` for null.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealers::settings::SiteSettings;
    use crate::dealers::stock;

    fn both(prices: Prices) -> (String, String, Car) {
        let car = stock::car("lakeside", &SiteSettings::default(), 0);
        let car = Car { model: "Town & Country".to_owned(), ..car };
        let shapes = Shapes { prices, ..Shapes::default() };
        let address = Address::of("127.0.0.1:80", "/dealers/lakeside/").unwrap();
        (microdata(&car, &shapes), open_graph(&car, &shapes, &address), car)
    }

    #[test]
    fn microdata_and_open_graph_have_the_price_and_are_escaped() {
        let (microdata, open_graph, car) = both(Prices::Plain);
        let price = format!("content=\"{}\"", car.price);
        assert!(microdata.contains(&price) && open_graph.contains(&price));
        assert!(microdata.contains(&format!("data-vin=\"{}\"", car.vin)));
        assert!(microdata.contains("Town &amp; Country"), "{microdata}");
        assert!(open_graph.contains("Town &amp; Country"), "{open_graph}");
    }

    #[test]
    fn without_a_price_there_is_no_offer() {
        let (microdata, open_graph, _) = both(Prices::Absent);
        assert!(!microdata.contains("offers") && !open_graph.contains("price"));
    }

    #[test]
    fn the_trap_price_repeats_the_msrp() {
        let (_, open_graph, car) = both(Prices::Traps);
        let msrp = format!("\"product:price:amount\" content=\"{}\"", car.msrp);
        assert!(open_graph.contains(&msrp), "{open_graph}");
    }
}
