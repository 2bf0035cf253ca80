//! DynamoDB. Callers use plain JSON for items and keys; numbers are JSON numbers, and sets are
//! lists.

use anyhow::{Context as _, Result};
use serde_json::{Map, Number, Value, json};

use super::Client;

/// One item by its whole key, read consistently.
pub async fn get(client: &Client, table: &str, key: &Value) -> Result<Option<Value>> {
    let body = json!({ "TableName": table, "Key": item(key)?, "ConsistentRead": true });
    let answer = call(client, "GetItem", &body).await?;
    answer.get("Item").map(plain_item).transpose()
}

/// Every item of a table, in no order.
pub async fn scan(client: &Client, table: &str) -> Result<Vec<Value>> {
    pages(client, "Scan", json!({ "TableName": table, "ConsistentRead": true })).await
}

/// Writes a whole item, over whatever was there.
pub async fn put(client: &Client, table: &str, new: &Value) -> Result<()> {
    let body = json!({ "TableName": table, "Item": item(new)? });
    call(client, "PutItem", &body).await.map(|_| ())
}

pub(crate) async fn call(client: &Client, operation: &str, body: &Value) -> Result<Value> {
    client.json("dynamodb", &format!("DynamoDB_20120810.{operation}"), body).await
}

async fn pages(client: &Client, operation: &str, mut body: Value) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    loop {
        let page = call(client, operation, &body).await?;
        for found in page["Items"].as_array().into_iter().flatten() {
            items.push(plain_item(found)?);
        }
        match page.get("LastEvaluatedKey") {
            Some(key) if !key.is_null() => body["ExclusiveStartKey"] = key.clone(),
            _ => return Ok(items),
        }
    }
}

/// An item, or a key, in DynamoDB's notation.
fn item(plain: &Value) -> Result<Value> {
    let fields = plain.as_object().context("expected an object as an item")?;
    Ok(fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

fn attribute(plain: &Value) -> Value {
    match plain {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(value) => json!({ "N": value.to_string() }),
        Value::String(value) => json!({ "S": value }),
        Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({ "M": fields.collect::<Map<_, _>>() })
        }
    }
}

/// An item out of DynamoDB's notation.
fn plain_item(item: &Value) -> Result<Value> {
    let fields = item.as_object().context("expected an item")?;
    fields.iter().map(|(name, value)| Ok((name.clone(), plain(value)?))).collect()
}

fn plain(attribute: &Value) -> Result<Value> {
    let tagged = attribute.as_object().and_then(|tagged| tagged.iter().next());
    let (kind, value) = tagged.context("expected an attribute with its type")?;
    Ok(match (kind.as_str(), value) {
        ("NULL", _) => Value::Null,
        ("N", Value::String(digits)) => number(digits)?,
        ("NS", Value::Array(numbers)) => {
            let numbers = numbers.iter().filter_map(Value::as_str);
            numbers.map(number).collect::<Result<_>>()?
        }
        ("L", Value::Array(values)) => values.iter().map(plain).collect::<Result<_>>()?,
        ("M", fields) => plain_item(fields)?,
        ("S" | "BOOL" | "B" | "SS" | "BS", value) => value.clone(),
        (kind, value) => anyhow::bail!("expected an attribute of a known type: {kind} {value}"),
    })
}

fn number(digits: &str) -> Result<Value> {
    let number: Number = digits.parse().with_context(|| format!("{digits}: expected a number"))?;
    Ok(number.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{item, plain_item};

    #[test]
    fn an_item_comes_back_as_it_went() {
        let before = json!({
            "pk": "type#id", "fence": 3, "share": 0.5, "done": false, "nothing": null,
            "history": [{ "at": 1 }, "x"],
        });
        assert_eq!(plain_item(&item(&before).expect("an object")).expect("an item"), before);
    }

    #[test]
    fn sets_become_lists() {
        let stored = json!({ "ids": { "SS": ["a", "b"] }, "sizes": { "NS": ["1", "2"] } });
        let expected = json!({ "ids": ["a", "b"], "sizes": [1, 2] });
        assert_eq!(plain_item(&stored).expect("an item"), expected);
        assert!(plain_item(&json!({ "x": { "?": 1 } })).is_err());
    }
}
