//! What a call needs from IAM, as the Service Authorization Reference of AWS says it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::recorder::Call;

/// An action on a resource, which is named as at the end of its ARN: `table/jobs`, `table/jobs/index/due`,
/// `evenkeel-url-shortening` (a queue), `parameter/evenkeel/mappings`, `event-source-mapping:ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) action: String,
    pub(super) resource: String,
}

/// Everything that a call needs. Panics on a call that is not known here.
pub(super) fn needs(call: &Call) -> BTreeSet<Need> {
    let target = call.headers.get("x-amz-target").map(|target| target.to_str().unwrap());
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let Some((service, operation)) = target.and_then(|target| target.split_once('.')) else {
        return mapping(call);
    };
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name}: {body}"));
    match service {
        "DynamoDB_20120810" => dynamodb(operation, &body),
        "AmazonSQS" => {
            // "Actions, resources, and condition keys for Amazon SQS": batches need the action of one.
            let action = operation.trim_end_matches("Batch");
            let queue = if operation == "GetQueueUrl" {
                text("QueueName")
            } else {
                text("QueueUrl").rsplit('/').next().unwrap()
            };
            one(format!("sqs:{action}"), queue.to_owned())
        }
        "AmazonSSM" => one(format!("ssm:{operation}"), format!("parameter{}", text("Name"))),
        "secretsmanager" => {
            let name = text("SecretId").rsplit_once(":secret:").unwrap().1;
            one(format!("secretsmanager:{operation}"), format!("secret:{name}"))
        }
        other => panic!("{other}.{operation}: a service that is not known here"),
    }
}

fn one(action: String, resource: String) -> BTreeSet<Need> {
    BTreeSet::from([Need { action, resource }])
}

/// "Actions, resources, and condition keys for Amazon DynamoDB": a batch of statements needs the action of each
/// statement, and a transaction that of each item.
fn dynamodb(operation: &str, body: &Value) -> BTreeSet<Need> {
    let table = |name: &Value| format!("table/{}", name.as_str().unwrap());
    let need = |action: &str, name: &Value| Need {
        action: format!("dynamodb:{action}"),
        resource: table(name),
    };
    match operation {
        "BatchExecuteStatement" => {
            let statements = body["Statements"].as_array().unwrap().iter();
            statements.map(|statement| partiql(statement["Statement"].as_str().unwrap())).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().unwrap().keys();
            tables.map(|name| need(operation, &name.as_str().into())).collect()
        }
        "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().unwrap().iter();
            let items = items.flat_map(|item| item.as_object().unwrap());
            items
                .map(|(kind, item)| match kind.as_str() {
                    "ConditionCheck" => need("ConditionCheckItem", &item["TableName"]),
                    kind => need(&format!("{kind}Item"), &item["TableName"]),
                })
                .collect()
        }
        operation => {
            let mut need = need(operation, &body["TableName"]);
            if let Some(index) = body["IndexName"].as_str() {
                need.resource = format!("{}/index/{index}", need.resource);
            }
            BTreeSet::from([need])
        }
    }
}

/// "IAM security policies with PartiQL for `DynamoDB`": one action for each kind of statement.
fn partiql(statement: &str) -> Need {
    let mut words = statement.split_whitespace();
    let action = match words.next().unwrap().to_ascii_uppercase().as_str() {
        "INSERT" => "PartiQLInsert",
        "UPDATE" => "PartiQLUpdate",
        "DELETE" => "PartiQLDelete",
        "SELECT" => "PartiQLSelect",
        other => panic!("{other}: {statement}"),
    };
    let table = statement.split('"').nth(1).unwrap_or_else(|| panic!("a table: {statement}"));
    Need { action: format!("dynamodb:{action}"), resource: format!("table/{table}") }
}

/// The event source mappings of Lambda have paths instead of operations.
fn mapping(call: &Call) -> BTreeSet<Need> {
    let id = call.path.split("/event-source-mappings/").nth(1);
    let id = id.unwrap_or_else(|| panic!("{} {}: a call not known here", call.method, call.path));
    let action = match call.method.as_str() {
        "GET" => "GetEventSourceMapping",
        "PUT" => "UpdateEventSourceMapping",
        other => panic!("{other} {}: a call not known here", call.path),
    };
    one(format!("lambda:{action}"), format!("event-source-mapping:{}", id.trim_end_matches('/')))
}
