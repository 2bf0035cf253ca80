//! Runs the sandbox as a separate process.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use sandbox::{Sandbox, Settings};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Serves the fake third parties on 127.0.0.1, and prints `{"url": …}` when it is ready.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// An API key to accept; may be given several times. The default is "local-key".
    #[arg(long = "api-key", value_name = "KEY")]
    api_keys: Vec<String>,
    /// Exit when standard input ends, so that the sandbox stops with the command that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed too, the error cannot be reported.
            let _ = writeln!(io::stderr(), "sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut settings = Settings::default();
    if !arguments.api_keys.is_empty() {
        settings.api_keys = arguments.api_keys;
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start_with(arguments.port, settings).await?;
    announce(&sandbox.url())?;
    let (_open, never) = oneshot::channel();
    let input_ended = if arguments.exit_with_stdin { end_of_input() } else { never };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = input_ended => {}
    }
    sandbox.shutdown().await;
    Ok(())
}

fn announce(url: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", json!({ "url": url }))?;
    output.flush()
}

/// Resolves when standard input ends.
///
/// It reads on a plain thread: tokio's reader would keep the runtime alive until the next line
/// arrives.
fn end_of_input() -> oneshot::Receiver<()> {
    let (open, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut chunk = [0; 512];
        // A read error counts as the end of the input.
        while input.read(&mut chunk).is_ok_and(|count| count > 0) {}
        drop(open);
    });
    ended
}
