//! The sandbox as a process of its own.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use sandbox::{Sandbox, Settings};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Plays the third parties on 127.0.0.1, and prints `{"url": …}` when it is ready.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A key to let in; may be given several times. Without any it is "local-key".
    #[arg(long = "api-key", value_name = "KEY")]
    api_keys: Vec<String>,
    /// Exit when standard input ends, and so with the command that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone as well there is nobody left to tell.
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
/// A plain thread: tokio's reader would keep the runtime from ending until the next line came in.
fn end_of_input() -> oneshot::Receiver<()> {
    let (open, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut chunk = [0; 512];
        // An error ends the input as surely as its end does.
        while input.read(&mut chunk).is_ok_and(|count| count > 0) {}
        drop(open);
    });
    ended
}
