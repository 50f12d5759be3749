//! Text, patterns, addresses.

use super::check;

#[test]
fn the_case_studys_expressions_take_a_location_apart() {
    // As the specification holds them: JSON has halved the backslashes already.
    check(&[
        (r"regexp_extract(deviceLocation, '^(-?\\d+(?:\\.\\d+)?)')", "'47.37025931426311'"),
        (r"regexp_extract(deviceLocation, '(-?\\d+(?:\\.\\d+)?)$')", "'8.520322383414186'"),
        (r"cast(regexp_extract(deviceLocation, '^(-?\\d+(?:\\.\\d+)?)'), 'DOUBLE')", "47.37025931426311"),
        (r"regexp_extract(missing, '^(-?\\d+(?:\\.\\d+)?)')", "null"),
        (r"regexp_extract('-33.8,151.2', '^(-?\\d+(?:\\.\\d+)?)')", "'-33.8'"),
        (r"regexp_extract('-33.8,-151', '(-?\\d+(?:\\.\\d+)?)$')", "'-151'"),
    ]);
}

#[test]
fn the_case_studys_expressions_are_read_from_its_json() {
    let spec = serde_json::json!([serde_json::from_str::<String>(
        r#""regexp_extract(deviceLocation, '^(-?\\\\d+(?:\\\\.\\\\d+)?)')""#
    )
    .unwrap(),]);
    check(&[(spec[0].as_str().unwrap(), "'47.37025931426311'")]);
}

#[test]
fn patterns_find_extract_and_replace() {
    check(&[
        ("regexp_extract('foo bar', 'b.')", "'ba'"),
        ("regexp_extract('foo bar', 'f(o+) (b)', 1)", "'oo'"),
        ("regexp_extract('foo bar', 'f(o+) (b)', 2)", "'b'"),
        ("regexp_extract('foo bar', 'f(o+) (b)', 0)", "'foo b'"),
        ("regexp_extract('foo', '(x)?foo', 1)", "null"),
        ("regexp_extract('foo', 'x')", "null"),
        ("regexp_extract(none, 'x')", "null"),
        ("regexp_extract('foo', null)", "null"),
        ("regexp_extract(12345, '3.')", "'34'"),
        ("regexp_extract('foo', 'x*')", "''"),
        ("regexp_like('foo', '^f')", "1"),
        ("regexp_like('foo', '^o')", "0"),
        ("regexp_like(none, 'x')", "null"),
        (r"regexp_like('٣', '\\d')", "0"),
        ("regexp_replace('a1b22', '[0-9]+', '#')", "'a#b#'"),
        ("regexp_replace('ab', '(a)(b)', '$2$1')", "'ba'"),
        (r"regexp_replace('ab', 'a', '\\$')", "'$b'"),
        ("regexp_replace('ab', '(?<first>a)', '<${first}>')", "'<a>b'"),
        ("regexp_replace('ab', 'x', 'y')", "'ab'"),
        ("regexp_replace(none, 'x', 'y')", "null"),
        ("like(s, 'h%')", "1"),
        ("like(s, 'H%')", "0"),
        ("like(s, 'h_llo')", "1"),
        ("like(s, 'hell')", "0"),
        ("like('50%', '50\\\\%', '\\\\')", "1"),
        ("like('50x', '50!%', '!')", "0"),
        ("like('a.c', 'a.c')", "1"),
        ("like('abc', 'a.c')", "0"),
        ("like('a\nb', 'a%b')", "1"),
        ("like(none, '%')", "null"),
        ("like('', '')", "1"),
        ("like(empty, '%')", "1"),
    ]);
}

#[test]
fn text_is_joined_cut_and_padded() {
    check(&[
        ("s + '!'", "'hello!'"),
        ("plain + s", "'plainhello'"),
        ("concat(s, ' ', 5, ' ', 2.5)", "'hello 5 2.5'"),
        ("concat(s, none)", "null"),
        ("concat()", "null"),
        ("concat(l > 4)", "'1'"),
        ("strlen(s)", "5"),
        ("strlen(emoji)", "4"),
        ("strlen(12345)", "5"),
        ("upper(\"payload.location.city\")", "'ZÜRICH'"),
        ("lower('ÄB')", "'äb'"),
        ("trim('  a ')", "'a'"),
        ("ltrim('  a ')", "'a '"),
        ("rtrim('  a ')", "'  a'"),
        ("trim('xxaxx', 'x')", "'a'"),
        ("trim('xyayx', 'yx')", "'a'"),
        ("trim('\ta')", "'\ta'"),
        ("trim(' a ', null)", "' a '"),
        ("lpad('7', 3, '0')", "'007'"),
        ("lpad('hello', 3, 'x')", "'hel'"),
        ("lpad('a', 6, 'xyz')", "'xyzxya'"),
        ("rpad('a', 4, 'xy')", "'axyx'"),
        ("rpad('a', 4, '')", "'a'"),
        ("lpad('a', 0, 'x')", "null"),
        ("lpad('a', -1, 'x')", "''"),
        ("lpad(none, 3, 'x')", "null"),
        ("substring(s, 0, 2)", "'he'"),
        ("substring(s, 1, 3)", "'ell'"),
        ("substring(s, 3, 100)", "'lo'"),
        ("substring(s, 2, -1)", "'llo'"),
        ("substring(s, 9, 1)", "null"),
        ("substring(s, 5, 1)", "null"),
        ("substring(emoji, 3, 1)", "'b'"),
        ("substring(emoji, 1, 2)", "'😀'"),
        ("left(s, 2)", "'he'"),
        ("left(s, 9)", "'hello'"),
        ("left(s, -1)", "null"),
        ("right(s, 2)", "'lo'"),
        ("right(s, 0)", "''"),
        ("repeat('ab', 3)", "'ababab'"),
        ("repeat('ab', -1)", "null"),
        ("reverse(s)", "'olleh'"),
        ("replace(s, 'l', 'L')", "'heLLo'"),
        ("replace(s, 'l', '')", "'heo'"),
        ("replace('a.b', '.', '-')", "'a-b'"),
        ("replace(s, none, 'x')", "null"),
        ("strpos(s, 'l')", "2"),
        ("strpos(s, 'l', 3)", "3"),
        ("strpos(s, 'x')", "-1"),
        ("strpos(emoji, 'b')", "3"),
        ("strpos(s, '')", "0"),
        ("contains_string(s, 'ell')", "1"),
        ("contains_string(s, 'ELL')", "0"),
        ("icontains_string(s, 'ELL')", "1"),
        ("contains_string(none, 'x')", "null"),
        ("parse_long('12')", "12"),
        ("parse_long('ff', 16)", "255"),
        ("parse_long('0xFF', 16)", "255"),
        ("parse_long('12.5')", "null"),
        ("parse_long('')", "null"),
        ("parse_long('12', 99)", "null"),
        ("parse_long(12)", "12"),
    ]);
}

#[test]
fn nested_replacements_end_in_null_instead_of_filling_memory() {
    let nest = |head: &str, tail: &str| format!("{}s{}", head.repeat(20), tail.repeat(20));
    check(&[
        (&nest("replace(", ", 'l', 'llllllll')"), "null"),
        (&nest("regexp_replace(", ", 'l', 'llllllll')"), "null"),
        ("repeat('x', 9000000000)", "null"),
        ("strlen(repeat('xy', 1000))", "2000"),
    ]);
}

#[test]
fn format_is_that_of_java_and_never_refuses() {
    check(&[
        ("format('%s is %d', s, l)", "'hello is 5'"),
        ("format('%2$s %1$s', 'a', 'b')", "'b a'"),
        ("format('%.2f', d)", "'2.50'"),
        ("format('%.1f', 0.25)", "'0.3'"),
        ("format('%05d|%-5d|%5d', l, l, l)", "'00005|5    |    5'"),
        ("format('%+d % d', l, l)", "'+5  5'"),
        ("format('%,d', 1234567)", "'1,234,567'"),
        ("format('%,.2f', 1234567.891)", "'1,234,567.89'"),
        ("format('%x %X %o', 255, 255, 8)", "'ff FF 10'"),
        ("format('%x', -1)", "'ffffffffffffffff'"),
        ("format('%e', 12345.678)", "'1.234568e+04'"),
        ("format('%10.3s|', 'abcdef')", "'       abc|'"),
        ("format('%S', 'abc')", "'ABC'"),
        ("format('100%%')", "'100%%'"),
        ("format('%d%%', 7)", "'7%'"),
        ("format('%s', none)", "'null'"),
        ("format('%b', none)", "'false'"),
        ("format('%d', 2.5)", "'%d; 2.5'"),
        ("format('%d %d', 1)", "'%d %d; 1'"),
        ("format('%q', 1)", "'%q; 1'"),
        ("format('%', 1)", "'%; 1'"),
        ("format(none, 1)", "null"),
        ("format('%c', 65)", "'A'"),
        ("format('%f', Infinity)", "'Infinity'"),
    ]);
}

#[test]
fn addresses_are_text_or_longs() {
    check(&[
        ("ipv4_match('192.168.1.7', '192.168.0.0/16')", "1"),
        ("ipv4_match('10.0.0.1', '192.168.0.0/16')", "0"),
        ("ipv4_match(3232235521, '192.168.0.0/16')", "1"),
        ("ipv4_match('x', '192.168.0.0/16')", "0"),
        ("ipv4_match(none, '192.168.0.0/16')", "0"),
        ("ipv4_match('1.2.3.4', '0.0.0.0/0')", "1"),
        ("ipv4_match('1.2.3.4', '1.2.3.4')", "1"),
        ("ipv4_parse('192.168.0.1')", "3232235521"),
        ("ipv4_parse(3232235521)", "3232235521"),
        ("ipv4_parse('300.1.1.1')", "null"),
        ("ipv4_parse(-1)", "null"),
        ("ipv4_stringify(3232235521)", "'192.168.0.1'"),
        ("ipv4_stringify('192.168.0.1')", "'192.168.0.1'"),
        ("ipv4_stringify('nowhere')", "null"),
    ]);
}
