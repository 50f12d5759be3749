//! Arithmetic, comparison, conditions, mathematics.

use super::check;

#[test]
fn longs_stay_longs_and_wrap_as_javas_do() {
    check(&[
        ("l + 1", "6"),
        ("l - 7", "-2"),
        ("l * 2", "10"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("2 ^ 10", "1024"),
        ("9223372036854775807 + 1", "-9223372036854775808"),
        ("-(-9223372036854775808)", "-9223372036854775808"),
        ("-9223372036854775808 / -1", "-9223372036854775808"),
        ("2 ^ 64", "0"),
    ]);
}

#[test]
fn a_double_makes_arithmetic_double() {
    check(&[
        ("l + 1.0", "6.0"),
        ("l / 2.0", "2.5"),
        ("d * 2", "5.0"),
        ("f + 0", "0.5"),
        ("7 % 2.5", "2.0"),
        ("2 ^ 0.5", "1.4142135623730951"),
        ("2.0 ^ 3", "8.0"),
        ("1 / 0.0", "Infinity"),
        ("0.0 / 0", "NaN"),
        ("-d", "-2.5"),
    ]);
}

#[test]
fn a_whole_number_by_zero_is_null() {
    check(&[
        ("1 / 0", "null"),
        ("1 % 0", "null"),
        ("l / (l - 5)", "null"),
        ("div(1, 0)", "null"),
        ("2 ^ -1", "null"),
    ]);
}

#[test]
fn text_beside_a_number_is_read_as_one() {
    check(&[
        ("num + 1", "13.5"),
        ("'3' * 2", "6.0"),
        ("num / 5", "2.5"),
        (
            "num - none",
            "error: function '-' at character 5 does not take two STRINGs; cast one of them to a number",
        ),
        ("num - missing", "null"),
        (
            "s * s",
            "error: function '*' at character 3 does not take two STRINGs; cast one of them to a number",
        ),
        ("s + 1", "null"),
        ("empty + 1", "null"),
        ("-num", "error: function '-' at character 1 does not take STRING"),
        ("'true' + 1", "2.0"),
        ("'inf' + 1", "null"),
        ("' 1' + 1", "null"),
        ("num > 12", "1"),
        ("'10' > 9", "1"),
        ("s > 1", "null"),
        ("max(num, 3)", "12.5"),
    ]);
}

#[test]
fn mathematics_of_text_alone_is_null() {
    check(&[
        ("abs(num)", "null"),
        ("sqrt('4')", "null"),
        ("max(num, '3')", "null"),
        ("bitwiseAnd('1', '1')", "null"),
        ("round(num, 1)", "null"),
        ("abs(cast(num, 'DOUBLE'))", "12.5"),
    ]);
}

#[test]
fn comparisons_give_one_and_zero() {
    check(&[
        ("1 < 2", "1"),
        ("2 <= 1", "0"),
        ("l == 5", "1"),
        ("l != 5", "0"),
        ("l == 5.0", "1"),
        ("d >= 2.5", "1"),
        ("'10' < '9'", "1"),
        ("s == 'hello'", "1"),
        ("s != 'hello'", "0"),
        ("s > 'a'", "1"),
        ("0.0 == -0.0", "1"),
        ("NaN == NaN", "0"),
        ("NaN != NaN", "1"),
        ("(1 < 2) + 1", "2"),
        ("(1 < 2) == 1", "1"),
        ("(s == 'hello') + 0.5", "1.5"),
    ]);
}

#[test]
fn null_gives_null_and_logic_has_three_values() {
    check(&[
        ("null + 1", "null"),
        ("nolong + 1", "null"),
        ("none + 'x'", "null"),
        ("none == 'x'", "null"),
        ("null == null", "null"),
        ("nolong < 3", "null"),
        ("!nolong", "null"),
        ("-null", "null"),
        ("1 && null", "null"),
        ("0 && null", "0"),
        ("null && 0", "0"),
        ("1 || null", "1"),
        ("null || 1", "1"),
        ("null || 0", "null"),
        ("null || null", "null"),
        ("none && 1", "null"),
        ("100 && 11", "1"),
        ("0.7 || 0.3", "1"),
        ("100 && 0", "0"),
        ("'troo' && 'true'", "0"),
        ("'troo' || 'TRUE'", "1"),
        ("-1 || 0", "0"),
        ("!-1", "1"),
        ("!s", "1"),
        ("!'true'", "0"),
        ("abs(nolong)", "null"),
        ("max(1, null)", "null"),
        ("strlen(none)", "null"),
        ("strlen(missing)", "null"),
        ("missing + 1", "null"),
        ("missing + missing", "null"),
    ]);
}

#[test]
fn choices_take_the_first_that_holds() {
    check(&[
        ("if(l > 4, 'big', 'small')", "'big'"),
        ("if(l > 5, 'big', 'small')", "'small'"),
        ("if(null, 1, 2)", "2"),
        ("if('true', 1, 2)", "1"),
        ("if(l > 4, 1, 2.5)", "1.0"),
        ("if(l > 4, 1, 'x')", "'1'"),
        ("if(l > 9, 1, null)", "null"),
        ("case_searched(l > 9, 'a', l > 4, 'b', 'c')", "'b'"),
        ("case_searched(l > 9, 'a', l > 8, 'b', 'c')", "'c'"),
        ("case_searched(l > 9, 'a')", "null"),
        ("case_simple(s, 'x', 1, 'hello', 2, 3)", "2"),
        ("case_simple(s, 'x', 1, 3)", "3"),
        ("case_simple(l, '5', 'yes', 'no')", "'yes'"),
        ("case_simple(none, null, 1, 2)", "2"),
        ("case_simple(s, 'x', 1)", "null"),
        ("nvl(none, 'x')", "'x'"),
        ("nvl(s, 'x')", "'hello'"),
        ("nvl(empty, 'x')", "''"),
        ("nvl(nolong, 1)", "1"),
        ("coalesce(none, null, s)", "'hello'"),
        ("coalesce(nolong, 2.5)", "2.5"),
        ("coalesce(l)", "5"),
        ("isnull(none)", "1"),
        ("isnull(s)", "0"),
        ("notnull(empty)", "1"),
        ("notnull(missing)", "0"),
        ("istrue(l > 4)", "1"),
        ("istrue(null)", "0"),
        ("isfalse(l > 9)", "1"),
        ("isnottrue(null)", "1"),
        ("isnotfalse(null)", "1"),
        ("isdistinctfrom(none, null)", "0"),
        ("notdistinctfrom(s, 'hello')", "1"),
        ("isdistinctfrom(nolong, 1)", "1"),
        ("notdistinctfrom(l, 5.0)", "1"),
        ("greatest(1, 3, 2)", "3"),
        ("greatest(1, 2.5)", "2.5"),
        ("greatest(1, 'b', 'a')", "'b'"),
        ("least(3, nolong, 2)", "2"),
        ("least(none, null)", "null"),
        ("greatest()", "null"),
        ("least(2.5, 1)", "1.0"),
    ]);
}

#[test]
fn casts_follow_druid() {
    check(&[
        ("cast('12', 'LONG')", "12"),
        ("cast('12.9', 'LONG')", "12"),
        ("cast('x', 'LONG')", "null"),
        ("cast('', 'DOUBLE')", "null"),
        ("cast('1e3', 'DOUBLE')", "1000.0"),
        ("cast('0x10', 'DOUBLE')", "null"),
        ("cast(2.9, 'LONG')", "2"),
        ("cast(-2.9, 'long')", "-2"),
        ("cast(NaN, 'LONG')", "0"),
        ("cast(1e300, 'LONG')", "9223372036854775807"),
        ("cast(5, 'STRING')", "'5'"),
        ("cast(5, 'DOUBLE')", "5.0"),
        ("cast(2.5, 'STRING')", "'2.5'"),
        ("cast(1e10, 'STRING')", "'1.0E10'"),
        ("cast(0.0001, 'STRING')", "'1.0E-4'"),
        ("cast(l > 4, 'STRING')", "'1'"),
        ("cast(none, 'LONG')", "null"),
        ("cast(null, 'DOUBLE')", "null"),
        ("cast(5, 'ARRAY<LONG>')", "[5]"),
        ("cast([1, 2], 'ARRAY<STRING>')", "['1', '2']"),
        ("cast(['7'], 'LONG')", "7"),
        ("cast(['7', '8'], 'LONG')", "null"),
        ("cast([2.5], 'STRING')", "'2.5'"),
    ]);
}

#[test]
fn mathematics_is_javas() {
    check(&[
        ("abs(neg)", "7"),
        ("abs(-2.5)", "2.5"),
        ("acos(1)", "0.0"),
        ("asin(0)", "0.0"),
        ("atan(0)", "0.0"),
        ("atan2(0, 1)", "0.0"),
        ("cbrt(27)", "3.0"),
        ("ceil(2.1)", "3.0"),
        ("floor(-2.1)", "-3.0"),
        ("floor(l)", "5.0"),
        ("copysign(3, -1.0)", "-3.0"),
        ("cos(0)", "1.0"),
        ("cosh(0)", "1.0"),
        ("cot(1) > 0.64 && cot(1) < 0.65", "1"),
        ("div(7, 2)", "3"),
        ("div(7.9, 2)", "3"),
        ("exp(0)", "1.0"),
        ("expm1(0)", "0.0"),
        ("getExponent(8.5)", "3"),
        ("hypot(3, 4)", "5.0"),
        ("log(1)", "0.0"),
        ("log10(1000)", "3.0"),
        ("log1p(0)", "0.0"),
        ("max(1, 2)", "2"),
        ("max(1, 2.5)", "2.5"),
        ("max(NaN, 1.0)", "NaN"),
        ("max(1.0, NaN)", "NaN"),
        ("min(1.0, NaN)", "NaN"),
        ("min(0.0, -0.0)", "-0.0"),
        ("min(3, 2)", "2"),
        ("nextAfter(1.0, 1.0)", "1.0"),
        ("nextUp(0.0)", "4.9E-324"),
        ("pi()", "3.141592653589793"),
        ("pow(2, 10)", "1024.0"),
        ("pow(1, NaN)", "NaN"),
        ("remainder(5, 3)", "-1.0"),
        ("remainder(4, 3)", "1.0"),
        ("remainder(3, 2)", "-1.0"),
        ("remainder(1, 2)", "1.0"),
        ("remainder(5, 0)", "NaN"),
        ("rint(2.5)", "2.0"),
        ("rint(3.5)", "4.0"),
        ("round(2.5)", "3.0"),
        ("round(-2.5)", "-3.0"),
        ("round(2.675, 2)", "2.68"),
        ("round(1.005, 2)", "1.01"),
        ("round(0.95, 1)", "1.0"),
        ("round(9.99, 1)", "10.0"),
        ("round(1234.5, -2)", "1200.0"),
        ("round(1250, -2)", "1300"),
        ("round(-1250, -2)", "-1300"),
        ("round(5)", "5"),
        ("round(49, -3)", "0"),
        ("round(NaN)", "0.0"),
        ("round(0.04, 1)", "0.0"),
        ("safe_divide(6, 4)", "1"),
        ("safe_divide(6.0, 4)", "1.5"),
        ("safe_divide(1, 0)", "null"),
        ("safe_divide(0, 0)", "0"),
        ("safe_divide(1.5, 0)", "null"),
        ("scalb(1.5, 3)", "12.0"),
        ("scalb(1, -1074)", "4.9E-324"),
        ("signum(-2.5)", "-1.0"),
        ("signum(0)", "0.0"),
        ("sin(0)", "0.0"),
        ("sinh(0)", "0.0"),
        ("sqrt(16)", "4.0"),
        ("sqrt(-1)", "NaN"),
        ("tan(0)", "0.0"),
        ("tanh(0)", "0.0"),
        ("toDegrees(pi())", "180.0"),
        ("toradians(180)", "3.141592653589793"),
        ("ulp(1.0)", "2.220446049250313E-16"),
    ]);
}

#[test]
fn bits_are_those_of_longs() {
    check(&[
        ("bitwiseAnd(12, 10)", "8"),
        ("bitwiseOr(12, 10)", "14"),
        ("bitwiseXor(12, 10)", "6"),
        ("bitwiseAnd(12.9, 10)", "8"),
        ("bitwiseShiftLeft(1, 4)", "16"),
        ("bitwiseShiftLeft(1, 65)", "2"),
        ("bitwiseShiftRight(-16, 2)", "-4"),
        ("bitwiseComplement(5)", "-6"),
        ("bitwiseConvertDoubleToLongBits(1.0)", "4607182418800017408"),
        ("bitwiseConvertLongBitsToDouble(4607182418800017408)", "1.0"),
    ]);
}

#[test]
fn numbers_for_people_have_units() {
    check(&[
        ("human_readable_binary_byte_format(1048576)", "'1.00 MiB'"),
        ("human_readable_binary_byte_format(1048576, 3)", "'1.000 MiB'"),
        ("human_readable_binary_byte_format(1023)", "'1023 B'"),
        ("human_readable_binary_byte_format(1152)", "'1.13 KiB'"),
        ("human_readable_binary_byte_format(-1536, 1)", "'-1.5 KiB'"),
        ("human_readable_decimal_byte_format(1000000)", "'1.00 MB'"),
        ("human_readable_decimal_byte_format(999)", "'999 B'"),
        ("human_readable_decimal_format(1000000, 3)", "'1.000 M'"),
        ("human_readable_decimal_format(999)", "'999'"),
        ("human_readable_decimal_format(1234567)", "'1.23 M'"),
        ("human_readable_decimal_format(null)", "null"),
    ]);
}
