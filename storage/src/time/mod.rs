//! Time as Druid understands it: milliseconds since the epoch, half-open intervals, ISO periods, granularities.
//!
//! The calendar lives here because time chunks are a storage concept; SQL's time functions and the ingestion
//! spec's granularities use the same code, so a bucket means the same everywhere.
//!
//! Nothing here reads a clock, and nothing fails on a number: every function is total over `i64`, and results
//! that would lie beyond it saturate. Only texts can be wrong, which gives a [`TimeError`] or `None`.

pub mod civil;
mod error;
mod granularity;
mod interval;
pub mod joda;
pub mod parse;
mod period;
mod zone;

pub use error::TimeError;
pub use granularity::Granularity;
pub use interval::{Interval, format_instant, format_instant_in, write_instant};
pub use joda::JodaPattern;
pub use period::Period;
pub use zone::Zone;
