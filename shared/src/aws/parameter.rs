//! Parameters of the stack in SSM Parameter Store.

use aws_sdk_ssm::Client;

use super::{Config, failure::port_error};
use crate::ports::PortError;

/// The text of a parameter. Fails with [`PortError::Broken`] if there is none of this name.
pub async fn parameter(config: &Config, name: &str) -> Result<String, PortError> {
    let answer = Client::new(config).get_parameter().name(name).send().await;
    let parameter = answer.map_err(|error| port_error(&error))?.parameter;
    let text = parameter.and_then(|parameter| parameter.value);
    text.ok_or_else(|| PortError::Broken(format!("{name}: expected a value")))
}
