use super::{one, planned, rows};

#[test]
fn what_cannot_be_read_as_a_time_is_null() {
    assert_eq!(one("TIME_PARSE('foo'), TIME_PARSE('2026-13-01'), TIME_PARSE(NULL)"), "null|null|null");
    assert_eq!(one("TIME_PARSE('23/11/2026', 'dd/MM/yyyy')"), "2026-11-23T00:00:00.000Z");
    assert_eq!(
        one("TIME_PARSE('2000-02-01 00:00:00', NULL, 'America/Los_Angeles')"),
        "2000-02-01T08:00:00.000Z"
    );
    assert_eq!(rows("SELECT TIME_PARSE(plain, 'ss') FROM t LIMIT 2"), ["1970-01-01T00:00:12.000Z", "null"]);
}

#[test]
fn a_wrong_literal_is_refused_by_name_before_anything_is_read() {
    for (call, word) in [
        ("TIME_FLOOR(__time, 'P1X')", "P1X"),
        ("TIME_FLOOR(__time, 'P0D')", "longer than nothing"),
        ("TIME_FLOOR(__time, 'P1D', NULL, 'Mars/Phobos')", "Mars/Phobos"),
        ("TIME_EXTRACT(__time, 'FORTNIGHT')", "FORTNIGHT"),
        ("TIME_FORMAT(__time, 'bb')", "letter b"),
        ("TIME_IN_INTERVAL(__time, '2026')", "interval"),
        ("DATE_TRUNC('eon', __time)", "eon"),
        ("TIMESTAMPADD('EON', 1, __time)", "EON"),
        ("TIME_FLOOR(__time)", "2 to 4 arguments"),
        ("TIME_FLOOR(TRUE, 'P1D')", "a timestamp"),
    ] {
        let error = planned(&format!("SELECT {call} FROM t WHERE FALSE"));
        assert!(error.contains(word), "{call}: {error}");
    }
}

#[test]
fn times_are_floored_for_every_row() {
    assert_eq!(
        rows("SELECT TIME_FLOOR(__time, 'PT1M') t, COUNT(*) FROM t GROUP BY 1 ORDER BY 1"),
        ["2026-11-23T10:00:00.000Z|2", "2026-11-23T10:01:00.000Z|2", "2026-11-23T10:02:00.000Z|1"]
    );
    assert_eq!(
        rows("SELECT DISTINCT TIME_FLOOR(__time, 'P1D', NULL, 'Europe/Zurich') FROM t"),
        ["2026-11-22T23:00:00.000Z"]
    );
    assert_eq!(
        rows("SELECT TIME_FLOOR(__time, 'PT1M', TIMESTAMP '2026-11-23 09:59:30') FROM t LIMIT 2"),
        ["2026-11-23T09:59:30.000Z", "2026-11-23T10:00:30.000Z"]
    );
}

#[test]
fn every_argument_may_be_a_column() {
    let from = "FROM (VALUES ('PT1M', 'UTC', 'HH', '2026-11-23T10:00/PT1M'), ('P1D', 'Europe/Zurich', 'Z', '2026-11-23T11:00/PT1M')) AS v(p, z, pattern, i), t";
    let columns = "TIME_FLOOR(__time, p, NULL, z), TIME_SHIFT(__time, p, n, z), TIME_FORMAT(__time, pattern, z), TIME_IN_INTERVAL(__time, i, z)";
    assert_eq!(
        rows(&format!("SELECT {columns} {from} WHERE n = 5 ORDER BY p DESC")),
        [
            "2026-11-23T10:00:00.000Z|2026-11-23T10:05:00.000Z|10|true",
            "2026-11-22T23:00:00.000Z|2026-11-28T10:00:00.000Z|+0100|true",
        ]
    );
}

#[test]
fn every_unit_can_be_extracted() {
    let units = [
        ("EPOCH", "1795428000"),
        ("MICROSECOND", "1795428"),
        ("MILLISECOND", "0"),
        ("SECOND", "0"),
        ("MINUTE", "0"),
        ("HOUR", "10"),
        ("DAY", "23"),
        ("DOW", "1"),
        ("ISODOW", "1"),
        ("DOY", "327"),
        ("WEEK", "48"),
        ("MONTH", "11"),
        ("QUARTER", "4"),
        ("YEAR", "2026"),
        ("ISOYEAR", "2026"),
        ("DECADE", "202"),
        ("CENTURY", "21"),
        ("MILLENNIUM", "3"),
    ];
    for (unit, value) in units {
        assert_eq!(one(&format!("TIME_EXTRACT(TIMESTAMP '2026-11-23 10:00:00', '{unit}')")), value, "{unit}");
    }
    assert_eq!(one("TIME_EXTRACT(TIMESTAMP '2026-11-23 10:00:00', 'HOUR', 'America/Los_Angeles')"), "2");
    assert_eq!(one("EXTRACT(DAY FROM TIMESTAMP '2026-11-23 10:00:00')"), "23");
}

#[test]
fn dates_are_truncated_to_every_unit() {
    let time = "TIMESTAMP '2026-11-25 17:41:32.123'";
    for (unit, start) in [
        ("milliseconds", "2026-11-25T17:41:32.123Z"),
        ("second", "2026-11-25T17:41:32.000Z"),
        ("hour", "2026-11-25T17:00:00.000Z"),
        ("WEEK", "2026-11-23T00:00:00.000Z"),
        ("quarter", "2026-10-01T00:00:00.000Z"),
        ("decade", "2020-01-01T00:00:00.000Z"),
        // Counted from 1970, as Druid does.
        ("century", "1970-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(one(&format!("DATE_TRUNC('{unit}', {time})")), start, "{unit}");
    }
    assert_eq!(one(&format!("DATE_TRUNC('day', {time}, 'Europe/Zurich')")), "2026-11-24T23:00:00.000Z");
}

#[test]
fn days_of_sql_have_24_hours_and_months_keep_the_wall_clock() {
    let before = "TIME_PARSE('2026-03-28T12:00:00', NULL, 'Europe/Zurich')";
    assert_eq!(
        one(&format!("TIMESTAMPADD('DAY', 1, {before}, 'Europe/Zurich')")),
        "2026-03-29T11:00:00.000Z"
    );
    assert_eq!(
        one(&format!("TIMESTAMPADD('MONTH', 1, {before}, 'Europe/Zurich')")),
        "2026-04-28T10:00:00.000Z"
    );
    assert_eq!(one(&format!("TIME_SHIFT({before}, 'P1D', 1, 'Europe/Zurich')")), "2026-03-29T10:00:00.000Z");
    assert_eq!(
        one("TIMESTAMPDIFF('MONTH', TIMESTAMP '2026-01-31 00:00:00', TIMESTAMP '2026-02-28 00:00:00')"),
        "1"
    );
    assert_eq!(
        one("TIMESTAMPDIFF('DAY', TIMESTAMP '2026-01-02 00:00:00', TIMESTAMP '2026-01-01 12:00:00')"),
        "0"
    );
    assert_eq!(
        one("TIMESTAMPADD('SQL_TSI_YEAR', 1, TIMESTAMP '2024-02-29 00:00:00')"),
        "2025-02-28T00:00:00.000Z"
    );
}

#[test]
fn numbers_and_texts_are_taken_as_times() {
    assert_eq!(one("TIME_FLOOR(1795428030000, 'PT1M')"), "2026-11-23T10:00:00.000Z");
    assert_eq!(one("TIME_FLOOR('2026-11-23 10:00:30', 'PT1M')"), "2026-11-23T10:00:00.000Z");
    assert_eq!(one("MILLIS_TO_TIMESTAMP('1'), TIMESTAMP_TO_MILLIS(NULL)"), "1970-01-01T00:00:00.001Z|null");
}

#[test]
fn no_time_is_too_far_away() {
    for ms in [i64::MAX, i64::MIN + 1] {
        for call in [
            "TIME_FLOOR(x, 'P1M')",
            "TIME_CEIL(x, 'P7Y', NULL, 'Europe/Zurich')",
            "TIME_SHIFT(x, 'P1Y', 1000000)",
        ] {
            assert!(one(&call.replace('x', &format!("MILLIS_TO_TIMESTAMP({ms})"))).ends_with('Z'), "{call}");
        }
    }
}
