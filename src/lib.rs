//! Ovate: an embedded columnar time-series store that speaks Apache Druid.
//!
//! This crate is the library: open a store, feed it batches, ask it in Druid SQL, all in one process. The binary
//! `ovate` puts Kafka in front of it and Druid's HTTP API behind it.
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{AsArray, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
//! use arrow::datatypes::Int64Type;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let database = ovate::Database::open(folder.path())?;
//!
//! // Rows are visible as soon as `append` returns, and durable as soon as `publish` does.
//! let batch = RecordBatch::try_from_iter([
//!     ("__time", Arc::new(TimestampMillisecondArray::from(vec![0, 60_000, 90_000])) as _),
//!     ("door", Arc::new(StringArray::from(vec!["north", "south", "north"])) as _),
//!     ("seconds_open", Arc::new(Float64Array::from(vec![1.5, 2.0, 4.0])) as _),
//! ])?;
//! database.append("doors", &batch)?;
//!
//! let answer = database.sql(
//!     "SELECT TIME_FLOOR(__time, 'PT1M') AS t, COUNT(*) AS n FROM doors GROUP BY 1 ORDER BY 1",
//! )?;
//! let counts: Vec<i64> = answer
//!     .batches
//!     .iter()
//!     .flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec())
//!     .collect();
//! assert_eq!(counts, [1, 2]);
//!
//! database.publish("doors")?;
//! # Ok(())
//! # }
//! ```

mod embed;

pub use embed::{Answer, Database, DatabaseError};
pub use ovate_ingest as ingest;
pub use ovate_query as query;
pub use ovate_storage as storage;
