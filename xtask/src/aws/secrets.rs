//! Secrets Manager: the keys of third parties.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Client, ServiceError};

/// Stores a secret under a name, made if it is new, and returns its ARN.
pub async fn store(client: &Client, name: &str, text: &str) -> Result<String> {
    let body = json!({ "Name": name, "SecretString": text });
    let made = client.json("secretsmanager", "secretsmanager.CreateSecret", &body).await;
    let answer = match made {
        Err(error) if exists(&error) => {
            let body = json!({ "SecretId": name, "SecretString": text });
            client.json("secretsmanager", "secretsmanager.PutSecretValue", &body).await?
        }
        other => other?,
    };
    answer["ARN"].as_str().map(str::to_owned).context("CreateSecret: expected an ARN")
}

/// The text of a secret.
pub async fn text(client: &Client, name: &str) -> Result<String> {
    let body = json!({ "SecretId": name });
    let answer = client.json("secretsmanager", "secretsmanager.GetSecretValue", &body).await?;
    answer["SecretString"].as_str().map(str::to_owned).context("GetSecretValue: expected a text")
}

fn exists(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<ServiceError>()
        .is_some_and(|refused| refused.code == "ResourceExistsException")
}
