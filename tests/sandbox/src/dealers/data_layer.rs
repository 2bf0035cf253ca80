//! The data layer of a page, `DDC.dataLayer['vehicles']`: the best source on a page that has it.

use serde_json::{Value, json};

use super::car::{Car, Condition};
use super::shapes::{Prices, Shapes};
use super::site::Site;
use super::vehicle::drop_nulls;

/// The script that sets the data layer.
pub(super) fn script(site: &Site, car: &Car, shapes: &Shapes) -> String {
    let vehicles = Value::Array(vec![vehicle(site, car, shapes)]).to_string();
    let flaw = shapes.page.json_ld.and_then(|json_ld| json_ld.flaw);
    let vehicles = match flaw {
        Some(flaw) if flaw.is_forgiven_by_scripts() => flaw.damage(&vehicles),
        Some(_) | None => vehicles,
    };
    format!(
        "<script>\n\
         window.DDC = window.DDC || {{}}; DDC.dataLayer = DDC.dataLayer || {{}};\n\
         DDC.dataLayer['page'] = {{\"pageName\": \"VEHICLE_DETAILS\"}};\n\
         DDC.dataLayer['vehicles'] = {vehicles};\n\
         </script>"
    )
}

fn vehicle(site: &Site, car: &Car, shapes: &Shapes) -> Value {
    let mut vehicle = json!({
        "vin": car.vin,
        "modelYear": shapes.number(u32::from(car.year)),
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "odometer": shapes.number(car.odometer),
        "driveLine": car.drive_line,
        "engine": car.engine,
        "fuelType": car.fuel_type,
        "exteriorColor": car.exterior_color,
        "interiorColor": car.interior_color,
        "optionCodes": car.option_codes,
        // Every real site writes it as a string.
        "certified": (car.condition == Condition::Certified).to_string(),
        "stockNumber": car.stock_number,
        "newOrUsed": if car.condition == Condition::New { "new" } else { "used" },
        "accountName": site.name(),
        "address": {"city": "Springfield", "state": "OH", "postalCode": "45502"},
        "internetPrice": shapes.amount(car.price),
        "askingPrice": shapes.amount(car.price),
        "salePrice": if shapes.prices == Prices::Absent { Value::Null } else { "".into() },
        "msrp": shapes.amount(car.msrp),
        "retailValue": shapes.amount(car.msrp),
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &["trim", "interiorColor", "driveLine"]);
    vehicle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealers::page_shapes::{Flaw, JsonLd, PageShapes};
    use crate::dealers::settings::SiteSettings;
    use crate::dealers::shapes::Gaps;

    fn layer(shapes: &Shapes) -> String {
        let site = Site::new("lakeside", SiteSettings::default()).unwrap();
        let car = site.cars().remove(0);
        let script = script(&site, &car, shapes);
        let (_, layer) = script.split_once("DDC.dataLayer['vehicles'] = ").unwrap();
        layer.split_once(";\n").unwrap().0.to_owned()
    }

    #[test]
    fn the_data_layer_has_the_car_in_the_configured_shapes() {
        let car = Site::new("lakeside", SiteSettings::default()).unwrap().cars().remove(0);
        let read = |shapes: &Shapes| -> Value { serde_json::from_str(&layer(shapes)).unwrap() };
        let plain = read(&Shapes::default());
        assert_eq!(
            (&plain[0]["vin"], &plain[0]["internetPrice"]),
            (&json!(car.vin), &json!(car.price))
        );
        assert_eq!(plain[0]["certified"], "false");
        let odd = Shapes { prices: Prices::Absent, gaps: Gaps::Absent, ..Shapes::default() };
        let odd = read(&odd);
        for name in ["internetPrice", "salePrice", "msrp", "trim", "driveLine"] {
            assert!(odd[0].get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_data_layer_has_only_flaws_that_a_script_survives() {
        let with = |flaw| {
            let json_ld = Some(JsonLd { flaw: Some(flaw), ..JsonLd::default() });
            let page = PageShapes { json_ld, ..PageShapes::default() };
            layer(&Shapes { page, ..Shapes::default() })
        };
        assert!(with(Flaw::Backslash).contains(r"Drivers\' House"));
        assert!(with(Flaw::TrailingComma).contains("\",}"));
        assert!(serde_json::from_str::<Value>(&with(Flaw::CutOff)).is_ok());
    }
}
