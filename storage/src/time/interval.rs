//! Half-open stretches of time, `[start, end)`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::civil::{Date, HOUR_MS, MINUTE_MS, SECOND_MS, split};
use super::error::TimeError;
use super::parse::parse_iso;
use super::period::Period;
use super::zone::{Zone, write_offset};

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

    /// Reads `START/END`, `START/PERIOD` or `PERIOD/END`, times and periods in ISO-8601; `zone` is that of times
    /// without an offset.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, TimeError> {
        let invalid = |reason: &str| TimeError::Interval { text: text.to_owned(), reason: reason.to_owned() };
        let time = |part: &str| {
            parse_iso(part, zone).ok_or_else(|| invalid(&format!("{part:?} is no ISO-8601 time")))
        };
        let is_period = |part: &str| part.starts_with(['P', 'p']);
        let (left, right) = text.split_once('/').ok_or_else(|| invalid("there is no / in it"))?;
        let interval = match (is_period(left), is_period(right)) {
            (false, false) => Self::new(time(left)?, time(right)?),
            (false, true) => {
                let start_ms = time(left)?;
                Self::new(start_ms, Period::parse(right)?.add(start_ms, 1, zone))
            }
            (true, false) => {
                let end_ms = time(right)?;
                Self::new(Period::parse(left)?.add(end_ms, -1, zone), end_ms)
            }
            (true, true) => return Err(invalid("one side must be a time")),
        };
        if interval.end_ms < interval.start_ms {
            return Err(invalid("it ends before it starts"));
        }
        Ok(interval)
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
    format_instant_in(time_ms, Zone::UTC)
}

/// Writes `time_ms` on the wall clock of a zone, with its offset: `2026-11-23T11:00:00.000+01:00`.
pub fn format_instant_in(time_ms: i64, zone: Zone) -> String {
    let mut text = String::with_capacity(29);
    // Writing into a String does not fail.
    let _ = write_instant(&mut text, time_ms, zone);
    text
}

/// As [`format_instant_in`], at the end of a buffer that is used again.
pub fn write_instant(out: &mut impl fmt::Write, time_ms: i64, zone: Zone) -> fmt::Result {
    let offset_ms = zone.offset_ms(time_ms);
    let (days, ms) = split(time_ms.saturating_add(offset_ms));
    let Date { year, month, day } = Date::from_days(days);
    let sign = if year < 0 { "-" } else { "" };
    write!(
        out,
        "{sign}{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}",
        year.abs(),
        ms / HOUR_MS,
        ms / MINUTE_MS % 60,
        ms / SECOND_MS % 60,
        ms % SECOND_MS
    )?;
    if zone == Zone::UTC { out.write_char('Z') } else { write_offset(out, offset_ms, true) }
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

    #[test]
    fn an_interval_is_read_with_a_period_on_either_side() {
        let day = Interval::parse("2026-11-23/2026-11-24", Zone::UTC).unwrap();
        assert_eq!(Interval::parse("2026-11-23/P1D", Zone::UTC).unwrap(), day);
        assert_eq!(Interval::parse("P1D/2026-11-24", Zone::UTC).unwrap(), day);
        assert_eq!(
            Interval::parse("2026-11-23T10:00/PT5M", Zone::UTC).unwrap().to_string(),
            "2026-11-23T10:00:00.000Z/2026-11-23T10:05:00.000Z"
        );
        for text in ["2026-11-23", "P1D/P1D", "2026-11-24/2026-11-23", "foo/bar", "/"] {
            assert!(Interval::parse(text, Zone::UTC).is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_is_shown_on_the_wall_clock_of_a_zone() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(format_instant_in(1_795_428_000_000, zurich), "2026-11-23T11:00:00.000+01:00");
        assert_eq!(format_instant_in(-4_000_000_000_000, zurich), "1843-03-31T17:27:28.000+00:34:08");
    }

    #[test]
    fn every_instant_can_be_shown() {
        for ms in [i64::MIN, i64::MAX, -1] {
            assert!(format_instant(ms).ends_with('Z'));
        }
    }
}
