//! The time of a row, from the value of its time field.

use ovate_storage::time::parse::parse_iso;
use ovate_storage::time::{Interval, Zone};

use super::report::RejectReason;
use super::value::Value;
use crate::spec::{TimestampFormat, TimestampSpec};

/// The time of a row in milliseconds, or why it has none.
#[inline]
pub(crate) fn instant(spec: &TimestampSpec, value: Value<'_>) -> Result<i64, RejectReason> {
    let ms = match value {
        Value::Null => spec.missing_value_ms.ok_or(RejectReason::MissingTimestamp)?,
        Value::Text(text) => text_ms(&spec.format, text).ok_or(RejectReason::UnparseableTimestamp)?,
        Value::Long(number) => long_ms(&spec.format, number).ok_or(RejectReason::UnparseableTimestamp)?,
        Value::Double(number) => double_ms(&spec.format, number).ok_or(RejectReason::UnparseableTimestamp)?,
        Value::Bool(_) | Value::Json(_) | Value::List(_) => return Err(RejectReason::UnparseableTimestamp),
    };
    if Interval::ETERNITY.contains(ms) { Ok(ms) } else { Err(RejectReason::TimestampOutOfRange) }
}

fn text_ms(format: &TimestampFormat, text: &str) -> Option<i64> {
    if let (TimestampFormat::Iso | TimestampFormat::Auto, Some(ms)) = (format, usual_iso(text.as_bytes())) {
        return Some(ms);
    }
    let text = unquoted(text);
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match format {
        TimestampFormat::Iso => parse_iso(text, Zone::UTC).or_else(|| text.parse().ok()),
        TimestampFormat::Auto if digits => text.parse().ok(),
        TimestampFormat::Auto => parse_iso(text, Zone::UTC).or_else(|| {
            // Druid takes a zone's name at the end, and reads the time as UTC all the same.
            let (time, zone) = text.rsplit_once(' ')?;
            Zone::parse(zone).ok()?;
            parse_iso(time, Zone::UTC)
        }),
        TimestampFormat::Ruby => seconds_ms(text.parse().ok()?),
        TimestampFormat::Pattern(pattern) => pattern.parse(text, Zone::UTC),
        unit => long_ms(unit, text.parse().ok()?),
    }
}

/// Numbers count in the format's unit. In `iso` and patterns a number is a text of digits, as Druid has it.
fn long_ms(format: &TimestampFormat, number: i64) -> Option<i64> {
    Some(match format {
        TimestampFormat::Posix | TimestampFormat::Ruby => number.saturating_mul(1000),
        TimestampFormat::Millis | TimestampFormat::Auto => number,
        TimestampFormat::Micro => number / 1000,
        TimestampFormat::Nano => number / 1_000_000,
        TimestampFormat::Iso | TimestampFormat::Pattern(_) => return text_ms(format, &number.to_string()),
    })
}

fn double_ms(format: &TimestampFormat, number: f64) -> Option<i64> {
    match format {
        TimestampFormat::Ruby => seconds_ms(number),
        TimestampFormat::Iso | TimestampFormat::Pattern(_) => {
            text_ms(format, &ovate_functions::native::double_text(number))
        }
        _ if number.is_nan() => None,
        unit => long_ms(unit, number as i64),
    }
}

fn seconds_ms(seconds: f64) -> Option<i64> {
    (!seconds.is_nan()).then_some((seconds * 1000.0) as i64)
}

/// A text without blanks and one pair of quotes around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map_or(text, str::trim)
}

/// `yyyy-MM-ddTHH:mm:ss[.f…]Z`, which is how nearly all messages write times; `None` sends the rest to the full
/// parser.
#[inline]
fn usual_iso(text: &[u8]) -> Option<i64> {
    let (&[y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2], rest) =
        text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let [fraction @ .., b'Z'] = rest else { return None };
    let two = |a: u8, b: u8| -> Option<i64> {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(mo1, mo2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(mi1, mi2)?, two(s1, s2)?);
    // The 29th to 31st are left to the calendar.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut ms = 0;
    if let [b'.', digits @ ..] = fraction {
        if digits.is_empty() || digits.len() > 9 {
            return None;
        }
        for i in 0..3 {
            let digit = digits.get(i).copied().unwrap_or(b'0');
            ms = ms * 10 + i64::from(digit.wrapping_sub(b'0'));
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
    } else if !fraction.is_empty() {
        return None;
    }
    // Days since the epoch in the Gregorian calendar, with years that begin in March (H. Hinnant, "chrono-Compatible
    // Low-Level Date Algorithms").
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + ms)
}

#[cfg(test)]
mod tests {
    use ovate_storage::time::joda::JodaPattern;
    use proptest::prelude::*;

    use super::*;

    fn read(format: TimestampFormat, value: Value<'_>) -> Result<i64, RejectReason> {
        instant(&TimestampSpec { column: "t".into(), format, missing_value_ms: None }, value)
    }

    #[test]
    fn each_format_reads_what_druid_reads() {
        use TimestampFormat::{Auto, Iso, Micro, Millis, Nano, Posix, Ruby};
        use Value::{Double, Long, Text};
        let day = 1_704_067_200_000; // 2024-01-01
        let cases: Vec<(TimestampFormat, Value<'_>, i64)> = vec![
            (Iso, Text("2024-01-01T00:00:00Z"), day),
            (Iso, Text("2024-01-01T00:00:00.123456Z"), day + 123),
            (Iso, Text("2024-01-01T01:00:00+01:00"), day),
            (Iso, Text("2024-01-01"), day),
            (Iso, Text("2024-01-01T00:00:00"), day),
            (Iso, Text("2024-01-01 00:00:00"), day),
            (Iso, Text("\"2024-01-01T00:00:00Z\""), day),
            (Iso, Text("2024-02-29T00:00:00.1Z"), day + 59 * 86_400_000 + 100),
            (Iso, Text("1704067200000"), day),
            (Iso, Long(2024), day),
            (Auto, Long(day), day),
            (Auto, Text("1704067200000"), day),
            (Auto, Text("2024-01-01T00:00:00Z"), day),
            (Auto, Text("2024-01-01 00:00:00"), day),
            (Auto, Text("2024-01-01 00:00:00 Europe/Zurich"), day),
            (Auto, Double(1.9), 1),
            (Posix, Long(1_704_067_200), day),
            (Posix, Text("1704067200"), day),
            (Posix, Double(1_704_067_200.9), day),
            (Millis, Long(day), day),
            (Millis, Text(" 1704067200000 "), day),
            (Micro, Long(day * 1000 + 999), day),
            (Nano, Long(day * 1_000_000), day),
            (Ruby, Double(1_704_067_200.25), day + 250),
            (Ruby, Text("1704067200.25"), day + 250),
            (Ruby, Long(1_704_067_200), day),
            (
                TimestampFormat::Pattern(JodaPattern::compile("dd.MM.yyyy HH:mm").unwrap()),
                Text("01.01.2024 00:00"),
                day,
            ),
            (TimestampFormat::Pattern(JodaPattern::compile("yyyyMMdd").unwrap()), Long(20_240_101), day),
        ];
        for (format, value, ms) in cases {
            assert_eq!(read(format.clone(), value), Ok(ms), "{format:?} {value:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_reason() {
        use RejectReason::{MissingTimestamp, TimestampOutOfRange, UnparseableTimestamp};
        for (format, value, reason) in [
            (TimestampFormat::Iso, Value::Null, MissingTimestamp),
            (TimestampFormat::Iso, Value::Text(""), UnparseableTimestamp),
            (TimestampFormat::Iso, Value::Text("yesterday"), UnparseableTimestamp),
            (TimestampFormat::Iso, Value::Text("2024-02-30T00:00:00Z"), UnparseableTimestamp),
            (TimestampFormat::Iso, Value::Text("2024-01-01T25:00:00Z"), UnparseableTimestamp),
            (TimestampFormat::Posix, Value::Text("1.5"), UnparseableTimestamp),
            (TimestampFormat::Auto, Value::Bool(true), UnparseableTimestamp),
            (TimestampFormat::Auto, Value::Json("{}"), UnparseableTimestamp),
            (TimestampFormat::Millis, Value::Double(f64::NAN), UnparseableTimestamp),
            (TimestampFormat::Posix, Value::Long(i64::MAX), TimestampOutOfRange),
            (TimestampFormat::Millis, Value::Long(i64::MIN), TimestampOutOfRange),
        ] {
            assert_eq!(read(format.clone(), value), Err(reason), "{format:?} {value:?}");
        }
    }

    #[test]
    fn a_missing_time_takes_the_specs_value() {
        let spec =
            TimestampSpec { column: "t".into(), format: TimestampFormat::Auto, missing_value_ms: Some(7) };
        assert_eq!(instant(&spec, Value::Null), Ok(7));
        assert_eq!(instant(&spec, Value::Text("x")), Err(RejectReason::UnparseableTimestamp));
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_the_full_parser(
            y in 0..9999i64, mo in 0..14u32, d in 0..33u32, h in 0..26u32, mi in 0..62u32, s in 0..62u32,
            fraction in "(\\.[0-9]{0,10})?", zone in "(Z|z||[+]01:00)",
        ) {
            let text = format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}{fraction}{zone}");
            if let Some(ms) = usual_iso(text.as_bytes()) {
                prop_assert_eq!(Some(ms), parse_iso(&text, Zone::UTC), "{}", text);
            }
        }
    }
}
