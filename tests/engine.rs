//! Runs the engine on simulated services, with a job type that does what its payload says.

mod batch;
mod claims;
mod crashes;
mod damaged_records;
mod ends;
mod gates;
mod journal;
mod life;
mod log_bytes;
mod outages;
mod panics;
mod slots;
mod traces;
mod versions;
