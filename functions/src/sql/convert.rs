//! From whatever Arrow type a query has to the one that a kernel knows, by Druid's rules for casts.
//!
//! | kind | array | from text | from numbers | from times |
//! |---|---|---|---|---|
//! | text | `Utf8View` | as it is | Java's digits | `yyyy-MM-dd HH:mm:ss` |
//! | long | `Int64` | the number it spells, else NULL | cut, clamped | milliseconds |
//! | double | `Float64` | the number it spells, else NULL | nearest | milliseconds |
//! | time | `Timestamp(ms)` | ISO-8601, else NULL | as milliseconds | as it is |
//! | number | `Int64`, `Float32` or `Float64` | as double | widened | as long |

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, StringViewArray, StringViewBuilder,
    TimestampMillisecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType,
};
use datafusion::error::Result;
use ovate_storage::time::parse::parse_iso;
use ovate_storage::time::{JodaPattern, Zone};

use crate::native::{Number, double_text, float_text, parse_number};

/// What a kernel wants of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Long,
    Double,
    Time,
    /// `Int64`, `Float32` or `Float64`, whichever is nearest.
    Number,
    /// `List<Utf8View>`; a text is a list of one.
    TextList,
    /// As it is, dictionaries resolved.
    Any,
}

/// Milliseconds since the epoch, as SQL sees them.
pub(super) const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

impl Kind {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Long => "a whole number",
            Self::Double | Self::Number => "a number",
            Self::Time => "a timestamp",
            Self::TextList => "a list of texts",
            Self::Any => "a value",
        }
    }
}

fn plain(given: &DataType) -> &DataType {
    if let DataType::Dictionary(_, values) = given { values } else { given }
}

/// Whether [`convert`] knows the way.
pub(super) fn accepts(kind: Kind, given: &DataType) -> bool {
    let given = plain(given);
    let scalar = given.is_numeric()
        || given.is_string()
        || matches!(
            given,
            DataType::Null
                | DataType::Boolean
                | DataType::Timestamp(..)
                | DataType::Date32
                | DataType::Date64
        );
    match kind {
        Kind::Any => true,
        Kind::TextList => scalar || list_item(given).is_some_and(|item| accepts(Kind::Text, item)),
        Kind::Time => scalar && !matches!(given, DataType::Boolean),
        _ => scalar,
    }
}

fn list_item(given: &DataType) -> Option<&DataType> {
    match given {
        DataType::List(item) | DataType::LargeList(item) => Some(item.data_type()),
        _ => None,
    }
}

/// The type that [`convert`] gives.
pub(super) fn target(kind: Kind, given: &DataType) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8View,
        Kind::Long => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Time => TIME,
        Kind::TextList => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true))),
        Kind::Any => match plain(given) {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            other => other.clone(),
        },
        Kind::Number => match plain(given) {
            DataType::Float32 => DataType::Float32,
            DataType::Float64 => DataType::Float64,
            given if given.is_integer() || is_time(given) => DataType::Int64,
            DataType::Boolean | DataType::Null => DataType::Int64,
            _ => DataType::Float64,
        },
    }
}

pub(super) fn is_time(given: &DataType) -> bool {
    matches!(given, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// Converts `array` to `target(kind, …)`.
pub(super) fn convert(kind: Kind, array: &ArrayRef) -> Result<ArrayRef> {
    let wanted = target(kind, array.data_type());
    if *array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    if let DataType::Dictionary(_, values) = array.data_type() {
        let plain = cast(array, if values.is_string() { &DataType::Utf8View } else { values })?;
        return convert(kind, &plain);
    }
    if *array.data_type() == DataType::Null {
        return Ok(new_null_array(&wanted, array.len()));
    }
    match kind {
        Kind::Text => to_text(array),
        Kind::Time => to_time(array),
        Kind::Any => Ok(cast(array, &wanted)?),
        Kind::TextList => to_text_list(array, &wanted),
        Kind::Long | Kind::Double | Kind::Number => to_number(array, &wanted),
    }
}

fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| v.map(double_text))
                .collect::<StringViewArray>(),
        ),
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .iter()
                .map(|v| v.map(float_text))
                .collect::<StringViewArray>(),
        ),
        given if is_time(given) => {
            let date = matches!(given, DataType::Date32 | DataType::Date64);
            let pattern = JodaPattern::compile(if date { "yyyy-MM-dd" } else { "yyyy-MM-dd HH:mm:ss" })
                .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
            let times = cast(array, &TIME)?;
            let mut texts = StringViewBuilder::with_capacity(array.len());
            let mut buffer = String::new();
            for time in times.as_primitive::<TimestampMillisecondType>() {
                texts.append_option(time.map(|time| {
                    buffer.clear();
                    // Writing into a String does not fail.
                    let _ = pattern.write(&mut buffer, time, Zone::UTC);
                    buffer.as_str()
                }));
            }
            Arc::new(texts.finish())
        }
        _ => cast(array, &DataType::Utf8View)?,
    })
}

fn to_time(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        given if given.is_string() => {
            let texts = cast(array, &DataType::Utf8View)?;
            let times = texts.as_string_view().iter().map(|text| parse_iso(text?, Zone::UTC));
            Arc::new(times.collect::<TimestampMillisecondArray>())
        }
        given if is_time(given) => cast(array, &TIME)?,
        // Arrow casts a number to a time by its unit, which is what Druid means.
        _ => cast(&to_number(array, &DataType::Int64)?, &TIME)?,
    })
}

fn to_number(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    let given = array.data_type();
    if given.is_string() {
        let texts = cast(array, &DataType::Utf8View)?;
        let numbers = texts.as_string_view().iter().map(|text| parse_number(text?));
        return Ok(match wanted {
            DataType::Int64 => Arc::new(numbers.map(|n| n.map(Number::as_long)).collect::<Int64Array>()),
            _ => Arc::new(numbers.map(|n| n.map(Number::as_double)).collect::<Float64Array>()),
        });
    }
    if is_time(given) {
        let times = cast(array, &TIME)?;
        let longs: ArrayRef =
            Arc::new(times.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<Int64Type>());
        return Ok(if *wanted == DataType::Int64 { longs } else { cast(&longs, wanted)? });
    }
    if given.is_floating() && *wanted == DataType::Int64 {
        let doubles = cast(array, &DataType::Float64)?;
        // `as` cuts and clamps as Java's cast does.
        let longs = doubles.as_primitive::<Float64Type>().unary::<_, Int64Type>(|value| value as i64);
        return Ok(Arc::new(longs));
    }
    Ok(cast(array, wanted)?)
}

fn to_text_list(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if list_item(array.data_type()).is_some() {
        return Ok(cast(array, wanted)?);
    }
    let texts = to_text(array)?;
    let mut lists = arrow::array::ListBuilder::new(StringViewBuilder::new())
        .with_field(Arc::new(Field::new_list_field(DataType::Utf8View, true)));
    for text in texts.as_string_view() {
        if text.is_some() {
            lists.values().append_option(text);
        }
        lists.append(text.is_some());
    }
    Ok(Arc::new(lists.finish()))
}
