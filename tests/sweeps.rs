//! Runs the sweeper and the real engine on tables and queues in memory, in virtual time. The
//! scenarios have jobs that are stuck, lost, parked, dead or expired.

mod capacity;
mod cleanup;
mod drain;
mod faults;
mod properties;
mod recovery;
mod world;
