//! Numbers as Java prints them, which is how Druid's clients know them.
//!
//! Longs are plain decimal. Floats and doubles follow `Float.toString` and `Double.toString`: the shortest digits
//! that read back to the same value, at least one digit after the point, and computerised scientific notation
//! (`1.0E10`, `4.9E-324`) below 10⁻³ and from 10⁷ on. A float prints with the digits of a float: `47.375744`,
//! not `47.375743865966797`.
//!
//! NaN and the infinities are words here (`NaN`, `Infinity`, `-Infinity`); whether they need quotes is the business
//! of the format that writes them.

use std::io::Write;

use serde_json::ser::{CompactFormatter, Formatter};

/// The range `[10⁻³, 10⁷)` in which Java writes plain decimals.
const PLAIN_FROM: f64 = 1e-3;
const PLAIN_TO: f64 = 1e7;

/// Appends a long.
pub(crate) fn write_long(out: &mut Vec<u8>, value: i64) {
    // Writing to a Vec cannot fail.
    let _ = CompactFormatter.write_i64(out, value);
}

/// Appends an unsigned long.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    let _ = CompactFormatter.write_u64(out, value);
}

/// Appends a double as `Double.toString` prints it.
pub(crate) fn write_double(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if (PLAIN_FROM..PLAIN_TO).contains(&size) {
        let _ = CompactFormatter.write_f64(out, value);
    } else if !write_special(out, value) {
        let shortest = format!("{value:e}");
        let two_digits = format!("{value:.1e}");
        let exact = two_digits.parse::<f64>().is_ok_and(|read| read == value);
        write_scientific(out, &shortest, exact.then_some(&two_digits));
    }
}

/// Appends a float as `Float.toString` prints it.
pub(crate) fn write_float(out: &mut Vec<u8>, value: f32) {
    let size = f64::from(value.abs());
    // 10⁻³ is no float: the nearest one lies above it, so that comparing as doubles decides as Java does.
    if (PLAIN_FROM..PLAIN_TO).contains(&size) {
        let _ = CompactFormatter.write_f32(out, value);
    } else if !write_special(out, f64::from(value)) {
        let shortest = format!("{value:e}");
        let two_digits = format!("{value:.1e}");
        let exact = two_digits.parse::<f32>().is_ok_and(|read| read == value);
        write_scientific(out, &shortest, exact.then_some(&two_digits));
    }
}

/// Zeros, NaN and infinities; false when `value` is none of them.
fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    let word: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == f64::INFINITY {
        b"Infinity"
    } else if value == f64::NEG_INFINITY {
        b"-Infinity"
    } else if value == 0.0 {
        if value.is_sign_negative() { b"-0.0" } else { b"0.0" }
    } else {
        return false;
    };
    out.extend_from_slice(word);
    true
}

/// Turns Rust's `1e10` into Java's `1.0E10`. Where one digit suffices, Java still chooses the nearest number of two
/// digits (`4.9E-324`); `two_digits` is that one, when it reads back to the same value.
fn write_scientific(out: &mut Vec<u8>, shortest: &str, two_digits: Option<&String>) {
    let one_digit = !shortest.contains('.');
    let text = if one_digit { two_digits.map_or(shortest, String::as_str) } else { shortest };
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let _ = write!(out, "{digits}{point}E{exponent}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn float(value: f32) -> String {
        let mut out = Vec::new();
        write_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_print_as_druid_printed_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (3.5, "3.5"),
            (1024.0, "1024.0"),
            (std::f64::consts::SQRT_2, "1.4142135623730951"),
            (1e10, "1.0E10"),
            (1e20, "1.0E20"),
            (1e-7, "1.0E-7"),
            (1.234_567_890_123_456_8, "1.2345678901234567"),
            (9473.973320007324, "9473.973320007324"),
            (47.369972229003906, "47.369972229003906"),
            (47.3722038269043, "47.3722038269043"),
            (-3.0, "-3.0"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn the_form_changes_where_java_changes_it() {
        for (value, text) in [
            (0.001, "0.001"),
            (0.000_999_9, "9.999E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (-12_345_678.9, "-1.23456789E7"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::from_bits(1), "4.9E-324"),
            (2e23, "2.0E23"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn floats_print_the_digits_of_a_float() {
        for (value, text) in [
            (47.375_744_f32, "47.375744"),
            (8.529_676, "8.529676"),
            (47.36925, "47.36925"),
            (1.1, "1.1"),
            (1e10, "1.0E10"),
            (0.001, "0.001"),
            (f32::MAX, "3.4028235E38"),
            (f32::from_bits(1), "1.4E-45"),
            (16_777_216.0, "1.6777216E7"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn what_is_not_a_number_is_a_word() {
        assert_eq!(double(f64::NAN), "NaN");
        assert_eq!(double(f64::INFINITY), "Infinity");
        assert_eq!(float(f32::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn longs_keep_every_digit() {
        let mut out = Vec::new();
        write_long(&mut out, i64::MIN);
        out.push(b' ');
        write_unsigned(&mut out, u64::MAX);
        assert_eq!(out, b"-9223372036854775808 18446744073709551615");
    }

    proptest::proptest! {
        #[test]
        fn every_double_reads_back(bits in proptest::num::u64::ANY) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                proptest::prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
            }
        }

        #[test]
        fn every_float_reads_back(bits in proptest::num::u32::ANY) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                proptest::prop_assert_eq!(float(value).parse::<f32>().unwrap().to_bits(), bits);
            }
        }
    }
}
