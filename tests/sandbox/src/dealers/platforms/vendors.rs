//! Pages in the shapes of platforms that write JSON-LD.

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{OTHER_PRICE, OTHER_VIN, Shown, Template};
use crate::dealers::json_ld::{item_condition, script};
use crate::dealers::markup::escaped;
use crate::dealers::shapes::{money, thousands};

/// A car as JSON-LD, without its offer.
fn linked_car(shown: &Shown<'_>, kind: &str) -> Value {
    let car = shown.car;
    json!({
        "@context": "https://schema.org",
        "@type": kind,
        "name": car.title(),
        "vehicleIdentificationNumber": car.vin,
        "model": car.model,
        "vehicleModelDate": car.year.to_string(),
    })
}

fn offer(price: &Value) -> Value {
    json!({
        "@type": "Offer",
        "price": price,
        "priceCurrency": "USD",
        "availability": "https://schema.org/InStock",
    })
}

fn distance(shown: &Shown<'_>, unit: (&str, &str)) -> Value {
    let mut distance =
        json!({"@type": "QuantitativeValue", "value": shown.car.odometer.to_string()});
    distance[unit.0] = unit.1.into();
    distance
}

/// The head of a page: its own address, and the car as JSON-LD.
fn head(shown: &Shown<'_>, linked: &Value) -> String {
    format!("{}\n{}", shown.canonical(), script(&linked.to_string()))
}

/// The car in an element's attributes, a payment, and another car's element.
pub(super) fn dealer_on(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let mut linked = linked_car(shown, "Vehicle");
    linked["manufacturer"] = car.make.as_str().into();
    linked["itemCondition"] = format!("{}Condition", shown.kind()).into();
    linked["mileageFromOdometer"] = distance(shown, ("unitCode", "SMI"));
    linked["offers"] = offer(&car.price.to_string().into());
    let tagging = json!({"dealerName": shown.dealer, "pageType": "itempage"});
    let attributes = [
        ("vin", car.vin.clone()),
        ("price", car.price.to_string()),
        ("msrp", car.msrp.to_string()),
        ("mileage", car.odometer.to_string()),
        ("year", car.year.to_string()),
        ("make", car.make.clone()),
        ("model", car.model.clone()),
        ("trim", car.trim.clone()),
        ("stocknum", car.stock_number.clone()),
    ];
    let attributes = attributes.map(|(name, text)| format!("data-{name}=\"{}\"", escaped(&text)));
    let body = format!(
        "<div id=\"vehicle\" class=\"vehicle-details\" {}>\n{}\n\
         <span class=\"priceBlockItemPriceLabel\">{}</span>\
         <span class=\"priceBlocItemPriceValue\">{}</span>\n\
         <span>Finance for {} /mo est.</span></div>\n<div class=\"related\">\
         <div data-vin=\"{OTHER_VIN}\" data-price=\"{OTHER_PRICE}\">2021 Honda CR-V {}</div></div>",
        attributes.join(" "),
        shown.heading(),
        shown.price_label(),
        shown.price(),
        shown.payment(),
        money(OTHER_PRICE),
    );
    let tagging = format!(
        "<script id=\"dealeron_tagging_data\" type=\"application/json\">{tagging}</script>"
    );
    Template { head: format!("{}\n{tagging}", head(shown, &linked)), body }
}

/// A graph whose offer names its seller by id, the car as JSON in an attribute, and savings.
pub(super) fn dealer_inspire(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let mut linked = linked_car(shown, "Car");
    linked["brand"] = car.make.as_str().into();
    linked["offers"] = json!({
        "@type": "Offer",
        "price": format!("{}.00", thousands(car.price)),
        "priceCurrency": "USD",
        "seller": {"@id": "#dealer"},
    });
    let graph = json!({
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "WebPage", "name": car.title()},
            {"@type": "AutoDealer", "@id": "#dealer", "name": shown.dealer},
            linked,
        ],
    });
    let vehicle = json!({
        "vin": car.vin,
        "stock": car.stock_number,
        "type": shown.kind(),
        "year": car.year,
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "odometer": car.odometer,
        "msrp": car.msrp,
        "price": car.price,
    });
    let body = format!(
        "<div class=\"vdp vehicle\" data-vehicle=\"{}\">\n{}\n\
         <div class=\"pricing\"><span class=\"price-label\">MSRP</span> <span>{}</span> \
         <span class=\"price-label\">Dealer Savings</span> <span>{}</span> \
         <span class=\"price-label\">Sale Price</span> <span>{}</span></div>\n\
         <p>As low as {}/mo</p></div>",
        escaped(&vehicle.to_string()),
        shown.heading(),
        shown.msrp(),
        shown.savings(),
        shown.price(),
        shown.payment(),
    );
    let picture = escaped(&shown.picture(1));
    let social = format!("<meta property=\"og:image\" content=\"{picture}\">");
    Template { head: format!("{social}\n{}", head(shown, &graph)), body }
}

/// The car with percent-encoding in an attribute, a table of facts, and a struck price.
pub(super) fn dealer_e_process(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let mut linked = linked_car(shown, "Vehicle");
    linked["brand"] = json!({"@type": "Brand", "name": car.make});
    linked["mileageFromOdometer"] = distance(shown, ("unitText", "miles"));
    linked["itemCondition"] = item_condition(car).into();
    linked["sku"] = car.stock_number.as_str().into();
    linked["offers"] = offer(&car.price.to_string().into());
    let vehicle = json!({"vin": car.vin, "stock": car.stock_number, "price": car.price});
    let encoded: String = byte_serialize(vehicle.to_string().as_bytes()).collect();
    let row = |label: &str, value: &str| format!("<tr><th>{label}</th><td>{value}</td></tr>");
    let body = format!(
        "<section data-vehicle=\"{encoded}\">\n{}\n<table class=\"spec\">{}{}{}</table>\n\
         <p class=\"price\">{}: <b>{}</b> <s>{}</s></p>\
         <p>Est. {} per month with $2,500 down</p></section>",
        shown.heading(),
        row("Stock", &escaped(&car.stock_number)),
        row("VIN", &car.vin),
        row("Mileage", &format!("{} mi", thousands(car.odometer))),
        shown.price_label(),
        shown.price(),
        shown.former_price(),
        shown.payment(),
    );
    Template { head: head(shown, &linked), body }
}

/// The data of a page framework, which also has a similar car.
pub(super) fn overfuel(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let mut linked = linked_car(shown, "Vehicle");
    linked["image"] = shown.picture(1).into();
    linked["brand"] = car.make.as_str().into();
    linked["mileageFromOdometer"] = distance(shown, ("unitCode", "SMI"));
    linked["offers"] = offer(&car.price.into());
    linked["offers"]["itemCondition"] = item_condition(car).into();
    linked["offers"]["seller"] = json!({"@type": "AutoDealer", "name": shown.dealer});
    let vehicle = json!({
        "vin": car.vin,
        "year": car.year,
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "condition": shown.kind(),
        "mileage": car.odometer,
        "price": car.price,
        "originalprice": car.price + 1_500,
        "stocknumber": car.stock_number,
        "monthlypayment": car.monthly_payment(),
    });
    let similar = json!([{"vin": OTHER_VIN, "price": OTHER_PRICE}]);
    let data = json!({
        "props": {"pageProps": {"data": {"vehicle": vehicle, "similar": similar}}},
        "page": "/inventory/[slug]",
    });
    let body = format!(
        "{}<p>{}</p><p>{}/mo*</p>\n\
         <script id=\"__NEXT_DATA__\" type=\"application/json\">{data}</script>",
        shown.heading(),
        shown.price(),
        shown.payment(),
    );
    Template { head: head(shown, &linked), body }
}

/// The car after another item, and variables of a script.
pub(super) fn team_velocity(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let mut linked = linked_car(shown, "Car");
    linked["manufacturer"] = json!({"@type": "Organization", "name": car.make});
    linked["vehicleConfiguration"] = car.trim.as_str().into();
    linked["color"] = car.exterior_color.as_str().into();
    linked["offers"] = offer(&car.price.to_string().into());
    linked["offers"]["itemCondition"] = item_condition(car).into();
    let breadcrumbs = json!({
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [],
    });
    let variables = format!(
        "<script>var vehicleVin = '{}'; var vehicleBadgesInfo = {{\"status\":\"In Stock\"}}; \
         var dealerName = {}; var msrp = {}; var monthlyPayment = {};</script>",
        car.vin,
        Value::from(shown.dealer),
        car.msrp,
        car.monthly_payment(),
    );
    let row =
        |label: &str, value: &str| format!("<div><span>{label}</span> <span>{value}</span></div>");
    let body = [
        shown.heading(),
        row("TSRP", &shown.msrp()),
        row("Advertised Price", &shown.price()),
        row("Buy for", &format!("{}/mo", shown.payment())),
    ];
    let head = head(shown, &json!([breadcrumbs, linked]));
    Template { head: format!("{head}\n{variables}"), body: body.join("\n") }
}
