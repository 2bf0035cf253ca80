//! Every development command of the project, and the local stack that its tests run on.
//!
//! `main.rs` reads the command line; the commands are [`advisories`], [`bench`], [`check`], [`suite`], [`up`], [`down`],
//! [`demo`], [`fuzz`], [`mutants`], [`new`], [`package`], [`page_bench`], [`sam_build`], [`scale`] and [`simulate`].
//! Under them lie, in reading order: [`local`] (MiniStack, the sandbox and our template deployed on them), [`artifact`]
//! (the binaries), [`template`], [`expansion`] and `audit` (what others make of the template), [`venv`] and `cargo_tool`
//! (pinned tools in Python and Rust), [`aws`] (the few calls that the stack and the tests need, without an SDK),
//! [`process`], [`tool`] and [`termination`] (other programs and signals), [`workspace`] and [`environment`].

#![allow(clippy::doc_markdown, reason = "MiniStack, DynamoDB and their like are names in prose")]

pub mod advisories;
pub mod architecture;
pub mod artifact;
mod audit;
pub mod aws;
pub mod bench;
pub mod cargo_lambda;
mod cargo_tool;
pub mod check;
pub mod demo;
pub mod down;
mod elf;
pub mod environment;
pub mod expansion;
mod file;
pub mod fuzz;
pub mod local;
pub mod mutants;
pub mod new;
pub mod package;
pub mod page_bench;
pub mod page_check;
pub mod process;
mod progress;
pub mod sam_build;
pub mod scale;
pub mod simulate;
pub mod stack_name;
pub mod suite;
pub mod template;
pub mod termination;
pub mod tool;
pub mod up;
pub mod venv;
pub mod workspace;
