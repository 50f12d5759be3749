//! Casts that depend on Druid's texts or on the session's zone.
//!
//! Arrow's own casts read and write other forms: a timestamp as text is `2026-11-23 10:00:00` in the session's zone,
//! a number is written as Java writes it, and `'12.9'` is the whole number 12. What cannot be read gives NULL.

use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, StringViewArray, StringViewBuilder, TimestampMillisecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit, TimestampMillisecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use ovate_storage::time::{Zone, format_instant_in, parse::parse_iso};

/// What is cast to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cast {
    /// ISO-8601 or SQL text to an instant.
    TextToTimestamp,
    /// An instant to `yyyy-MM-dd HH:mm:ss`.
    TimestampToText,
    /// A float or double to the text Java has for it.
    FloatToText,
    /// Text to a whole number, its fraction cut off.
    TextToLong,
}

/// `expr`, cast.
pub(crate) fn call(kind: Cast, zone: Zone, expr: Expr) -> Expr {
    let function = CastFunction { kind, zone, signature: Signature::any(1, Volatility::Immutable) };
    Arc::new(ScalarUDF::from(function)).call(vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CastFunction {
    kind: Cast,
    zone: Zone,
    signature: Signature,
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        match self.kind {
            Cast::TextToTimestamp => "$text_to_timestamp",
            Cast::TimestampToText => "$timestamp_to_text",
            Cast::FloatToText => "$float_to_text",
            Cast::TextToLong => "$text_to_long",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Cast::TextToTimestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Cast::TimestampToText | Cast::FloatToText => DataType::Utf8View,
            Cast::TextToLong => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(args.args.first(), Some(ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(input) = arrays.first() else {
            return datafusion::common::exec_err!("{} takes one argument", self.name());
        };
        let output = self.array(input)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&output, 0)?));
        }
        Ok(ColumnarValue::Array(output))
    }
}

impl CastFunction {
    fn array(&self, input: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self.kind {
            Cast::TextToTimestamp => {
                let texts = texts(input)?;
                let times: TimestampMillisecondArray =
                    texts.iter().map(|text| parse_iso(text?.trim(), self.zone)).collect();
                Arc::new(times)
            }
            Cast::TextToLong => {
                let longs: Int64Array = texts(input)?.iter().map(|text| long(text?)).collect();
                Arc::new(longs)
            }
            Cast::TimestampToText => {
                let input = cast(input, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
                let times = input.as_primitive::<TimestampMillisecondType>();
                let mut out = StringViewBuilder::with_capacity(times.len());
                for time in times {
                    out.append_option(time.map(|ms| timestamp_text(ms, self.zone)));
                }
                Arc::new(out.finish())
            }
            Cast::FloatToText => {
                let mut out = StringViewBuilder::with_capacity(input.len());
                if *input.data_type() == DataType::Float32 {
                    let floats = input.as_primitive::<Float32Type>();
                    floats.iter().for_each(|x| out.append_option(x.map(|x| java_text(&format!("{x:e}")))));
                } else {
                    let input = cast(input, &DataType::Float64)?;
                    let doubles = input.as_primitive::<Float64Type>();
                    doubles.iter().for_each(|x| out.append_option(x.map(|x| java_text(&format!("{x:e}")))));
                }
                Arc::new(out.finish())
            }
        })
    }
}

fn texts(input: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(input, &DataType::Utf8View)?.as_string_view().clone())
}

/// A whole number, or the whole part of any number.
fn long(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse::<i64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        // Words such as `inf` and `nan` are not numbers to Druid.
        (number.is_finite() && text.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
            .then_some(number as i64)
    })
}

/// `2026-11-23 10:00:00`.
fn timestamp_text(time_ms: i64, zone: Zone) -> String {
    let iso = format_instant_in(time_ms, zone);
    match iso.split_once('T') {
        Some((date, time)) => format!("{date} {}", time.get(..8).unwrap_or(time)),
        None => iso,
    }
}

/// The text Java has for a number that Rust wrote as `d.ddde±n`.
fn java_text(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        // NaN and the infinities have no exponent.
        return scientific.replace("inf", "Infinity");
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let mut out = sign.to_owned();
    if digits == "0" {
        out.push_str("0.0");
    } else if (-3..7).contains(&exponent) {
        let at = exponent + 1;
        if at <= 0 {
            let zeros = "0".repeat(-at as usize);
            let _ = write!(out, "0.{zeros}{digits}");
        } else {
            let at = at as usize;
            let whole = format!("{digits:0<at$}");
            let fraction = if whole.len() > at { &whole[at..] } else { "0" };
            let _ = write!(out, "{}.{fraction}", &whole[..at]);
        }
    } else {
        let fraction = if digits.len() > 1 { &digits[1..] } else { "0" };
        let _ = write!(out, "{}.{fraction}E{exponent}", &digits[..1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        let text = |x: f64| java_text(&format!("{x:e}"));
        for (number, expected) in [
            (1.0, "1.0"),
            (1e10, "1.0E10"),
            (1e-7, "1.0E-7"),
            (0.001, "0.001"),
            (1234567.5, "1234567.5"),
            (12345678.0, "1.2345678E7"),
            (-0.05, "-0.05"),
            (0.0, "0.0"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(number), expected);
        }
        assert_eq!(java_text(&format!("{:e}", 47.375744_f32)), "47.375744");
    }

    #[test]
    fn text_gives_the_whole_part_of_a_number_or_nothing() {
        assert_eq!(long("12"), Some(12));
        assert_eq!(long(" 12.9 "), Some(12));
        assert_eq!(long("-1e3"), Some(-1000));
        assert_eq!(long("abc"), None);
        assert_eq!(long("inf"), None);
        assert_eq!(long(""), None);
    }

    #[test]
    fn timestamps_are_written_on_the_sessions_wall_clock() {
        let zurich = Zone::parse("Europe/Zurich").unwrap();
        assert_eq!(timestamp_text(1_795_428_000_000, Zone::UTC), "2026-11-23 10:00:00");
        assert_eq!(timestamp_text(1_795_428_000_000, zurich), "2026-11-23 11:00:00");
    }
}
