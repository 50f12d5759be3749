//! Supervisors against librdkafka's own mock cluster: real clients and the real protocol, in this process.
//!
//! One binary, because each that links this crate is large. The mock cluster neither hides aborted transactions nor
//! deletes topics; what depends on those is tested against a real broker, end to end.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
#[path = "../../../tests/corpus/mod.rs"]
mod corpus;
mod disks;
#[path = "../../../tests/corpus/fuzz.rs"]
mod fuzz;
mod fuzzed;
#[path = "../../../fuzz/targets/instant.rs"]
mod instant;
#[path = "../../../fuzz/targets/message.rs"]
mod message;
mod reading;
mod setup;
#[path = "../../../fuzz/targets/specification.rs"]
mod specification;
mod trouble;
