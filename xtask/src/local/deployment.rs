//! Our template on a local endpoint, with binaries for this machine.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rundir::RunDir;
use super::{omissions, sandbox};
use crate::architecture::Architecture;
use crate::artifact::Binaries;
use crate::aws::{Client, REGION, lambda, secrets};
use crate::environment;
use crate::template;
use crate::tool;
use crate::venv::Venv;

/// The bucket that the functions' packages go to.
const BUCKET: &str = "evenkeel-packages";

/// Lets the functions call loopback addresses, because the sandbox's dealer sites are on this
/// machine. The template has no such variable, not even as a parameter: functions deployed on AWS
/// must not be able to reach loopback.
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

/// Each request of a function names it by this variable, as `app/NAME` in the user agent of the SDK. A
/// recorder tells the functions apart by it.
const APP_NAME: &str = "AWS_SDK_UA_APP_ID";

/// Actions that MiniStack asks for where AWS asks for others: of a batch that of one, and of one mapping that of
/// one instead of all. What AWS asks for is before it.
const OF_MINISTACK: [(&str, &str); 4] = [
    ("lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings"),
    ("sqs:ChangeMessageVisibility", "sqs:ChangeMessageVisibilityBatch"),
    ("sqs:DeleteMessage", "sqs:DeleteMessageBatch"),
    ("sqs:SendMessage", "sqs:SendMessageBatch"),
];

/// What to deploy.
pub(super) struct Deployment<'a> {
    /// The stack's name.
    pub(super) name: &'a str,
    pub(super) template: Value,
    /// Holds the binary of every function of the template.
    pub(super) binaries: &'a Binaries,
    /// Where the functions find the sandbox.
    pub(super) service: &'a str,
    /// Parameters of the template that the caller sets.
    pub(super) parameters: &'a BTreeMap<String, String>,
}

/// What `deploy.py` answers.
#[derive(Debug, Deserialize)]
struct Deployed {
    /// The template's outputs.
    outputs: BTreeMap<String, String>,
    /// The physical name of each resource by its name in the template.
    resources: BTreeMap<String, String>,
}

/// Uploads the packages, deploys the template as a new stack or over an older one, and sets what the
/// endpoint has ignored. Returns the template's outputs. Fails with the reason of every resource
/// that failed.
pub(super) async fn deploy(
    venv: &Venv,
    run: &RunDir,
    client: &Client,
    deployment: Deployment<'_>,
) -> Result<BTreeMap<String, String>> {
    let Deployment { name, mut template, binaries, service, parameters: chosen } = deployment;
    let mut packages = BTreeMap::new();
    for function in template::functions(&template)? {
        let key = package(&function.binary);
        template::place_code(&mut template, &function, &format!("s3://{BUCKET}/{key}"));
        template::add_variable(&mut template, &function, ALLOW_LOOPBACK, "true")?;
        let own_name = function.logical_id.clone();
        template::add_variable(&mut template, &function, APP_NAME, &own_name)?;
        let path = binaries.path(&function.binary)?;
        let text = path.to_str();
        let text = text.with_context(|| format!("{}: expected UTF-8", path.display()))?;
        packages.insert(key, text);
    }
    template::set_architecture(&mut template, Architecture::of_this_machine());
    suit(&mut template, client).await;
    let secret = secrets::store(client, "evenkeel/rebrandly", sandbox::API_KEY).await?;
    let mut parameters = BTreeMap::from([
        ("OutboundContact".to_owned(), "https://www.example.com/bots".to_owned()),
        ("RebrandlyApiKeySecretArn".to_owned(), secret),
        ("RebrandlyBaseUrl".to_owned(), format!("{service}/v1")),
        ("RebrandlyDomain".to_owned(), "rebrand.ly".to_owned()),
    ]);
    parameters.extend(chosen.clone());
    let order = json!({
        "endpoint": client.endpoint(), "region": REGION, "stack": name, "template": template,
        "parameters": parameters, "bucket": BUCKET, "packages": packages,
    });
    let mut python = tool::command(venv.program("python"));
    python.arg(run.script("deploy.py", include_str!("deploy.py"))?);
    python.env_clear().envs(environment::kept());
    let said = tool::answer(&mut python, &order.to_string(), "deploy the template").await?;
    let deployed: Deployed =
        serde_json::from_str(&said).context("deploy.py: expected outputs and resources as JSON")?;
    omissions::make_up(client, &template, &deployed.resources).await?;
    Ok(deployed.outputs)
}

/// Updates a function with the package that was uploaded for it, as another release. Its processes end.
pub(super) async fn release(
    client: &Client,
    function: &str,
    binary: &str,
    release: &str,
) -> Result<()> {
    lambda::set_code(client, function, BUCKET, &package(binary)).await?;
    // As in the template.
    lambda::set_description(client, function, &format!("Release {release}")).await
}

/// The key of a binary's package in the bucket.
fn package(binary: &str) -> String {
    format!("{binary}.zip")
}

/// Takes from the template what a local endpoint cannot do, and adds what MiniStack asks for.
async fn suit(template: &mut Value, client: &Client) {
    if client.endpoint().starts_with("http://") {
        // They refuse what comes without TLS.
        template::remove(template, "AWS::SQS::QueuePolicy");
    }
    // Only MiniStack says so, if it holds callers to their roles.
    let health = client.health().await.unwrap_or_default();
    if health["auth"] == "enabled" {
        for (action, another) in OF_MINISTACK {
            template::allow_beside(template, action, another);
        }
        template::allow_batches_of_statements(template);
    }
}

/// Deletes a stack and waits until it is gone.
pub(super) async fn delete(venv: &Venv, run: &RunDir, client: &Client, name: &str) -> Result<()> {
    let order = json!({ "endpoint": client.endpoint(), "region": REGION, "stack": name });
    let mut python = tool::command(venv.program("python"));
    python.arg(run.script("delete.py", include_str!("delete.py"))?);
    python.env_clear().envs(environment::kept());
    tool::answer(&mut python, &order.to_string(), "delete the stack").await.map(drop)
}
