//! The jobs of the incident, and the messages that ask for them.

use serde_json::{Value, json};

use super::car::Car;
use super::site::Page;

/// A type of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Shortening,
    Scraping,
    Feed,
}

impl Kind {
    /// All of them, the most frequent first.
    pub(crate) const ALL: [Self; 3] = [Self::Shortening, Self::Scraping, Self::Feed];

    /// The name in messages and records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shortening => "url_shortening",
            Self::Scraping => "product_detail_scraping",
            Self::Feed => "dealer_com_feed",
        }
    }

    /// The prefix of the template's outputs for it.
    pub(crate) fn output(self) -> &'static str {
        match self {
            Self::Shortening => "UrlShortening",
            Self::Scraping => "ProductDetailScraping",
            Self::Feed => "DealerComFeed",
        }
    }
}

/// A job that the incident asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The idempotency key, where the sender gives one.
    pub(crate) id: Option<String>,
    pub(crate) work: Work,
}

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Make a link.
    Shorten(Shortening),
    /// Read the page of a car.
    Scrape(Page),
    /// Read the inventory of a site.
    Read(Feed),
}

/// A link to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortening {
    pub(crate) car: Car,
    pub(crate) titled: bool,
    pub(crate) taken: Taken,
}

/// Who uses the first slashtag of a job before the job begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The slashtag belongs to no link.
    Free,
    /// A link with the destination of this job.
    ByOurs,
    /// A link with another destination.
    ByForeign,
    /// A link of another workspace, which the API does not show us.
    ByInvisible,
    /// A link with another destination; another such link uses the second slashtag.
    ByForeignTwice,
}

/// An inventory to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) dealer_slug: String,
    pub(crate) site_url: String,
    /// The lists to read. If it is empty, the message does not name any, which means all of them.
    pub(crate) lists: &'static [&'static str],
    /// The pages of the cars in those lists. Each of them becomes a scraping and a shortening job.
    pub(crate) pages: Vec<Page>,
}

/// How a message is written. Both spellings mean the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As most senders would write it.
    Plain,
    /// With another order of fields and lists, white space, escaped slashes, the VIN in lower case,
    /// and an additional field beside the payload.
    Odd,
}

impl Job {
    pub(crate) fn kind(&self) -> Kind {
        match &self.work {
            Work::Shorten(_) => Kind::Shortening,
            Work::Scrape(_) => Kind::Scraping,
            Work::Read(_) => Kind::Feed,
        }
    }

    /// The dealer whose job it is.
    pub(crate) fn dealer_slug(&self) -> &str {
        match &self.work {
            Work::Shorten(shortening) => &shortening.car.dealer_slug,
            Work::Scrape(page) => &page.dealer_slug,
            Work::Read(feed) => &feed.dealer_slug,
        }
    }

    /// The link to make, if it is a shortening job.
    pub(crate) fn shortening(&self) -> Option<&Shortening> {
        match &self.work {
            Work::Shorten(shortening) => Some(shortening),
            Work::Scrape(_) | Work::Read(_) => None,
        }
    }

    /// The inventory to read, if it is a feed job.
    pub(crate) fn feed(&self) -> Option<&Feed> {
        match &self.work {
            Work::Read(feed) => Some(feed),
            Work::Shorten(_) | Work::Scrape(_) => None,
        }
    }

    /// Whether its first slashtag exists already when it begins.
    pub(crate) fn is_taken(&self) -> bool {
        self.shortening().is_some_and(|shortening| shortening.taken != Taken::Free)
    }

    /// Its name in findings.
    pub(crate) fn name(&self) -> String {
        let dealer = self.dealer_slug();
        match &self.work {
            Work::Shorten(shortening) => format!("{} of {dealer}", shortening.car.vin),
            Work::Scrape(page) => format!("the page of {} of {dealer}", page.vin),
            Work::Read(_) => format!("the feed of {dealer}"),
        }
    }

    /// The payload: of a shortening and a scraping as the record should keep it, of a feed without
    /// what the function fills in.
    pub(crate) fn payload(&self) -> Value {
        match &self.work {
            Work::Shorten(Shortening { car, titled, .. }) => {
                let Car { destination, dealer_slug, vin, title } = car;
                let mut payload =
                    json!({ "destination": destination, "dealer_slug": dealer_slug, "vin": vin });
                if *titled {
                    payload["title"] = title.as_str().into();
                }
                payload
            }
            Work::Scrape(Page { dealer_slug, vin, url, .. }) => {
                json!({ "dealer_slug": dealer_slug, "vin": vin, "url": url })
            }
            Work::Read(Feed { dealer_slug, site_url, lists, .. }) => {
                let mut payload = json!({ "dealer_slug": dealer_slug, "site_url": site_url });
                if !lists.is_empty() {
                    payload["conditions"] = json!(lists);
                }
                payload
            }
        }
    }

    /// A message that asks for this job.
    pub(crate) fn body(&self, spelling: Spelling) -> String {
        match spelling {
            Spelling::Plain => {
                let mut body = message(1, self.kind(), &self.payload());
                if let Some(id) = &self.id {
                    body["id"] = id.as_str().into();
                }
                body.to_string()
            }
            Spelling::Odd => self.odd_body(),
        }
    }

    fn odd_body(&self) -> String {
        let payload = self.payload();
        let fields = payload.as_object().into_iter().flatten().rev();
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("\"{name}\": {}", oddly(name, value))).collect();
        let id = self.id.as_ref().map(|id| format!(",\n  \"id\": \"{id}\"")).unwrap_or_default();
        format!(
            "{{\n  \"trace\": \"a7\",\n  \"payload\": {{ {} }},\n  \"type\": \"{}\"{id},\n  \
             \"version\": 1\n}}\n",
            fields.join(", "),
            self.kind().name(),
        )
    }

    /// The key of the record, where it follows from the given id. A derived one is not computed
    /// here: the payload tells as well which record it is, and does not trust the engine's hash.
    pub(crate) fn key(&self) -> Option<String> {
        self.id.as_ref().map(|id| format!("{}#g:{id}", self.kind().name()))
    }
}

/// A field of a payload, written otherwise.
fn oddly(name: &str, value: &Value) -> String {
    let odd: Value = match value {
        Value::String(vin) if name == "vin" => vin.to_ascii_lowercase().into(),
        Value::Array(list) => list.iter().rev().cloned().collect(),
        other => other.clone(),
    };
    odd.to_string().replace('/', "\\/")
}

fn message(version: u32, kind: Kind, payload: &Value) -> Value {
    json!({ "version": version, "type": kind.name(), "payload": payload })
}

/// Messages that are none, each flawed in its own way, and whose queue they are sent to.
pub(crate) fn malformed(car: &Car) -> Vec<(Kind, String)> {
    let Car { destination, dealer_slug, vin, .. } = car;
    let payload = json!({ "destination": destination, "dealer_slug": dealer_slug, "vin": vin });
    let sixteen = json!({
        "destination": destination, "dealer_slug": dealer_slug, "vin": vin.get(1..),
    });
    let nowhere = json!({ "dealer_slug": dealer_slug, "vin": vin });
    let body = |version, kind, payload: &Value| message(version, kind, payload).to_string();
    vec![
        (Kind::Shortening, format!("url_shortening;{destination};{vin}")),
        (Kind::Shortening, body(1, Kind::Shortening, &nowhere)),
        (Kind::Shortening, body(1, Kind::Shortening, &sixteen)),
        (Kind::Shortening, body(1, Kind::Scraping, &payload)),
        (Kind::Shortening, body(2, Kind::Shortening, &payload)),
        (Kind::Scraping, body(1, Kind::Scraping, &nowhere)),
        (Kind::Feed, body(1, Kind::Feed, &json!({ "dealer_slug": dealer_slug }))),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Feed, Job, Kind, Shortening, Spelling, Taken, Work};
    use crate::incident::car::Car;
    use crate::incident::chance::Chance;
    use crate::incident::site::Site;

    /// One job of each type, with and without an id.
    fn jobs() -> Vec<Job> {
        let Site { slug, url, pages } = Site::made_up("lakeside-toyota", 2);
        let car = Car::draw(&mut Chance::of(3), 1);
        let shorten =
            |titled| Work::Shorten(Shortening { car: car.clone(), titled, taken: Taken::Free });
        let feed = Feed { dealer_slug: slug, site_url: url, lists: &["new", "used"], pages };
        let scrape = Work::Scrape(feed.pages[0].clone());
        [
            (None, shorten(true)),
            (Some("a-1"), shorten(false)),
            (None, scrape),
            (Some("a-2"), Work::Read(feed)),
        ]
        .map(|(id, work)| Job { id: id.map(str::to_owned), work })
        .into()
    }

    #[test]
    fn both_spellings_mean_the_same() {
        for job in jobs() {
            let [plain, mut odd] = [Spelling::Plain, Spelling::Odd]
                .map(|spelling| job.body(spelling).parse::<Value>().expect("JSON"));
            assert_eq!(plain["payload"], job.payload());
            assert_eq!(plain["type"], job.kind().name());
            if let Some(vin) = odd["payload"]["vin"].as_str().map(str::to_ascii_uppercase) {
                odd["payload"]["vin"] = vin.into();
            }
            let lists = odd.pointer_mut("/payload/conditions").and_then(Value::as_array_mut);
            if let Some(lists) = lists {
                lists.reverse();
            }
            odd.as_object_mut().expect("an object").remove("trace");
            assert_eq!(plain, odd);
        }
    }

    #[test]
    fn the_odd_spelling_is_another_text() {
        for job in jobs() {
            let odd = job.body(Spelling::Odd);
            assert!(odd.contains("\\/") && !odd.contains("://"), "{odd}");
        }
    }

    #[test]
    fn a_record_has_the_key_of_the_given_id() {
        let keys: Vec<Option<String>> = jobs().iter().map(Job::key).collect();
        let given = |key: &str| Some(key.to_owned());
        let expected = [None, given("url_shortening#g:a-1"), None, given("dealer_com_feed#g:a-2")];
        assert_eq!(keys, expected);
    }

    #[test]
    fn malformed_messages_differ() {
        let car = Car::draw(&mut Chance::of(3), 1);
        let malformed = super::malformed(&car);
        for (place, (_, body)) in malformed.iter().enumerate() {
            assert!(malformed[..place].iter().all(|(_, other)| other != body), "{body}");
        }
        for kind in Kind::ALL {
            assert!(malformed.iter().any(|(queue, _)| *queue == kind), "{kind:?}");
        }
    }
}
