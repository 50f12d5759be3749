//! `TIME_EXTRACT`: one field of the wall clock.

use std::str::FromStr;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use ovate_storage::time::Zone;
use ovate_storage::time::civil::{self, Date, HOUR_MS, MINUTE_MS, SECOND_MS};

use crate::sql::args::{Args, longs};
use crate::sql::convert::Kind::{Text, Time};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] =
    &[Spec::new("TIME_EXTRACT", &[Time, Text, Text], Returns::Long, extract).required(2)];

/// What can be extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Epoch,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    DayOfWeek,
    DayOfYear,
    Week,
    Month,
    Quarter,
    Year,
    WeekYear,
    Decade,
    Century,
    Millennium,
}

const UNITS: [(&str, Unit); 18] = [
    ("EPOCH", Unit::Epoch),
    ("MICROSECOND", Unit::Microsecond),
    ("MILLISECOND", Unit::Millisecond),
    ("SECOND", Unit::Second),
    ("MINUTE", Unit::Minute),
    ("HOUR", Unit::Hour),
    ("DAY", Unit::Day),
    ("DOW", Unit::DayOfWeek),
    ("ISODOW", Unit::DayOfWeek),
    ("DOY", Unit::DayOfYear),
    ("WEEK", Unit::Week),
    ("MONTH", Unit::Month),
    ("QUARTER", Unit::Quarter),
    ("YEAR", Unit::Year),
    ("ISOYEAR", Unit::WeekYear),
    ("DECADE", Unit::Decade),
    ("CENTURY", Unit::Century),
    ("MILLENNIUM", Unit::Millennium),
];

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, unit)| *unit).ok_or_else(|| {
            let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
            format!("there is no unit {text:?}; the units are {}", names.join(", "))
        })
    }
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let time = args.time(0)?;
    let mut units = args.compiled(1, Unit::from_str)?;
    let mut zones = args.zone(2)?;
    longs(args, |row| {
        let (Some(time_ms), Some(unit)) = (time.get(row), units.get(row)?) else { return Ok(None) };
        Ok(Some(unit.of(time_ms, zones.get(row)?)))
    })
}

impl Unit {
    fn of(self, time_ms: i64, zone: Zone) -> i64 {
        let (days, ms) = civil::split(zone.to_local(time_ms));
        match self {
            Self::Epoch => return time_ms / SECOND_MS,
            // What Druid makes of it: it divides where the name promises to multiply.
            Self::Microsecond => return time_ms / SECOND_MS / 1_000,
            Self::Millisecond => return ms % SECOND_MS,
            Self::Second => return ms / SECOND_MS % 60,
            Self::Minute => return ms / MINUTE_MS % 60,
            Self::Hour => return ms / HOUR_MS,
            Self::DayOfWeek => return civil::day_of_week(days),
            _ => {}
        }
        let date = Date::from_days(days);
        match self {
            Self::Day => i64::from(date.day),
            Self::DayOfYear => date.day_of_year(),
            Self::Week => date.iso_week().1,
            Self::Month => i64::from(date.month),
            Self::Quarter => i64::from(date.month.div_ceil(3)),
            Self::WeekYear => date.iso_week().0,
            Self::Decade => date.year / 10,
            // The first century began with year 1.
            Self::Century => (date.year + 99).div_euclid(100),
            Self::Millennium => (date.year + 999).div_euclid(1_000),
            _ => date.year,
        }
    }
}
