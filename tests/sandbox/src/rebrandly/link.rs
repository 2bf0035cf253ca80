//! A short link, and the rules for its fields.

use serde::{Deserialize, Serialize};
use url::Url;

pub(super) const DESTINATION_RULE: &str = "Must be an http or https URL of at most 2048 characters";
pub(super) const SLASHTAG_RULE: &str = "Must be 1 to 40 of A-Z, a-z, 0-9, _ and -";

/// A short link, as the control endpoint returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Equal to the slashtag if no title was given.
    pub title: String,
    /// The last part of the short address, with its original case.
    pub slashtag: String,
    /// The URL that the link leads to.
    pub destination: String,
    /// The host of the short address.
    pub domain: Domain,
    /// Whether the link is active or deleted.
    pub status: LinkStatus,
    /// False for a link of another workspace: its slashtag is taken, but the API never shows it.
    pub visible: bool,
    /// Whether a test or a call to the API created it.
    pub created_by: CreatedBy,
    /// When it was created, in epoch milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, in epoch milliseconds.
    pub updated_at_ms: u64,
}

impl Link {
    /// The short address, without a scheme.
    #[must_use]
    pub fn short_url(&self) -> String {
        format!("{}/{}", self.domain.full_name, self.slashtag)
    }

    pub(super) fn change(
        &mut self,
        destination: Option<String>,
        title: Option<String>,
        now_ms: u64,
    ) {
        self.destination = destination.unwrap_or_else(|| std::mem::take(&mut self.destination));
        self.title = title.unwrap_or_else(|| std::mem::take(&mut self.title));
        self.updated_at_ms = now_ms;
    }

    pub(super) fn delete(&mut self, now_ms: u64) {
        self.status = LinkStatus::Deleted;
        self.updated_at_ms = now_ms;
    }

    /// Whether the link is active and belongs to this account, not to another workspace.
    pub(super) fn is_own(&self) -> bool {
        self.visible && self.status == LinkStatus::Active
    }
}

/// A domain of short links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The host name, in lower case.
    pub full_name: String,
}

/// Whether a link is active or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// The link leads to its destination.
    Active,
    /// The link leads nowhere, but its slashtag stays taken.
    Deleted,
}

/// Who created a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreatedBy {
    /// A test, through the control endpoint.
    Preload,
    /// A call to the API.
    Api,
}

/// A link to add through the control endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// The last part of the short address.
    pub slashtag: String,
    /// The URL that the link leads to.
    pub destination: String,
    /// The host name of its domain; rebrand.ly if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// False for a link of another workspace.
    #[serde(default = "visible")]
    pub visible: bool,
}

fn visible() -> bool {
    true
}

/// Whether the text obeys [`DESTINATION_RULE`].
pub(super) fn is_destination(text: &str) -> bool {
    let is_web = |url: Url| matches!(url.scheme(), "http" | "https");
    text.chars().count() <= 2048 && Url::parse(text).is_ok_and(is_web)
}

/// Whether the text obeys [`SLASHTAG_RULE`].
pub(super) fn is_slashtag(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=40).contains(&text.len()) && text.chars().all(fine)
}
