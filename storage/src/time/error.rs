//! What is wrong with a text that should have been a period, a zone, a granularity, a pattern or an interval.

use thiserror::Error;

/// A text about time that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Not an ISO-8601 period.
    #[error("invalid period {text:?}: {reason}; write for example P1D, P2W or PT1H30M")]
    Period {
        /// The text given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Neither a zone of the IANA database nor an offset.
    #[error("unknown time zone {text:?}{}", did_you_mean(nearest.as_deref()))]
    Zone {
        /// The text given.
        text: String,
        /// A zone that differs only in case.
        nearest: Option<String>,
    },
    /// Not one of Druid's granularities.
    #[error("invalid granularity {text}: {reason}")]
    Granularity {
        /// The text or JSON given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a pattern that Joda-Time would compile.
    #[error("invalid time pattern {text:?}: {reason}")]
    Pattern {
        /// The pattern given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not an ISO-8601 interval.
    #[error(
        "invalid interval {text:?}: {reason}; write START/END, START/PERIOD or PERIOD/END, \
         for example 2026-01-01/P1D"
    )]
    Interval {
        /// The text given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; write an IANA name such as Europe/Zurich, or an offset such as +01:00".to_owned(),
        |name| format!("; did you mean {name}?"),
    )
}
