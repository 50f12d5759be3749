//! The API as clients meet it: the whole router over a real store, engine and supervisor manager, compared with
//! exchanges that were recorded from a Druid 33 (`tests/recorded`).

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod care;
#[path = "../../../tests/corpus/mod.rs"]
mod corpus;
mod hostile;
mod life;
mod recorded;
mod same_as_druid;
mod serving;
mod world;
