//! S3: where deployment packages are put for CloudFormation to find.

use anyhow::Result;
use reqwest::Method;

use super::{Client, ServiceError};

/// Makes a bucket, or finds it made by us before.
pub async fn ensure_bucket(client: &Client, bucket: &str) -> Result<()> {
    let made = client.rest("s3", Method::PUT, &format!("/{bucket}"), Vec::new()).await;
    match made {
        Err(error)
            if error
                .downcast_ref::<ServiceError>()
                .is_some_and(|refused| refused.code == "BucketAlreadyOwnedByYou") =>
        {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// Stores an object and returns its `s3://` address.
pub async fn put(client: &Client, bucket: &str, key: &str, body: Vec<u8>) -> Result<String> {
    client.rest("s3", Method::PUT, &format!("/{bucket}/{key}"), body).await?;
    Ok(format!("s3://{bucket}/{key}"))
}
