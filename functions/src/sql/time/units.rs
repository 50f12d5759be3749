//! Functions that name a unit: `DATE_TRUNC`, `TIMESTAMPADD` and `TIMESTAMPDIFF`.
//!
//! The units of the last two are words of the syntax in SQL; here they are texts.

use std::str::FromStr;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use ovate_storage::time::civil::{self, DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS, days_in_month};
use ovate_storage::time::{Period, Zone};

use super::bucket::{Buckets, Edge};
use crate::sql::args::{Args, longs, times};
use crate::sql::convert::Kind::{Long, Text, Time};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("DATE_TRUNC", &[Text, Time, Text], Returns::Time, truncate).required(2),
    Spec::new("TIMESTAMPADD", &[Text, Long, Time, Text], Returns::Time, add).required(3),
    Spec::new("TIMESTAMPDIFF", &[Text, Time, Time, Text], Returns::Long, difference).required(3),
];

/// Druid truncates to periods counted from 1970: its century is 1970 to 2069.
const TRUNCATION: [(&str, Period); 13] = [
    ("microseconds", Period { millis: 1, ..Period::ZERO }),
    ("milliseconds", Period { millis: 1, ..Period::ZERO }),
    ("second", Period::of_seconds(1)),
    ("minute", Period::of_minutes(1)),
    ("hour", Period::of_hours(1)),
    ("day", Period::of_days(1)),
    ("week", Period::of_weeks(1)),
    ("month", Period::of_months(1)),
    ("quarter", Period::of_months(3)),
    ("year", Period::of_years(1)),
    ("decade", Period::of_years(10)),
    ("century", Period::of_years(100)),
    ("millennium", Period::of_years(1000)),
];

fn truncation(text: &str) -> Result<Period, String> {
    let found = TRUNCATION.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, period)| *period).ok_or_else(|| unknown(text, TRUNCATION.iter().map(|(name, _)| *name)))
}

fn unknown<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!("there is no unit {text:?}; the units are {}", names.collect::<Vec<_>>().join(", "))
}

fn truncate(args: &Args) -> Result<ArrayRef> {
    let mut periods = args.compiled(0, truncation)?;
    let time = args.time(1)?;
    let mut zones = args.zone(2)?;
    if periods.is_literal() && zones.is_literal() {
        let Some(period) = periods.get(0)?.copied() else { return times(args, |_| Ok(None)) };
        let mut buckets = Buckets::new(period, None, zones.get(0)?);
        return match buckets.edges(Edge::Start, &time) {
            Some(starts) => Ok(starts),
            None => times(args, |row| Ok(time.get(row).map(|time_ms| buckets.edge(Edge::Start, time_ms)))),
        };
    }
    times(args, |row| {
        let (Some(period), Some(time_ms)) = (periods.get(row)?.copied(), time.get(row)) else {
            return Ok(None);
        };
        Ok(Some(period.floor(time_ms, None, zones.get(row)?)))
    })
}

/// A unit of elapsed time or of the calendar. SQL's days always have 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Elapsed { ms: i64 },
    Microseconds,
    Months(i64),
}

const UNITS: [(&str, Unit); 11] = [
    ("MICROSECOND", Unit::Microseconds),
    ("FRAC_SECOND", Unit::Microseconds),
    ("MILLISECOND", Unit::Elapsed { ms: 1 }),
    ("SECOND", Unit::Elapsed { ms: SECOND_MS }),
    ("MINUTE", Unit::Elapsed { ms: MINUTE_MS }),
    ("HOUR", Unit::Elapsed { ms: HOUR_MS }),
    ("DAY", Unit::Elapsed { ms: DAY_MS }),
    ("WEEK", Unit::Elapsed { ms: 7 * DAY_MS }),
    ("MONTH", Unit::Months(1)),
    ("QUARTER", Unit::Months(3)),
    ("YEAR", Unit::Months(12)),
];

impl FromStr for Unit {
    type Err = String;

    /// Also the names with which ODBC writes units: `SQL_TSI_DAY`.
    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        let name = name.strip_suffix('S').unwrap_or(name);
        let found = UNITS.iter().find(|(known, _)| *known == name);
        found.map(|(_, unit)| *unit).ok_or_else(|| unknown(text, UNITS.iter().map(|(name, _)| *name)))
    }
}

fn add(args: &Args) -> Result<ArrayRef> {
    let mut units = args.compiled(0, Unit::from_str)?;
    let counts = args.long(1)?;
    let time = args.time(2)?;
    let mut zones = args.zone(3)?;
    times(args, |row| {
        let (Some(unit), Some(count), Some(time_ms)) =
            (units.get(row)?.copied(), counts.get(row), time.get(row))
        else {
            return Ok(None);
        };
        Ok(Some(match unit {
            Unit::Elapsed { ms } => time_ms.saturating_add(count.saturating_mul(ms)),
            Unit::Microseconds => time_ms.saturating_add(count / 1_000),
            Unit::Months(months) => {
                Period::of_months(1).add(time_ms, count.saturating_mul(months), zones.get(row)?)
            }
        }))
    })
}

/// Whole units from the first time to the second.
fn difference(args: &Args) -> Result<ArrayRef> {
    let mut units = args.compiled(0, Unit::from_str)?;
    let from = args.time(1)?;
    let to = args.time(2)?;
    let mut zones = args.zone(3)?;
    longs(args, |row| {
        let (Some(unit), Some(from), Some(to)) = (units.get(row)?.copied(), from.get(row), to.get(row))
        else {
            return Ok(None);
        };
        Ok(Some(match unit {
            Unit::Elapsed { ms } => to.saturating_sub(from) / ms,
            Unit::Microseconds => to.saturating_sub(from).saturating_mul(1_000),
            Unit::Months(months) => whole_months(from, to, zones.get(row)?) / months,
        }))
    })
}

/// Complete months on the calendar; the last day of a month completes one that began on a later day.
fn whole_months(from_ms: i64, to_ms: i64, zone: Zone) -> i64 {
    if to_ms < from_ms {
        return -whole_months(to_ms, from_ms, zone);
    }
    let place = |time_ms: i64| {
        let (days, ms) = civil::split(zone.to_local(time_ms));
        (Date::from_days(days), ms)
    };
    let ((from, from_ms), (to, to_ms)) = (place(from_ms), place(to_ms));
    let months = (to.year - from.year) * 12 + i64::from(to.month) - i64::from(from.month);
    let from_day = from.day.min(if to.day == days_in_month(to.year, to.month) { to.day } else { from.day });
    months - i64::from((to.day, to_ms) < (from_day, from_ms))
}

#[cfg(test)]
mod tests {
    use ovate_storage::time::parse::parse_iso;

    use super::*;

    #[test]
    fn months_are_counted_when_they_are_complete() {
        let months = |from: &str, to: &str| {
            let at = |text| parse_iso(text, Zone::UTC).unwrap();
            whole_months(at(from), at(to), Zone::UTC)
        };
        assert_eq!(months("2026-01-15", "2026-02-15"), 1);
        assert_eq!(months("2026-01-15T12", "2026-02-15T11"), 0);
        assert_eq!(months("2026-01-31", "2026-02-28"), 1);
        assert_eq!(months("2026-02-28", "2026-01-31"), -1);
        assert_eq!(months("2020-02-29", "2026-11-23"), 80);
    }
}
