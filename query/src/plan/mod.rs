//! From syntax tree to physical plan.
//!
//! ```text
//! tree ─► DataFusion's planner with our names, functions and types (context, types)
//!      ─► semantics: casts, times, floats and texts as Druid treats them
//!      ─► output: columns as clients see them ─► analyzer (safe_cast) ─► optimizer ─► physical plan
//! ```
//!
//! [`blame`] turns the planner's complaints into Druid's, with the place in the text.

pub(crate) mod blame;
pub(crate) mod casts;
pub(crate) mod context;
pub(crate) mod explain;
pub(crate) mod multi_value;
pub(crate) mod operators;
pub(crate) mod output;
pub(crate) mod safe_cast;
pub(crate) mod semantics;
pub(crate) mod types;
