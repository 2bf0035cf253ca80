//! What CloudFormation gets of template.yaml: SAM's own translator expands functions, events and
//! schedules to plain resources.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::environment;
use crate::template;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// The expanded form of a SAM template, as `aws-sam-translator` makes it; SAM's transform in AWS is
/// the same program. Conditions and references stay in it; some properties of SAM's own are decided by
/// `parameters` or the defaults. Fails with the translator's words.
pub async fn expand(
    workspace: &Workspace,
    template: &Value,
    parameters: &BTreeMap<&str, &str>,
) -> Result<Value> {
    let venv = Venv::ready(workspace, Tools::Local).await?;
    let mut template = template.clone();
    for function in template::functions(&template)? {
        // `sam package` puts such an address there; the translator takes no folder.
        let address = format!("s3://packages/{}.zip", function.binary);
        template::place_code(&mut template, &function, &address);
    }
    let order = json!({ "template": template, "parameters": parameters });
    let mut python = tool::command(venv.program("python"));
    python.args(["-c", include_str!("expansion/expand.py")]);
    python.env_clear().envs(environment::kept());
    let said = tool::answer(&mut python, &order.to_string(), "expand the template").await?;
    serde_json::from_str(&said).context("expand.py: expected a template as JSON")
}
