//! The demo, the experiments, the drill and the chaos test. Each brings up a local stack (`xtask::local`), does
//! something to it, and judges what became of it.
//!
//! [`run`] is the demo: it replays an incident. In reading order: `incident` (the jobs, what is sent
//! and what breaks), `scene` (where to send and where to look), `replay` (sends and breaks in real
//! time), `progress` (the display meanwhile), `verdict` (compares the result with what was asked
//! for) and `report`. [`experiment`] holds the experiments, [`drill`] breaks a stack for people to
//! mend, [`chaos`] breaks one at random and judges by [`accounts`] what became of the jobs,
//! [`two_stacks`] shows two stacks side by side, [`screenshots`] takes those of README.md, and [`soak`] leaves a
//! dashboard open for an hour.
//! `forwarder` stands between the functions and AWS for the drill and for chaos, and sends their calls on by
//! [`upstream`].

#![allow(clippy::doc_markdown, reason = "MiniStack, DynamoDB and their like are names in prose")]

pub mod accounts;
pub mod chaos;
pub mod drill;
pub mod experiment;
mod forwarder;
mod incident;
mod progress;
mod replay;
mod report;
pub mod run;
mod scene;
pub mod screenshots;
pub mod soak;
pub mod two_stacks;
pub mod upstream;
mod verdict;
mod victim;
