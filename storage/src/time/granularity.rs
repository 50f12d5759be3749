//! How time is cut into buckets: `DAY`, `all`, `{"type":"period",…}` and the other spellings of a Druid spec.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::error::TimeError;
use super::interval::{Interval, format_instant};
use super::parse::parse_iso;
use super::period::{Period, floor_multiple};
use super::zone::Zone;

/// A way to cut time into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// One bucket holds everything.
    All,
    /// Every millisecond is its own bucket.
    None,
    /// Buckets of the calendar; see [`Period`].
    Period {
        /// The width of a bucket.
        period: Period,
        /// Where counting starts; the local epoch if not given.
        origin_ms: Option<i64>,
        /// The zone in whose calendar periods are counted.
        zone: Zone,
    },
    /// Buckets of equal elapsed time.
    Duration {
        /// The width of a bucket.
        ms: i64,
        /// Where counting starts.
        origin_ms: i64,
    },
}

/// Druid's names, and the periods they stand for.
const NAMED: [(&str, Period); 14] = [
    ("SECOND", Period::of_seconds(1)),
    ("MINUTE", Period::of_minutes(1)),
    ("FIVE_MINUTE", Period::of_minutes(5)),
    ("TEN_MINUTE", Period::of_minutes(10)),
    ("FIFTEEN_MINUTE", Period::of_minutes(15)),
    ("THIRTY_MINUTE", Period::of_minutes(30)),
    ("HOUR", Period::of_hours(1)),
    ("SIX_HOUR", Period::of_hours(6)),
    ("EIGHT_HOUR", Period::of_hours(8)),
    ("DAY", Period::of_days(1)),
    ("WEEK", Period::of_weeks(1)),
    ("MONTH", Period::of_months(1)),
    ("QUARTER", Period::of_months(3)),
    ("YEAR", Period::of_years(1)),
];

impl Granularity {
    /// One bucket holds everything.
    pub const ALL: Self = Self::All;
    /// Every millisecond is its own bucket.
    pub const NONE: Self = Self::None;

    /// Calendar buckets in UTC from the default origin.
    pub const fn period(period: Period) -> Self {
        Self::Period { period, origin_ms: None, zone: Zone::UTC }
    }

    /// One bucket a day, UTC.
    pub const fn day() -> Self {
        Self::period(Period::of_days(1))
    }

    /// One bucket an hour, UTC.
    pub const fn hour() -> Self {
        Self::period(Period::of_hours(1))
    }

    /// One bucket a minute, UTC.
    pub const fn minute() -> Self {
        Self::period(Period::of_minutes(1))
    }

    /// The bucket that holds `time_ms`.
    pub fn bucket(&self, time_ms: i64) -> Interval {
        match self {
            Self::All => Interval::ETERNITY,
            Self::None => Interval::new(time_ms, time_ms.saturating_add(1)),
            Self::Period { period, origin_ms, zone } => {
                let (start, end) = period.bucket(time_ms, *origin_ms, *zone);
                Interval::new(start, end)
            }
            Self::Duration { ms, origin_ms } => {
                let start = floor_multiple(time_ms, *origin_ms, *ms);
                Interval::new(start, start.saturating_add(*ms))
            }
        }
    }

    /// The start of the bucket that holds `time_ms`.
    pub fn floor(&self, time_ms: i64) -> i64 {
        match self {
            Self::All => Interval::ETERNITY.start_ms,
            Self::None => time_ms,
            Self::Period { period, origin_ms, zone } => period.floor(time_ms, *origin_ms, *zone),
            Self::Duration { ms, origin_ms } => floor_multiple(time_ms, *origin_ms, *ms),
        }
    }

    /// The start of the first bucket that does not begin before `time_ms`.
    pub fn ceil(&self, time_ms: i64) -> i64 {
        let bucket = self.bucket(time_ms);
        if bucket.start_ms == time_ms { time_ms } else { bucket.end_ms }
    }

    /// The width of every bucket where all have the same: then `floor(t) = t - (t - floor(0)).rem_euclid(width)`.
    pub fn fixed_ms(&self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::None => Some(1),
            Self::Period { period, origin_ms: None, zone } => period.fixed_ms(*zone),
            // An origin turns "the calendar's own" hour into multiples of an hour.
            Self::Period { period, origin_ms: Some(_), zone } => {
                period.fixed_ms(*zone).or_else(|| period.fixed_ms_from_origin(*zone))
            }
            Self::Duration { ms, .. } => Some(*ms),
        }
    }

    /// The zone in which bucket starts are shown.
    pub fn zone(&self) -> Zone {
        match self {
            Self::Period { zone, .. } => *zone,
            _ => Zone::UTC,
        }
    }

    /// Reads one of Druid's names, in any case.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let upper = text.trim().to_ascii_uppercase();
        match upper.as_str() {
            "ALL" => return Ok(Self::All),
            "NONE" => return Ok(Self::None),
            _ => {}
        }
        let named = NAMED.iter().find(|(name, _)| *name == upper);
        named.map(|(_, period)| Self::period(*period)).ok_or_else(|| TimeError::Granularity {
            text: format!("{text:?}"),
            reason: "the names are all, none, second, minute, five_minute, ten_minute, fifteen_minute, \
                     thirty_minute, hour, six_hour, eight_hour, day, week, month, quarter and year"
                .to_owned(),
        })
    }

    /// Reads a granularity as it stands in a specification or a query: a name or an object with a `type`.
    pub fn from_json(value: &Value) -> Result<Self, TimeError> {
        let object = match value {
            Value::String(name) => return Self::parse(name),
            Value::Object(object) => object,
            _ => return Err(invalid(value, "expected a name or an object")),
        };
        match object.get("type").and_then(Value::as_str) {
            Some("all") => Ok(Self::All),
            Some("none") => Ok(Self::None),
            Some("period") => Self::period_from_json(value, object),
            Some("duration") => Self::duration_from_json(value, object),
            Some(_) | None => Err(invalid(value, "the types are all, none, period and duration")),
        }
    }

    fn period_from_json(value: &Value, object: &Map<String, Value>) -> Result<Self, TimeError> {
        let text = object.get("period").and_then(Value::as_str);
        let period =
            Period::parse(text.ok_or_else(|| invalid(value, "a period granularity needs a period"))?)?;
        if !period.is_positive() {
            return Err(invalid(value, "the period must be longer than nothing"));
        }
        let zone = match object.get("timeZone") {
            None | Some(Value::Null) => Zone::UTC,
            Some(Value::String(zone)) => Zone::parse(zone)?,
            Some(_) => return Err(invalid(value, "timeZone must be a text")),
        };
        let origin_ms = origin_from_json(value, object)?;
        Ok(Self::Period { period, origin_ms, zone })
    }

    fn duration_from_json(value: &Value, object: &Map<String, Value>) -> Result<Self, TimeError> {
        let ms = match object.get("duration") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let ms = ms.filter(|ms| *ms > 0);
        let ms = ms.ok_or_else(|| invalid(value, "duration must be a positive number of milliseconds"))?;
        Ok(Self::Duration { ms, origin_ms: origin_from_json(value, object)?.unwrap_or(0) })
    }
}

fn origin_from_json(value: &Value, object: &Map<String, Value>) -> Result<Option<i64>, TimeError> {
    let origin = match object.get("origin") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => parse_iso(text, Zone::UTC),
        Some(_) => None,
    };
    origin.map(Some).ok_or_else(|| invalid(value, "origin must be an ISO-8601 time"))
}

fn invalid(value: &Value, reason: &str) -> TimeError {
    TimeError::Granularity { text: value.to_string(), reason: reason.to_owned() }
}

impl FromStr for Granularity {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Value::String(name) => f.write_str(&name),
            other => write!(f, "{other}"),
        }
    }
}

impl Granularity {
    /// The form that Druid writes: a name where there is one.
    pub fn to_json(&self) -> Value {
        match self {
            Self::All => Value::from("ALL"),
            Self::None => Value::from("NONE"),
            Self::Period { period, origin_ms, zone } => {
                let named = NAMED.iter().find(|(_, named)| named == period);
                match named {
                    Some((name, _)) if origin_ms.is_none() && *zone == Zone::UTC => Value::from(*name),
                    _ => serde_json::json!({
                        "type": "period",
                        "period": period.to_string(),
                        "timeZone": zone.to_string(),
                        "origin": origin_ms.map(format_instant),
                    }),
                }
            }
            Self::Duration { ms, origin_ms } => {
                serde_json::json!({"type": "duration", "duration": ms, "origin": format_instant(*origin_ms)})
            }
        }
    }
}

impl Serialize for Granularity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Granularity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_specification_is_understood() {
        let read = |text: &str| serde_json::from_str::<Granularity>(text).unwrap();
        assert_eq!(read("\"DAY\""), Granularity::day());
        assert_eq!(read("\"day\""), Granularity::day());
        assert_eq!(read("\"fifteen_minute\""), Granularity::period(Period::of_minutes(15)));
        assert_eq!(read("\"quarter\""), Granularity::period(Period::of_months(3)));
        assert_eq!(read("{\"type\":\"all\"}"), Granularity::All);
        assert_eq!(read("{\"type\":\"none\"}"), Granularity::None);
        assert_eq!(
            read("{\"type\":\"duration\",\"duration\":3600000,\"origin\":\"2012-01-01T00:30:00Z\"}"),
            Granularity::Duration { ms: 3_600_000, origin_ms: 1_325_377_800_000 }
        );
        let zoned = read("{\"type\":\"period\",\"period\":\"P1D\",\"timeZone\":\"America/Los_Angeles\"}");
        assert_eq!(zoned.zone(), Zone::parse("America/Los_Angeles").unwrap());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let zone = Zone::parse("Europe/Zurich").unwrap();
        for granularity in [
            Granularity::ALL,
            Granularity::NONE,
            Granularity::hour(),
            Granularity::period(Period::of_months(3)),
            Granularity::Period { period: Period::of_weeks(2), origin_ms: Some(-1), zone },
            Granularity::Duration { ms: 7, origin_ms: 3 },
        ] {
            let text = serde_json::to_string(&granularity).unwrap();
            assert_eq!(serde_json::from_str::<Granularity>(&text).unwrap(), granularity, "{text}");
        }
        assert_eq!(serde_json::to_string(&Granularity::hour()).unwrap(), "\"HOUR\"");
    }

    #[test]
    fn a_wrong_granularity_is_answered_with_the_right_names() {
        let error = Granularity::parse("fortnight").unwrap_err().to_string();
        assert!(error.contains("fortnight") && error.contains("quarter"), "{error}");
        for text in
            ["{\"type\":\"period\",\"period\":\"P0D\"}", "{\"type\":\"duration\",\"duration\":0}", "{}", "7"]
        {
            assert!(serde_json::from_str::<Granularity>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn buckets_hold_their_times() {
        assert_eq!(Granularity::ALL.bucket(5), Interval::ETERNITY);
        assert_eq!(Granularity::NONE.bucket(5), Interval::new(5, 6));
        assert_eq!(
            Granularity::day().bucket(-1).to_string(),
            "1969-12-31T00:00:00.000Z/1970-01-01T00:00:00.000Z"
        );
        let duration = Granularity::Duration { ms: 10, origin_ms: 3 };
        assert_eq!(duration.bucket(2), Interval::new(-7, 3));
        assert_eq!(duration.ceil(3), 3);
        assert_eq!(duration.ceil(4), 13);
    }
}
