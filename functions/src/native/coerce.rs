//! Druid's implicit conversions, on values ([`parse_number`], [`double_text`]) and on lowered expressions.
//!
//! | from \ to | long | double | string | condition |
//! |---|---|---|---|---|
//! | string | its number, cut | its number | | `true`, any case |
//! | long | | exact or nearest | digits | `> 0` |
//! | double | cut, clamped, NaN is 0 | | Java's digits | `> 0` |
//!
//! A string's number is that of the whole text, without blanks; `true` and `false` count as 1 and 0; other text has
//! none, which is NULL.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};

use super::kernel::{Double, Long, Text, Truth, call, map1};
use super::types::{Type, Typed, cast};

/// The number that a text spells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number within 64 bits.
    Long(i64),
    /// Any other.
    Double(f64),
}

impl Number {
    /// As a long: cut towards zero, clamped, NaN is 0.
    pub fn as_long(self) -> i64 {
        match self {
            Self::Long(value) => value,
            Self::Double(value) => value as i64,
        }
    }

    /// As a double.
    pub fn as_double(self) -> f64 {
        match self {
            Self::Long(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// The number that `text` spells, by Druid's rules for expressions.
pub fn parse_number(text: &str) -> Option<Number> {
    // Everything that spells a number begins so; most text is refused by its first byte.
    if !text.bytes().next()?.is_ascii_alphanumeric() && !text.starts_with(['-', '+', '.']) {
        return None;
    }
    if let Some(value) = parse_long(text) {
        return Some(Number::Long(value));
    }
    if text.eq_ignore_ascii_case("true") {
        return Some(Number::Double(1.0));
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(Number::Double(0.0));
    }
    parse_double(text).map(Number::Double)
}

/// Digits with an optional sign, within 64 bits.
pub fn parse_long(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// What Java's `Double.valueOf` reads, except hexadecimal floats and surrounding blanks.
pub fn parse_double(text: &str) -> Option<f64> {
    decimal(text)?.parse().ok()
}

/// The same as a 32-bit float, rounded once.
pub fn parse_float(text: &str) -> Option<f32> {
    decimal(text)?.parse().ok()
}

/// `text` without Java's type suffix, if Rust reads it as Java does.
fn decimal(text: &str) -> Option<&str> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    // Rust also reads `inf`, `nan`, `infinity`: Java does not.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    Some(text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text))
}

/// A double as Java prints it: `1.0`, `1.0E10`, `1.5E-5`, `NaN`, `Infinity`.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    scientific(&format!("{value:e}"), || format!("{value:.1e}"))
}

/// A 32-bit float as Java prints it.
pub fn float_text(value: f32) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return double_text(f64::from(value));
    }
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    scientific(&format!("{value:e}"), || format!("{value:.1e}"))
}

/// `1.5e-5` as `1.5E-5`. Java writes at least two digits and chooses the nearest two: `4.9E-324`, not `5.0E-324`.
fn scientific(shortest: &str, two_digits: impl Fn() -> String) -> String {
    let text = if shortest.contains('.') { shortest.to_owned() } else { two_digits() };
    text.replace('e', "E")
}

/// `value` as `to`; `None` when one is an array and the other is not the same.
pub(crate) fn coerce(value: Typed, to: Type) -> Option<Typed> {
    let Typed { expr, ty } = value;
    if ty == to {
        return Some(Typed::new(expr, ty));
    }
    let converted = match (ty, to) {
        (Type::Null, to) => lit(null_of(to)),
        (_, Type::Null) => return Some(Typed::null()),
        (Type::Array(_), _) | (_, Type::Array(_)) => return None,
        (Type::Truth, Type::Long) => cast(expr, DataType::Int64),
        (Type::Truth, Type::Double) => cast(cast(expr, DataType::Int64), DataType::Float64),
        (Type::Truth, Type::Text) => cast(cast(expr, DataType::Int64), DataType::Utf8View),
        (Type::Long, Type::Double) => cast(expr, DataType::Float64),
        (Type::Long, Type::Text) => cast(expr, DataType::Utf8View),
        (Type::Long, Type::Truth) => expr.gt(lit(0_i64)),
        (Type::Double, Type::Long) => {
            return Some(call("long", "", vec![expr], to, map1::<Double, Long>(|v| Some(v as i64))));
        }
        (Type::Double, Type::Text) => {
            return Some(call("string", "", vec![expr], to, map1::<Double, Text>(|v| Some(double_text(v)))));
        }
        (Type::Double, Type::Truth) => {
            return Some(call("condition", "", vec![expr], to, map1::<Double, Truth>(|v| Some(v > 0.0))));
        }
        (Type::Text, Type::Long) => {
            let kernel = map1::<Text, Long>(|v| parse_number(v).map(Number::as_long));
            return Some(call("long", "", vec![expr], to, kernel));
        }
        (Type::Text, Type::Double) => {
            let kernel = map1::<Text, Double>(|v| parse_number(v).map(Number::as_double));
            return Some(call("double", "", vec![expr], to, kernel));
        }
        (Type::Text, Type::Truth) => {
            let kernel = map1::<Text, Truth>(|v| Some(v.eq_ignore_ascii_case("true")));
            return Some(call("condition", "", vec![expr], to, kernel));
        }
        (Type::Truth, Type::Truth)
        | (Type::Long, Type::Long)
        | (Type::Double, Type::Double)
        | (Type::Text, Type::Text) => expr,
    };
    Some(Typed::new(converted, to))
}

/// A NULL of type `to`.
pub(crate) fn null_of(to: Type) -> ScalarValue {
    match to {
        Type::Null | Type::Text => ScalarValue::Utf8View(None),
        Type::Truth => ScalarValue::Boolean(None),
        Type::Long => ScalarValue::Int64(None),
        Type::Double => ScalarValue::Float64(None),
        Type::Array(element) => ScalarValue::new_null_list(element.data_type(), true, 1),
    }
}

/// `value` as a result: conditions become longs.
pub(crate) fn materialise(value: Typed) -> Typed {
    match value.ty {
        Type::Truth => Typed::new(cast(value.expr, DataType::Int64), Type::Long),
        _ => value,
    }
}

/// An expression of a condition: NULL where the value is NULL, or `None` for arrays.
pub(crate) fn condition(value: Typed) -> Option<Expr> {
    coerce(value, Type::Truth).map(|typed| typed.expr)
}
