//! The engine as its callers see it: statements in, rows and errors out.
//!
//! One binary, because every binary that links DataFusion is large.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
#[path = "../../../tests/corpus/mod.rs"]
mod corpus;
mod data;
#[path = "../../../tests/corpus/fuzz.rs"]
mod fuzz;
mod fuzzed;
mod hostile;
mod losses;
mod multi_value;
mod oracles;
mod overload;
mod plans;
mod recorded;
mod running;
mod semantics;
#[path = "../../../fuzz/targets/statement.rs"]
mod statement;
mod superset;
#[path = "../table/mod.rs"]
mod table;
mod unions;
