//! From values of any kind to the values of one column, by Druid's rules.
//!
//! | value \ column | string | long | float, double | metric |
//! |---|---|---|---|---|
//! | boolean | `true`, `false` | 1, 0 | fault | fault |
//! | integer | digits | itself | nearest | nearest |
//! | real | Java's digits | cut | nearest | cut or nearest |
//! | text | itself | its exact whole number, or fault | its number, or fault | its number, or fault |
//! | object | JSON text | fault | fault | fault |
//! | list | its values | fault | fault | fault |
//!
//! A fault makes the value NULL, keeps the row, and is counted. Two things differ from Druid: an object in a string
//! column is its JSON text, not Java's `{a=1}`, and NULL among several values is left out.

use std::fmt::Write;

use arrow::array::{Float32Array, Float64Array, Int64Array, StringViewArray, StringViewBuilder};
use arrow::buffer::NullBuffer;
use ovate_functions::native::{double_text, parse_double, parse_float};
use ovate_storage::{BatchColumn, Dictionary, NULL_CODE};

use super::number::{MetricNumber, exact_long, metric_number};
use super::value::{List, Value};
use crate::spec::MultiValueHandling;

/// How values become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// As dimensions.
    Dimension,
    /// As dimensions of discovered type: what does not fit the type in full is a fault.
    Discovered,
    /// As inputs of metrics.
    Metric,
}

/// A value that cannot be of its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault;

/// Numbers of a column in the making.
#[derive(Debug, Clone)]
pub(crate) struct Numbers<T> {
    pub(crate) values: Vec<T>,
    pub(crate) valid: Vec<bool>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: Vec::new() }
    }
}

impl<T: Copy + Default> Numbers<T> {
    #[inline]
    pub(crate) fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.valid.push(value.is_some());
    }

    pub(crate) fn get(&self, at: usize) -> Option<T> {
        (*self.valid.get(at)?).then(|| self.values[at])
    }

    fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
        valid.contains(&false).then(|| NullBuffer::from(valid))
    }
}

impl From<Numbers<i64>> for BatchColumn {
    fn from(numbers: Numbers<i64>) -> Self {
        Self::Long(Int64Array::new(numbers.values.into(), Numbers::<i64>::nulls(numbers.valid)))
    }
}

impl From<Numbers<f32>> for BatchColumn {
    fn from(numbers: Numbers<f32>) -> Self {
        Self::Float(Float32Array::new(numbers.values.into(), Numbers::<f32>::nulls(numbers.valid)))
    }
}

impl From<Numbers<f64>> for BatchColumn {
    fn from(numbers: Numbers<f64>) -> Self {
        Self::Double(Float64Array::new(numbers.values.into(), Numbers::<f64>::nulls(numbers.valid)))
    }
}

/// A number type of columns.
pub(crate) trait Number: Copy + Default {
    fn of(value: Value<'_>, rule: Rule) -> Result<Option<Self>, Fault>;
}

fn metric(value: Value<'_>) -> Result<Option<MetricNumber>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Long(value) => Ok(Some(MetricNumber::Long(value))),
        Value::Double(value) => Ok(Some(MetricNumber::Double(value))),
        Value::Text(text) => metric_number(text).map(Some).ok_or(Fault),
        Value::Bool(_) | Value::Json(_) | Value::List(_) => Err(Fault),
    }
}

/// The time that a transform of `__time` gives.
pub(crate) fn metric_time(value: Value<'_>) -> Option<i64> {
    metric(value).ok().flatten().map(MetricNumber::as_long)
}

impl Number for i64 {
    #[inline]
    fn of(value: Value<'_>, rule: Rule) -> Result<Option<Self>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::Long(value) => Ok(Some(value)),
            _ if rule == Rule::Metric => Ok(metric(value)?.map(MetricNumber::as_long)),
            Value::Bool(value) => Ok(Some(Self::from(value))),
            Value::Double(value) if rule == Rule::Discovered => {
                let whole = value as Self;
                if whole as f64 == value { Ok(Some(whole)) } else { Err(Fault) }
            }
            Value::Double(value) => Ok(Some(value as Self)),
            Value::Text(text) => exact_long(text).map(Some).ok_or(Fault),
            Value::Json(_) | Value::List(_) => Err(Fault),
        }
    }
}

impl Number for f32 {
    #[inline]
    fn of(value: Value<'_>, rule: Rule) -> Result<Option<Self>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::Long(value) => Ok(Some(value as Self)),
            Value::Double(value) => Ok(Some(value as Self)),
            Value::Text(_) if rule == Rule::Metric => {
                Ok(metric(value)?.map(|number| number.as_double() as Self))
            }
            Value::Text(text) => parse_float(text).map(Some).ok_or(Fault),
            Value::Bool(_) | Value::Json(_) | Value::List(_) => Err(Fault),
        }
    }
}

impl Number for f64 {
    #[inline]
    fn of(value: Value<'_>, rule: Rule) -> Result<Option<Self>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::Long(value) => Ok(Some(value as Self)),
            Value::Double(value) => Ok(Some(value)),
            Value::Text(_) if rule == Rule::Metric => Ok(metric(value)?.map(MetricNumber::as_double)),
            Value::Text(text) => parse_double(text).map(Some).ok_or(Fault),
            Value::Bool(_) | Value::Json(_) | Value::List(_) => Err(Fault),
        }
    }
}

/// Numbers of a run of values; `fault` is told the positions of those that cannot be converted.
pub(crate) fn numbers<'a, T: Number>(
    into: &mut Numbers<T>,
    values: impl Iterator<Item = Value<'a>>,
    rule: Rule,
    mut fault: impl FnMut(usize),
) {
    for (at, value) in values.enumerate() {
        let number = T::of(value, rule);
        into.push(number.unwrap_or_default());
        if number.is_err() {
            fault(at);
        }
    }
}

/// A value as text; `None` for NULL. `buffer` is for those that are no text yet. A list is the text of its only
/// value; of several, their JSON text.
#[inline]
pub(crate) fn text<'a>(value: Value<'a>, buffer: &'a mut String) -> Option<&'a str> {
    match value {
        Value::Null => None,
        Value::Text(text) | Value::Json(text) => Some(text),
        Value::Bool(value) => Some(if value { "true" } else { "false" }),
        Value::Long(value) => {
            buffer.clear();
            // Writing to a string does not fail.
            let _ = write!(buffer, "{value}");
            Some(buffer)
        }
        Value::Double(value) => {
            buffer.clear();
            buffer.push_str(&double_text(value));
            Some(buffer)
        }
        Value::List(list) => {
            let mut values = list.iter();
            match (values.next(), list.len()) {
                (None, _) => None,
                (Some(only), 1) => text(only, buffer),
                _ => {
                    buffer.clear();
                    buffer.push_str(&list_json(list));
                    Some(buffer)
                }
            }
        }
    }
}

/// A list as JSON text.
fn list_json(list: List<'_>) -> String {
    let json = list.iter().map(|value| match value {
        Value::Null | Value::List(_) => serde_json::Value::Null,
        Value::Bool(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Double(value) => value.into(),
        Value::Text(text) => text.into(),
        Value::Json(text) => serde_json::from_str(text).unwrap_or_default(),
    });
    serde_json::Value::Array(json.collect()).to_string()
}

/// Codes of a string column, one value a row.
pub(crate) fn codes<'a>(
    into: &mut Vec<u32>,
    values: impl Iterator<Item = Value<'a>>,
    dictionary: &mut Dictionary,
) {
    let mut buffer = String::new();
    let mut last: Option<(&'a str, u32)> = None;
    for value in values {
        // Neighbours are often equal; comparing is cheaper than hashing.
        if let (Value::Text(text), Some((before, code))) = (value, last)
            && text == before
        {
            into.push(code);
            continue;
        }
        let code = text(value, &mut buffer).map_or(NULL_CODE, |text| dictionary.intern(text));
        if let Value::Text(text) = value {
            last = Some((text, code));
        }
        into.push(code);
    }
}

/// A string column without a dictionary.
pub(crate) fn plain<'a>(values: impl Iterator<Item = Value<'a>>) -> StringViewArray {
    let mut buffer = String::new();
    let mut builder = StringViewBuilder::new();
    for value in values {
        builder.append_option(text(value, &mut buffer));
    }
    builder.finish()
}

/// Whether a value makes its column a multi-value one.
pub(crate) fn is_multi(value: Value<'_>) -> bool {
    matches!(value, Value::List(list) if list.len() > 1)
}

/// Codes of a string column with several values a row.
pub(crate) fn multi_codes<'a>(
    values: impl Iterator<Item = Value<'a>>,
    dictionary: &mut Dictionary,
    handling: MultiValueHandling,
) -> BatchColumn {
    let (mut ends, mut codes) = (Vec::new(), Vec::new());
    let mut buffer = String::new();
    let mut several: Vec<String> = Vec::new();
    for value in values {
        if let Value::List(list) = value {
            several.clear();
            for item in list.iter() {
                several.extend(text(item, &mut buffer).map(str::to_owned));
            }
            if handling != MultiValueHandling::Array {
                several.sort_unstable();
            }
            if handling == MultiValueHandling::SortedSet {
                several.dedup();
            }
            codes.extend(several.iter().map(|text| dictionary.intern(text)));
        } else {
            codes.extend(text(value, &mut buffer).map(|text| dictionary.intern(text)));
        }
        ends.push(codes.len() as u32);
    }
    BatchColumn::MultiCodes { ends, codes }
}
