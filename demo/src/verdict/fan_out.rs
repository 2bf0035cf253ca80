//! The jobs that feeds enqueue: two for each car. Pure.

use std::collections::HashMap;

use super::outcome::Aim;
use crate::incident::job::{Job, Kind};
use crate::incident::site::Page;
use crate::scene::record::Record;

/// The job types that a feed enqueues for each car.
const MADE: [Kind; 2] = [Kind::Scraping, Kind::Shortening];

/// A job that a feed must enqueue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due<'a> {
    pub(crate) kind: Kind,
    pub(crate) page: &'a Page,
    /// Its records: exactly one, if nothing went wrong.
    pub(crate) records: Vec<&'a Record>,
}

impl<'a> Due<'a> {
    pub(crate) fn aim(&self) -> Aim<'a> {
        match self.kind {
            Kind::Shortening => Aim::Link(&self.page.url),
            Kind::Scraping | Kind::Feed => Aim::Car(self.page),
        }
    }

    /// Its name in findings.
    pub(crate) fn name(&self) -> String {
        let Page { dealer_slug, vin, .. } = self.page;
        format!("the feed's {} for {vin} of {dealer_slug}", self.kind.name())
    }
}

/// The jobs that the feeds among `jobs` must enqueue. Each gets the records of `unsent` with the
/// same type, dealer and VIN.
pub(crate) fn due<'a>(
    jobs: &'a [Job],
    unsent: impl IntoIterator<Item = &'a Record>,
) -> Vec<Due<'a>> {
    let mut records: HashMap<String, Vec<&'a Record>> = HashMap::new();
    for record in unsent {
        records.entry(subject(record)).or_default().push(record);
    }
    let pages = jobs.iter().filter_map(Job::feed).flat_map(|feed| &feed.pages);
    let due = pages.flat_map(|page| MADE.map(|kind| (kind, page)));
    due.map(|(kind, page)| {
        let subject = about(kind.name(), &page.dealer_slug, &page.vin);
        Due { kind, page, records: records.remove(&subject).unwrap_or_default() }
    })
    .collect()
}

fn subject(record: &Record) -> String {
    let payload = record.payload().unwrap_or_default();
    let text = |field: &str| payload[field].as_str().unwrap_or_default();
    about(record.kind(), text("dealer_slug"), text("vin"))
}

/// None of the parts has a space in it.
fn about(kind: &str, dealer_slug: &str, vin: &str) -> String {
    format!("{kind} {dealer_slug} {vin}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::due;
    use crate::incident::job::{Feed, Job, Kind, Work};
    use crate::incident::site::Site;
    use crate::scene::record::Record;

    fn feed() -> Job {
        let Site { slug, url, pages } = Site::made_up("lakeside-toyota", 3);
        let feed = Feed { dealer_slug: slug, site_url: url, lists: &[], pages };
        Job { id: Some("a".into()), work: Work::Read(feed) }
    }

    fn record(kind: &str, id: &str, dealer_slug: &str, vin: &str) -> Record {
        let payload = json!({ "dealer_slug": dealer_slug, "vin": vin });
        Record {
            pk: format!("{kind}#g:{id}"),
            payload: Some(payload.to_string()),
            ..Record::default()
        }
    }

    #[test]
    fn two_jobs_are_due_for_every_car() {
        let jobs = [feed()];
        let due = due(&jobs, []);
        assert_eq!(due.len(), 6);
        assert_eq!(due.iter().filter(|due| due.kind == Kind::Scraping).count(), 3);
        assert!(due.iter().all(|due| due.records.is_empty()));
    }

    #[test]
    fn a_record_belongs_to_the_job_that_is_about_the_same() {
        let jobs = [feed()];
        let vin = &jobs[0].feed().expect("a feed").pages[1].vin;
        let records = [
            record("product_detail_scraping", "1", "lakeside-toyota", vin),
            record("product_detail_scraping", "2", "lakeside-toyota", vin),
            record("url_shortening", "3", "harbor-honda", vin),
        ];
        let due = due(&jobs, &records);
        let found: Vec<_> = due.iter().filter(|due| !due.records.is_empty()).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].records.len()), (Kind::Scraping, 2));
        assert_eq!(found[0].page.vin, *vin);
    }
}
