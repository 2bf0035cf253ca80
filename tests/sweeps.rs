//! The sweeper over tables and queues in memory, beside the real engine, in virtual time: a world with
//! one of everything that can be stuck, lost, parked, dead or old.

mod capacity;
mod cleanup;
mod drain;
mod faults;
mod properties;
mod recovery;
mod world;
