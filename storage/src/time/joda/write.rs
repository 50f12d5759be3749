//! Writing an instant by a pattern.

use std::fmt;

use super::{Field, Item, MONTHS, WEEKDAYS, Word};
use crate::time::civil::{Date, HOUR_MS, MINUTE_MS, SECOND_MS, day_of_week, split};
use crate::time::zone::{Zone, write_offset};

pub(super) fn write(items: &[Item], out: &mut impl fmt::Write, time_ms: i64, zone: Zone) -> fmt::Result {
    let offset_ms = zone.offset_ms(time_ms);
    let (days, ms_of_day) = split(time_ms.saturating_add(offset_ms));
    let date = Date::from_days(days);
    let field = |field: Field| value(field, date, days, ms_of_day);
    for item in items {
        match item {
            Item::Literal(literal) => out.write_str(literal)?,
            Item::Number { field: kind, digits, .. } => {
                let value = field(*kind);
                let sign = if value < 0 { "-" } else { "" };
                write!(out, "{sign}{:0digits$}", value.abs())?;
            }
            Item::TwoDigitYear { week_year, .. } => {
                let year = if *week_year { date.iso_week().0 } else { date.year };
                write!(out, "{:02}", year.abs() % 100)?;
            }
            Item::Word { word, long } => {
                let name = match word {
                    Word::Era => {
                        if date.year > 0 {
                            "AD"
                        } else {
                            "BC"
                        }
                    }
                    Word::Halfday => {
                        if ms_of_day < 12 * HOUR_MS {
                            "AM"
                        } else {
                            "PM"
                        }
                    }
                    Word::Month => name(&MONTHS, i64::from(date.month), *long),
                    Word::DayOfWeek => name(&WEEKDAYS, day_of_week(days), *long),
                };
                out.write_str(name)?;
            }
            Item::Fraction { digits } => {
                let text = format!("{:03}", ms_of_day % SECOND_MS);
                write!(out, "{:0<digits$}", &text[..(*digits).min(3)])?;
            }
            Item::Abbreviation => out.write_str(&zone.abbreviation(time_ms))?,
            Item::Offset { colon } => write_offset(out, offset_ms, *colon)?,
            Item::ZoneName => write!(out, "{zone}")?,
        }
    }
    Ok(())
}

fn value(field: Field, date: Date, days: i64, ms_of_day: i64) -> i64 {
    let hour = ms_of_day / HOUR_MS;
    let from_one = |value: i64, last: i64| if value == 0 { last } else { value };
    match field {
        Field::Century => year_of_era(date) / 100,
        Field::YearOfEra => year_of_era(date),
        Field::Year => date.year,
        Field::WeekYear => date.iso_week().0,
        Field::Week => date.iso_week().1,
        Field::DayOfWeek => day_of_week(days),
        Field::DayOfYear => date.day_of_year(),
        Field::Month => i64::from(date.month),
        Field::Day => i64::from(date.day),
        Field::HourOfHalfday => hour % 12,
        Field::ClockHourOfHalfday => from_one(hour % 12, 12),
        Field::Hour => hour,
        Field::ClockHour => from_one(hour, 24),
        Field::Minute => ms_of_day / MINUTE_MS % 60,
        Field::Second => ms_of_day / SECOND_MS % 60,
    }
}

fn year_of_era(date: Date) -> i64 {
    if date.year > 0 { date.year } else { 1 - date.year }
}

/// A name in full or its first three letters.
fn name(names: &'static [&'static str], from_one: i64, long: bool) -> &'static str {
    let name = names.get(from_one as usize - 1).copied().unwrap_or_default();
    if long { name } else { name.get(..3).unwrap_or(name) }
}
