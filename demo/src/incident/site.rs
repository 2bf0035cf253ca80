//! The dealer sites of the incident: what stands on them, and how they show it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sandbox::Client;
use sandbox::dealers::{
    Car, Dialect, Flaw, Gaps, Images, JsonLd, Layout, PageShapes, Place, Prices, Scalars, Shapes,
    SiteChange, SiteSettings, Title, Twist, Vins,
};

/// The dealers' sites of one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sites {
    /// Those whose inventory is read. Every car of it becomes two more jobs, so they are small.
    pub(crate) fed: Vec<Site>,
    /// Those of which nothing but single pages is read.
    pub(crate) paged: Vec<Site>,
}

/// A site, as it stands in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) slug: String,
    /// Its address, as jobs are given it.
    pub(crate) url: String,
    pub(crate) pages: Vec<Page>,
}

/// The page of a car, and what is true of the car.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) dealer_slug: String,
    pub(crate) vin: String,
    pub(crate) url: String,
    pub(crate) year: u16,
    /// What the dealer asks for it, in whole dollars.
    pub(crate) price: u32,
    /// What is wrong with the page when it is read.
    pub(crate) twist: Option<Twist>,
}

/// What a site is to be.
struct Plan {
    slug: &'static str,
    cars: u32,
    /// The most cars on a page of its lists.
    page_cap: u32,
    shapes: Shapes,
    /// What is wrong with the page of its first car.
    twist: Option<Twist>,
}

/// Sites with all the feeds' shapes that have been seen: one plain but cut into small pages, one
/// that writes everything as text, one of the older sort, one that holds back what it can.
fn fed() -> [Plan; 4] {
    let texts = Shapes {
        title: Title::Array,
        scalars: Scalars::Text,
        vins: Vins::Lower,
        images: Images::Hostless,
        ..Shapes::default()
    };
    let older = Shapes { layout: Layout::TrackingData, ..Shapes::default() };
    let reticent =
        Shapes { prices: Prices::ContactUs, gaps: Gaps::Placeholders, ..Shapes::default() };
    [
        Plan { page_cap: 3, ..plan("lakeside-toyota", 10, Shapes::default()) },
        plan("harbor-honda", 8, texts),
        plan("granite-state-ford", 7, older),
        plan("cedar-valley-chevrolet", 6, reticent),
    ]
}

/// Sites with pages of several makes: one that leans on its JSON-LD, which breaks off for one car,
/// one with prices that are none, one with nothing but flawed JSON-LD, one with gaps.
fn paged() -> [Plan; 4] {
    let without_data_layer = PageShapes { data_layer: false, ..PageShapes::default() };
    let leaning = Shapes { page: without_data_layer, ..Shapes::default() };
    let traps = Shapes { prices: Prices::Traps, scalars: Scalars::Text, ..Shapes::default() };
    let json_ld = |dialect, place, flaw| Some(JsonLd { dialect, place, flaw });
    let flawed = json_ld(Dialect::Loose, Place::Graph, Some(Flaw::TrailingComma));
    let alone =
        Shapes { page: PageShapes { json_ld: flawed, ..PageShapes::bare() }, ..Shapes::default() };
    let product = json_ld(Dialect::Product, Place::Variant, None);
    let gaps = Shapes {
        gaps: Gaps::Placeholders,
        page: PageShapes { json_ld: product, ..PageShapes::default() },
        ..Shapes::default()
    };
    let broken = Some(Twist::BrokenJsonLd);
    [
        Plan { twist: broken, ..plan("blue-ridge-subaru", 4, leaning) },
        plan("mesa-hyundai", 4, traps),
        plan("riverbend-nissan", 3, alone),
        plan("old-mill-motors", 3, gaps),
    ]
}

fn plan(slug: &'static str, cars: u32, shapes: Shapes) -> Plan {
    Plan { slug, cars, page_cap: SiteSettings::default().page_cap, shapes, twist: None }
}

/// Puts the sites into the sandbox, with cars that follow from a seed.
pub(crate) async fn prepare(sandbox: &Client, seed: u64) -> Result<Sites> {
    let mut sites = Sites { fed: Vec::new(), paged: Vec::new() };
    for plan in fed() {
        sites.fed.push(put(sandbox, plan, seed).await?);
    }
    for plan in paged() {
        sites.paged.push(put(sandbox, plan, seed).await?);
    }
    Ok(sites)
}

async fn put(sandbox: &Client, plan: Plan, seed: u64) -> Result<Site> {
    let Plan { slug, cars, page_cap, shapes, twist: broken } = plan;
    let settings = SiteSettings { seed, cars, page_cap, shapes, ..SiteSettings::default() };
    sandbox.put_site(slug, &settings).await.with_context(|| format!("the site {slug}"))?;
    let cars = sandbox.cars(slug).await.with_context(|| format!("the cars of {slug}"))?;
    // A host for each site, as in reality: breakers go by host.
    let url = sandbox.site_origin(slug);
    let mut pages: Vec<Page> = cars.into_iter().map(|car| page(slug, &url, car)).collect();
    if let Some(first) = pages.first_mut().filter(|_| broken.is_some()) {
        first.twist = broken;
        twist(sandbox, first).await?;
    }
    Ok(Site { slug: slug.to_owned(), url, pages })
}

fn page(slug: &str, site_url: &str, car: Car) -> Page {
    Page {
        dealer_slug: slug.to_owned(),
        url: format!("{site_url}/{}", car.path),
        vin: car.vin,
        year: car.year,
        price: car.price,
        twist: None,
    }
}

/// Makes a page as it is said to be, and every other page of its site sound.
pub(crate) async fn twist(sandbox: &Client, page: &Page) -> Result<()> {
    let twists = page.twist.iter().map(|twist| (page.vin.clone(), *twist));
    let twists: BTreeMap<String, Twist> = twists.collect();
    let change = SiteChange { twists: Some(twists), ..SiteChange::default() };
    let changed = sandbox.change_site(&page.dealer_slug, &change).await;
    changed.map(drop).with_context(|| format!("the page of {} cannot be changed", page.vin))
}

#[cfg(test)]
impl Site {
    /// A site that stands nowhere.
    pub(crate) fn made_up(slug: &str, cars: u32) -> Self {
        let url = format!("http://{slug}.localhost:1");
        let page = |number: u32| Page {
            dealer_slug: slug.to_owned(),
            vin: format!("1FTFW1E5{number:09}"),
            url: format!("{url}/new/Ford/car-{number}.htm"),
            year: 2024,
            price: 30_000 + number,
            twist: None,
        };
        let pages = (0..cars).map(page).collect();
        Self { slug: slug.to_owned(), url, pages }
    }
}

#[cfg(test)]
impl Sites {
    /// Sites of the planned sizes that stand nowhere.
    pub(crate) fn made_up() -> Self {
        let site = |plan: &Plan| {
            let mut site = Site::made_up(plan.slug, plan.cars);
            site.pages[0].twist = plan.twist;
            site
        };
        Self { fed: fed().iter().map(site).collect(), paged: paged().iter().map(site).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sandbox::dealers::Twist;
    use sandbox::{InProcess, Settings};

    use super::{Page, Site, prepare, twist};

    #[tokio::test]
    async fn the_sites_stand_as_planned() {
        let client = InProcess::start(Settings::default(), 0).client();
        let sites = prepare(&client, 7).await.expect("the sites");
        let cars = |sites: &[Site]| sites.iter().map(|site| site.pages.len()).collect::<Vec<_>>();
        assert_eq!(cars(&sites.fed), [10, 8, 7, 6]);
        assert_eq!(cars(&sites.paged), [4, 4, 3, 3]);
        let all = || sites.fed.iter().chain(&sites.paged);
        let addresses: HashSet<&str> =
            all().flat_map(|site| &site.pages).map(|page| page.url.as_str()).collect();
        assert_eq!(addresses.len(), 45);
        for site in all() {
            assert!(site.pages.iter().all(|page| page.url.starts_with(&site.url)), "{}", site.slug);
        }
        let reports = client.sites().await.expect("reports");
        let twists = reports.into_iter().flat_map(|report| report.settings.twists);
        let first = sites.paged[0].pages[0].vin.clone();
        assert_eq!(twists.collect::<Vec<_>>(), [(first, Twist::BrokenJsonLd)]);
    }

    #[tokio::test]
    async fn a_page_is_twisted_later() {
        let client = InProcess::start(Settings::default(), 0).client();
        let sites = prepare(&client, 7).await.expect("the sites");
        let page = Page { twist: Some(Twist::Bare), ..sites.fed[0].pages[9].clone() };
        twist(&client, &page).await.expect("there is such a page");
        let reports = client.sites().await.expect("reports");
        let report = reports.iter().find(|report| report.slug == page.dealer_slug);
        let twists = &report.expect("the site").settings.twists;
        assert_eq!(twists.get(&page.vin), Some(&Twist::Bare));
    }

    #[tokio::test]
    async fn cars_follow_from_the_seed() {
        let client = InProcess::start(Settings::default(), 0).client();
        let first = prepare(&client, 1).await.expect("the sites");
        assert_eq!(prepare(&client, 1).await.expect("the sites"), first);
        assert_ne!(prepare(&client, 2).await.expect("the sites"), first);
    }
}
