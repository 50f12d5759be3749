//! `timestampSpec`: which field holds the time of a row, and how it is written.

use ovate_storage::time::joda::JodaPattern;
use serde_json::{Map, Value};

use super::data::text;
use crate::error::SpecError;

/// How times are written. The names are Druid's.
#[derive(Debug, Clone)]
pub enum TimestampFormat {
    /// ISO 8601, with `T` or a space; digits alone are milliseconds.
    Iso,
    /// Numbers and digits are milliseconds, other texts ISO.
    Auto,
    /// Seconds since the epoch.
    Posix,
    /// Milliseconds since the epoch.
    Millis,
    /// Microseconds since the epoch.
    Micro,
    /// Nanoseconds since the epoch.
    Nano,
    /// Seconds since the epoch, with a fraction.
    Ruby,
    /// A pattern in Joda-Time's letters, such as `yyyy-MM-dd HH:mm:ss`.
    Pattern(JodaPattern),
}

/// The time of a row.
#[derive(Debug, Clone)]
pub struct TimestampSpec {
    /// The input field.
    pub column: String,
    /// How it is written.
    pub format: TimestampFormat,
    /// The time of rows that lack the field; such rows are refused where this is `None`.
    pub missing_value_ms: Option<i64>,
}

impl TimestampSpec {
    pub(super) fn read(spec: &Map<String, Value>, path: &str) -> Result<Self, SpecError> {
        let name = text(spec, "format");
        let format = match name.to_ascii_lowercase().as_str() {
            "iso" => TimestampFormat::Iso,
            "auto" => TimestampFormat::Auto,
            "posix" => TimestampFormat::Posix,
            "millis" => TimestampFormat::Millis,
            "micro" => TimestampFormat::Micro,
            "nano" => TimestampFormat::Nano,
            "ruby" => TimestampFormat::Ruby,
            _ => TimestampFormat::Pattern(JodaPattern::compile(&name).map_err(|error| {
                let known =
                    "iso, auto, posix, millis, micro, nano, ruby or a pattern such as yyyy-MM-dd HH:mm:ss";
                SpecError::invalid(format!("{path}.format"), format!("{error}; expected {known}"))
            })?),
        };
        let missing_value_ms = spec
            .get("missingValue")
            .and_then(Value::as_str)
            .and_then(|text| ovate_storage::time::parse::parse_iso(text, ovate_storage::time::Zone::UTC));
        Ok(Self { column: text(spec, "column"), format, missing_value_ms })
    }
}
