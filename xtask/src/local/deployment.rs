//! Our template on a local endpoint, with binaries for this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rundir::RunDir;
use super::{STACK, omissions, sandbox};
use crate::artifact::{self, Profile};
use crate::aws::{Client, REGION, secrets};
use crate::environment;
use crate::template::{self, Function};
use crate::tool;
use crate::venv::Venv;
use crate::workspace::Workspace;

/// The bucket that the functions' packages go to.
const BUCKET: &str = "evenkeel-packages";

/// Lets the functions call loopback addresses, because the sandbox's dealer sites are on this
/// machine. The template has no such variable, not even as a parameter: functions deployed on AWS
/// must not be able to reach loopback.
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

/// The template, and the binary of each of its functions.
pub(super) struct Built {
    template: Value,
    binaries: Vec<(Function, PathBuf)>,
}

impl Built {
    /// Reads the template and builds every function that it names.
    pub(super) async fn from_template(workspace: &Workspace, profile: Profile) -> Result<Self> {
        let template = template::load(&workspace.template())?;
        let mut binaries = Vec::new();
        for function in template::functions(&template)? {
            let binary = artifact::build(workspace, &function.binary, profile).await?;
            binaries.push((function, binary));
        }
        Ok(Self { template, binaries })
    }
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
/// endpoint has ignored. Returns the template's outputs. `service` is where the functions find the
/// sandbox. Fails with the reason of every resource that failed.
pub(super) async fn deploy(
    venv: &Venv,
    run: &RunDir,
    client: &Client,
    built: Built,
    service: &str,
    chosen: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let Built { mut template, binaries } = built;
    let mut packages = BTreeMap::new();
    for (function, binary) in binaries {
        let key = format!("{}.zip", function.binary);
        template::place_code(&mut template, &function, &format!("s3://{BUCKET}/{key}"));
        template::add_variable(&mut template, &function, ALLOW_LOOPBACK, "true")?;
        let path = binary.to_str();
        let path = path.with_context(|| format!("{}: expected UTF-8", binary.display()))?;
        packages.insert(key, path.to_owned());
    }
    let secret = secrets::store(client, "evenkeel/rebrandly", sandbox::API_KEY).await?;
    let mut parameters = BTreeMap::from([
        ("Architecture".to_owned(), artifact::architecture().to_owned()),
        ("RebrandlyApiKeySecretArn".to_owned(), secret),
        ("RebrandlyBaseUrl".to_owned(), format!("{service}/v1")),
        ("RebrandlyDomain".to_owned(), "rebrand.ly".to_owned()),
    ]);
    parameters.extend(chosen.clone());
    let order = json!({
        "endpoint": client.endpoint(), "region": REGION, "stack": STACK, "template": template,
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
