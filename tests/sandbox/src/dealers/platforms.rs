//! Pages of cars in the shapes of ten platforms, as they stand in `tests/platforms/`, with a site's own cars.
//!
//! Each has amounts beside the price that a client may take for it: payments, savings, former prices, and prices of
//! other cars.

mod dealer_com;
mod generic;
mod vendors;

use super::address::Address;
use super::car::{Car, Condition};
use super::markup::{document, escaped};
use super::platform::Platform;
use super::shapes::money;
use super::vehicle::picture_path;

/// Another car, which some pages show beside their own. No stock has it.
const OTHER_VIN: &str = "4T1G11AK3LU987655";
const OTHER_PRICE: u32 = 19_999;

/// The page of a car of this dealer.
pub(super) fn page(platform: Platform, dealer: &str, car: &Car, address: &Address) -> String {
    let shown = Shown { car, dealer, address };
    let Template { head, body } = match platform {
        Platform::DealerComOld => dealer_com::old(&shown),
        Platform::DealerComNew => dealer_com::new(&shown),
        Platform::DealerOn => vendors::dealer_on(&shown),
        Platform::DealerInspire => vendors::dealer_inspire(&shown),
        Platform::DealerEProcess => vendors::dealer_e_process(&shown),
        Platform::Overfuel => vendors::overfuel(&shown),
        Platform::TeamVelocity => vendors::team_velocity(&shown),
        Platform::Plain => generic::plain(&shown),
        Platform::SchemaOrg => generic::microdata(&shown),
        Platform::Rdfa => generic::rdfa(&shown),
    };
    document(&format!("{} | {dealer}", shown.title()), &[head], &[body])
}

/// The parts of a page that differ by platform.
struct Template {
    head: String,
    body: String,
}

/// What a page shows.
struct Shown<'a> {
    car: &'a Car,
    dealer: &'a str,
    address: &'a Address,
}

impl Shown<'_> {
    /// `New` or `Used`. Certified cars are used ones.
    fn kind(&self) -> &'static str {
        match self.car.condition {
            Condition::New => "New",
            Condition::Used | Condition::Certified => "Used",
        }
    }

    /// Condition, year, make, model and trim.
    fn title(&self) -> String {
        format!("{} {}", self.kind(), self.car.title())
    }

    fn heading(&self) -> String {
        format!("<h1>{}</h1>", escaped(&self.title()))
    }

    fn price(&self) -> String {
        money(self.car.price)
    }

    fn msrp(&self) -> String {
        money(self.car.msrp)
    }

    /// What the car costs less than its MSRP.
    fn savings(&self) -> String {
        money(self.car.msrp.saturating_sub(self.car.price))
    }

    /// A price that it had before.
    fn former_price(&self) -> String {
        money(self.car.price + 1_500)
    }

    fn payment(&self) -> String {
        money(self.car.monthly_payment())
    }

    /// The dealer's label for his price.
    fn price_label(&self) -> String {
        format!("{} Price", escaped(self.dealer.split(' ').next().unwrap_or_default()))
    }

    fn address(&self) -> String {
        self.address.url(&self.car.path)
    }

    fn picture(&self, number: usize) -> String {
        self.address.url(&picture_path(self.car, number))
    }

    /// The element that names the page's own address.
    fn canonical(&self) -> String {
        format!("<link rel=\"canonical\" href=\"{}\">", escaped(&self.address()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealers::settings::SiteSettings;
    use crate::dealers::shapes::thousands;
    use crate::dealers::stock;

    #[test]
    fn every_page_has_its_car_and_is_escaped() {
        let address = Address::of("127.0.0.1:80", "/dealers/lakeside/").unwrap();
        let car = stock::car("lakeside", &SiteSettings::default(), 7);
        let car = Car { model: "Town & Country".to_owned(), ..car };
        for platform in Platform::ALL {
            let html = page(platform, "Lakeside Drivers' House", &car, &address);
            let price = thousands(car.price);
            for text in [car.vin.as_str(), &price, "Town &amp; Country"] {
                assert!(html.contains(text), "{platform:?} {text}: {html}");
            }
        }
    }
}
