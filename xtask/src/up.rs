//! `cargo xtask up`: a local stack to play with.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use anyhow::{Result, bail};

use crate::local::{Description, Hold, Holder, Options, Stack};
use crate::termination;
use crate::workspace::Workspace;

/// Brings a stack up, prints where everything is, and holds the stack up until a signal asks for its
/// end: Ctrl-C, or SIGTERM from `cargo xtask down`. Fails if a stack is up already.
pub async fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // Held to the end: while it builds, too, `cargo xtask down` must find this process.
    let Some(_hold) = Hold::take(workspace)? else {
        let other = occupant(workspace)?;
        bail!("expected no stack to be up, but {other}: `cargo xtask down` ends it");
    };
    let mut end = Box::pin(termination::requested());
    println!("Building the functions and starting the servers …");
    let stack = tokio::select! {
        stack = Stack::start(workspace, options) => stack?,
        asked = &mut end => {
            println!("\nEnded before the stack was up.");
            return asked;
        }
    };
    stack.publish(workspace)?;
    introduce(workspace, stack.description());
    println!(
        "Ctrl-C, or `cargo xtask down`, ends {}",
        match &options.endpoint_url {
            Some(endpoint) => format!("the sandbox; what is deployed to {endpoint} stays there."),
            None => "the stack; nothing of it is kept.".to_owned(),
        }
    );
    let asked = end.await;
    println!("\nEnding the stack …");
    let stopped = stack.stop().await;
    asked.and(stopped)
}

/// Which other process starts a stack or holds one up.
fn occupant(workspace: &Workspace) -> Result<String> {
    if let Some(up) = Description::read(workspace)? {
        return Ok(format!("process {} holds one up at {}", up.holder.pid, up.endpoint));
    }
    Ok(match Holder::find(workspace)? {
        Some(holder) => format!("process {} is starting one", holder.pid),
        None => "another process is starting one".to_owned(),
    })
}

fn introduce(workspace: &Workspace, stack: &Description) {
    println!("\n{:<42}{}", "AWS", stack.endpoint);
    println!("{:<42}{}", "Sandbox", stack.sandbox_url);
    for (name, value) in &stack.outputs {
        println!("{name:<42}{value}");
    }
    println!(
        r#"
The same as JSON: {json}. As variables of a shell: {sh}.

Send a job, with any SQS client:

  . {sh}
  aws --endpoint-url "$ENDPOINT" sqs send-message --queue-url "$URL_SHORTENING_QUEUE_URL" \
    --message-body '{EXAMPLE}'

Read its record:

  aws --endpoint-url "$ENDPOINT" dynamodb scan --table-name "$TABLE"

Read what a function has printed, such as the sweeper:

  aws --endpoint-url "$ENDPOINT" logs filter-log-events --query 'events[].message' --output text \
    --log-group-name "/aws/lambda/$SWEEPER_FUNCTION_NAME"
"#,
        json = workspace.shown(&workspace.stack_json()),
        sh = workspace.shown(&workspace.env_sh()),
    );
}

/// A message that the shortening function takes.
const EXAMPLE: &str = r#"{"version": 1, "type": "url_shortening", "payload": {"destination": "https://www.example.com/new/1M8GDM9AXKP042788", "dealer_slug": "example-motors", "vin": "1M8GDM9AXKP042788"}}"#;
