//! Druid's native expression language: transforms of ingestion specs, filters of type `expression`, virtual columns.
//!
//! ```text
//!  "regexp_extract(location, '^\\d+')"          {"type": "selector", …}
//!        │ token, parse                                │ filter
//!        ▼                                             │
//!       ast ── lower (types, coerce, library, lambda) ─┤
//!        ▼                                             ▼
//!     DataFusion Expr ◄────────────────────────────────┘
//!        │ compiled
//!        ▼
//!     CompiledExpr: RecordBatch ──► array
//! ```
//!
//! # What holds
//! * Types are decided once, against a schema, where Druid looks at each row's own values.
//! * Results depend on nothing but the row: there is no clock and no randomness. So an expression over one string
//!   column may be evaluated once per distinct value, and reading a message again gives the same row.
//! * NULL is SQL's. Conditions are 1 and 0.
//! * Evaluation does not fail on a value. Where Java throws for one row (whole number by zero, text that is no time),
//!   the result is NULL: one row must not stop a stream. What is wrong with the expression itself is said when it is
//!   compiled, with the place.
//! * Text is bounded ([`LENGTH_MAX`]), so is nesting ([`DEPTH_MAX`]); patterns match in linear time.
//!
//! # What is left out
//! JSON values, sketches, lookups, `fold`; each is refused by its name.

pub mod ast;
mod coerce;
mod compiled;
pub mod convert;
mod error;
pub mod filter;
mod kernel;
mod lambda;
pub(crate) mod library;
mod lower;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod types;

use arrow::datatypes::Schema;
use datafusion::logical_expr::Expr;

pub use ast::Node;
pub use coerce::{Number, double_text, float_text, parse_double, parse_float, parse_long, parse_number};
pub use compiled::CompiledExpr;
pub use error::{ExpressionError, Position};
pub use filter::{CompiledFilter, Filter, FilterError};
pub use library::functions;
pub use parse::{DEPTH_MAX, LENGTH_MAX, parse};
pub use types::{ElementType, NativeType};

/// The DataFusion expression of `node` over the columns of `schema`, and its type: what a virtual column is.
pub fn to_expr(node: &Node, schema: &Schema) -> Result<(Expr, NativeType), ExpressionError> {
    let typed = lower::lower_value(node, schema)?;
    Ok((typed.expr, typed.ty.native()))
}

/// The DataFusion condition that `node` states over the columns of `schema`; NULL where `node` is NULL.
pub fn to_condition(node: &Node, schema: &Schema) -> Result<Expr, ExpressionError> {
    lower::lower_condition(node, schema)
}
