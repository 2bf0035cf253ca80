//! The command `evenkeel` on a local stack, within the process of the test.

use std::path::PathBuf;

use clap::Parser as _;
use evenkeel::{aws, base::time::SystemClock, http::transport};
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings, Target, args::Cli, aws::AwsPorts, run,
};
use serde_json::Value;
use xtask::{local::Stack, stack_name};

/// Runs a command on the stack of the usual name, and returns its JSON. Panics with its failure.
pub(super) async fn evenkeel(stack: &Stack, words: &[&str]) -> Value {
    let before = ["evenkeel", "--json", "--stack", stack_name::DEFAULT];
    let cli = Cli::parse_from(before.iter().chain(words));
    let environment = std::iter::empty::<(String, String)>().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let client = transport::client().unwrap();
    let config = aws::local::config(client, stack.client().endpoint()).await;
    let connect = async |_: Target| Ok::<_, Failure>(AwsPorts::new(&config));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let stop = Stop::default();
    // On the heap: it holds every command.
    let exit = Box::pin(run(&cli, &surroundings, &SystemClock, &stop, connect, &mut streams)).await;
    assert_eq!(exit, Exit::Done, "{words:?}: {}", String::from_utf8_lossy(&err));
    serde_json::from_slice(&out).unwrap()
}
