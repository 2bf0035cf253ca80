//! Refuses a list where an object is documented. serde would read a struct from a list of its fields' values.

use serde::{
    Deserializer,
    de::{
        self, IntoDeserializer, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Value, value::RawValue};

use crate::payload::Payload;

const LIST: &str = "a list, expected an object";

/// The path of the first list that stands for an object within a payload that serde accepts, and what is wrong with it.
pub(super) fn list_for_object<P: Payload>(raw: &RawValue) -> Option<(String, &'static str)> {
    if !raw.get().contains('[') {
        return None;
    }
    let value = serde_json::from_str(raw.get()).ok()?;
    let error = serde_path_to_error::deserialize::<_, P>(Objects(value)).err()?;
    // Any other error would be one of this reader, since serde has accepted the payload.
    (error.inner().to_string() == LIST).then(|| (error.path().to_string(), LIST))
}

/// A JSON value from which a struct is only read if it is an object.
struct Objects(Value);

impl<'de> Deserializer<'de> for Objects {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Self)))
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, Self(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if self.0.is_array() {
            return Err(de::Error::custom(LIST));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, serde_json::Error> for Objects {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::payload::Problems;

    #[derive(Clone, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Order {
        numbers: Vec<u64>,
        pair: (u8, String),
        kind: Option<Kind>,
        size: Size,
        sizes: Vec<Size>,
        maybe: Option<Size>,
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Usual,
    }

    #[derive(Clone, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Size {
        width: Option<f64>,
        is_round: bool,
    }

    impl Payload for Order {
        fn check(&mut self, _: &mut Problems) {}
    }

    fn found(payload: &str) -> Option<String> {
        serde_json::from_str::<Order>(payload).unwrap();
        let raw = RawValue::from_string(payload.to_owned()).unwrap();
        list_for_object::<Order>(&raw).map(|(path, problem)| format!("{path}: {problem}"))
    }

    #[test]
    fn a_list_for_an_object_is_found_at_any_depth() {
        let cases = [
            (r#"{"size": []}"#, "size"),
            (r#"{"numbers": [1], "size": [1.5, true]}"#, "size"),
            (r#"{"maybe": [null]}"#, "maybe"),
            (r#"{"sizes": [{"width": 1}, [2]]}"#, "sizes[1]"),
        ];
        for (payload, path) in cases {
            assert_eq!(found(payload), Some(format!("{path}: {LIST}")), "{payload}");
        }
    }

    #[test]
    fn lists_that_are_documented_are_accepted() {
        let payloads = [
            "{}",
            r#"{"numbers": [1, 18446744073709551615], "pair": [1, "[x]"], "kind": "usual"}"#,
            r#"{"numbers": [], "kind": null, "maybe": null, "sizes": [{}, {"width": 1e3}]}"#,
            r#"{"size": {"width": 1, "is_round": true, "unknown": [1]}}"#,
        ];
        for payload in payloads {
            assert_eq!(found(payload), None, "{payload}");
        }
    }
}
