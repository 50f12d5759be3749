use super::{one, refused, rows};

#[test]
fn whole_numbers_stay_whole() {
    assert_eq!(
        one("ABS(-7), CEIL(7), FLOOR(7), ROUND(7), ROUND(1250, -2), TRUNC(1299, -2), MOD(7, 4)"),
        "7|7|7|7|1300|1200|3"
    );
    assert_eq!(
        one("DIV(7, 2), DIV(-7, 2), DIV(7.5, 2), SAFE_DIVIDE(7, 2), SAFE_DIVIDE(7, 0), SAFE_DIVIDE(7.0, 2)"),
        "3|-3|3|3|null|3.5"
    );
}

#[test]
fn floats_stay_floats_where_druid_keeps_them() {
    assert_eq!(
        rows("SELECT ABS(f), ROUND(f, 0), CEIL(f), SQRT(f) FROM t WHERE f = 8.5"),
        ["8.5|9.0|9.0|2.9154759474226504"]
    );
    let types =
        rows("SELECT arrow_typeof(ABS(f)), arrow_typeof(SQRT(f)), arrow_typeof(MOD(f, 2)) FROM t LIMIT 1");
    assert_eq!(types, ["Float32|Float64|Float64"]);
}

#[test]
fn rounding_is_half_up_on_the_decimal_digits() {
    assert_eq!(one("ROUND(1.005, 2), ROUND(-2.5), ROUND(1234.5, -2), ROUND(0.5)"), "1.01|-3.0|1200.0|1.0");
    assert_eq!(one("ROUND(-0.4), ROUND(-0.004, 2), ROUND(7, -9223372036854775808)"), "0.0|0.0|0");
    assert_eq!(one("BITWISE_CONVERT_DOUBLE_TO_LONG_BITS(SQRT(-1))"), "9221120237041090560");
    assert_eq!(one("ROUND(SQRT(-1)), TRUNC(-1.99), TRUNCATE(123.456, -1)"), "0.0|-1.0|120.0");
}

#[test]
fn a_whole_number_by_zero_is_an_error_and_a_double_is_not() {
    assert_eq!(refused("MOD(n, 0)"), "External error: / by zero");
    assert!(refused("DIV(n, 0)").contains("/ by zero"));
    assert_eq!(one("MOD(1.5, 0.0)"), "NaN");
}

#[test]
fn the_greatest_and_the_least_ignore_null() {
    assert_eq!(
        one("GREATEST(1, 3, 2), LEAST(1, NULL, 2), GREATEST(NULL, NULL), GREATEST(1, 2.5), LEAST('b', 'a')"),
        "3|1|null|2.5|a"
    );
    // With a text among them, all are texts.
    assert_eq!(one("GREATEST(10, '9'), LEAST(10, '9')"), "9|10");
    assert_eq!(
        one(
            "GREATEST(TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-02 00:00:00'), GREATEST(TRUE, FALSE)"
        ),
        "1767312000000|1"
    );
    assert_eq!(one("GREATEST()"), "null");
}

#[test]
fn bits_are_those_of_longs() {
    assert_eq!(
        one("BITWISE_AND(12, 10), BITWISE_OR(12, 10), BITWISE_XOR(12, 10), BITWISE_COMPLEMENT(0)"),
        "8|14|6|-1"
    );
    assert_eq!(
        one("BITWISE_SHIFT_LEFT(1, 3), BITWISE_SHIFT_RIGHT(-8, 1), BITWISE_SHIFT_LEFT(1, 64)"),
        "8|-4|1"
    );
    assert_eq!(
        one(
            "BITWISE_CONVERT_LONG_BITS_TO_DOUBLE(BITWISE_CONVERT_DOUBLE_TO_LONG_BITS(2.5)), BITWISE_AND(3.9, 7)"
        ),
        "2.5|3"
    );
}

#[test]
fn logarithms_have_any_base() {
    assert_eq!(one("LOG10(1000), LN(1), LOG(2, 8), LOG(1), POW(2, 3), EXP(0)"), "3.0|0.0|3.0|0.0|8.0|1.0");
}

#[test]
fn numbers_are_written_for_people() {
    assert_eq!(
        one("HUMAN_READABLE_BINARY_BYTE_FORMAT(1048576), HUMAN_READABLE_DECIMAL_BYTE_FORMAT(1048576)"),
        "1.00 MiB|1.05 MB"
    );
    assert_eq!(one("HUMAN_READABLE_DECIMAL_FORMAT(1500, 1)"), "1.5 K");
    assert!(refused("HUMAN_READABLE_DECIMAL_FORMAT(n, 9)").contains("between 0 and 3"));
}

#[test]
fn addresses_are_matched_and_converted() {
    assert_eq!(
        one(
            "IPV4_MATCH('192.168.3.4', '192.168.0.0/16'), IPV4_MATCH('foo', '192.168.0.0/16'), IPV4_MATCH(NULL, '0.0.0.0/0')"
        ),
        "true|false|false"
    );
    assert_eq!(
        one("IPV4_PARSE('1.2.3.4'), IPV4_STRINGIFY(16909060), IPV4_PARSE('x'), IPV4_STRINGIFY(-1)"),
        "16909060|1.2.3.4|null|null"
    );
    assert_eq!(
        one("IPV6_MATCH('2001:db8::1', '2001:db8::/32'), IPV6_MATCH('1.2.3.4', '2001:db8::/32')"),
        "true|false"
    );
    assert!(refused("IPV4_MATCH(city, 'x')").contains("192.168.0.0/16"));
}

#[test]
fn texts_are_read_as_numbers() {
    assert_eq!(
        rows("SELECT ABS(plain), MOD(plain, 5) FROM t"),
        ["12.0|2.0", "null|null", "null|null", "7.0|-2.0", "null|null"]
    );
}
