//! The decisions of the passes: pure functions from what a pass has read to what it does.

pub mod audit;
pub mod balance;
pub mod dead_letter;
pub mod forecast;
pub mod history;
pub mod observation;
pub mod operate;
pub mod redrive;
pub mod release;
pub mod rescue;

#[cfg(test)]
pub(crate) mod test_records;
