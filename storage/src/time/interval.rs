//! Half-open stretches of time, `[start, end)`.

use std::fmt;

use chrono::{DateTime, Datelike, Timelike};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[start_ms, end_ms)`, milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first millisecond inside.
    pub start_ms: i64,
    /// The first millisecond after.
    pub end_ms: i64,
}

impl Interval {
    /// All of time, as Druid bounds it (half of what a `long` holds): the chunk of granularity `ALL`, printed
    /// `-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z`.
    pub const ETERNITY: Self = Self { start_ms: i64::MIN / 2, end_ms: i64::MAX / 2 };

    /// An interval; empty when `end_ms <= start_ms`.
    pub const fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// Whether no millisecond lies inside.
    pub const fn is_empty(self) -> bool {
        self.end_ms <= self.start_ms
    }

    /// Whether `time_ms` lies inside.
    pub const fn contains(self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }

    /// Whether all of `other` lies inside.
    pub const fn covers(self, other: Self) -> bool {
        self.start_ms <= other.start_ms && other.end_ms <= self.end_ms
    }

    /// Whether the two share a millisecond.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start_ms < other.end_ms && other.start_ms < self.end_ms
    }

    /// The stretch inside both; empty when they do not overlap.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self { start_ms: self.start_ms.max(other.start_ms), end_ms: self.end_ms.min(other.end_ms) }
    }
}

/// Writes `time_ms` as Druid does: `2026-11-23T10:00:00.000Z`, with a sign and more digits for years beyond four.
pub fn format_instant(time_ms: i64) -> String {
    // chrono's calendar ends near year 262,143; Druid's bounds of eternity lie outside and are constants.
    if time_ms <= Interval::ETERNITY.start_ms {
        return "-146136543-09-08T08:23:32.096Z".to_owned();
    }
    if time_ms >= Interval::ETERNITY.end_ms {
        return "146140482-04-24T15:36:27.903Z".to_owned();
    }
    let Some(time) = DateTime::from_timestamp_millis(time_ms) else {
        return format!("{time_ms}ms");
    };
    let sign = if time.year() < 0 { "-" } else { "" };
    format!(
        "{sign}{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year().abs(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.timestamp_subsec_millis()
    )
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", format_instant(self.start_ms), format_instant(self.end_ms))
    }
}

/// In the catalog an interval is `[start_ms, end_ms]`: exact for eternity too.
impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.start_ms, self.end_ms).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (start_ms, end_ms) = Deserialize::deserialize(deserializer)?;
        Ok(Self { start_ms, end_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eternity_prints_as_druid_prints_it() {
        assert_eq!(
            Interval::ETERNITY.to_string(),
            "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z"
        );
    }

    #[test]
    fn an_interval_excludes_its_end() {
        let day = Interval::new(0, 86_400_000);
        assert!(day.contains(0) && !day.contains(86_400_000));
        assert!(!day.overlaps(Interval::new(86_400_000, 86_400_001)));
        assert_eq!(day.to_string(), "1970-01-01T00:00:00.000Z/1970-01-02T00:00:00.000Z");
    }
}
