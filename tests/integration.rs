//! The integration crate: one binary, so that the workspace links it once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue fails")]

mod alarms;
mod allowance;
mod bench;
mod break_glass;
mod cars;
mod cases;
mod claim_model;
mod conformance;
mod costs;
mod e2e;
mod engine;
mod every_command;
mod expanded;
mod faults;
mod feeds;
mod follow_results;
mod fuzz;
mod golden;
mod guest;
mod level;
mod links;
mod local_tables;
mod monitoring;
mod operators;
mod pages;
mod parameters;
mod platforms;
mod real_client_sockets;
mod recovery;
mod scale;
mod scaling;
mod scenarios;
mod schema;
mod shortening;
mod simulation;
mod sweeps;
mod template;
mod tidy;
mod variants;
