//! The payload of a `product_detail_scraping` message, and its validation.

use evenkeel::payload::{Payload, Problems};
use inventory::{address, vin::Vin};
use serde::{Deserialize, Serialize};

/// Longest address of a page, in characters.
const MAX_ADDRESS: usize = 2048;

/// The payload of a `product_detail_scraping` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scraping {
    /// The dealer whose car it is.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// The car's VIN; the page must be about it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$")))]
    pub vin: String,
    /// The address of the car's page: http or https.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub url: String,
    /// The feed's hash of what it says of the car, so that a changed car is new work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128)))]
    pub content_hash: Option<String>,
}

impl Payload for Scraping {
    fn check(&mut self, problems: &mut Problems) {
        self.dealer_slug = self.dealer_slug.trim().to_owned();
        problems.check_length("dealer_slug", &self.dealer_slug, 1, 100);
        match Vin::parse(&self.vin) {
            Ok(vin) => vin.as_str().clone_into(&mut self.vin),
            Err(problem) => problems.add("vin", problem),
        }
        match address::normal(&self.url) {
            Ok(url) => self.url = url.into(),
            Err(problem) => problems.add("url", problem),
        }
        problems.check_length("url", &self.url, 1, MAX_ADDRESS);
        if let Some(hash) = &self.content_hash {
            problems.check_length("content_hash", hash, 1, 128);
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel::message::{Flaw, decode};
    use serde_json::{Value, json};

    use super::*;

    fn read(payload: &Value) -> Result<Scraping, String> {
        let body = json!({"version": 1, "type": "product_detail_scraping", "payload": payload});
        let message = decode::<Scraping>("product_detail_scraping", &body.to_string());
        message.map(|message| message.payload).map_err(|rejection| {
            assert_eq!(rejection.flaw, Flaw::Invalid);
            rejection.reason
        })
    }

    #[test]
    fn every_problem_names_the_path_of_its_field() {
        let good = json!({"dealer_slug": " acme ", "vin": "1hgcm82633a004352",
            "url": " https://www.acme.example/car "});
        let read_good = read(&good).unwrap();
        assert_eq!(
            (read_good.vin.as_str(), read_good.dealer_slug.as_str()),
            ("1HGCM82633A004352", "acme")
        );
        let wrong = [
            ("vin", json!("1HGCM"), "payload.vin: 5 characters, expected 17"),
            (
                "url",
                json!("ftp://acme"),
                "payload.url: not an address, expected http:// or https://",
            ),
            ("dealer_slug", json!(""), "payload.dealer_slug: 0 characters, expected 1 to 100"),
            ("content_hash", json!(""), "payload.content_hash: 0 characters, expected 1 to 128"),
            ("link", json!("x"), "payload.link: unknown field"),
        ];
        for (field, value, reason) in wrong {
            let mut payload = good.clone();
            payload[field] = value;
            let said = read(&payload).unwrap_err();
            assert!(said.starts_with(reason), "{said}");
        }
    }
}
