//! Supervisors against librdkafka's own mock cluster: real clients and the real protocol, in this process.
//!
//! One binary, because each that links this crate is large. The mock cluster neither hides aborted transactions nor
//! deletes topics; what depends on those is tested against a real broker, end to end.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
mod disks;
mod reading;
mod setup;
mod trouble;
