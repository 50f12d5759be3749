//! Druid's functions for DataFusion, and Druid's native expression language.

// What is fuzzed calls this crate by its name.
#[cfg(test)]
extern crate self as ovate_functions;

#[cfg(test)]
#[path = "../../fuzz/targets/expression.rs"]
mod expression;
#[cfg(test)]
#[path = "../../tests/corpus/fuzz.rs"]
mod fuzz;
pub mod native;
#[cfg(test)]
#[path = "../../fuzz/targets/row.rs"]
mod row;
pub mod sql;
