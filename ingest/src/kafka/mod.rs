//! The Kafka side: one consumer per supervisor, told exactly which partitions to read from which offset.
//!
//! ```text
//!  specification ─► settings ─► Stream (librdkafka) ─► batches of messages ─► supervisor
//!                                  └─► Contact: which brokers answer, how far the stream reaches
//! ```
//!
//! Consumer groups play no part: partitions are assigned with offsets, nothing is ever committed to Kafka. Offsets
//! are the store's, committed in one transaction with the rows they cover. Left out: what offsets mean for the
//! rows (the supervisor decides where to start), and decoding.

mod contact;
mod identity;
mod settings;
mod stream;
mod topic_id;

pub(crate) use identity::{Mismatch, compare, tells_less};
pub(crate) use settings::consumer_settings;
pub(crate) use stream::{BatchLimits, Explained, Stream, StreamError, Watermarks};
