use super::{one, refused, rows};

#[test]
fn lengths_and_positions_count_utf16_units() {
    assert_eq!(one("LENGTH('😀é'), STRLEN('😀'), CHARACTER_LENGTH('abc')"), "3|2|3");
    assert_eq!(one("SUBSTRING('a😀b', 4), SUBSTR('a😀b', 1, 1), STRPOS('a😀b', 'b')"), "b|a|4");
    assert_eq!(one("POSITION('b' IN 'abcb'), POSITION('x', 'abc'), POSITION('b', 'abcb', 3)"), "2|0|4");
    assert_eq!(one("STR_POSITION('abc', 'c'), STRPOS('abc', '')"), "3|1");
}

#[test]
fn parts_outside_the_text_are_what_druid_says() {
    assert_eq!(one("SUBSTRING('abc', 4), SUBSTRING('abc', 9, 1), SUBSTRING('', 1)"), "null|null|null");
    assert_eq!(one("SUBSTRING('abc', 0, 2), SUBSTRING('abc', 2, -1)"), "a|");
    assert_eq!(
        one("LEFT('abc', 2), RIGHT('abc', 2), LEFT('abc', 9), RIGHT('abc', 0), LEFT('abc', -1)"),
        "ab|bc|abc||null"
    );
}

#[test]
fn padding_cuts_fills_and_knows_null() {
    assert_eq!(one("LPAD('abc', 2), RPAD('a', 4, 'xy'), LPAD('a', 3), LPAD('a', 3, '')"), "ab|axyx|  a|a");
    assert_eq!(one("LPAD('a', 3, NULL), RPAD(NULL, 3), LPAD('a', 0)"), "null|null|null");
    assert_eq!(one("LPAD('a', -1), RPAD('a', 0), REPEAT('a', 0)"), "|null|null");
}

#[test]
fn trimming_takes_any_set_of_characters() {
    assert_eq!(
        one(
            "BTRIM('xyaxy', 'yx'), LTRIM('xxa', 'x'), RTRIM('axx', 'x'), TRIM('  a '), TRIM(LEADING 'x' FROM 'xax')"
        ),
        "a|a|a|a|ax"
    );
    assert_eq!(one("TRIM(BOTH 'x' FROM 'xax'), BTRIM('a', NULL), BTRIM(NULL, 'a')"), "a|a|null");
}

#[test]
fn joining_gives_null_for_null_and_takes_every_type() {
    assert_eq!(
        one("CONCAT('a', 1, 2.5, TRUE), TEXTCAT('a', 'b'), CONCAT('a', NULL), CONCAT('x')"),
        "a12.5true|ab|null|x"
    );
    assert_eq!(
        one("CONCAT('t ', TIMESTAMP '2026-11-23 10:00:00'), CONCAT(1e10)"),
        "t 2026-11-23 10:00:00|1.0E10"
    );
}

#[test]
fn containment_with_and_without_case() {
    assert_eq!(
        one(
            "CONTAINS_STRING('Zürich', 'ür'), CONTAINS_STRING('a', 'A'), ICONTAINS_STRING('ZÜRICH', 'ür'), CONTAINS_STRING(NULL, 'a')"
        ),
        "true|false|true|null"
    );
}

#[test]
fn regular_expressions_are_javas() {
    assert_eq!(
        one(
            "REGEXP_EXTRACT('ab12', '\\d+'), REGEXP_EXTRACT('ab', '\\d+'), REGEXP_EXTRACT('a1', '(a)(\\d)', 2)"
        ),
        "12|null|1"
    );
    assert_eq!(
        one("REGEXP_LIKE('abc', 'b'), REGEXP_LIKE('abc', '^b'), REGEXP_LIKE(NULL, 'a')"),
        "true|false|null"
    );
    assert_eq!(
        one("REGEXP_REPLACE('a1b2', '(\\d)', '<$1>'), REGEXP_REPLACE('a', 'x*', '-')"),
        "a<1>b<2>|-a-"
    );
    assert!(refused("REGEXP_LIKE(city, '(?=x)')").contains("look-around"));
    assert!(refused("REGEXP_EXTRACT(city, '(x)', 2)").contains("no group 2"));
    assert!(refused("REGEXP_REPLACE(city, 'x', '$9')").contains("argument 3"));
}

#[test]
fn numbers_are_read_in_any_radix() {
    assert_eq!(
        one(
            "PARSE_LONG('12'), PARSE_LONG('-ff', 16), PARSE_LONG('0x1F', 16), PARSE_LONG('x'), PARSE_LONG('')"
        ),
        "12|-255|31|null|null"
    );
    assert!(refused("PARSE_LONG(plain, 99)").contains("99"));
}

#[test]
fn texts_are_made_within_bounds() {
    assert_eq!(one("REPEAT('ab', 3), REPEAT('a', 0), REPEAT(NULL, 2)"), "ababab|null|null");
    for call in ["REPEAT(plain, 2000000000)", "LPAD(plain, 2000000000)"] {
        assert!(refused(call).contains("bytes"), "{call}");
    }
}

#[test]
fn texts_that_replacements_make_are_given_up_while_they_grow() {
    // Made to their end, each would have a terabyte.
    for call in [
        "REPLACE(REPEAT('a', 1000000), 'a', REPEAT('b', 1000000))",
        "REPLACE(REPEAT('a', 1000000), '', REPEAT('b', 1000000))",
        "REGEXP_REPLACE(REPEAT('a', 1000000), 'a', REPEAT('b', 1000000))",
        "REGEXP_REPLACE(REPEAT('a', 1000000), '^.*$', REPEAT('$0', 500000))",
    ] {
        assert!(refused(call).contains("bytes"), "{call}");
    }
    // What fits is made, however often something might have been found.
    let long = "LENGTH(REPLACE(CONCAT('b', REPEAT('a', 900000)), 'b', REPEAT('c', 100000)))";
    assert_eq!(one(long), "1000000");
    assert_eq!(one("LENGTH(REGEXP_REPLACE(REPEAT('a', 500000), 'a', 'bb'))"), "1000000");
}

#[test]
fn texts_are_formatted_as_java_formats_them() {
    assert_eq!(one("STRING_FORMAT('%s is %.1f or %05d', 'x', 2.25, 7)"), "x is 2.3 or 00007");
    assert_eq!(
        one("STRING_FORMAT('%d', 'x'), STRING_FORMAT(NULL, 1), STRING_FORMAT('%s', NULL)"),
        "%d; x|null|null"
    );
    assert_eq!(
        one("STRING_FORMAT('%s', TRUE), STRING_FORMAT('100%%'), STRING_FORMAT('%.1e', 1.25)"),
        "1|100%%|1.3e+00"
    );
    assert_eq!(one("STRING_FORMAT('%d', TIMESTAMP '2026-11-23 10:00:00')"), "1795428000000");
    assert_eq!(
        one("DECODE_BASE64_UTF8('WsO8cmljaA=='), DECODE_BASE64_UTF8('WsO8cmljaA'), DECODE_BASE64_UTF8('?')"),
        "Zürich|Zürich|null"
    );
}

#[test]
fn lists_of_texts_are_made_and_joined() {
    assert_eq!(
        one("MV_TO_STRING(STRING_TO_MV('a,b,c', ','), '-'), MV_LENGTH(STRING_TO_MV('a,b', ','))"),
        "a-b-c|2"
    );
    assert_eq!(
        one("MV_CONTAINS(STRING_TO_MV('a,b', ','), 'b'), MV_OVERLAP(STRING_TO_MV('a,b', ','), 'x')"),
        "true|false"
    );
    assert_eq!(
        one(
            "MV_OFFSET(STRING_TO_MV('a,b', ','), 1), MV_ORDINAL(STRING_TO_MV('a,b', ','), 1), MV_OFFSET('a', 7)"
        ),
        "b|a|null"
    );
    assert_eq!(one("MV_FILTER_ONLY(STRING_TO_MV('a,b', ','), 'b'), MV_FILTER_NONE('a', 'a')"), "[b]|null");
}

#[test]
fn what_is_nothing_but_separators_has_no_parts() {
    assert_eq!(one("MV_LENGTH(STRING_TO_MV(',', ',')), MV_LENGTH(STRING_TO_MV('', ','))"), "0|1");
    assert_eq!(one("STRING_TO_ARRAY('a,,b,,', ',')"), "[a, , b]");
}

#[test]
fn every_kind_of_text_column_is_taken() {
    assert_eq!(
        rows("SELECT UPPER(code), UPPER(plain), UPPER(city) FROM t LIMIT 3"),
        ["B|12|ZÜRICH", "A|X|BERN", "null|null|ZÜRICH"]
    );
    assert_eq!(rows("SELECT CONCAT(code, '-', city) FROM t LIMIT 3"), ["b-Zürich", "a-Bern", "null"]);
}
