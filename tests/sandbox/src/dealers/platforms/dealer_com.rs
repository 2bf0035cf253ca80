//! Pages in the shapes of Dealer.com.

use serde_json::{Value, json};

use super::{OTHER_PRICE, OTHER_VIN, Shown, Template};
use crate::dealers::car::Condition;
use crate::dealers::json_ld::{item_condition, script};
use crate::dealers::shapes::{money, thousands};

/// An older page: the data layer, and a list of prices with the retail price above.
pub(super) fn old(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let kind = shown.kind().to_ascii_lowercase();
    let vehicles = json!([{
        "uuid": car.uuid,
        "vin": car.vin,
        "inventoryType": kind,
        "newOrUsed": kind,
        "certified": (car.condition == Condition::Certified).to_string(),
        "modelYear": car.year.to_string(),
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "bodyStyle": car.body_style,
        "exteriorColor": car.exterior_color,
        "odometer": thousands(car.odometer),
        "stockNumber": car.stock_number,
        "msrp": thousands(car.msrp),
        "internetPrice": thousands(car.price),
        "finalPrice": thousands(car.price),
        "status": "live",
    }]);
    let layer = format!(
        "<script>\nwindow.DDC = window.DDC || {{}};\nDDC.dataLayer = DDC.dataLayer || {{}};\n\
         DDC.dataLayer['dealership'] = {{ dealershipName: {}, city: 'Springfield', \
         stateProvince: 'OH', postalCode: '45502' }};\n\
         DDC.dataLayer['vehicles'] = {vehicles};\n</script>",
        Value::from(shown.dealer),
    );
    let row = |label: &str, amount: &str| {
        format!(
            "<li><span class=\"label\">{label}</span> <span class=\"price\">{amount}</span></li>"
        )
    };
    let prices = [
        row("Retail Price", &shown.former_price()),
        row("Internet Price", &shown.price()),
        row("Est. payment", &format!("{}/mo", shown.payment())),
    ];
    let body = format!(
        "{}\n<ul class=\"pricing\">{}</ul>\n<div class=\"similar\"><h2>Similar vehicles</h2>\n\
         <a href=\"/used/similar.htm\" data-vin=\"{OTHER_VIN}\">2020 Toyota Camry {}</a></div>",
        shown.heading(),
        prices.join("\n"),
        money(OTHER_PRICE),
    );
    Template { head: format!("{}\n{layer}", shown.canonical()), body }
}

/// A newer page: the state of a widget, JSON-LD, and a list of prices with a payment.
pub(super) fn new(shown: &Shown<'_>) -> Template {
    let car = shown.car;
    let linked = json!({
        "@context": "https://schema.org",
        "@type": ["Car", "Product"],
        "vehicleIdentificationNumber": car.vin,
        "name": car.title(),
        "brand": {"@type": "Brand", "name": car.make},
        "model": car.model,
        "vehicleModelDate": car.year.to_string(),
        "itemCondition": item_condition(car),
        "color": car.exterior_color,
        "image": [shown.picture(1), shown.picture(2)],
        "offers": {
            "@type": "Offer",
            "price": car.price.to_string(),
            "priceCurrency": "USD",
            "availability": "https://schema.org/InStock",
            "seller": {"@type": "AutoDealer", "name": shown.dealer},
        },
    });
    let price = |label: &str, value: String, class: &str| json!({"label": label, "value": value, "typeClass": class});
    let state = json!({
        "vehicle": {
            "vin": car.vin,
            "year": car.year,
            "make": car.make,
            "model": car.model,
            "trim": car.trim,
            "condition": shown.kind().to_ascii_lowercase(),
            "odometer": {"value": car.odometer, "unit": "mi"},
            "stockNumber": car.stock_number,
        },
        "pricing": {
            "msrp": shown.msrp(),
            "dprice": [
                price("MSRP", shown.msrp(), "msrp"),
                price("Dealer discount", format!("- {}", shown.savings()), "discount"),
                price("Price", shown.price(), "final-price"),
            ],
        },
    });
    let widgets = format!(
        "<script>\nwindow.DDC = window.DDC || {{}}; DDC.WS = DDC.WS || {{ state: {{}} }};\n\
         DDC.WS.state['ws-vehicle-page'] = {state};\n</script>"
    );
    let body = format!(
        "{}\n<dl class=\"pricing\"><dt>MSRP</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd>\
         <dt>Finance for</dt><dd>{}/mo for 72 months, $3,499 due at signing</dd></dl>\n\
         <p>VIN: {}</p>",
        shown.heading(),
        shown.msrp(),
        shown.price_label(),
        shown.price(),
        shown.payment(),
        car.vin,
    );
    let head = [shown.canonical(), script(&linked.to_string()), widgets].join("\n");
    Template { head, body }
}
