//! Reading timestamps as Druid does where no pattern is given: ISO-8601, leniently.
//!
//! ```text
//!  text   = date [ ("T" | " ") [ time ] [ offset ] ]
//!  date   = year [ "-" month [ "-" day ] ]  |  year "-W" week [ "-" weekday ]  |  year "-" day-of-year
//!  time   = hour [ ":" minute [ ":" second ] ] [ ("." | ",") fraction of the last part ]
//!  offset = "Z"  |  ("+" | "-") hours [ [":"] minutes [ [":"] seconds ] ]
//! ```
//!
//! Digits may be fewer than usual (`2026-1-5`), years have up to nine, fractions too; what is finer than a
//! millisecond is cut off. Anything left over makes the text unreadable, and so does a wall-clock time that the
//! zone skips.

use super::civil::{
    DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS, days_in_month, is_leap_year, week_year_start,
};
use super::zone::{Zone, parse_offset};

/// The years that a count of milliseconds holds in full.
pub(super) const YEARS: std::ops::RangeInclusive<i64> = -292_275_053..=292_278_992;

/// Reads an ISO-8601 date with an optional time and offset; `zone` is that of a text without offset.
pub fn parse_iso(text: &str, zone: Zone) -> Option<i64> {
    let mut cursor = Cursor { rest: text };
    let days = parse_date(&mut cursor)?;
    let mut ms_of_day = 0;
    let mut offset_ms = None;
    if cursor.take(b'T') || cursor.take(b't') || cursor.take(b' ') {
        if cursor.rest.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            ms_of_day = parse_time(&mut cursor)?;
        }
        offset_ms = cursor.offset();
    }
    if !cursor.rest.is_empty() {
        return None;
    }
    let local_ms = days * DAY_MS + ms_of_day;
    match offset_ms {
        Some(offset_ms) => Some(local_ms - i64::from(offset_ms)),
        None => zone.from_local_strict(local_ms),
    }
}

fn parse_date(cursor: &mut Cursor<'_>) -> Option<i64> {
    let negative = cursor.take(b'-');
    if !negative {
        cursor.take(b'+');
    }
    let (year, _) = cursor.number(9)?;
    let year = if negative { -year } else { year };
    if !YEARS.contains(&year) {
        return None;
    }
    let first = Date { year, month: 1, day: 1 };
    if !cursor.take(b'-') {
        return Some(first.to_days());
    }
    if cursor.take(b'W') {
        let (week, _) = cursor.number(2)?;
        let weekday = if cursor.take(b'-') { cursor.number(1)?.0 } else { 1 };
        let start = week_year_start(year);
        let weeks = (week_year_start(year + 1) - start) / 7;
        return ((1..=weeks).contains(&week) && (1..=7).contains(&weekday))
            .then_some(start + (week - 1) * 7 + weekday - 1);
    }
    let (number, digits) = cursor.number(3)?;
    if digits == 3 {
        let days = if is_leap_year(year) { 366 } else { 365 };
        return (1..=days).contains(&number).then(|| first.to_days() + number - 1);
    }
    let month = u32::try_from(number).ok().filter(|month| (1..=12).contains(month))?;
    let day = if cursor.take(b'-') { u32::try_from(cursor.number(2)?.0).ok()? } else { 1 };
    (1..=days_in_month(year, month)).contains(&day).then(|| Date { year, month, day }.to_days())
}

fn parse_time(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut ms = 0;
    for (unit_ms, values) in [(HOUR_MS, 24), (MINUTE_MS, 60), (SECOND_MS, 60)] {
        if unit_ms != HOUR_MS && !cursor.take(b':') {
            break;
        }
        let (value, _) = cursor.number(2).filter(|(value, _)| *value < values)?;
        ms += value * unit_ms;
        if cursor.take(b'.') || cursor.take(b',') {
            let (fraction, digits) = cursor.number(9)?;
            return Some(ms + fraction * unit_ms / 10_i64.pow(digits));
        }
    }
    Some(ms)
}

/// A text read from the left.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
}

impl Cursor<'_> {
    /// Steps over one ASCII character if it is the next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.as_bytes().first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Reads up to `digits_max` digits, at least one; gives the number and how many there were.
    pub(super) fn number(&mut self, digits_max: usize) -> Option<(i64, u32)> {
        let bytes = self.rest.as_bytes();
        let digits = bytes.iter().take(digits_max).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let value = bytes[..digits].iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[digits..];
        Some((value, digits as u32))
    }

    /// Reads `Z` or an offset, in milliseconds.
    pub(super) fn offset(&mut self) -> Option<i32> {
        if self.take(b'Z') || self.take(b'z') {
            return Some(0);
        }
        let (offset_ms, rest) = parse_offset(self.rest)?;
        self.rest = rest;
        Some(offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{format_instant, format_instant_in};

    fn utc(text: &str) -> Option<String> {
        parse_iso(text, Zone::UTC).map(format_instant)
    }

    #[test]
    fn dates_and_times_of_every_length_are_read() {
        for (text, instant) in [
            ("2026-11-23T10:00:00.123Z", "2026-11-23T10:00:00.123Z"),
            ("2026-11-23 10:00:00", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23T10:00", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23T10", "2026-11-23T10:00:00.000Z"),
            ("2026-11-23T", "2026-11-23T00:00:00.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("2026-11", "2026-11-01T00:00:00.000Z"),
            ("2026", "2026-01-01T00:00:00.000Z"),
            ("2026-1-5T1:2:3", "2026-01-05T01:02:03.000Z"),
            ("2026-W48-1", "2026-11-23T00:00:00.000Z"),
            ("2026-W48", "2026-11-23T00:00:00.000Z"),
            ("2026-327", "2026-11-23T00:00:00.000Z"),
            ("2026-11-23T10:00:00.1", "2026-11-23T10:00:00.100Z"),
            ("2026-11-23T10:00:00,123456789", "2026-11-23T10:00:00.123Z"),
            ("2026-11-23T10.5", "2026-11-23T10:30:00.000Z"),
            ("2026-11-23T10:00:00+01:00", "2026-11-23T09:00:00.000Z"),
            ("2026-11-23T10:00:00-0330", "2026-11-23T13:30:00.000Z"),
            ("2026-11-23 +01", "2026-11-22T23:00:00.000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("-0001-01-01", "-0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(instant), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_not_read() {
        for text in [
            "",
            "foo",
            "2026-13-01",
            "2026-02-30",
            "2026-00-10",
            "2026-366",
            "2026-W54",
            "2026-11-23T24:00",
            "2026-11-23T10:60",
            "2026-11-23T10:00:00.",
            "2026-11-23T10:00:00.1234567890",
            "2026-11-23Z",
            "2026-11-23T10:00:00 Z",
            " 2026",
            "2026-11-23x",
            "999999999",
            "1795428000000",
            "2026-11-23T10:00:00+25:00",
            "2026-11-23T10:00:00+01:00:00:00",
            "٢٠٢٦",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_without_offset_is_in_the_zone_given() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(
            parse_iso("2026-07-01", zurich).map(format_instant).as_deref(),
            Some("2026-06-30T22:00:00.000Z")
        );
        assert_eq!(parse_iso("2026-07-01T00Z", zurich), parse_iso("2026-07-01", Zone::UTC));
        assert_eq!(parse_iso("2026-03-29T02:30", zurich), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in -62_135_596_800_000i64..253_402_300_800_000, zone in 0..3usize) {
            let zone = Zone::parse(["UTC", "Europe/Zurich", "Australia/Lord_Howe"][zone]).unwrap();
            prop_assert_eq!(parse_iso(&format_instant(ms), zone), Some(ms));
            prop_assert_eq!(parse_iso(&format_instant_in(ms, zone), Zone::UTC), Some(ms));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,24}") {
            let _ = parse_iso(&text, Zone::UTC);
        }

        #[test]
        fn nearly_right_texts_do_not_panic(text in "[-+0-9TWZ:., ]{0,24}") {
            let _ = parse_iso(&text, Zone::parse("Australia/Lord_Howe").unwrap());
        }
    }
}
