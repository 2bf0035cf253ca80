//! The jobs of the incident, and the messages that ask for them.

use serde_json::{Value, json};

use super::car::Car;

/// The type of every job here.
const TYPE: &str = "url_shortening";

/// A job that the incident asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The idempotency key, where the sender gives one.
    pub(super) id: Option<String>,
    pub(super) car: Car,
    pub(super) titled: bool,
    pub(super) taken: Taken,
}

/// Who has the first slashtag of a job before the job begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nobody.
    Free,
    /// A link that leads where this job wants it to lead.
    ByOurs,
    /// A link that leads elsewhere.
    ByForeign,
    /// A link of another workspace, which nobody shows us.
    ByInvisible,
    /// A link that leads elsewhere, and the second slashtag is taken by another such.
    ByForeignTwice,
}

/// How a message is written down. All of them mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As most senders write it.
    Plain,
    /// Another order of fields, white space, escaped slashes, the VIN in lower case, and a field of
    /// the sender's own around the payload.
    Odd,
}

impl Job {
    /// The payload as the record should keep it.
    pub(super) fn payload(&self) -> Value {
        let Car { destination, dealer_slug, vin, title } = &self.car;
        let mut payload =
            json!({ "destination": destination, "dealer_slug": dealer_slug, "vin": vin });
        if self.titled {
            payload["title"] = title.as_str().into();
        }
        payload
    }

    /// A message that asks for this job.
    pub(super) fn body(&self, spelling: Spelling) -> String {
        match spelling {
            Spelling::Plain => {
                let mut body = json!({ "version": 1, "type": TYPE, "payload": self.payload() });
                if let Some(id) = &self.id {
                    body["id"] = id.as_str().into();
                }
                body.to_string()
            }
            Spelling::Odd => self.odd_body(),
        }
    }

    fn odd_body(&self) -> String {
        let id = self.id.as_ref().map(|id| format!(",\n  \"id\": \"{id}\"")).unwrap_or_default();
        let title = if self.titled {
            format!("\"title\": \"{}\", ", self.car.title)
        } else {
            String::new()
        };
        format!(
            "{{\n  \"trace\": \"a7\",\n  \"payload\": {{ {title}\"vin\": \"{}\", \"destination\": \"{}\", \
             \"dealer_slug\": \"{}\" }},\n  \"type\": \"{TYPE}\"{id},\n  \"version\": 1\n}}\n",
            self.car.vin.to_ascii_lowercase(),
            self.car.destination.replace('/', "\\/"),
            self.car.dealer_slug,
        )
    }

    /// The key of the record, where it follows from the given id. A derived one is not computed
    /// here: the payload tells as well which record it is, and does not trust the engine's hash.
    pub(super) fn key(&self) -> Option<String> {
        self.id.as_ref().map(|id| format!("{TYPE}#g:{id}"))
    }
}

/// Messages that are none, each flawed in its own way.
pub(super) fn malformed(car: &Car) -> Vec<String> {
    let Car { destination, dealer_slug, vin, .. } = car;
    let payload = json!({ "destination": destination, "dealer_slug": dealer_slug, "vin": vin });
    let message = |version: u32, kind: &str, payload: &Value| {
        json!({ "version": version, "type": kind, "payload": payload }).to_string()
    };
    let sixteen = json!({
        "destination": destination, "dealer_slug": dealer_slug, "vin": vin.get(1..),
    });
    vec![
        format!("url_shortening;{destination};{vin}"),
        message(1, TYPE, &json!({ "dealer_slug": dealer_slug, "vin": vin })),
        message(1, TYPE, &sixteen),
        message(1, "product_detail_scraping", &payload),
        message(2, TYPE, &payload),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Job, Spelling, Taken};
    use crate::demo::car::Car;
    use crate::demo::chance::Chance;

    #[test]
    fn both_spellings_mean_the_same() {
        for (id, titled) in [(None, true), (Some("a-1".to_owned()), false)] {
            let car = Car::draw(&mut Chance::of(3), 1);
            let job = Job { id, car, titled, taken: Taken::Free };
            let [plain, mut odd] = [Spelling::Plain, Spelling::Odd]
                .map(|spelling| job.body(spelling).parse::<Value>().expect("JSON"));
            let vin = odd["payload"]["vin"].as_str().expect("a VIN").to_ascii_uppercase();
            odd["payload"]["vin"] = vin.into();
            odd.as_object_mut().expect("an object").remove("trace");
            assert_eq!(plain, odd);
            assert_eq!(plain["payload"], job.payload());
        }
    }
}
