//! The payload of a `url_shortening` message.

use evenkeel::payload::{Payload, Problems};
use inventory::{address, vin::Vin};
use serde::{Deserialize, Serialize};

/// Longest destination that Rebrandly accepts, in characters.
const MAX_DESTINATION: usize = 2048;

/// The payload of a `url_shortening` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortening {
    /// The address to shorten: http or https.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub destination: String,
    /// The dealer's short name, with which the slashtag begins.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// The car's VIN; the slashtag contains its last characters.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$")))]
    pub vin: String,
    /// The link's title in Rebrandly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 255)))]
    pub title: Option<String>,
    /// As of when the destination is right, in milliseconds since the epoch; left out, when the message was sent. Of
    /// several destinations of one car, the one with the latest time is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub as_of: Option<u64>,
    /// Whether the sender knows that the car has had no link, so that none has to be looked up.
    #[serde(default, skip_serializing_if = "is_false")]
    pub first_link: bool,
    /// Whether a link that was deleted by hand is made again, as long as the car is listed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recreate: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Payload for Shortening {
    fn check(&mut self, problems: &mut Problems) {
        self.dealer_slug = self.dealer_slug.trim().to_owned();
        match address::normal(&self.destination) {
            Ok(url) => self.destination = url.into(),
            Err(problem) => problems.add("destination", problem),
        }
        problems.check_length("destination", &self.destination, 1, MAX_DESTINATION);
        problems.check_length("dealer_slug", &self.dealer_slug, 1, 100);
        if !self.dealer_slug.chars().any(|c| c.is_ascii_alphanumeric()) {
            problems.add("dealer_slug", "no letter or digit, expected at least one of a-z and 0-9");
        }
        match Vin::parse(&self.vin) {
            Ok(vin) => vin.as_str().clone_into(&mut self.vin),
            Err(problem) => problems.add("vin", problem),
        }
        if let Some(title) = &self.title {
            problems.check_length("title", title, 3, 255);
        }
        if self.as_of == Some(0) {
            problems.add("as_of", "0, expected milliseconds since the epoch");
        }
    }
}
