//! Numbers in texts, by the rules that Druid has for columns (those for expressions are wider).

use ovate_functions::native::parse_double;

/// The whole number that a text spells exactly: `42`, `+42`, `42.0`, `4.2e1`; not `4.2`, not what exceeds 64 bits.
pub(crate) fn exact_long(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| exact_decimal(text))
}

#[cold]
fn exact_decimal(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty()
        || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // value = significant × 10^shift
    let dropped = all.trim_start_matches('0').len() - significant.len();
    let shift = i64::from(exponent) - fraction.len() as i64 + dropped as i64;
    if shift < 0 || significant.len() as i64 + shift > 19 {
        return None;
    }
    let magnitude = significant.parse::<i128>().ok()? * 10_i128.pow(shift as u32);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// A number of a metric's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MetricNumber {
    Long(i64),
    Double(f64),
}

impl MetricNumber {
    pub(crate) fn as_long(self) -> i64 {
        match self {
            Self::Long(value) => value,
            Self::Double(value) => value as i64,
        }
    }

    pub(crate) fn as_double(self) -> f64 {
        match self {
            Self::Long(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// The number that a text spells for a metric: blanks around it and commas within it do not count.
pub(crate) fn metric_number(text: &str) -> Option<MetricNumber> {
    let text = text.trim();
    let without_commas;
    let text = if text.contains(',') {
        without_commas = text.replace(',', "");
        &without_commas
    } else {
        text
    };
    match text.parse() {
        Ok(value) => Some(MetricNumber::Long(value)),
        Err(_) => parse_double(text).map(MetricNumber::Double),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_from_any_exact_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0.000", 0),
            ("42", 42),
            ("+42", 42),
            ("42.0", 42),
            ("42.", 42),
            ("4.2e1", 42),
            ("420E-1", 42),
            ("1e3", 1000),
            ("0.5e1", 5),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807.000", i64::MAX),
        ] {
            assert_eq!(exact_long(text), Some(value), "{text}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "4.2",
            "1e-1",
            "9223372036854775808",
            "1e19",
            "1e999999999",
            ".",
            "e1",
            "0x1",
            "NaN",
            "1_0",
            "--1",
        ] {
            assert_eq!(exact_long(text), None, "{text}");
        }
    }

    #[test]
    fn metrics_read_numbers_with_commas_and_blanks() {
        assert_eq!(metric_number(" 1,234 "), Some(MetricNumber::Long(1234)));
        assert_eq!(metric_number("+5"), Some(MetricNumber::Long(5)));
        assert_eq!(metric_number("1,234.5"), Some(MetricNumber::Double(1234.5)));
        assert_eq!(
            metric_number("9223372036854775808"),
            Some(MetricNumber::Double(9_223_372_036_854_775_808.0))
        );
        for text in ["", "x", "1 2", "true"] {
            assert_eq!(metric_number(text), None, "{text}");
        }
    }
}
