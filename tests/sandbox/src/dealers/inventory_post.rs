//! The newer inventory endpoint: `POST api/widget/ws-inv-data/getInventory`.

use serde_json::{Value, json};

use super::listing::Window;
use crate::reply::Reply;

/// Parses a body. A missing field is no error: a list without a name is an empty one.
pub(super) fn read(body: &[u8]) -> Result<Window, Reply> {
    let body: Value = serde_json::from_slice(body).map_err(|_| bad_request())?;
    if !body.is_object() {
        return Err(bad_request());
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Window {
        alias: text("pageAlias"),
        start: body.pointer("/inventoryParameters/start/0").and_then(number).unwrap_or_default(),
        page_size: body.pointer("/preferences/pageSize").and_then(number),
        site_id: Some(text("siteId")),
    })
}

/// Real clients send numbers as strings, but numbers are accepted too.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        _ => None,
    }
}

fn bad_request() -> Reply {
    Reply::json(400, &json!({"error": "Bad Request"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_names_the_list_and_the_window() {
        let body = json!({
            "siteId": "lakeside1", "pageAlias": "A", "locale": "en_US",
            "inventoryParameters": {"start": ["70"]}, "preferences": {"pageSize": "100"},
        });
        let expected = Window {
            alias: "A".to_owned(),
            start: 70,
            page_size: Some(100),
            site_id: Some("lakeside1".to_owned()),
        };
        assert_eq!(read(body.to_string().as_bytes()), Ok(expected));
    }

    #[test]
    fn numbers_need_not_be_text_and_missing_fields_have_defaults() {
        let body = r#"{"inventoryParameters":{"start":[5]},"preferences":{"pageSize":-1}}"#;
        let window = read(body.as_bytes()).unwrap();
        assert_eq!((window.start, window.page_size), (5, None));
        assert_eq!((window.alias.as_str(), window.site_id.as_deref()), ("", Some("")));
        assert_eq!(read(b"{}").unwrap().start, 0);
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_a_bad_request() {
        for body in ["", "{", "[]", "null", "start=0"] {
            assert_eq!(read(body.as_bytes()), Err(bad_request()), "{body}");
        }
    }
}
