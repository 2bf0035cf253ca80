//! The job types that this crate links, listed by `build.rs`.

use evenkeel::{
    message::{Message1, Rejection, decode},
    payload::Payload,
    policy::Policy,
};
use schemars::JsonSchema;
use serde_json::json;

/// What the crate of a job type says of it.
#[derive(Clone, Debug)]
pub struct Linked {
    /// Its folder in `functions/`.
    pub folder: &'static str,
    /// Its name in messages.
    pub kind: &'static str,
    /// The numbers that it runs by.
    pub policy: Policy,
    /// The JSON Schema of its messages, as it is published in `docs/`.
    pub schema: String,
    /// Decodes a message of the type; the error says why it is none.
    pub decode: fn(&str, &str) -> Result<(), Rejection>,
}

impl Linked {
    fn of<P: Payload + JsonSchema>(
        folder: &'static str,
        kind: &'static str,
        policy: &Policy,
    ) -> Self {
        let decode = |kind: &str, body: &str| decode::<P>(kind, body).map(drop);
        Self { folder, kind, policy: *policy, schema: schema::<P>(kind), decode }
    }
}

/// Every job type, in the order of their folders.
#[must_use]
pub fn job_types() -> Vec<Linked> {
    include!(concat!(env!("OUT_DIR"), "/job_types.rs"))
}

/// The schema of a type's messages, with the type's name pinned, and with the names of the sensitive fields of their
/// payload.
fn schema<P: Payload + JsonSchema>(kind: &str) -> String {
    let mut schema = json!(schemars::schema_for!(Message1<P>));
    schema["title"] = json!(format!("{kind} message, version 1"));
    schema["properties"]["type"]["const"] = json!(kind);
    if !P::SENSITIVE.is_empty() {
        schema["x-sensitive"] = json!(P::SENSITIVE);
    }
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests {
    use evenkeel::payload::Problems;
    use serde::{Deserialize, Serialize};
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Serialize, Deserialize, JsonSchema)]
    struct Payment {
        card: String,
    }

    impl Payload for Payment {
        const SENSITIVE: &'static [&'static str] = &["card"];

        fn check(&mut self, _: &mut Problems) {}
    }

    #[derive(Clone, Serialize, Deserialize, JsonSchema)]
    struct Parcel {
        shelf: String,
    }

    impl Payload for Parcel {
        fn check(&mut self, _: &mut Problems) {}
    }

    #[test]
    fn a_schema_names_the_sensitive_fields_if_there_are_any() {
        let of = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
        let payment = of(schema::<Payment>("payment"));
        assert_eq!(payment["x-sensitive"], json!(["card"]));
        assert_eq!(payment["properties"]["type"]["const"], "payment");
        assert_eq!(of(schema::<Parcel>("parcel")).get("x-sensitive"), None);
    }
}
