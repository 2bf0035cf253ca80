//! Event source mappings on Lambda, found by their ids in an SSM parameter of the stack.

use std::{collections::BTreeMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_lambda::{Client, types::ScalingConfig};
use tokio::{sync::Mutex, time::Instant};

use super::failure::port_error;
use crate::ports::{
    PortError,
    maintenance::{MappingMaintenance, MappingSlots},
};

/// State of a mapping that is active and not being changed.
const AT_WORK: &str = "Enabled";

/// States of a mapping that is being changed, and will be active.
const CHANGING: [&str; 3] = ["Creating", "Enabling", "Updating"];

/// For how long ids that were read are used. A deployment may replace a mapping, and its id with it.
const IDS_FOR: Duration = Duration::from_secs(30);

/// Ids of mappings by their keys.
type Ids = BTreeMap<String, String>;

/// [`MappingMaintenance`] on AWS Lambda. A mapping is named by its key in the parameter.
#[derive(Debug)]
pub struct Mappings {
    client: Client,
    parameters: aws_sdk_ssm::Client,
    parameter: String,
    ids: Mutex<Option<(Instant, Ids)>>,
}

impl Mappings {
    /// Access to the mappings whose ids the parameter with this name holds, as a JSON object of keys
    /// and ids.
    #[must_use]
    pub fn new(config: &SdkConfig, parameter: String) -> Self {
        let (client, parameters) = (Client::new(config), aws_sdk_ssm::Client::new(config));
        Self { client, parameters, parameter, ids: Mutex::default() }
    }

    /// The id of the mapping with this key.
    async fn id(&self, key: &str) -> Result<String, PortError> {
        let mut known = self.ids.lock().await;
        let ids = match known.take().filter(|(read_at, _)| read_at.elapsed() < IDS_FOR) {
            Some(known) => known,
            None => (Instant::now(), self.read_ids().await?),
        };
        let id = ids.1.get(key).cloned();
        *known = Some(ids);
        id.ok_or_else(|| PortError::Broken(format!("{}: expected the key {key}", self.parameter)))
    }

    async fn read_ids(&self) -> Result<Ids, PortError> {
        let answer = self.parameters.get_parameter().name(&self.parameter).send().await;
        let parameter = answer.map_err(|error| port_error(&error))?.parameter;
        let text = parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        serde_json::from_str(&text).map_err(|error| {
            PortError::Broken(format!("{}: expected ids by key: {error}", self.parameter))
        })
    }
}

impl MappingMaintenance for Mappings {
    async fn concurrency(&self, mapping: &str) -> Result<Option<MappingSlots>, PortError> {
        let get = self.client.get_event_source_mapping().uuid(self.id(mapping).await?);
        let answer = get.send().await.map_err(|error| port_error(&error))?;
        let state = answer.state.unwrap_or_default();
        let is_changing = CHANGING.contains(&state.as_str());
        if state != AT_WORK && !is_changing {
            return Ok(None);
        }
        let most = answer.scaling_config.and_then(|scaling| scaling.maximum_concurrency);
        let slots = most.and_then(|most| u32::try_from(most).ok());
        Ok(slots.map(|slots| MappingSlots { slots, is_changing }))
    }

    async fn set_concurrency(&self, mapping: &str, slots: u32) -> Result<(), PortError> {
        let most = i32::try_from(slots).unwrap_or(i32::MAX);
        let scaling = ScalingConfig::builder().maximum_concurrency(most).build();
        let update = self.client.update_event_source_mapping().uuid(self.id(mapping).await?);
        let update = update.scaling_config(scaling).send().await;
        update.map(drop).map_err(|error| port_error(&error))
    }

    async fn set_enabled(&self, mapping: &str, enabled: bool) -> Result<(), PortError> {
        let update = self.client.update_event_source_mapping().uuid(self.id(mapping).await?);
        let update = update.enabled(enabled).send().await;
        update.map(drop).map_err(|error| port_error(&error))
    }
}
