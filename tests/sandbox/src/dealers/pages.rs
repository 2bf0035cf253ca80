//! The HTML pages of a site.

use super::address::Address;
use super::car::Car;
use super::data_layer;
use super::json_ld;
use super::markup::{self, document, escaped};
use super::page_shapes::SiteIdShape;
use super::platforms;
use super::shapes::Shapes;
use super::site::Site;
use crate::reply::Reply;

/// The number of cars on the home page.
const HOME_CARS: usize = 3;

/// The answer for a page or a site that does not exist.
pub(super) fn not_found() -> Reply {
    let text = "<h1>Page not found</h1>\n<p>The vehicle may have been sold.</p>";
    Reply::html(404, Some(document("Page not found", &[], &[text.to_owned()])))
}

/// The home page: the site's id, and links to some cars.
pub(super) fn home(site: &Site, address: &Address) -> String {
    let name = site.name();
    let cars = site.first_cars(HOME_CARS).map(|car| {
        format!("<p><a href=\"{}\">{}</a></p>", address.path(&car.path), escaped(&car.title()))
    });
    let body: Vec<String> =
        [format!("<h1>{}</h1>", escaped(&name))].into_iter().chain(cars).collect();
    document(&name, &[site_script(site)], &body)
}

/// The page of the car at this address; `None` if there is no such car.
pub(super) fn car(site: &Site, address: &Address) -> Option<String> {
    let (car, shapes) = site.page(&address.rest)?;
    if let Some(platform) = site.platform() {
        return Some(platforms::page(platform, &site.name(), &car, address));
    }
    let sources = &shapes.page;
    let open_graph = sources.open_graph.then(|| markup::open_graph(&car, &shapes, address));
    let json_ld =
        sources.json_ld.map(|json_ld| json_ld::blocks(site, &car, &shapes, json_ld, address));
    let microdata = sources.microdata.then(|| markup::microdata(&car, &shapes));
    let data_layer = sources.data_layer.then(|| data_layer::script(site, &car, &shapes));
    let head: Vec<String> =
        [Some(site_script(site)), open_graph, json_ld].into_iter().flatten().collect();
    let body: Vec<String> =
        [Some(told(&car, &shapes)), microdata, data_layer].into_iter().flatten().collect();
    Some(document(&car.title(), &head, &body))
}

/// The visible text about the car. It omits the VIN, which only the structured data has.
fn told(car: &Car, shapes: &Shapes) -> String {
    let price = shapes.shown(car.price);
    let price = price.as_str().unwrap_or("Ask for the price");
    [
        format!("<h1>{}</h1>", escaped(&car.title())),
        format!("<p>{}</p>", escaped(price)),
        format!("<p>{} miles, {}</p>", car.odometer, escaped(&car.exterior_color)),
    ]
    .join("\n")
}

/// The script that embeds the site's id in every page.
fn site_script(site: &Site) -> String {
    let id = site.site_id();
    let settings = match site.shapes().site_id {
        SiteIdShape::Json => {
            format!("{{\"siteId\":\"{id}\",\"locale\":\"en_US\",\"device\":\"DESKTOP\"}}")
        }
        SiteIdShape::Script => format!("{{ siteId: '{id}', locale: 'en_US', device: 'DESKTOP' }}"),
        SiteIdShape::Absent => "{}".to_owned(),
    };
    format!("<script>window.DDC = window.DDC || {{}}; DDC.siteSettings = {settings};</script>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealers::page_shapes::PageShapes;
    use crate::dealers::settings::SiteSettings;

    fn site(shapes: Shapes) -> Site {
        Site::new("lakeside", SiteSettings { shapes, ..SiteSettings::default() }).unwrap()
    }

    fn page_of(site: &Site, path: &str) -> Option<String> {
        let address = Address::of("127.0.0.1:80", &format!("/dealers/lakeside/{path}")).unwrap();
        car(site, &address)
    }

    #[test]
    fn the_home_page_has_the_sites_id_in_the_configured_form() {
        let home = |site_id| {
            let site = site(Shapes { site_id, ..Shapes::default() });
            let address = Address::of("127.0.0.1:80", "/dealers/lakeside").unwrap();
            (home(&site, &address), site.site_id())
        };
        let (html, id) = home(SiteIdShape::Json);
        assert!(html.contains(&format!("\"siteId\":\"{id}\"")), "{html}");
        assert_eq!(html.matches("href=\"/dealers/lakeside/").count(), HOME_CARS);
        let (html, id) = home(SiteIdShape::Script);
        assert!(html.contains(&format!("siteId: '{id}'")), "{html}");
        let (html, id) = home(SiteIdShape::Absent);
        assert!(!html.contains(&id), "{html}");
    }

    #[test]
    fn a_page_has_every_source_unless_it_is_bare() {
        let full = site(Shapes::default());
        let car = full.cars().remove(0);
        let html = page_of(&full, &car.path).unwrap();
        for source in ["og:title", "application/ld+json", "data-vin", "DDC.dataLayer['vehicles']"] {
            assert!(html.contains(source), "{source}: {html}");
        }
        let bare = site(Shapes { page: PageShapes::bare(), ..Shapes::default() });
        let html = page_of(&bare, &car.path).unwrap();
        for source in ["og:", "ld+json", "data-vin", "dataLayer", "itemprop", car.vin.as_str()] {
            assert!(!html.contains(source), "{source}: {html}");
        }
    }

    #[test]
    fn an_unknown_path_has_no_page() {
        assert_eq!(page_of(&site(Shapes::default()), "new/Ford/2025-Ford-Nothing.htm"), None);
    }
}
