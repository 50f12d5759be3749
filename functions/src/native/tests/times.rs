//! Time.

use super::check;

#[test]
fn times_are_read() {
    check(&[
        ("timestamp('2026-11-23T10:30:15.250Z')", "1795429815250"),
        ("timestamp('2026-11-23')", "1795392000000"),
        ("timestamp('2026-11-23T10:30:15+01:00')", "1795426215000"),
        ("timestamp('23.11.2026', 'dd.MM.yyyy')", "1795392000000"),
        ("timestamp('yesterday')", "null"),
        ("timestamp(none)", "null"),
        ("unix_timestamp('2026-11-23T10:30:15.250Z')", "1795429815"),
        ("timestamp_parse('2026-11-23 10:30:15')", "1795429815000"),
        ("timestamp_parse('2026-11-23T10:30:15', null, 'Europe/Zurich')", "1795426215000"),
        ("timestamp_parse('23/11/2026 10:30', 'dd/MM/yyyy HH:mm', '+01:00')", "1795426200000"),
        ("timestamp_parse('x', 'yyyy')", "null"),
        ("timestamp_parse('2026-13-01')", "null"),
    ]);
}

#[test]
fn times_are_written() {
    check(&[
        ("timestamp_format(__time)", "'2026-11-23T10:30:15.250Z'"),
        ("timestamp_format(__time, 'yyyy-MM-dd HH:mm:ss')", "'2026-11-23 10:30:15'"),
        ("timestamp_format(__time, null, 'Europe/Zurich')", "'2026-11-23T11:30:15.250+01:00'"),
        ("timestamp_format(0, 'EEE', 'UTC')", "'Thu'"),
        ("timestamp_format(nolong)", "null"),
    ]);
}

#[test]
fn times_are_cut_and_shifted() {
    check(&[
        ("timestamp_format(timestamp_floor(__time, 'PT1H'))", "'2026-11-23T10:00:00.000Z'"),
        ("timestamp_floor(__time, 'P1D')", "1795392000000"),
        ("timestamp_format(timestamp_floor(__time, 'P1M'))", "'2026-11-01T00:00:00.000Z'"),
        (
            "timestamp_format(timestamp_floor(__time, 'P1D', null, 'Europe/Zurich'))",
            "'2026-11-22T23:00:00.000Z'",
        ),
        (
            "timestamp_format(timestamp_floor(__time, 'PT4H', '2026-11-23T01:00:00Z'))",
            "'2026-11-23T09:00:00.000Z'",
        ),
        ("timestamp_format(timestamp_ceil(__time, 'PT1H'))", "'2026-11-23T11:00:00.000Z'"),
        ("timestamp_ceil(1795392000000, 'P1D')", "1795392000000"),
        ("timestamp_format(timestamp_shift(__time, 'P1M', -1))", "'2026-10-23T10:30:15.250Z'"),
        ("timestamp_format(timestamp_shift(__time, 'PT15M', 2))", "'2026-11-23T11:00:15.250Z'"),
        ("timestamp_floor(nolong, 'P1D')", "null"),
        ("timestamp_floor('1795429815250', 'P1D')", "1795392000000"),
    ]);
}

#[test]
fn fields_are_taken_out_of_times() {
    check(&[
        ("timestamp_extract(__time, 'YEAR')", "2026"),
        ("timestamp_extract(__time, 'QUARTER')", "4"),
        ("timestamp_extract(__time, 'MONTH')", "11"),
        ("timestamp_extract(__time, 'WEEK')", "48"),
        ("timestamp_extract(__time, 'DAY')", "23"),
        ("timestamp_extract(__time, 'DOW')", "1"),
        ("timestamp_extract(__time, 'DOY')", "327"),
        ("timestamp_extract(__time, 'hour')", "10"),
        ("timestamp_extract(__time, 'HOUR', 'Asia/Kolkata')", "16"),
        ("timestamp_extract(__time, 'MINUTE')", "30"),
        ("timestamp_extract(__time, 'SECOND')", "15"),
        ("timestamp_extract(__time, 'MILLISECOND')", "250"),
        ("timestamp_extract(__time, 'EPOCH')", "1795429815"),
        ("timestamp_extract(-1, 'SECOND')", "59"),
        ("timestamp_extract(__time, 'CENTURY')", "21.0"),
        ("timestamp_extract(__time, 'MILLENNIUM')", "3.0"),
        ("timestamp_extract(__time, 'DECADE')", "202"),
        ("timestamp_extract(__time, 'ISOYEAR')", "2026"),
        ("__time + 1", "1795429815251"),
    ]);
}
