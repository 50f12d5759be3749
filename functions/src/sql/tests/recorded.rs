//! Values that a Druid 33 answered, over literals where the original had a table of its own.

use super::{one, rows};

/// The first row of the recordings' table.
const T: &str = "TIMESTAMP '2026-11-23 10:00:00'";

#[test]
fn string_functions() {
    let answer = one(
        "UPPER('aé'), POSITION('c' IN 'abc'), REPLACE('aXa','X','-'), TRIM('  a '), LPAD('a',3,'x'), \
         REGEXP_EXTRACT('47.3,8.5','^([0-9.]+),',1), REGEXP_REPLACE('abc','b','x'), STRPOS('abc','b'), REVERSE('abc'), \
         STRING_FORMAT('%05d',3)",
    );
    assert_eq!(answer, "AÉ|3|a-a|a|xxa|47.3|axc|2|cba|00003");
    // Druid pads a constant to the width of the literal that it was cut from; texts here have no width.
    assert_eq!(one("SUBSTRING('abcdef',2,3)"), "bcd");
    assert_eq!(one("CHAR_LENGTH('Zürich')"), "6");
}

#[test]
fn null_handling() {
    let answer = one(
        "'' IS NULL, NULL IS NULL, COALESCE(NULL,'x'), NULLIF('a','a'), CONCAT('a',NULL), 'a'||NULL, LENGTH(''), \
         NVL(NULL,2)",
    );
    assert_eq!(answer, "false|true|x|null|null|null|0|2");
}

#[test]
fn arithmetic() {
    let answer = one(
        "POWER(2,10), SQRT(2), ROUND(2.5), ROUND(-2.5), ROUND(1.2345,2), CEIL(1.2), FLOOR(-1.2), ABS(-3), MOD(-7,3), \
         TRUNCATE(1.999,1)",
    );
    assert_eq!(answer, "1024.0|1.4142135623730951|3.0|-3.0|1.23|2.0|-2.0|3|-1|1.9");
}

#[test]
fn floors_and_ceilings_of_time() {
    let answer = one(&format!(
        "TIME_FLOOR({T}, 'PT1H'), TIME_FLOOR({T}, 'P1D'), TIME_FLOOR({T}, 'P1W'), TIME_FLOOR({T}, 'P1M'), \
         TIME_FLOOR({T}, 'P3M'), TIME_FLOOR({T}, 'P1Y'), TIME_CEIL({T}, 'PT1H')"
    ));
    let expected = [
        "2026-11-23T10:00:00.000Z",
        "2026-11-23T00:00:00.000Z",
        "2026-11-23T00:00:00.000Z",
        "2026-11-01T00:00:00.000Z",
        "2026-10-01T00:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
        "2026-11-23T10:00:00.000Z",
    ];
    assert_eq!(answer, expected.join("|"));
    assert_eq!(one(&format!("TIME_FLOOR({T},'P1D',NULL,'Europe/Zurich')")), "2026-11-22T23:00:00.000Z");
}

#[test]
fn shifts_and_fields_of_time() {
    let last = "TIMESTAMP '2026-11-23 10:59:59.964'";
    let answer = one(&format!(
        "TIME_SHIFT({last},'P1D',-1), TIME_EXTRACT({last},'HOUR'), EXTRACT(DOW FROM {last}), TIME_CEIL({last},'PT5M'), \
         TIMESTAMP_TO_MILLIS({last}), MILLIS_TO_TIMESTAMP(0), TIME_PARSE('2020-01-01'), DATE_TRUNC('minute',{last})"
    ));
    let expected = "2026-11-22T10:59:59.964Z|10|1|2026-11-23T11:00:00.000Z|1795431599964|1970-01-01T00:00:00.000Z\
                    |2020-01-01T00:00:00.000Z|2026-11-23T10:59:00.000Z";
    assert_eq!(answer, expected);
}

#[test]
fn formats_of_time() {
    let answer = one(&format!(
        "TIME_FORMAT({T},'yyyy-MM-dd HH:mm:ss'), TIME_FORMAT({T}), TIME_FORMAT({T},'EEE HH','Europe/Zurich')"
    ));
    assert_eq!(answer, "2026-11-23 10:00:00|2026-11-23T10:00:00.000+00:00|Mon 11");
}

#[test]
fn additions_and_differences_of_time() {
    let answer =
        one(&format!("TIMESTAMPADD('DAY',1,{T}), TIMESTAMPDIFF('HOUR',{T},TIMESTAMP '2026-11-24 00:00:00')"));
    assert_eq!(answer, "2026-11-24T10:00:00.000Z|14");
}

#[test]
fn intervals_hold_their_start_and_not_their_end() {
    let count = rows("SELECT COUNT(*) FROM t WHERE TIME_IN_INTERVAL(__time,'2026-11-23T10:00/PT1M')");
    assert_eq!(count, ["2"]);
}

#[test]
fn sums_of_floats_are_doubles() {
    // The recordings' exact digits depend on their rows; the types do not.
    let answer = rows("SELECT SUM(f), AVG(f), MIN(f), MAX(f), AVG(n), SUM(n) FROM t");
    assert_eq!(answer, ["54.850000001490116|13.712500000372529|-1.25|47.5|2.25|9"]);
}

#[test]
fn joined_distinct_texts_are_sorted() {
    let texts = "(VALUES ('accessRejected'), ('accessGranted'), ('accessRejected'), (NULL)) AS v(x)";
    assert_eq!(
        rows(&format!("SELECT STRING_AGG(DISTINCT x, ',') FROM {texts}")),
        ["accessGranted,accessRejected"]
    );
}
