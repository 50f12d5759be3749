use proptest::prelude::*;

use super::*;
use crate::time::format_instant;

/// 2026-11-23T10:00:00Z, a Monday.
const MONDAY: i64 = 1_795_428_000_000;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn read(pattern: &str, text: &str) -> Option<String> {
    JodaPattern::compile(pattern).unwrap().parse(text, Zone::UTC).map(format_instant)
}

fn shown(pattern: &str, time_ms: i64, zone_name: &str) -> String {
    JodaPattern::compile(pattern).unwrap().format(time_ms, zone(zone_name))
}

#[test]
fn every_letter_writes_what_joda_writes() {
    for (pattern, text) in [
        ("yyyy-MM-dd HH:mm:ss", "2026-11-23 10:00:00"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2026-11-23T10:00:00.000+00:00"),
        ("EEE, d MMM yyyy", "Mon, 23 Nov 2026"),
        ("EEEE MMMM", "Monday November"),
        ("yy y YYYY", "26 2026 2026"),
        ("xxxx-'W'ww-e", "2026-W48-1"),
        ("D G C", "327 AD 20"),
        ("h:mm a K k", "10:00 AM 10 10"),
        ("S SS SSSSSS", "0 00 000000"),
        ("Z ZZ ZZZ z", "+0000 +00:00 UTC UTC"),
        ("'o''clock' ''", "o'clock '"),
    ] {
        assert_eq!(shown(pattern, MONDAY, "UTC"), text, "{pattern}");
    }
    assert_eq!(shown("EEE HH", MONDAY, "Europe/Zurich"), "Mon 11");
    assert_eq!(shown("Z ZZ ZZZ z", MONDAY, "Europe/Zurich"), "+0100 +01:00 Europe/Zurich CET");
    assert_eq!(shown("h K k", -36_000_000 + 12 * 3_600_000, "UTC"), "2 2 2");
    assert_eq!(shown("h K k HH a", 0, "UTC"), "12 0 24 00 AM");
    assert_eq!(shown("yyyy G YYYY", -62_198_755_200_000, "UTC"), "-0001 BC 0002");
}

#[test]
fn every_letter_reads_what_joda_reads() {
    for (pattern, text, instant) in [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2026-11-23T10:00:00.123+01:00", "2026-11-23T09:00:00.123Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2026-11-23T10:00:00.123Z", "2026-11-23T10:00:00.123Z"),
        ("yyyyMMddHHmmss", "20261123100000", "2026-11-23T10:00:00.000Z"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "23/Nov/2026:10:00:00 -0800", "2026-11-23T18:00:00.000Z"),
        ("EEE, d MMMM yyyy h:mm a", "mon, 23 NOVEMBER 2026 2:05 pm", "2026-11-23T14:05:00.000Z"),
        ("MM/dd/yy", "11/23/26", "2026-11-23T00:00:00.000Z"),
        ("MM/dd/yy", "11/23/46", "1946-11-23T00:00:00.000Z"),
        ("MM/dd/yy", "11/23/2026", "2026-11-23T00:00:00.000Z"),
        ("HH:mm", "10:30", "1970-01-01T10:30:00.000Z"),
        ("MM-dd", "02-29", "2000-02-29T00:00:00.000Z"),
        ("xxxx-'W'ww-e", "2026-W48-1", "2026-11-23T00:00:00.000Z"),
        ("xxxx-'W'ww", "2026-W48", "2026-11-23T00:00:00.000Z"),
        ("yyyy-DDD", "2026-327", "2026-11-23T00:00:00.000Z"),
        ("yyyy-MM-dd kk", "2026-11-23 24", "2026-11-23T00:00:00.000Z"),
        ("yyyy-MM-dd HH:mm z", "2026-07-01 10:00 PDT", "2026-07-01T17:00:00.000Z"),
        ("yyyy-MM-dd HH:mm ZZZ", "2026-07-01 10:00 Europe/Zurich", "2026-07-01T08:00:00.000Z"),
        ("yyyy-MM-dd HH:mm:ss.SSSSSS", "2026-11-23 10:00:00.123456", "2026-11-23T10:00:00.123Z"),
        ("yyyy-M-d", "2026-1-5", "2026-01-05T00:00:00.000Z"),
        ("YYYY G", "2 BC", "-0001-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(read(pattern, text).as_deref(), Some(instant), "{pattern} {text}");
    }
}

#[test]
fn a_text_of_another_form_is_not_read() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "2026-11-23 "),
        ("yyyy-MM-dd", "2026-11"),
        ("yyyy-MM-dd", "2026-02-30"),
        ("yyyy-MM-dd", "2026-13-01"),
        ("HH:mm", "24:00"),
        ("EEE", "Foo"),
        ("h a", "13 PM"),
        ("yyyyMMdd", "202611"),
        ("yyyy-MM-dd'T'HH", "2026-11-23 10"),
        ("xxxx-ww", "2026-54"),
    ] {
        assert_eq!(read(pattern, text), None, "{pattern} {text}");
    }
}

#[test]
fn a_time_that_the_zone_skips_is_not_read() {
    let pattern = JodaPattern::compile("yyyy-MM-dd HH:mm").unwrap();
    assert_eq!(pattern.parse("2026-03-29 02:30", zone("Europe/Zurich")), None);
    assert!(pattern.parse("2026-03-29 03:30", zone("Europe/Zurich")).is_some());
}

#[test]
fn a_letter_without_meaning_is_refused_by_name() {
    let error = JodaPattern::compile("yyyy-bb").unwrap_err().to_string();
    assert!(error.contains("letter b"), "{error}");
    assert!(JodaPattern::compile("").is_err());
    assert!(JodaPattern::compile(&"y".repeat(1_000)).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(ms in -62_135_596_800_000i64..253_402_300_800_000, which in 0..5usize, name in 0..3usize) {
        let pattern = [
            "yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "EEE dd MMM yyyy hh:mm:ss.SSS a Z", "xxxx-ww-e HH:mm:ss.SSS Z",
            "yyyyMMddHHmmssSSSZ", "yyyy-DDD kk:mm:ss.SSSZZ",
        ][which];
        let pattern = JodaPattern::compile(pattern).unwrap();
        let zone = zone(["UTC", "Europe/Zurich", "Australia/Lord_Howe"][name]);
        prop_assert_eq!(pattern.parse(&pattern.format(ms, zone), Zone::UTC), Some(ms));
    }

    #[test]
    fn no_pattern_and_no_text_is_too_strange(pattern in "[GCYyxweEDdMaKhHkmsSzZ':. é-]{0,12}", text in "\\PC{0,16}", ms in proptest::num::i64::ANY) {
        if let Ok(pattern) = JodaPattern::compile(&pattern) {
            let _ = pattern.parse(&text, Zone::UTC);
            pattern.format(ms, Zone::UTC);
        }
    }
}
