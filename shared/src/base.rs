//! The foundation of all other modules: time, random numbers, hashes, secrets, configuration.

pub mod config;
pub mod gather;
pub mod hash;
pub mod mutants;
pub mod random;
pub mod secret;
pub mod time;
