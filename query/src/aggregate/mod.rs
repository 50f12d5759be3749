//! Aggregates on codes: an operator of our own over scans, and the rule that puts it into plans.
//!
//! ```text
//!  Selections ──► chunks ──► keys: codes, buckets, values → ids ──► groups: ids → group ──► accumulators
//!  (the scan)                                                                                   │
//!                 rows ◄── ids → values, once per group ◄── partitions merged by value ◄────────┘
//! ```
//!
//! * `rule`, `plan`: what is taken over, and what is then known before any row.
//! * `exec`, `partial`: running it, partition by partition.
//! * `cache`: groups of rows that never change, remembered.
//! * `floats`: which numbers are one value, here and in DataFusion's operators.
//! * `chunk`: some rows at hand, and what expressions give for them.
//! * `keys`, `values`, `groups`, `table`: from rows to groups; `packed`: the short way there.
//! * `accumulate`, `counts`, `folds`: what is known of each group.
//! * `leading`: groups that cannot be among the first of an order never become rows.
//! * `weights`: rows that are only counted, a combination of codes at a time.
//!
//! Invariants: results, their types and their NULLs are those of DataFusion's own aggregation. Memory is taken from the
//! pool, and a statement fails when there is none left: nothing is spilled.
//! Left out: rows that are counted without GROUP BY, which the scan does by itself; DISTINCT; grouping sets.

mod accumulate;
mod cache;
mod chunk;
mod counts;
mod exec;
mod floats;
mod folds;
mod groups;
mod keys;
mod leading;
mod packed;
mod partial;
mod plan;
mod rule;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod weights;

pub(crate) use cache::{CacheUse, PartialCache};
pub(crate) use exec::CodedAggregateExec;
pub(crate) use rule::CodedAggregates;
