//! Pages of no platform: plain HTML, and schema.org in the attributes of elements.

use super::{OTHER_PRICE, Shown, Template};
use crate::dealers::json_ld::item_condition;
use crate::dealers::markup::escaped;
use crate::dealers::shapes::{money, thousands};

/// A table of labelled facts. Nothing else tells what they are.
pub(super) fn plain(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let row =
        |label: &str, value: &str| format!("<tr><td><b>{label}:</b></td><td>{value}</td></tr>");
    let rows = [
        row("Price", &shown.price()),
        row("Mileage", &format!("{} miles", thousands(car.odometer))),
        row("VIN", &car.vin),
        row("Stock #", &escaped(&car.stock_number)),
        row("Exterior", &escaped(&car.exterior_color)),
    ];
    let body = format!(
        "<h2>{}</h2>\n<table>{}</table>\n\
         <p>Call us about financing from {} a month, $1,000 down.</p>\n\
         <p>Also on our lot: 2012 Subaru Forester, {}</p>",
        escaped(&car.title()),
        rows.join("\n"),
        shown.payment(),
        money(OTHER_PRICE),
    );
    Template { head: String::new(), body }
}

/// A page that states its car in microdata.
pub(super) fn microdata(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let scope = |name: &str, kind: &str| {
        format!("itemprop=\"{name}\" itemscope itemtype=\"https://schema.org/{kind}\"")
    };
    let text =
        |name: &str, text: &str| format!("<span itemprop=\"{name}\">{}</span>", escaped(text));
    let link = |name: &str, address: &str| format!("<link itemprop=\"{name}\" href=\"{address}\">");
    let meta =
        |name: &str, content: &str| format!("<meta itemprop=\"{name}\" content=\"{content}\">");
    let offer = [
        format!("<div {}>", scope("offers", "Offer")),
        meta("priceCurrency", "USD"),
        format!("<span itemprop=\"price\" content=\"{}\">{}</span>", car.price, shown.price()),
        link("availability", "https://schema.org/InStock"),
        format!("<span {}>{}</span>", scope("seller", "AutoDealer"), text("name", shown.dealer)),
        "</div>".to_owned(),
    ];
    let body = [
        "<main itemscope itemtype=\"https://schema.org/Car\">".to_owned(),
        format!("<h1 itemprop=\"name\">{}</h1>", escaped(&car.title())),
        meta("vehicleIdentificationNumber", &car.vin),
        format!("<span {}>{}</span>", scope("brand", "Brand"), text("name", &car.make)),
        text("model", &car.model),
        format!("<time itemprop=\"vehicleModelDate\" datetime=\"{0}\">{0}</time>", car.year),
        format!(
            "<span {}>{} {}miles</span>",
            scope("mileageFromOdometer", "QuantitativeValue"),
            text("value", &thousands(car.odometer)),
            meta("unitCode", "SMI"),
        ),
        link("itemCondition", item_condition(car)),
        format!("<img itemprop=\"image\" src=\"{}\" alt=\"\">", escaped(&shown.picture(1))),
        offer.join("\n"),
        "</main>".to_owned(),
    ];
    Template { head: String::new(), body: body.join("\n") }
}

/// A page that states its car in RDFa.
pub(super) fn rdfa(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let text =
        |name: &str, text: &str| format!("<span property=\"{name}\">{}</span>", escaped(text));
    let node = |name: &str, kind: &str, inner: &str| {
        format!("<span property=\"{name}\" typeof=\"{kind}\">{inner}</span>")
    };
    let link = |name: &str, address: &str| format!("<link property=\"{name}\" href=\"{address}\">");
    let mileage = format!(
        "{} <span property=\"unitCode\" content=\"SMI\">miles</span>",
        text("value", &car.odometer.to_string()),
    );
    let offer = [
        "<div property=\"offers\" typeof=\"Offer\">".to_owned(),
        "<span property=\"priceCurrency\" content=\"USD\">$</span>".to_owned(),
        format!(
            "<span property=\"price\" content=\"{}\">{}</span>",
            car.price,
            thousands(car.price),
        ),
        link("availability", "https://schema.org/InStock"),
        node("seller", "AutoDealer", &text("name", shown.dealer)),
        "</div>".to_owned(),
    ];
    let body = [
        "<div vocab=\"https://schema.org/\"><article typeof=\"Car\">".to_owned(),
        format!("<h1 property=\"name\">{}</h1>", escaped(&car.title())),
        format!("<p>VIN {}</p>", text("vehicleIdentificationNumber", &car.vin)),
        node("brand", "Brand", &text("name", &car.make)),
        text("model", &car.model),
        text("vehicleModelDate", &car.year.to_string()),
        node("mileageFromOdometer", "QuantitativeValue", &mileage),
        link("itemCondition", item_condition(car)),
        format!("<img property=\"image\" src=\"{}\" alt=\"\">", escaped(&shown.picture(1))),
        offer.join("\n"),
        format!("<p>Or {} a month</p>", shown.payment()),
        "</article></div>".to_owned(),
    ];
    Template { head: String::new(), body: body.join("\n") }
}
