//! Reading a text by a pattern.

use chrono_tz::TZ_VARIANTS;

use super::fields::Fields;
use super::{Field, Item, MONTHS, WEEKDAYS, Word};
use crate::time::civil::{MINUTE_MS, SECOND_MS};
use crate::time::parse::Cursor;
use crate::time::zone::Zone;

/// The first year that two digits can mean.
const TWO_DIGITS_FROM_YEAR: i64 = 1946;

/// The abbreviations that Joda reads without being told more, and the zones they stand for.
const ABBREVIATIONS: [(&str, &str); 11] = [
    ("UTC", "UTC"),
    ("UT", "UTC"),
    ("GMT", "UTC"),
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
];

pub(super) fn read(items: &[Item], text: &str, zone: Zone) -> Option<i64> {
    let mut cursor = Cursor { rest: text };
    let mut fields = Fields::default();
    for item in items {
        read_item(item, &mut cursor, &mut fields)?;
    }
    if cursor.rest.is_empty() { fields.resolve(zone) } else { None }
}

fn read_item(item: &Item, cursor: &mut Cursor<'_>, fields: &mut Fields) -> Option<()> {
    match item {
        Item::Literal(literal) => cursor.rest = strip_prefix_ignoring_case(cursor.rest, literal)?,
        Item::Number { field, digits_max, .. } => {
            let signed = matches!(field, Field::Year | Field::WeekYear);
            let negative = signed && cursor.take(b'-');
            if signed && !negative {
                cursor.take(b'+');
            }
            let (value, _) = cursor.number((*digits_max).min(9))?;
            set(fields, *field, if negative { -value } else { value })?;
        }
        Item::TwoDigitYear { week_year, lenient } => {
            let year = two_digit_year(cursor, *lenient)?;
            *(if *week_year { &mut fields.week_year } else { &mut fields.year }) = Some(year);
        }
        Item::Word { word, .. } => read_word(*word, cursor, fields)?,
        Item::Fraction { digits } => {
            let (value, digits) = cursor.number((*digits).min(18))?;
            fields.ms_of_hour += (i128::from(value) * 1_000 / 10_i128.pow(digits)) as i64;
        }
        Item::Offset { .. } => fields.zone = Some(Zone::fixed(cursor.offset()?)),
        Item::Abbreviation => {
            let (name, zone) = ABBREVIATIONS.iter().find(|(name, _)| cursor.rest.starts_with(name))?;
            cursor.rest = &cursor.rest[name.len()..];
            fields.zone = Zone::parse(zone).ok();
        }
        Item::ZoneName => fields.zone = Some(read_zone_name(cursor)?),
    }
    Some(())
}

fn set(fields: &mut Fields, field: Field, value: i64) -> Option<()> {
    let within = |from, to| (from..=to).contains(&value).then_some(Some(value));
    match field {
        Field::Century => fields.century = Some(value),
        Field::YearOfEra => fields.year_of_era = within(1, i64::MAX)?,
        Field::Year => fields.year = Some(value),
        Field::WeekYear => fields.week_year = Some(value),
        Field::Week => fields.week = within(1, 53)?,
        Field::DayOfWeek => fields.day_of_week = within(1, 7)?,
        Field::DayOfYear => fields.day_of_year = within(1, 366)?,
        Field::Month => fields.month = within(1, 12)?,
        Field::Day => fields.day = within(1, 31)?,
        Field::HourOfHalfday => fields.hour_of_halfday = within(0, 11)?,
        Field::ClockHourOfHalfday => fields.hour_of_halfday = within(1, 12)?.map(|hour| hour % 12),
        Field::Hour => fields.hour = within(0, 23)?,
        Field::ClockHour => fields.hour = within(1, 24)?.map(|hour| hour % 24),
        Field::Minute => fields.ms_of_hour += within(0, 59)?? * MINUTE_MS,
        Field::Second => fields.ms_of_hour += within(0, 59)?? * SECOND_MS,
    }
    Some(())
}

/// Two digits are a year near the present; a text of another length is a full year, if that is allowed.
fn two_digit_year(cursor: &mut Cursor<'_>, lenient: bool) -> Option<i64> {
    let negative = lenient && cursor.take(b'-');
    let signed = negative || (lenient && cursor.take(b'+'));
    let (value, digits) = cursor.number(if lenient { 9 } else { 2 })?;
    if signed || digits != 2 {
        return lenient.then_some(if negative { -value } else { value });
    }
    let century = TWO_DIGITS_FROM_YEAR - TWO_DIGITS_FROM_YEAR % 100;
    let year = century + value;
    Some(if year < TWO_DIGITS_FROM_YEAR { year + 100 } else { year })
}

fn read_word(word: Word, cursor: &mut Cursor<'_>, fields: &mut Fields) -> Option<()> {
    match word {
        Word::Era => fields.before_christ = Some(one_of(cursor, &["AD", "BC"])? == 1),
        Word::Halfday => fields.afternoon = Some(one_of(cursor, &["AM", "PM"])? == 1),
        Word::Month => fields.month = Some(name_of(cursor, &MONTHS)? as i64 + 1),
        Word::DayOfWeek => fields.day_of_week = Some(name_of(cursor, &WEEKDAYS)? as i64 + 1),
    }
    Some(())
}

/// Reads a full name or its first three letters.
fn name_of(cursor: &mut Cursor<'_>, names: &[&str]) -> Option<usize> {
    one_of(cursor, names).or_else(|| {
        let index =
            names.iter().position(|name| strip_prefix_ignoring_case(cursor.rest, &name[..3]).is_some())?;
        cursor.rest = &cursor.rest[3..];
        Some(index)
    })
}

fn one_of(cursor: &mut Cursor<'_>, names: &[&str]) -> Option<usize> {
    let index = names.iter().position(|name| strip_prefix_ignoring_case(cursor.rest, name).is_some())?;
    cursor.rest = &cursor.rest[names[index].len()..];
    Some(index)
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in prefix.chars() {
        let found = rest.next()?;
        if found != expected && !found.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Reads the longest name of a zone that the text starts with, or an offset.
fn read_zone_name(cursor: &mut Cursor<'_>) -> Option<Zone> {
    if let Some(offset_ms) = cursor.offset() {
        return Some(Zone::fixed(offset_ms));
    }
    let names = TZ_VARIANTS.iter().map(|tz| tz.name()).filter(|name| cursor.rest.starts_with(name));
    let name = names.max_by_key(|name| name.len())?;
    cursor.rest = &cursor.rest[name.len()..];
    Zone::parse(name).ok()
}
