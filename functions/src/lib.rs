//! Druid's functions for DataFusion, and Druid's native expression language.

#[cfg(test)]
#[path = "../../tests/corpus/fuzz.rs"]
mod fuzz;
pub mod native;
pub mod sql;
