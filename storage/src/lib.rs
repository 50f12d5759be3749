//! The store of Ovate: what a datasource's rows are made of, in memory and on disk.
//!
//! ```text
//!  RowBatch ──► Writer ──► hot index ──publish──► segment files ──► catalog (one commit)
//!                │            │                     ▲  │
//!                └── Progress │              compact └──┤
//!                             └──────► Snapshot ◄───────┘  ──► queries
//! ```
//!
//! * [`dictionary`], [`rows`], [`hot`]: rows that just arrived, columnar, visible as soon as they are appended.
//! * [`segment`]: immutable files of one time chunk, served from the page cache.
//! * [`timeline`]: which segment answers for which stretch of time.
//! * [`catalog`]: the one commit point: segments and the stream offsets they cover change in one transaction.
//! * [`store`], [`datasource`], [`snapshot`]: how the pieces meet, and what a query sees.
//! * [`compaction`], [`retention`]: which small segments are merged into large ones, and which are kept.
//! * [`verify`], [`backup`], [`export`]: whether everything is there, a second copy of it, and rows for others.
//! * [`time`]: intervals, periods, granularities.
//! * [`disk`]: the file system, as the order of writes that a crash must respect.
//! * [`fail_point`]: places at which tests end the process.
//!
//! The crate knows neither Kafka nor SQL nor HTTP, reads no clock and no environment: times are given by the
//! caller, so that every state it can reach can be reached in a test.

#![deny(unsafe_code)]

pub mod backup;
pub mod catalog;
pub mod compaction;
pub mod datasource;
pub mod dictionary;
pub mod disk;
pub mod error;
pub mod export;
pub mod fail_point;
pub mod hot;
mod names;
mod orphans;
pub mod progress;
pub mod retention;
pub mod rows;
pub mod schema;
mod seal;
pub mod segment;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod tests;
mod thaw;
pub mod time;
pub mod timeline;
pub mod verify;

pub use backup::BackupReport;
pub use catalog::{Catalog, RuleChange, SegmentRecord};
pub use compaction::CompactionOptions;
pub use datasource::{Compacted, Datasource, Published, Quarantined, Selection};
pub use dictionary::{Dictionary, NULL_CODE};
pub use error::{Result, StorageError};
pub use export::ExportReport;
pub use hot::Writer;
pub use progress::{PartitionKey, Progress, StreamIdentity};
pub use retention::{DEFAULT_RULES, Rule};
pub use rows::{BatchColumn, RowBatch};
pub use schema::{ColumnRole, ColumnSpec, ColumnType, Rollup, TIME_COLUMN, TableSchema};
pub use segment::{BLOCK_ROWS, BlockStats, DecodedColumns, Form, Postings, Scalar};
pub use snapshot::{Part, Snapshot, SnapshotSchema};
pub use store::{Store, StoreOptions};
pub use verify::{Finding, VerifyReport, WorkProgress};
