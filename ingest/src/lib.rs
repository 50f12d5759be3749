//! Supervisors, Kafka, JSON decoding and transforms: a message becomes rows of a datasource.
//!
//! ```text
//!  SupervisorManager ──► one thread per supervisor:
//!     Kafka ──► kafka::Stream ──► pipeline::Pipeline ──► storage::Writer ──► visible
//!                                                            └─ publish ──► segments + offsets, one commit
//! ```
//!
//! * [`spec`]: Druid's Kafka supervisor specification: checked, typed, given back as Druid gives it back.
//! * [`pipeline`]: bytes of messages to columns of rows.
//! * `kafka`: one consumer per supervisor, told what to read from where.
//! * [`supervisor`]: who reads what, since when, how far; when rows are published; what goes wrong.
//!
//! The crate knows neither SQL nor HTTP. Status, statistics and tasks are handed out in the shapes in which Druid's
//! API gives them.

#[cfg(test)]
#[path = "../../tests/corpus/mod.rs"]
mod corpus;
pub mod error;
mod kafka;
pub mod pipeline;
pub mod spec;
pub mod supervisor;

pub use error::{IngestError, SpecError};
pub use supervisor::{IngestOptions, OffsetPolicy, SupervisorManager};
