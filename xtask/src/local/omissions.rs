//! What MiniStack's CloudFormation ignores or gets wrong. It ignores time to live and point-in-time
//! recovery of tables. It keeps a mapping's `MaximumConcurrency` that comes from a parameter as text,
//! and then its poller fails. Setting them again does no harm where an endpoint got them right.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::aws::{Client, dynamodb, lambda};

/// Sets what the template asks for and the endpoint may have ignored. `resources` are the physical
/// names by those in the template.
pub(super) async fn make_up(
    client: &Client,
    template: &Value,
    resources: &BTreeMap<String, String>,
) -> Result<()> {
    for (logical_id, resource) in template["Resources"].as_object().into_iter().flatten() {
        let properties = &resource["Properties"];
        let name = || {
            let name = resources.get(logical_id);
            name.with_context(|| format!("{logical_id}: expected it among the stack's resources"))
        };
        match resource["Type"].as_str() {
            Some("AWS::DynamoDB::Table") => table(client, name()?, properties).await?,
            Some("AWS::Serverless::Function") => function(client, name()?).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn function(client: &Client, name: &str) -> Result<()> {
    for mapping in lambda::mappings(client, name).await? {
        if let Some(most) = mapping.most_at_once {
            lambda::set_concurrency(client, &mapping, most).await?;
        }
    }
    Ok(())
}

async fn table(client: &Client, name: &str, properties: &Value) -> Result<()> {
    let wanted = &properties["TimeToLiveSpecification"];
    if wanted["Enabled"] == true {
        let of_table = json!({ "TableName": name });
        let found = dynamodb::call(client, "DescribeTimeToLive", &of_table).await?;
        // Enabling it a second time is an error.
        if found["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED" {
            let body = json!({ "TableName": name, "TimeToLiveSpecification": wanted });
            dynamodb::call(client, "UpdateTimeToLive", &body).await?;
        }
    }
    let wanted = &properties["PointInTimeRecoverySpecification"];
    if wanted["PointInTimeRecoveryEnabled"] == true {
        let body = json!({ "TableName": name, "PointInTimeRecoverySpecification": wanted });
        dynamodb::call(client, "UpdateContinuousBackups", &body).await?;
    }
    Ok(())
}
