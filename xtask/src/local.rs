//! A local stack: MiniStack in place of AWS, the sandbox in place of third parties, and our own
//! template deployed on top of them.
//!
//! All servers listen on 127.0.0.1 only, on ports of their own. They store nothing: when a stack
//! ends, in whatever way, its processes and its files are removed.

mod dashboard;
mod deployment;
mod description;
mod emulator;
mod group;
mod holder;
mod ministack;
mod omissions;
mod rundir;
mod sandbox;
mod variables;
mod wire;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::artifact::{self, Profile};
use crate::aws::Client;
use crate::file;
use crate::process;
use crate::stack_name;
use crate::template;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

pub use dashboard::Dashboard;
pub use description::Description;
pub use emulator::Emulator;
pub use holder::{Hold, Holder};
pub use sandbox::API_KEY;
pub use wire::{State, Wire};

use deployment::Deployment;
use group::Group;
use rundir::RunDir;

/// What a caller may choose. The default is what `cargo xtask up` does without arguments.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// MiniStack's port; a free one if none is given.
    pub port: Option<u16>,
    /// The sandbox's port; a free one if none is given.
    pub sandbox_port: Option<u16>,
    /// The stack's name; [`stack_name::DEFAULT`] if none is given.
    pub stack: Option<String>,
    /// How the functions are built.
    pub profile: Profile,
    /// Deploy to this endpoint, which runs already and keeps running, and start no MiniStack.
    pub endpoint_url: Option<String>,
    /// Parameters of the template that should differ from what a local stack sets.
    pub parameters: BTreeMap<String, String>,
    /// Connect the functions to AWS and to the sandbox through [`Wire`]s that a test can cut. The
    /// sandbox then sees the wire's ports instead of the functions'. Impossible with
    /// `endpoint_url`.
    pub wires: bool,
    /// Where the functions look for AWS instead of the stack's endpoint: a server that forwards to it,
    /// such as one that records. Impossible with `endpoint_url`.
    pub functions_endpoint: Option<String>,
}

/// A stack that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Stack {
    name: String,
    client: Client,
    description: Description,
    /// Fields are dropped in this order, so clients end before the servers that they call.
    ministack: Option<Group>,
    sandbox: Group,
    wires: Option<Wires>,
    run: RunDir,
}

#[derive(Debug)]
struct Wires {
    aws: Wire,
    sandbox: Wire,
}

impl Stack {
    /// Builds the functions, starts the servers, deploys the template, and returns when the queues
    /// accept messages. If a step fails, everything that was started before it is ended.
    pub async fn start(workspace: &Workspace, options: &Options) -> Result<Self> {
        let foreign = options.endpoint_url.is_some();
        let between = options.wires || options.functions_endpoint.is_some();
        anyhow::ensure!(!(foreign && between), "wires: expected an AWS of our own");
        let template = template::load(&workspace.template())?;
        template::expect_parameters(&template, options.parameters.keys())?;
        let name = options.stack.as_deref().unwrap_or(stack_name::DEFAULT);
        stack_name::expect(&template, name)?;
        let port = free_port(options.port)?;
        let sandbox_port = free_port(options.sandbox_port)?;
        let own_endpoint = format!("http://127.0.0.1:{port}");
        let endpoint = options.endpoint_url.clone().unwrap_or_else(|| own_endpoint.clone());
        let client = Client::new(&endpoint)?;
        if foreign {
            let health = client.health().await;
            health.with_context(|| format!("{endpoint}: expected AWS or a stand-in there"))?;
        }
        let venv = Venv::ready(workspace, Tools::Local).await?;
        let run = RunDir::create(workspace)?;
        let built = artifact::build(workspace, options.profile).await?;
        let (sandbox, sandbox_url) =
            sandbox::start(built.path("sandbox")?, &run, sandbox_port).await?;
        let wires = if options.wires {
            let aws = Wire::lay(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            Some(Wires { aws, sandbox: Wire::lay(address(&sandbox_url)?).await? })
        } else {
            None
        };
        let seen = |wire: fn(&Wires) -> &Wire, direct: &str| {
            wires.as_ref().map_or_else(|| direct.to_owned(), |wires| wire(wires).url())
        };
        let ministack = if foreign {
            None
        } else {
            let usual = || seen(|wires| &wires.aws, &own_endpoint);
            let functions_endpoint = options.functions_endpoint.clone().unwrap_or_else(usual);
            Some(ministack::start(&venv, &run, &client, port, &functions_endpoint).await?)
        };
        let service = seen(|wires| &wires.sandbox, &sandbox_url);
        let deployment = Deployment {
            name,
            template,
            binaries: &built,
            service: &service,
            parameters: &options.parameters,
        };
        let outputs = deployment::deploy(&venv, &run, &client, deployment).await?;
        let description = Description::of_ours(endpoint, sandbox_url, outputs)?;
        Ok(Self { name: name.to_owned(), client, description, ministack, sandbox, wires, run })
    }

    /// What the stack consists of, and where.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Describes the stack in `target/local/stack.json` and `env.sh`, for `evenkeel --local` and for shells. The
    /// caller's [`Hold`] removes both files.
    pub fn publish(&self, workspace: &Workspace) -> Result<()> {
        self.description.write(workspace)?;
        file::write(&workspace.env_sh(), &variables::text(&self.description)?)
    }

    /// An output of the template, such as `UrlShorteningQueueUrl`. Fails if there is none.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.description.output(name)
    }

    /// Starts the stack's dashboard, which the binary `evenkeel` serves. It reaches AWS through the functions' wire, if
    /// there is one.
    pub async fn dashboard(&self, binary: &Path) -> Result<Dashboard> {
        Dashboard::start(binary, &self.run, &self.seen_through_wires(), false).await
    }

    /// Starts a dashboard of the stack that refuses every change.
    pub async fn read_only_dashboard(&self, binary: &Path) -> Result<Dashboard> {
        Dashboard::start(binary, &self.run, &self.seen_through_wires(), true).await
    }

    /// The stack as those describe it who reach AWS as the functions do.
    fn seen_through_wires(&self) -> Description {
        let mut description = self.description.clone();
        if let Some(wires) = &self.wires {
            description.endpoint = wires.aws.url();
        }
        description
    }

    /// A client of the stack's AWS, not through a wire.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the sandbox listens, not through a wire. Rebrandly's base address is `/v1` under it.
    #[must_use]
    pub fn sandbox_url(&self) -> &str {
        &self.description.sandbox_url
    }

    /// The wire between the functions and AWS. Fails if the stack was started without wires.
    pub fn aws_wire(&self) -> Result<&Wire> {
        self.wires.as_ref().map(|wires| &wires.aws).context("expected a stack with wires")
    }

    /// The wire between the functions and the sandbox. Fails if the stack was started without
    /// wires.
    pub fn sandbox_wire(&self) -> Result<&Wire> {
        self.wires.as_ref().map(|wires| &wires.sandbox).context("expected a stack with wires")
    }

    /// The processes that run functions now, oldest first. None with `endpoint_url`.
    #[must_use]
    pub fn function_processes(&self) -> Vec<u32> {
        self.ministack.as_ref().map(|group| process::children(group.leader())).unwrap_or_default()
    }

    /// What MiniStack and the functions have printed up to now.
    pub fn log(&self) -> Result<String> {
        self.run.log(ministack::LOG)
    }

    /// Deploys the functions once more from the packages that were uploaded at the start, as a release of this name:
    /// their processes end, and new ones start with the next messages.
    pub async fn release(&self, workspace: &Workspace, release: &str) -> Result<()> {
        let template = template::load(&workspace.template())?;
        for function in template::functions(&template)? {
            let name = self.output(&format!("{}Name", function.logical_id))?;
            deployment::release(&self.client, name, &function.binary, release).await?;
        }
        Ok(())
    }

    /// Deletes what was deployed from the AWS, which keeps running. The template keeps its tables.
    pub async fn delete(&self, workspace: &Workspace) -> Result<()> {
        let venv = Venv::ready(workspace, Tools::Local).await?;
        deployment::delete(&venv, &self.run, &self.client, &self.name).await
    }

    /// Ends every process of the stack and waits until they have ended. What was deployed to
    /// `endpoint_url` stays there.
    pub async fn stop(self) -> Result<()> {
        let Self { ministack, sandbox, .. } = self;
        if let Some(ministack) = ministack {
            ministack.stop().await?;
        }
        sandbox.stop().await
    }
}

/// The wanted port if it is free, or any free port. If another program takes it before the server
/// does, the server fails and says so.
fn free_port(wanted: Option<u16>) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0)));
    let listener = listener.with_context(|| match wanted {
        Some(port) => format!("port {port}: expected to be able to listen on it"),
        None => "expected a free port".to_owned(),
    })?;
    Ok(listener.local_addr()?.port())
}

fn address(url: &str) -> Result<SocketAddr> {
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    address.with_context(|| format!("{url}: expected http://ADDRESS:PORT"))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_read_out_of_a_url() {
        assert_eq!(address("http://127.0.0.1:80").expect("an address").port(), 80);
        assert!(address("http://localhost:80").is_err());
        assert!(address("127.0.0.1:80").is_err());
    }
}
