//! Druid's SQL functions for DataFusion.
//!
//! ```text
//!  SQL ── planner (the query crate) ──► scalar call ──► spec: check, convert ──► kernel in time/, text/, number/
//!                                 └──► aggregate call ──► aggregate/
//! ```
//!
//! # What holds
//! * NULL in, NULL out, unless a function says otherwise.
//! * A conversion that fails gives NULL; a wrong literal (a period, a zone, a pattern) is refused while planning,
//!   as a [`FunctionError`] inside [`datafusion::error::DataFusionError::External`].
//! * Nothing reads a clock, a session or the environment: the session's time zone is an argument like any other.
//! * Results are of the types that queries know: `Utf8View`, `Int64`, `Float32`, `Float64`, `Boolean`,
//!   `Timestamp(ms)`, `List<Utf8View>`.
//!
//! Where a function of DataFusion already does what Druid's does, it is not here: `COALESCE`, `NULLIF`, `NVL`,
//! `IFNULL`, `PI`, `COUNT`, `SUM`, `AVG`, `MIN`, `MAX`, `ARRAY_AGG`, `STDDEV…`, `VAR…`, `BIT_…`, `GROUPING` and the
//! window functions.

mod aggregate;
mod args;
mod catalogue;
mod convert;
mod error;
mod number;
mod planner;
mod spec;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub use aggregate::aggregate_functions;
pub use catalogue::{RoutineInfo, catalogue};
pub use error::FunctionError;
pub use planner::FunctionSyntax;
pub use spec::{ArgumentKind, argument_kind};

/// Every scalar function. Names are in lower case, as DataFusion looks them up; register these after DataFusion's
/// own, some of which they replace.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    specs().map(spec::Spec::to_udf).collect()
}

fn specs() -> impl Iterator<Item = &'static spec::Spec> {
    time::specs().chain(text::specs()).chain(number::specs())
}
