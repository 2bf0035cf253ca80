//! What the job types for car dealers share: VINs, addresses, the words of availability, literals of scripts, the budget
//! for reading texts and the thread for long ones, the slashtags of short links, the link that is kept for a car, and the
//! table of vehicles. The engine crate does not depend on it.

pub mod address;
pub mod availability;
pub mod budget;
pub mod dynamo;
pub mod link;
pub mod literal;
pub mod long_text;
pub mod slashtag;
pub mod vehicles;
pub mod vin;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
