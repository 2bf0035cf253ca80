//! `cargo xtask up`: a local stack to play with.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fs::{self, File};

use anyhow::{Context as _, Result, bail};

use crate::local::{Description, Options, Stack};
use crate::termination;
use crate::workspace::Workspace;

/// Brings the stack up, says where everything is, and holds it up until a signal asks for its end:
/// Ctrl-C, or that of `cargo xtask down`. Fails if a stack is up already.
pub async fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    fs::create_dir_all(workspace.local()).context("the stack's directory cannot be made")?;
    // The lock is ours until our end, however it comes.
    let lock = File::create(workspace.local().join("up.lock"))?;
    if lock.try_lock().is_err() {
        let whose = Description::read(workspace)?.map_or_else(
            || "one is being brought up".to_owned(),
            |up| format!("process {} holds one up at {}", up.pid, up.endpoint),
        );
        bail!("expected no stack to be up, but {whose}: `cargo xtask down` ends it");
    }
    let mut end = Box::pin(termination::requested());
    println!("Building the functions and starting the servers …");
    let stack = tokio::select! {
        stack = Stack::start(workspace, options) => stack?,
        asked = &mut end => return asked,
    };
    let path = Description::path(workspace);
    stack.description().write(&path)?;
    introduce(stack.description(), &workspace.shown(&path))?;
    println!(
        "Ctrl-C, or `cargo xtask down`, ends {}",
        match &options.endpoint_url {
            Some(endpoint) => format!("the sandbox; what is deployed to {endpoint} stays there."),
            None => "the stack, which forgets what it knows.".to_owned(),
        }
    );
    let asked = end.await;
    println!("\nEnding the stack …");
    let stopped = stack.stop().await;
    fs::remove_file(path).context("stack.json cannot be removed")?;
    asked.and(stopped)
}

fn introduce(stack: &Description, path: &str) -> Result<()> {
    println!("\n{:<42}{}", "AWS", stack.endpoint);
    println!("{:<42}{}", "Sandbox", stack.sandbox_url);
    for (name, value) in &stack.outputs {
        println!("{name:<42}{value}");
    }
    println!(
        "\nThe same as JSON: {path}

Send a job, with any SQS client:

  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION={region} AWS_DEFAULT_REGION={region}
  aws --endpoint-url {endpoint} sqs send-message --queue-url {queue} \\
    --message-body '{body}'

and read its record:

  aws --endpoint-url {endpoint} dynamodb scan --table-name {table}
",
        region = stack.region,
        endpoint = stack.endpoint,
        queue = stack.output("UrlShorteningQueueUrl")?,
        body = EXAMPLE,
        table = stack.output("JobsTableName")?,
    );
    Ok(())
}

/// A message that the shortening function takes.
const EXAMPLE: &str = r#"{"version": 1, "type": "url_shortening", "payload": {"destination": "https://www.example.com/new/1M8GDM9AXKP042788", "dealer_slug": "example-motors", "vin": "1M8GDM9AXKP042788"}}"#;
