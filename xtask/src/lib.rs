//! Every development command of the project, and the local stack that its tests run on.
//!
//! `main.rs` reads the command line; the commands are [`check`], [`suite`], [`up`], [`down`],
//! [`demo`] and [`experiment`].
//! Under them lie, in reading order: [`local`] (MiniStack, the sandbox and our template on top of
//! them), [`artifact`] (the functions' binaries), [`template`], [`venv`] (pinned Python tools),
//! [`aws`] (the few calls that they and the tests need, without an SDK), [`process`] and [`tool`]
//! (other programs), [`workspace`] and [`environment`].

#![allow(clippy::doc_markdown, reason = "MiniStack, DynamoDB and their like are names in prose")]

pub mod artifact;
pub mod aws;
pub mod check;
pub mod demo;
pub mod down;
pub mod environment;
pub mod experiment;
pub mod local;
pub mod process;
pub mod suite;
pub mod template;
pub mod tool;
pub mod up;
pub mod venv;
mod victim;
pub mod workspace;
