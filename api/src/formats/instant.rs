//! Timestamps and dates: ISO-8601 with milliseconds, in the time zone of the query.
//!
//! `2026-11-23T10:00:00.000Z`, `2026-11-23T11:00:00.000+01:00`. Years of four digits are written digit by
//! digit; all others go the calendar's long way.

use ovate_storage::time::civil::{Date, split};
use ovate_storage::time::{Zone, format_instant_in};

/// `0000-01-01` and `10000-01-01`, in days since the epoch.
const FOUR_DIGIT_DAYS: std::ops::Range<i64> = -719_528..2_932_897;

/// Appends the instant `time_ms`, without quotes.
pub(crate) fn write_instant(out: &mut Vec<u8>, time_ms: i64, zone: Zone) {
    let offset_ms = if zone == Zone::UTC { 0 } else { zone.offset_ms(time_ms) };
    let local_ms = time_ms.saturating_add(offset_ms);
    let (days, ms_of_day) = split(local_ms);
    if FOUR_DIGIT_DAYS.contains(&days) {
        write_civil(out, days, ms_of_day);
        write_offset(out, offset_ms);
    } else {
        out.extend_from_slice(format_instant_in(time_ms, zone).as_bytes());
    }
}

fn write_civil(out: &mut Vec<u8>, days: i64, ms_of_day: i64) {
    let Date { year, month, day } = Date::from_days(days);
    let seconds = ms_of_day / 1000;
    let mut text = *b"0000-00-00T00:00:00.000";
    put2(&mut text, 0, year / 100);
    put2(&mut text, 2, year % 100);
    put2(&mut text, 5, i64::from(month));
    put2(&mut text, 8, i64::from(day));
    put2(&mut text, 11, seconds / 3600);
    put2(&mut text, 14, seconds / 60 % 60);
    put2(&mut text, 17, seconds % 60);
    let ms = ms_of_day % 1000;
    text[20] += (ms / 100) as u8;
    put2(&mut text, 21, ms % 100);
    out.extend_from_slice(&text);
}

/// `Z`, or `+01:00`, with seconds where a zone's old local time has some.
fn write_offset(out: &mut Vec<u8>, offset_ms: i64) {
    if offset_ms == 0 {
        out.push(b'Z');
        return;
    }
    let seconds = offset_ms.abs() / 1000;
    let mut text = *b"+00:00:00";
    text[0] = if offset_ms < 0 { b'-' } else { b'+' };
    put2(&mut text, 1, seconds / 3600);
    put2(&mut text, 4, seconds / 60 % 60);
    put2(&mut text, 7, seconds % 60);
    let shown = if seconds % 60 == 0 { 6 } else { 9 };
    out.extend_from_slice(&text[..shown]);
}

fn put2(text: &mut [u8], at: usize, value: i64) {
    text[at] += (value / 10) as u8;
    text[at + 1] += (value % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(time_ms: i64, zone: Zone) -> String {
        let mut out = Vec::new();
        write_instant(&mut out, time_ms, zone);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn utc_is_written_with_z_and_a_zone_with_its_offset() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(text(1_795_428_000_000, Zone::UTC), "2026-11-23T10:00:00.000Z");
        assert_eq!(text(1_795_428_000_000, zurich), "2026-11-23T11:00:00.000+01:00");
        assert_eq!(text(-1, Zone::UTC), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(951_782_400_000, Zone::UTC), "2000-02-29T00:00:00.000Z");
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_and_the_long_way_agree(time_ms in -62_135_596_800_000_i64..253_402_200_000_000) {
            let zurich = Zone::parse("Europe/Zurich").unwrap();
            proptest::prop_assert_eq!(text(time_ms, Zone::UTC), format_instant_in(time_ms, Zone::UTC));
            proptest::prop_assert_eq!(text(time_ms, zurich), format_instant_in(time_ms, zurich));
        }

        #[test]
        fn every_instant_is_written(time_ms in proptest::num::i64::ANY) {
            proptest::prop_assert!(!text(time_ms, Zone::UTC).is_empty());
        }
    }
}
