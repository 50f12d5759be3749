//! Time as Druid understands it: milliseconds since the epoch, half-open intervals, ISO periods, granularities.
//!
//! The calendar lives here because time chunks are a storage concept; SQL's time functions and the ingestion
//! spec's granularities use the same code, so a bucket means the same everywhere.

mod granularity;
mod interval;
mod period;

pub use granularity::Granularity;
pub use interval::Interval;
pub use period::{Period, Zone};
