//! What AWS tells of a stack that alarms must read: throttles of each table and index, and errors of each function.

use std::collections::BTreeSet;

use serde_json::Value;
use xtask::template;

use super::{alarms, load, reads, root, text};

/// Logical ids and properties of the stack's resources of a type.
fn deployed(kind: &str) -> Vec<(String, Value)> {
    let template = template::load(&root().join("template.yaml")).unwrap();
    let resources = template["Resources"].as_object().unwrap().iter();
    let found = resources.filter(|(_, found)| found["Type"] == kind);
    found.map(|(id, found)| (id.clone(), found["Properties"].clone())).collect()
}

/// The metric of a plain alarm: its name, and what its dimensions name, of which the first may be a parameter.
fn plain(alarm: &Value) -> (String, Vec<String>) {
    let of = |value: &Value| value["Ref"].as_str().unwrap_or_else(|| text(value)).to_owned();
    let dimensions = alarm["Dimensions"].as_array().into_iter().flatten();
    let dimensions = dimensions.map(|dimension| of(&dimension["Value"])).collect();
    (text(&alarm["MetricName"]).to_owned(), dimensions)
}

#[test]
fn throttles_of_every_table_and_index_raise_an_alarm() {
    let mut expected = BTreeSet::new();
    for (table, properties) in deployed("AWS::DynamoDB::Table") {
        let indexes = properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let indexes = indexes.map(|index| vec![table.clone(), text(&index["IndexName"]).into()]);
        for of in indexes.chain([vec![table.clone()]]) {
            expected.insert(("ReadThrottleEvents".to_owned(), of.clone()));
            expected.insert(("WriteThrottleEvents".to_owned(), of));
        }
    }
    assert!(expected.iter().any(|(_, of)| of.len() == 2), "an index: {expected:?}");
    let template = load();
    let alarms = alarms(&template).into_iter();
    let read = alarms.filter(|(_, alarm)| alarm["Namespace"] == "AWS/DynamoDB");
    let read: BTreeSet<_> = read.map(|(_, alarm)| plain(alarm)).collect();
    assert_eq!(read, expected);
}

#[test]
fn errors_of_every_function_raise_an_alarm() {
    let name = |properties: &Value| {
        text(&properties["FunctionName"]).replace("${AWS::StackName}", "${Stack}")
    };
    let functions = deployed("AWS::Serverless::Function");
    let functions: BTreeSet<String> =
        functions.iter().map(|(_, properties)| name(properties)).collect();
    assert!(functions.contains("${Stack}-operator"), "{functions:?}");
    let template = load();
    let read = alarms(&template).into_iter().flat_map(|(_, alarm)| reads(alarm));
    let read = read.filter(|metric| metric["MetricName"] == "Errors");
    let read: BTreeSet<String> =
        read.map(|metric| text(&metric["Dimensions"][0]["Value"]).to_owned()).collect();
    assert_eq!(read, functions);
}
