//! From an expression's results to a column's type: the rules by which Druid's dimensions take values.
//!
//! | to \ from | string | long | double | array |
//! |---|---|---|---|---|
//! | `STRING` | as it is | digits | Java's digits | as many values, each so |
//! | `LONG` | exact (`12`, `12.0`, `1e3`; not `12.5`) | as it is | cut, clamped | the only element |
//! | `FLOAT` | nearest, rounded once | nearest | nearest | the only element |
//! | `DOUBLE` | nearest | nearest | as it is | the only element |
//!
//! NULL stays NULL. What cannot be taken becomes NULL and is reported by row, as Druid keeps such a row and counts it
//! as processed with an error. The empty string is no number.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int64Array, ListArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use ovate_storage::schema::ColumnType;

use super::coerce::{double_text, parse_double, parse_float, parse_long};
use super::error::ExpressionError;
use super::types::{NativeType, native_of};

/// A column and what could not be taken into it.
#[derive(Debug, Clone)]
pub struct Converted {
    /// `Utf8View`, `Int64`, `Float32` or `Float64`; a `List` of `Utf8View` for arrays into string columns.
    pub array: ArrayRef,
    /// The rows, ascending, whose value is NULL because it could not be converted.
    pub unparsed_rows: Vec<usize>,
}

/// Converts `array`, the results of an expression, for a column of type `to`.
pub fn to_column(array: &ArrayRef, to: ColumnType) -> Result<Converted, ExpressionError> {
    let Some(native) = native_of(array.data_type()) else {
        return Err(ExpressionError::ColumnType {
            column: "result".to_owned(),
            found: array.data_type().to_string(),
        });
    };
    let wanted = native.data_type();
    let array = if *array.data_type() == wanted { Arc::clone(array) } else { cast(array, &wanted)? };
    let values = match (native, to) {
        (NativeType::Array(_), ColumnType::String) => return strings_of_lists(array.as_list()),
        (NativeType::Array(_), _) => return only_elements(array.as_list(), to),
        (NativeType::String, _) => Values::Text(array.as_string_view()),
        (NativeType::Long, _) => Values::Long(array.as_primitive()),
        (NativeType::Double, _) => Values::Double(array.as_primitive()),
    };
    let (converted, unparsed_rows): (ArrayRef, _) = match to {
        ColumnType::String => match values {
            Values::Text(_) => (array, Vec::new()),
            Values::Long(values) => (cast(values, &DataType::Utf8View)?, Vec::new()),
            Values::Double(values) => {
                let texts: StringViewArray = values.iter().map(|v| v.map(double_text)).collect();
                (Arc::new(texts), Vec::new())
            }
        },
        ColumnType::Long => match values {
            Values::Text(values) => {
                let (numbers, unparsed) = parsed(values, exact_long);
                (Arc::new(Int64Array::from(numbers)), unparsed)
            }
            Values::Long(_) => (array, Vec::new()),
            Values::Double(values) => {
                (Arc::new(values.iter().map(|v| v.map(|v| v as i64)).collect::<Int64Array>()), Vec::new())
            }
        },
        ColumnType::Float => match values {
            Values::Text(values) => {
                let (numbers, unparsed) = parsed(values, parse_float);
                (Arc::new(Float32Array::from(numbers)), unparsed)
            }
            Values::Long(values) => (cast(values, &DataType::Float32)?, Vec::new()),
            Values::Double(values) => (cast(values, &DataType::Float32)?, Vec::new()),
        },
        ColumnType::Double => match values {
            Values::Text(values) => {
                let (numbers, unparsed) = parsed(values, parse_double);
                (Arc::new(Float64Array::from(numbers)), unparsed)
            }
            Values::Long(values) => (cast(values, &DataType::Float64)?, Vec::new()),
            Values::Double(_) => (array, Vec::new()),
        },
    };
    Ok(Converted { array: converted, unparsed_rows })
}

/// The array behind a value, by type.
enum Values<'a> {
    Text(&'a StringViewArray),
    Long(&'a arrow::array::PrimitiveArray<Int64Type>),
    Double(&'a arrow::array::PrimitiveArray<Float64Type>),
}

fn parsed<T>(values: &StringViewArray, parse: fn(&str) -> Option<T>) -> (Vec<Option<T>>, Vec<usize>) {
    let mut unparsed = Vec::new();
    let numbers = values
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let number = parse(text?);
            if number.is_none() {
                unparsed.push(row);
            }
            number
        })
        .collect();
    (numbers, unparsed)
}

/// The whole number that a decimal text spells exactly: `12`, `+12`, `12.00`, `1.2e1`.
pub(crate) fn exact_long(text: &str) -> Option<i64> {
    if let Some(value) = parse_long(text) {
        return Some(value);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let all = all.trim_start_matches('0');
    // The point stands this many digits after the first.
    let leading = whole.len() + fraction.len() - all.len();
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + i64::from(exponent);
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let point = usize::try_from(point).ok().filter(|point| (significant.len()..=19).contains(point))?;
    format!("{sign}{significant:0<point$}").parse().ok()
}

fn strings_of_lists(lists: &ListArray) -> Result<Converted, ExpressionError> {
    let values = to_column(lists.values(), ColumnType::String)?.array;
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let array = ListArray::try_new(field, lists.offsets().clone(), values, lists.nulls().cloned())?;
    Ok(Converted { array: Arc::new(array), unparsed_rows: Vec::new() })
}

/// Numeric columns hold one value a row: several cannot be taken, none is NULL.
fn only_elements(lists: &ListArray, to: ColumnType) -> Result<Converted, ExpressionError> {
    let mut indices = Vec::with_capacity(lists.len());
    let mut several = Vec::new();
    for row in 0..lists.len() {
        let length = if lists.is_null(row) { 0 } else { lists.value_length(row) };
        if length > 1 {
            several.push(row);
        }
        let start = lists.value_offsets().get(row).and_then(|start| u32::try_from(*start).ok());
        indices.push(start.filter(|_| length == 1));
    }
    let indices = arrow::array::UInt32Array::from(indices);
    let mut converted = to_column(&arrow::compute::take(lists.values(), &indices, None)?, to)?;
    converted.unparsed_rows.extend(several);
    converted.unparsed_rows.sort_unstable();
    Ok(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(values.iter().copied().collect::<StringViewArray>())
    }

    #[test]
    fn a_latitude_becomes_the_nearest_float() {
        let converted = to_column(&text(&[Some("47.37025931426311"), None]), ColumnType::Float).unwrap();
        let floats: &Float32Array = converted.array.as_primitive();
        assert_eq!(floats.value(0), 47.370_26_f32);
        assert!(floats.is_null(1));
        assert!(converted.unparsed_rows.is_empty());
    }

    #[test]
    fn what_is_no_number_is_null_and_reported_by_row() {
        let converted =
            to_column(&text(&[Some("x"), Some("1.5"), Some(""), None]), ColumnType::Double).unwrap();
        assert_eq!(converted.array.null_count(), 3);
        assert_eq!(converted.unparsed_rows, [0, 2]);
    }

    #[test]
    fn a_long_takes_only_text_that_is_exactly_whole() {
        for (text, expected) in [
            ("12", Some(12)),
            ("+12", Some(12)),
            ("-12.00", Some(-12)),
            ("1e3", Some(1000)),
            ("1.25e2", Some(125)),
            ("0.0", Some(0)),
            ("0.5e1", Some(5)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("-9223372036854775808.0", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("12.5", None),
            ("1e-1", None),
            ("1e30", None),
            ("", None),
            (".", None),
            ("abc", None),
            ("1_000", None),
        ] {
            assert_eq!(exact_long(text), expected, "{text}");
        }
    }

    #[test]
    fn doubles_become_text_as_java_prints_them() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1e10, 1.5e-5, 100.25]));
        let converted = to_column(&doubles, ColumnType::String).unwrap();
        let texts: Vec<_> = converted.array.as_string_view().iter().flatten().collect();
        assert_eq!(texts, ["1.0", "1.0E10", "1.5E-5", "100.25"]);
    }

    #[test]
    fn an_array_of_several_is_no_number() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1)]),
            Some(vec![Some(1), Some(2)]),
            None,
            Some(vec![]),
        ]);
        let lists: ArrayRef = Arc::new(lists);
        let converted = to_column(&lists, ColumnType::Long).unwrap();
        assert_eq!(
            converted.array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
            [Some(1), None, None, None]
        );
        assert_eq!(converted.unparsed_rows, [1]);
        let strings = to_column(&lists, ColumnType::String).unwrap().array;
        assert_eq!(strings.data_type(), &NativeType::Array(crate::native::ElementType::String).data_type());
    }
}
