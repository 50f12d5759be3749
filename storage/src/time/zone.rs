//! Time zones: where the clock on the wall stands at an instant, and which instant it shows.
//!
//! Names and rules are those of the IANA database as `chrono-tz` carries it. Two rules are Joda-Time's, hence
//! Druid's: a wall-clock time that is skipped when clocks go forward means the same stretch after the change,
//! and one that occurs twice means the first.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::civil::{DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS, day_of_week, is_leap_year, split};
use super::error::TimeError;

/// `chrono-tz` lists changes of offset up to this year. Rules stay as they are afterwards, so later years use the
/// offsets of an earlier year with the same calendar.
const LISTED_UNTIL_YEAR: i64 = 2_090;
/// The years that stand in: 28 in a row hold every calendar there is.
const STAND_IN_FROM_YEAR: i64 = 2_060;

/// A time zone. UTC unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Fixed { offset_ms: i32 },
    Named(Tz),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Kind::Fixed { offset_ms: 0 });

    /// Understands IANA names (`Europe/Zurich`), `UTC`, `Z`, and offsets (`+01:00`, `-0330`, `+01`).
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if matches!(text, "UTC" | "Z" | "Etc/UTC") {
            return Ok(Self::UTC);
        }
        if let Some((offset_ms, "")) = parse_offset(text) {
            return Ok(Self::fixed(offset_ms));
        }
        if let Ok(tz) = Tz::from_str(text) {
            return Ok(Self(Kind::Named(tz)));
        }
        let nearest = Tz::from_str_insensitive(text).ok().map(|tz| tz.name().to_owned());
        Err(TimeError::Zone { text: text.to_owned(), nearest })
    }

    /// A zone that is always `offset_ms` ahead of UTC.
    pub const fn fixed(offset_ms: i32) -> Self {
        Self(Kind::Fixed { offset_ms })
    }

    /// Whether the offset never changes.
    pub const fn is_fixed(self) -> bool {
        matches!(self.0, Kind::Fixed { .. })
    }

    /// How far wall clocks are ahead of UTC at an instant.
    pub fn offset_ms(self, time_ms: i64) -> i64 {
        match self.0 {
            Kind::Fixed { offset_ms } => i64::from(offset_ms),
            Kind::Named(tz) => offset_of(tz, time_ms),
        }
    }

    /// What wall clocks show at an instant, as milliseconds since a local 1970-01-01T00:00.
    pub fn to_local(self, time_ms: i64) -> i64 {
        time_ms.saturating_add(self.offset_ms(time_ms))
    }

    /// The instant at which wall clocks show `local_ms`: the first of two, or as long after a gap as the time lies in it.
    pub fn from_local(self, local_ms: i64) -> i64 {
        self.resolve(local_ms).0
    }

    /// As [`Self::from_local`], but nothing for a wall-clock time that was skipped.
    pub fn from_local_strict(self, local_ms: i64) -> Option<i64> {
        let (time_ms, exists) = self.resolve(local_ms);
        exists.then_some(time_ms)
    }

    fn resolve(self, local_ms: i64) -> (i64, bool) {
        if let Kind::Fixed { offset_ms } = self.0 {
            return (local_ms.saturating_sub(i64::from(offset_ms)), true);
        }
        // No zone changes its offset twice within two days.
        let before = self.offset_ms(local_ms.saturating_sub(DAY_MS));
        let after = self.offset_ms(local_ms.saturating_add(DAY_MS));
        let first = local_ms.saturating_sub(before);
        if before == after || self.offset_ms(first) == before {
            return (first, true);
        }
        let second = local_ms.saturating_sub(after);
        if self.offset_ms(second) == after { (second, true) } else { (first, false) }
    }

    /// The abbreviation in use at an instant: `CET`, `PDT`; the offset where the zone has none.
    pub fn abbreviation(self, time_ms: i64) -> String {
        match self.0 {
            Kind::Fixed { offset_ms: 0 } => "UTC".to_owned(),
            Kind::Fixed { .. } => self.to_string(),
            Kind::Named(tz) => {
                stand_in(tz, time_ms).map_or_else(|| self.to_string(), |offset| offset.to_string())
            }
        }
    }
}

fn offset_of(tz: Tz, time_ms: i64) -> i64 {
    stand_in(tz, time_ms).map_or(0, |offset| i64::from(offset.fix().local_minus_utc()) * SECOND_MS)
}

/// The database's entry for an instant, or for the same day in a year with the same calendar.
fn stand_in(tz: Tz, time_ms: i64) -> Option<<Tz as TimeZone>::Offset> {
    let (days, ms_of_day) = split(time_ms);
    // Before the first year 1 there is only local mean time, whatever the day; chrono's calendar need not reach.
    let days = days.max(-800_000);
    let date = Date::from_days(days);
    let days = if date.year > LISTED_UNTIL_YEAR {
        let first = Date { year: date.year, month: 1, day: 1 }.to_days();
        let same = |year: &i64| {
            is_leap_year(*year) == is_leap_year(date.year)
                && day_of_week(Date { year: *year, month: 1, day: 1 }.to_days()) == day_of_week(first)
        };
        let year = (STAND_IN_FROM_YEAR..STAND_IN_FROM_YEAR + 28).find(same)?;
        Date { year, month: 1, day: 1 }.to_days() + (days - first)
    } else {
        days
    };
    let time = DateTime::from_timestamp_millis(days * DAY_MS + ms_of_day)?.naive_utc();
    Some(tz.offset_from_utc_datetime(&time))
}

/// Reads `±HH`, `±HH:MM`, `±HHMM`, each with optional seconds; gives what follows.
pub(super) fn parse_offset(text: &str) -> Option<(i32, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, mut rest) = two_digits(&text[1..])?;
    let colon = rest.starts_with(':');
    let mut parts = [0; 2];
    for part in &mut parts {
        let next = if colon { rest.strip_prefix(':') } else { Some(rest) };
        let Some((value, after)) = next.and_then(two_digits) else { break };
        *part = value;
        rest = after;
    }
    let [minutes, seconds] = parts;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let ms = i64::from(hours) * HOUR_MS + i64::from(minutes) * MINUTE_MS + i64::from(seconds) * SECOND_MS;
    Some((sign * ms as i32, rest))
}

fn two_digits(text: &str) -> Option<(i32, &str)> {
    match text.as_bytes() {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => {
            Some((i32::from(a - b'0') * 10 + i32::from(b - b'0'), &text[2..]))
        }
        _ => None,
    }
}

/// Writes an offset as `+01:00`, with seconds only where there are some.
pub(super) fn write_offset(out: &mut impl fmt::Write, offset_ms: i64, colon: bool) -> fmt::Result {
    let sign = if offset_ms < 0 { '-' } else { '+' };
    let seconds = offset_ms.abs() / SECOND_MS;
    let colon = if colon { ":" } else { "" };
    write!(out, "{sign}{:02}{colon}{:02}", seconds / 3_600, seconds / 60 % 60)?;
    if seconds % 60 != 0 {
        write!(out, "{colon}{:02}", seconds % 60)?;
    }
    Ok(())
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Fixed { offset_ms: 0 } => f.write_str("UTC"),
            Kind::Fixed { offset_ms } => write_offset(f, i64::from(offset_ms), true),
            Kind::Named(tz) => f.write_str(tz.name()),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

impl FromStr for Zone {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format_instant;

    fn at(year: i64, month: u32, day: u32, hour: i64, minute: i64) -> i64 {
        Date { year, month, day }.to_days() * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS
    }

    #[test]
    fn offsets_are_read_in_every_usual_spelling() {
        for (text, shown) in [
            ("+01:00", "+01:00"),
            ("-0330", "-03:30"),
            ("+05", "+05:00"),
            ("Z", "UTC"),
            ("UTC", "UTC"),
            ("+00:00", "UTC"),
        ] {
            assert_eq!(Zone::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_unknown_zone_is_named_with_the_nearest_right_one() {
        let error = Zone::parse("europe/zurich").unwrap_err().to_string();
        assert!(error.contains("did you mean Europe/Zurich?"), "{error}");
        assert!(Zone::parse("Mars/Phobos").is_err());
        assert!(Zone::parse("+25:00").is_err());
    }

    #[test]
    fn a_skipped_time_means_as_long_after_the_change() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(format_instant(zurich.from_local(at(2026, 3, 29, 2, 30))), "2026-03-29T01:30:00.000Z");
        assert_eq!(zurich.from_local_strict(at(2026, 3, 29, 2, 30)), None);
    }

    #[test]
    fn a_time_that_occurs_twice_means_the_first() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(format_instant(zurich.from_local(at(2026, 10, 25, 2, 30))), "2026-10-25T00:30:00.000Z");
    }

    #[test]
    fn summer_time_goes_on_beyond_the_listed_years() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        for year in [2089, 2090, 2091, 2099, 2100, 2101, 2500, 9999, 100_000] {
            assert_eq!(zurich.offset_ms(at(year, 7, 1, 0, 0)), 2 * HOUR_MS, "{year}");
            assert_eq!(zurich.offset_ms(at(year, 1, 1, 0, 0)), HOUR_MS, "{year}");
        }
        assert_eq!(zurich.offset_ms(i64::MIN), zurich.offset_ms(at(1, 1, 1, 0, 0)));
    }
}
