use proptest::prelude::*;

use super::*;
use crate::time::parse::parse_iso;
use crate::time::{format_instant, format_instant_in};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn instant(text: &str, zone: Zone) -> i64 {
    parse_iso(text, zone).unwrap()
}

/// Floors a local time and gives the local time and offset of the result.
fn floor_in(text: &str, period: &str, zone_name: &str) -> String {
    let zone = zone(zone_name);
    let floored = Period::parse(period).unwrap().floor(instant(text, zone), None, zone);
    format_instant_in(floored, zone)
}

#[test]
fn periods_are_read_and_written_as_iso_8601() {
    for text in [
        "P1D",
        "P2W",
        "P3M",
        "PT1H30M",
        "PT0.750S",
        "P1DT2H",
        "P1Y2M3W4DT5H6M7.008S",
        "PT90M",
        "P-1D",
        "PT0S",
    ] {
        assert_eq!(Period::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Period::parse("p1dt2h").unwrap().to_string(), "P1DT2H");
    assert_eq!(Period::parse("PT.5S").unwrap(), Period { millis: 500, ..Period::ZERO });
    assert_eq!(Period::parse("PT-1.5S").unwrap().to_string(), "PT-1.500S");
}

#[test]
fn what_is_no_period_is_refused_by_name() {
    for text in
        ["", "P", "PT", "1D", "P1", "P1X", "P1H", "PT1D", "P1DT", "P1M1Y", "PT1.S", "P99999999999D", "P1D1D"]
    {
        let error = Period::parse(text).unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn a_unit_of_the_calendar_starts_where_the_calendar_says() {
    for (period, start) in [
        ("PT1S", "2026-11-25T17:41:32.000Z"),
        ("PT1M", "2026-11-25T17:41:00.000Z"),
        ("PT10M", "2026-11-25T17:40:00.000Z"),
        ("PT1H", "2026-11-25T17:00:00.000Z"),
        ("PT6H", "2026-11-25T12:00:00.000Z"),
        ("P1D", "2026-11-25T00:00:00.000Z"),
        ("P1W", "2026-11-23T00:00:00.000Z"),
        ("P1M", "2026-11-01T00:00:00.000Z"),
        ("P3M", "2026-10-01T00:00:00.000Z"),
        ("P1Y", "2026-01-01T00:00:00.000Z"),
        ("P10Y", "2020-01-01T00:00:00.000Z"),
        ("PT0.750S", "2026-11-25T17:41:31.500Z"),
        ("PT0.001S", "2026-11-25T17:41:32.123Z"),
    ] {
        assert_eq!(floor_in("2026-11-25T17:41:32.123", period, "UTC"), start, "{period}");
    }
}

#[test]
fn several_weeks_are_counted_from_the_thursday_of_the_epoch() {
    // Druid aligns one week to Monday, but multiples of weeks to the origin, which is a Thursday.
    assert_eq!(floor_in("1970-01-20", "P2W", "UTC"), "1970-01-15T00:00:00.000Z");
    assert_eq!(floor_in("1969-12-31", "P2W", "UTC"), "1969-12-18T00:00:00.000Z");
}

#[test]
fn an_origin_fixes_the_phase() {
    let origin = Some(instant("2026-01-31T12:00", Zone::UTC));
    let floor = |period: &str, text: &str| {
        format_instant(Period::parse(period).unwrap().floor(instant(text, Zone::UTC), origin, Zone::UTC))
    };
    assert_eq!(floor("P1D", "2026-11-23T10:00"), "2026-11-22T12:00:00.000Z");
    assert_eq!(floor("P1W", "2026-02-01T00:00"), "2026-01-31T12:00:00.000Z");
    // Months are counted from the 31st, so a short month's bucket starts on its last day.
    assert_eq!(floor("P1M", "2026-03-15T00:00"), "2026-02-28T12:00:00.000Z");
    assert_eq!(floor("P1M", "2026-03-31T12:00"), "2026-03-31T12:00:00.000Z");
    assert_eq!(floor("P1M", "2025-12-01T00:00"), "2025-11-30T12:00:00.000Z");
    assert_eq!(floor("P1Y", "2026-01-30T00:00"), "2025-01-31T12:00:00.000Z");
    assert_eq!(floor("PT1H", "2026-01-31T11:59"), "2026-01-31T11:00:00.000Z");
}

#[test]
fn a_day_has_23_or_25_hours_where_clocks_change() {
    let zurich = zone("Europe/Zurich");
    let day = Period::of_days(1);
    let width = |text: &str| {
        let start = day.floor(instant(text, zurich), None, zurich);
        (day.next(start, None, zurich) - start) / HOUR_MS
    };
    assert_eq!(width("2026-03-29T12:00"), 23);
    assert_eq!(width("2026-10-25T12:00"), 25);
    assert_eq!(width("2026-11-23T12:00"), 24);
    assert_eq!(floor_in("2026-03-29T12:00", "P1D", "Europe/Zurich"), "2026-03-29T00:00:00.000+01:00");
}

#[test]
fn six_hours_are_elapsed_hours_since_the_local_epoch() {
    assert_eq!(floor_in("2026-01-15T13:00", "PT6H", "Europe/Zurich"), "2026-01-15T12:00:00.000+01:00");
    assert_eq!(floor_in("2026-07-15T14:00", "PT6H", "Europe/Zurich"), "2026-07-15T13:00:00.000+02:00");
}

#[test]
fn the_hour_that_occurs_twice_is_two_buckets() {
    let zurich = zone("Europe/Zurich");
    let hour = Period::of_hours(1);
    let first = instant("2026-10-25T00:30:00Z", zurich);
    let second = instant("2026-10-25T01:30:00Z", zurich);
    assert_eq!(format_instant_in(hour.floor(first, None, zurich), zurich), "2026-10-25T02:00:00.000+02:00");
    assert_eq!(format_instant_in(hour.floor(second, None, zurich), zurich), "2026-10-25T02:00:00.000+01:00");
}

#[test]
fn a_half_hour_change_cuts_an_hour_in_two() {
    let lord_howe = zone("Australia/Lord_Howe");
    let hour = Period::of_hours(1);
    let starts: Vec<_> = (0..8)
        .map(|n| instant("2026-04-04T14:00:00Z", lord_howe) + n * 15 * MINUTE_MS)
        .map(|ms| format_instant(hour.floor(ms, None, lord_howe)))
        .collect();
    assert_eq!(starts[0], "2026-04-04T14:00:00.000Z");
    assert_eq!(starts[3], "2026-04-04T14:00:00.000Z");
    assert_eq!(starts[4], "2026-04-04T15:00:00.000Z");
    assert_eq!(starts[6], "2026-04-04T15:30:00.000Z");
}

#[test]
fn a_day_that_begins_at_one_oclock_begins_at_one_oclock() {
    // Clocks in São Paulo went from 24:00 to 01:00 on 2018-11-04.
    assert_eq!(floor_in("2018-11-04T12:00", "P1D", "America/Sao_Paulo"), "2018-11-04T01:00:00.000-02:00");
    let zone = zone("America/Sao_Paulo");
    let before = Period::of_days(1).floor(instant("2018-11-03T12:00", zone), None, zone);
    assert_eq!(
        format_instant_in(Period::of_days(1).next(before, None, zone), zone),
        "2018-11-04T01:00:00.000-02:00"
    );
}

#[test]
fn shifting_by_days_keeps_the_wall_clock_and_by_hours_does_not() {
    let la = zone("America/Los_Angeles");
    let start = instant("2026-03-07T12:00", la);
    let shown =
        |period: &str, times| format_instant_in(Period::parse(period).unwrap().add(start, times, la), la);
    assert_eq!(shown("P1D", 1), "2026-03-08T12:00:00.000-07:00");
    assert_eq!(shown("PT24H", 1), "2026-03-08T13:00:00.000-07:00");
    assert_eq!(shown("P1M", -1), "2026-02-07T12:00:00.000-08:00");
    assert_eq!(shown("P1D", 0), "2026-03-07T12:00:00.000-08:00");
    assert_eq!(shown("P1M", 12), "2027-03-07T12:00:00.000-08:00");
}

#[test]
fn months_end_where_the_month_ends() {
    let start = instant("2024-01-31", Zone::UTC);
    assert_eq!(format_instant(Period::of_months(1).add(start, 1, Zone::UTC)), "2024-02-29T00:00:00.000Z");
    // Each part in turn, as Joda does: a year first, then a month.
    let leap = instant("2024-02-29", Zone::UTC);
    let period = Period::parse("P1Y1M").unwrap();
    assert_eq!(format_instant(period.add(leap, 1, Zone::UTC)), "2025-03-28T00:00:00.000Z");
}

#[test]
fn ceil_leaves_a_boundary_where_it_is() {
    let hour = Period::of_hours(1);
    assert_eq!(hour.ceil(HOUR_MS, None, Zone::UTC), HOUR_MS);
    assert_eq!(hour.ceil(HOUR_MS + 1, None, Zone::UTC), 2 * HOUR_MS);
    assert_eq!(hour.ceil(-1, None, Zone::UTC), 0);
}

#[test]
fn fixed_widths_are_known_where_they_exist() {
    let zurich = zone("Europe/Zurich");
    assert_eq!(Period::of_days(1).fixed_ms(Zone::UTC), Some(DAY_MS));
    assert_eq!(Period::of_weeks(1).fixed_ms(Zone::UTC), Some(7 * DAY_MS));
    assert_eq!(Period::of_days(1).fixed_ms(zurich), None);
    assert_eq!(Period::of_minutes(10).fixed_ms(zurich), Some(10 * MINUTE_MS));
    assert_eq!(Period::of_months(1).fixed_ms(Zone::UTC), None);
    assert_eq!(Period::ZERO.fixed_ms(Zone::UTC), None);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    for period in ["P1Y", "P7Y", "P3M", "P1W", "P1D", "PT1H", "P1DT2H", "P1Y1D", "PT0.001S", "P2147483647Y"] {
        let period = Period::parse(period).unwrap();
        for name in ["UTC", "Europe/Zurich", "Australia/Lord_Howe", "+05:30"] {
            for ms in [i64::MIN, i64::MIN / 2, i64::MAX / 2, i64::MAX] {
                let floored = period.floor(ms, None, zone(name));
                period.next(floored, None, zone(name));
                period.ceil(ms, Some(i64::MAX), zone(name));
                period.add(ms, i64::MIN, zone(name));
            }
        }
    }
}

fn any_period() -> impl Strategy<Value = Period> {
    let part = |max: i32| prop_oneof![4 => Just(0), 2 => Just(1), 1 => 1..=max];
    (part(30), part(40), part(9), part(60), part(50), part(2_000), part(5_000), part(1_500)).prop_map(
        |(years, months, weeks, days, hours, minutes, seconds, millis)| Period {
            years,
            months,
            weeks,
            days,
            hours,
            minutes,
            seconds,
            millis,
        },
    )
}

/// Units alone and in multiples, which is what people ask for.
fn usual_period() -> impl Strategy<Value = Period> {
    prop_oneof![
        (1..4).prop_map(Period::of_years),
        (1..14).prop_map(Period::of_months),
        (1..4).prop_map(Period::of_weeks),
        (1..9).prop_map(Period::of_days),
        (1..13).prop_map(Period::of_hours),
        (1..90).prop_map(Period::of_minutes),
        (1..90).prop_map(Period::of_seconds),
        any_period().prop_filter("longer than nothing", Period::is_positive),
    ]
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just("UTC"),
        Just("Europe/Zurich"),
        Just("America/Los_Angeles"),
        Just("Australia/Lord_Howe"),
        Just("America/Sao_Paulo"),
        Just("Asia/Kolkata"),
        Just("America/Havana"),
        Just("-03:30"),
    ]
    .prop_map(zone)
}

/// Years 1 to 9999, and often a time close to a change of clocks.
fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => -62_135_596_800_000i64..253_402_300_800_000,
        1 => 0i64..4_102_444_800_000,
        // The last days of March and October, the first of April and November.
        1 => (0i64..130, prop_oneof![Just(85i64), Just(95), Just(298), Just(305)], -10 * DAY_MS..10 * DAY_MS)
            .prop_map(|(year, day, ms)| (year * 36_525 / 100 + day) * DAY_MS + ms),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_bucket_holds_the_times_it_is_made_of(
        ms in any_time(), period in usual_period(), zone in any_zone(), origin in proptest::option::of(any_time()),
    ) {
        let start = period.floor(ms, origin, zone);
        let end = period.next(start, origin, zone);
        prop_assert!(start <= ms, "{start} <= {ms}");
        prop_assert!(ms < end, "{ms} < {end}");
        prop_assert_eq!(period.floor(start, origin, zone), start);
        prop_assert_eq!(period.floor(end - 1, origin, zone), start);
        prop_assert_eq!(period.floor(end, origin, zone), end);
        prop_assert_eq!(period.ceil(ms, origin, zone), if start == ms { ms } else { end });
    }

    #[test]
    fn a_fixed_width_gives_the_same_buckets(ms in any_time(), period in usual_period(), zone in any_zone()) {
        if let Some(width) = period.fixed_ms(zone) {
            let phase = period.floor(0, None, zone);
            prop_assert_eq!(period.floor(ms, None, zone), ms - (ms - phase).rem_euclid(width));
        }
    }

    #[test]
    fn a_period_survives_its_text(period in any_period()) {
        // Seconds and milliseconds are one number in text.
        let total = i64::from(period.seconds) * 1_000 + i64::from(period.millis);
        let period = Period { seconds: (total / 1_000) as i32, millis: (total % 1_000) as i32, ..period };
        prop_assert_eq!(Period::parse(&period.to_string()).unwrap(), period);
    }

    #[test]
    fn shifting_there_and_back_by_hours_changes_nothing(ms in any_time(), hours in 1..100i32, times in -9i64..9, zone in any_zone()) {
        let period = Period::of_hours(hours);
        prop_assert_eq!(period.add(period.add(ms, times, zone), -times, zone), ms);
    }

    #[test]
    fn no_text_is_too_strange_for_a_period(text in "[Pp]?[-+0-9.,TYMWDHS]{0,16}") {
        let _ = Period::parse(&text);
    }
}
