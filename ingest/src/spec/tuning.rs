//! `tuningConfig`: when rows are published, and what is remembered of bad ones.

use ovate_storage::time::{Period, Zone};
use serde_json::{Map, Value};

use super::data::{long, optional_long, text, truth};
use crate::error::SpecError;

/// The tuning keys that have an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TuningConfig {
    /// Bytes in memory after which rows are published; `None` leaves it to the store.
    pub bytes_in_memory_max: Option<usize>,
    /// Rows of one segment after which all rows are published.
    pub rows_per_segment_max: usize,
    /// Rows of all segments together after which they are published.
    pub total_rows_max: usize,
    /// Rows are published at least this often.
    pub intermediate_handoff_period_ms: i64,
    /// What to do when Kafka no longer has the offset to read next: go on from what it has (`true`), or stop.
    pub reset_offset_automatically: bool,
    /// Whether bad rows are logged.
    pub log_parse_exceptions: bool,
    /// Bad rows kept for inspection.
    pub saved_parse_exceptions_max: usize,
}

/// Druid's default of `maxTotalRows`.
const TOTAL_ROWS_MAX: i64 = 20_000_000;

impl TuningConfig {
    pub(super) fn read(spec: &Map<String, Value>, path: &str) -> Result<Self, SpecError> {
        let period = text(spec, "intermediateHandoffPeriod");
        let intermediate_handoff_period_ms =
            Period::parse(&period).ok().and_then(|period| period.fixed_ms(Zone::UTC)).ok_or_else(|| {
                let reason = format!("{period} has no fixed length; give days or less");
                SpecError::invalid(format!("{path}.intermediateHandoffPeriod"), reason)
            })?;
        let bytes = long(spec, "maxBytesInMemory");
        Ok(Self {
            bytes_in_memory_max: (bytes > 0).then_some(bytes as usize),
            rows_per_segment_max: long(spec, "maxRowsPerSegment") as usize,
            total_rows_max: optional_long(spec, "maxTotalRows").unwrap_or(TOTAL_ROWS_MAX) as usize,
            intermediate_handoff_period_ms,
            reset_offset_automatically: truth(spec, "resetOffsetAutomatically"),
            log_parse_exceptions: truth(spec, "logParseExceptions"),
            saved_parse_exceptions_max: long(spec, "maxSavedParseExceptions") as usize,
        })
    }
}
