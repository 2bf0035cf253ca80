//! The platforms whose pages a site may have.

use serde::{Deserialize, Serialize};

/// A platform whose pages a site has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Dealer.com's older pages: `DDC.dataLayer`.
    DealerComOld,
    /// Dealer.com's newer pages: the state of its widgets, and JSON-LD.
    DealerComNew,
    /// JSON-LD, and an element with `data-` attributes.
    DealerOn,
    /// JSON-LD in a graph, and `data-vehicle` as JSON.
    DealerInspire,
    /// JSON-LD, and `data-vehicle` with percent-encoding.
    DealerEProcess,
    /// JSON-LD, and the data of a page framework.
    Overfuel,
    /// JSON-LD after another item, and variables of a script.
    TeamVelocity,
    /// A table without any markup.
    Plain,
    /// Microdata of schema.org.
    SchemaOrg,
    /// Attributes of RDFa.
    Rdfa,
}

impl Platform {
    /// The ten platforms, in the order of docs/platforms.md.
    pub const ALL: [Self; 10] = [
        Self::DealerComOld,
        Self::DealerComNew,
        Self::DealerOn,
        Self::DealerInspire,
        Self::DealerEProcess,
        Self::Overfuel,
        Self::TeamVelocity,
        Self::Plain,
        Self::SchemaOrg,
        Self::Rdfa,
    ];
}
