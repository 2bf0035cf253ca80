//! Our template on a local endpoint, with binaries for this machine.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::{STACK, omissions, sandbox};
use crate::artifact::{self, Profile};
use crate::aws::cloudformation::{self, Deployed};
use crate::aws::{Client, s3, secrets};
use crate::template::{self, Function};
use crate::workspace::Workspace;

/// The bucket that the functions' packages go to.
const BUCKET: &str = "evenkeel-packages";

/// Opens this machine to the functions' client for addresses from outside, because the sandbox's
/// dealer sites are on it. The template does not have it, not even as a parameter: what is deployed
/// from it for others must not reach beside itself.
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

/// The template, and the packages of its functions.
pub(super) struct Built {
    template: Value,
    packages: Vec<(Function, Vec<u8>)>,
}

impl Built {
    /// Reads the template and builds every function that it names.
    pub(super) async fn from_template(workspace: &Workspace, profile: Profile) -> Result<Self> {
        let template = template::load(&workspace.template())?;
        let mut packages = Vec::new();
        for function in template::functions(&template)? {
            let binary = artifact::build(workspace, &function.binary, profile).await?;
            packages.push((function, artifact::deployment_package(&binary)?));
        }
        Ok(Self { template, packages })
    }
}

/// Uploads the packages, deploys the template, and adds what the endpoint has left out of it.
/// `service` is where the functions find the sandbox.
pub(super) async fn deploy(
    client: &Client,
    built: Built,
    service: &str,
    chosen: &BTreeMap<String, String>,
) -> Result<Deployed> {
    let Built { mut template, packages } = built;
    s3::ensure_bucket(client, BUCKET).await?;
    for (function, package) in packages {
        let key = format!("{}.zip", function.binary);
        let address = s3::put(client, BUCKET, &key, package).await?;
        template::place_code(&mut template, &function, &address);
        template::add_variable(&mut template, &function, ALLOW_LOOPBACK, "true")?;
    }
    let secret = secrets::store(client, "evenkeel/rebrandly", sandbox::API_KEY).await?;
    let mut parameters = BTreeMap::from([
        ("Architecture".to_owned(), artifact::architecture().to_owned()),
        ("RebrandlyApiKeySecretArn".to_owned(), secret),
        ("RebrandlyBaseUrl".to_owned(), format!("{service}/v1")),
        ("RebrandlyDomain".to_owned(), "rebrand.ly".to_owned()),
    ]);
    parameters.extend(chosen.clone());
    let deployed = cloudformation::deploy(client, STACK, &template, &parameters).await?;
    omissions::make_up(client, &template, &deployed).await?;
    Ok(deployed)
}
