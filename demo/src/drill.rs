//! The drill: five of twelve faults, drawn by a seed, strike a local stack, and a person finds and mends them with
//! `evenkeel`.
//!
//! In reading order: `fault` (what can be drawn, and the answers), `ground` (what a drill acts on), `strike` (how each
//! fault strikes, and how a look tells that it is mended), `gate` (lets the tables throttle), `load` (the jobs
//! meanwhile), `questions` (asks a drill that runs) and `self_test` (every fault, found and mended by its answer).
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod fault;
mod gate;
mod ground;
mod load;
mod questions;
mod self_test;
mod strike;

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use xtask::local::{Hold, Options, Stack};
use xtask::termination;
use xtask::workspace::Workspace;

use fault::{Card, Fault, Step, shown};
use gate::Gate;
use ground::Ground;
use questions::{Asked, Desk};

pub use questions::Question;

/// What kind of drill.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Determines the faults and their order.
    pub seed: u64,
    /// End after so many minutes; never if none are given.
    pub minutes: Option<u64>,
    /// Strike all faults one after the other, and mend each as its answer says.
    pub self_test: bool,
}

type End<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Brings a stack up, strikes, and holds it up until a signal asks for its end, or the time is over. Prints the answer
/// at the end. Returns false if a fault is not mended then.
pub async fn run(workspace: &Workspace, drill: Drill) -> Result<bool> {
    let Some(_hold) = Hold::take(workspace)? else {
        bail!("expected no stack to be up: `cargo xtask down` ends it");
    };
    let mut end: End<'_> = Box::pin(termination::requested());
    println!("Starting the servers …");
    let gate = Gate::start().await?;
    let options = Options { functions_endpoint: Some(gate.url()), ..Options::default() };
    let stack = tokio::select! {
        stack = Stack::start(workspace, &options) => stack?,
        asked = &mut end => return asked.map(|()| false),
    };
    gate.forward_to(stack.client().endpoint());
    let done = on_stack(workspace, &stack, &gate, drill, end).await;
    println!("\nEnding the stack …");
    let stopped = stack.stop().await;
    let good = done?;
    stopped.map(|()| good)
}

/// Asks the drill that runs in this checkout, and prints its answer. Fails if none does.
pub async fn ask(workspace: &Workspace, question: Question) -> Result<bool> {
    print!("{}", questions::put(workspace, question).await?);
    Ok(true)
}

async fn on_stack(
    workspace: &Workspace,
    stack: &Stack,
    gate: &Gate,
    drill: Drill,
    end: End<'_>,
) -> Result<bool> {
    stack.publish(workspace)?;
    let ground = Ground::of(workspace, stack, gate).await?;
    let (_desk, mut asked) = Desk::open(workspace).await?;
    let played = async {
        if drill.self_test {
            tokio::select! {
                tested = self_test::run(&ground) => tested,
                asked = end => asked.map(|()| false),
            }
        } else {
            play(&ground, drill, &mut asked, end).await
        }
    };
    tokio::select! {
        played = played => played,
        ended = load::trickle(&ground) => match ended? {},
    }
}

/// Strikes, answers questions until the end, and prints the answer.
async fn play(
    on: &Ground<'_>,
    drill: Drill,
    asked: &mut Receiver<Asked>,
    mut end: End<'_>,
) -> Result<bool> {
    let faults = Fault::drawn(drill.seed);
    for fault in &faults {
        tokio::select! {
            struck = fault.strike(on) => struck?,
            ended = &mut end => return ended.map(|()| false),
        }
    }
    introduce(faults.len());
    let questions = answer_questions(on, &faults, asked, end);
    match drill.minutes {
        Some(minutes) => {
            // The end of the time is no failure.
            timeout(Duration::from_mins(minutes), questions).await.unwrap_or(Ok(()))?;
        }
        None => questions.await?,
    }
    let mended = mended(on, &faults).await?;
    println!("\n{}", answer(&faults, &mended));
    Ok(mended.iter().all(|mended| *mended))
}

/// Answers until the end is asked for.
async fn answer_questions(
    on: &Ground<'_>,
    faults: &[Fault],
    asked: &mut Receiver<Asked>,
    mut end: End<'_>,
) -> Result<()> {
    loop {
        let next = tokio::select! {
            next = asked.recv() => next,
            ended = &mut end => return ended,
        };
        let Some(Asked { question, answer: to }) = next else { return Ok(()) };
        let mended = mended(on, faults).await?;
        let text = match question {
            Question::Check => check(&mended),
            Question::Reveal => answer(faults, &mended),
        };
        // Whoever has asked may have gone.
        let _ = to.send(text);
    }
}

async fn mended(on: &Ground<'_>, faults: &[Fault]) -> Result<Vec<bool>> {
    let mut mended = Vec::new();
    for fault in faults {
        mended.push(fault.is_mended(on).await?);
    }
    Ok(mended)
}

fn introduce(count: usize) {
    println!(
        "\nA stack is up, jobs flow, and {count} things are wrong with it. Find and mend them with \
         `evenkeel`:

  cargo install --path cli
  evenkeel health

The command finds this stack by itself. What is not the stack's own is mended where it is:

  source target/local/env.sh                  for the AWS CLI, as in docs/troubleshooting.md
  curl \"$SANDBOX/control/settings\"            Rebrandly's account: keys, plan, speed; PUT changes it
  curl \"$SANDBOX/control/sites\"               the dealers' sites; PATCH of /control/sites/SITE changes one

  cargo xtask drill --check                   how many are mended
  cargo xtask drill --reveal                  what they are

Ctrl-C, or `cargo xtask down`, ends the drill."
    );
}

/// How many are mended, without which.
fn check(mended: &[bool]) -> String {
    let mut text = String::new();
    for (place, mended) in mended.iter().enumerate() {
        let state = if *mended { "mended" } else { "not mended yet" };
        // Writing to a text never fails.
        let _ = writeln!(text, "fault {}: {state}", place + 1);
    }
    text
}

/// What was wrong, how it is found, and how it is mended.
fn answer(faults: &[Fault], mended: &[bool]) -> String {
    let mut text = String::new();
    for (place, (fault, mended)) in faults.iter().zip(mended).enumerate() {
        let Card { what, find, mend, row, .. } = fault.card();
        let state = if *mended { "mended" } else { "NOT MENDED" };
        // Writing to a text never fails.
        let _ = writeln!(text, "{}. {what} ({state})", place + 1);
        for words in find {
            let _ = writeln!(text, "     find   {}", shown(words));
        }
        for step in mend {
            let _ = match step {
                Step::Evenkeel(words) => writeln!(text, "     mend   {}", shown(words)),
                Step::Outside(what) => writeln!(text, "     mend   {what}"),
            };
        }
        let _ = writeln!(text, "     docs/troubleshooting.md, the row {row}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_tells_how_far_one_is_and_names_no_fault() {
        assert_eq!(check(&[true, false]), "fault 1: mended\nfault 2: not mended yet\n");
    }

    #[test]
    fn the_answer_names_each_fault_and_its_commands() {
        let text = answer(&[Fault::ForgottenBreaker, Fault::RevokedKey], &[false, true]);
        assert!(text.contains("forgot it (NOT MENDED)"), "{text}");
        assert!(text.contains("mend   evenkeel breaker auto rebrandly --reason"), "{text}");
        assert!(
            text.contains("key was revoked: jobs are parked, and the breaker is open (mended)")
        );
    }
}
