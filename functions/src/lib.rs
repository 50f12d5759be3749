//! Druid's functions for DataFusion, and Druid's native expression language.

pub mod native;
pub mod sql;
