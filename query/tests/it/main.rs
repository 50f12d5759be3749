//! The engine as its callers see it: statements in, rows and errors out.
//!
//! One binary, because every binary that links DataFusion is large.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod data;
mod multi_value;
mod recorded;
mod running;
mod semantics;
mod superset;
