//! The source of a key: the environment in local runs, Secrets Manager on AWS.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;

use super::failure::port_error;
use crate::{
    base::secret::Secret,
    ports::{PortError, SecretSource},
};

/// The source of a key, such as an API key.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The key itself, for local runs. It cannot change without a restart.
    Environment(Secret),
    /// A secret in Secrets Manager, by ARN; its whole text is the key.
    SecretsManager(Client, String),
}

impl KeySource {
    /// The secret with this ARN.
    #[must_use]
    pub fn stored(config: &SdkConfig, arn: impl Into<String>) -> Self {
        Self::SecretsManager(Client::new(config), arn.into())
    }
}

impl SecretSource for KeySource {
    async fn fetch(&self) -> Result<String, PortError> {
        match self {
            Self::Environment(key) => Ok(key.expose().to_owned()),
            Self::SecretsManager(client, arn) => {
                let answer = client.get_secret_value().secret_id(arn).send().await;
                let secret = answer.map_err(|error| port_error(&error))?.secret_string;
                secret.ok_or_else(|| PortError::Broken(format!("{arn} holds no text")))
            }
        }
    }
}
