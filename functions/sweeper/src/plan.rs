//! What is due, and what to do about it: plain functions of what was seen.

pub mod audit;
pub mod balance;
pub mod forecast;
pub mod observation;
pub mod redrive;
pub mod release;
pub mod rescue;

#[cfg(test)]
pub(crate) mod test_records;
