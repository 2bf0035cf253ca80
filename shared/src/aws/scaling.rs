//! Event source mappings on Lambda.

use aws_config::SdkConfig;
use aws_sdk_lambda::{Client, types::ScalingConfig};

use super::failure::port_error;
use crate::ports::{PortError, maintenance::MappingMaintenance};

/// State of a mapping that is active and not being changed.
const AT_WORK: &str = "Enabled";

/// [`MappingMaintenance`] on AWS Lambda.
#[derive(Clone, Debug)]
pub struct Mappings {
    client: Client,
}

impl Mappings {
    /// Access to the mappings of the account.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

impl MappingMaintenance for Mappings {
    async fn concurrency(&self, mapping: &str) -> Result<Option<u32>, PortError> {
        let get = self.client.get_event_source_mapping().uuid(mapping);
        let answer = get.send().await.map_err(|error| port_error(&error))?;
        if answer.state.as_deref() != Some(AT_WORK) {
            return Ok(None);
        }
        let most = answer.scaling_config.and_then(|scaling| scaling.maximum_concurrency);
        Ok(most.and_then(|most| u32::try_from(most).ok()))
    }

    async fn set_concurrency(&self, mapping: &str, slots: u32) -> Result<(), PortError> {
        let most = i32::try_from(slots).unwrap_or(i32::MAX);
        let scaling = ScalingConfig::builder().maximum_concurrency(most).build();
        let update = self.client.update_event_source_mapping().uuid(mapping);
        let update = update.scaling_config(scaling).send().await;
        update.map(drop).map_err(|error| port_error(&error))
    }
}
