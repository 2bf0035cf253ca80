//! What the job types of car dealers share: identification numbers, the names of short links, and the
//! table of vehicles. The engine knows none of it.

pub mod dynamo;
pub mod slashtag;
pub mod vehicles;
pub mod vin;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
