//! Reading a snapshot: which parts, which rows, which columns, in this order, and nothing sooner than needed.
//!
//! ```text
//!  SegmentTable ──scan()──► Filters ──► Layout ──► SegmentScanExec ──execute()──► Selections ──► batches
//!  (DataFusion's            sorted by   parts and  (statistics,                   rows by        decoded
//!   view of a snapshot)     how they    stretches  ordering, limit)               codes, bitmaps late
//!                           are answered by time                                  and blocks
//! ```
//!
//! * `filter`, `bounds`, `ranges`: what predicates mean, without data.
//! * `layout`, `morsels`: which stretches of which parts are read, by whom.
//! * `truth`, `select`, `rows`: which rows pass.
//! * `column`, `dictionaries`: the way from physical arrays to SQL's types.
//! * `stream`, `exec`, `table`: running it, and what DataFusion sees.
//!
//! Invariants: a filter that was accepted is applied in full, with SQL's three-valued logic; each row of the
//! snapshot comes out at most once; only `visible()` rows do. Aggregation is not done here, but the seam for it
//! is: `stream::Selected` names rows and hands columns out as codes.

mod bounds;
pub(crate) mod column;
pub(crate) mod dictionaries;
mod exec;
pub(crate) mod filter;
pub(crate) mod layout;
pub(crate) mod morsels;
mod ranges;
pub(crate) mod rows;
mod select;
pub(crate) mod stream;
mod table;
mod truth;

#[cfg(test)]
pub(crate) mod tests;

pub use dictionaries::Dictionaries;
pub use exec::{ScanSummary, SegmentScanExec};
pub use select::PostingsUse;
pub use table::{MULTI_VALUE, ScanOptions, SegmentTable, sql_schema, sql_type};
