//! Columns of a batch as expressions and outputs read them: by row, whatever they are kept as.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListBuilder, StringViewBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::convert::text;
use super::value::{Cell, Row, Staged, Value};

/// A column of all rows that were read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    /// NULL everywhere.
    Missing,
    /// The times of the rows.
    Time(&'a [i64]),
    Staged(&'a Staged),
    /// Row `i` holds `distinct[codes[i]]`.
    Coded {
        codes: &'a [u32],
        distinct: &'a Staged,
    },
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn value(self, row: usize) -> Value<'a> {
        match self {
            Self::Missing => Value::Null,
            Self::Time(times) => times.get(row).map_or(Value::Null, |ms| Value::Long(*ms)),
            Self::Staged(staged) => staged.value(row),
            Self::Coded { codes, distinct } => {
                codes.get(row).map_or(Value::Null, |code| distinct.value(*code as usize))
            }
        }
    }
}

/// The type in which values meet an expression. Druid looks at every value; here rows whose values have the same
/// forms are evaluated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    Text,
    Long,
    Double,
    Texts,
    Longs,
    Doubles,
}

impl Form {
    /// The form of a value; `None` for NULL. A list of one value is that value, an empty one NULL.
    pub(crate) fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) | Value::Long(_) => Some(Self::Long),
            Value::Double(_) => Some(Self::Double),
            Value::Text(_) | Value::Json(_) => Some(Self::Text),
            Value::List(list) if list.len() < 2 => list.iter().next().and_then(Self::of),
            Value::List(list) => {
                let mut form = Self::Longs;
                for item in list.iter() {
                    match (Self::of(item), form) {
                        (None | Some(Self::Long), _) => {}
                        (Some(Self::Double), Self::Longs | Self::Doubles) => form = Self::Doubles,
                        _ => return Some(Self::Texts),
                    }
                }
                Some(form)
            }
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Texts => DataType::new_list(DataType::Utf8View, true),
            Self::Longs => DataType::new_list(DataType::Int64, true),
            Self::Doubles => DataType::new_list(DataType::Float64, true),
        }
    }

    /// The array of this form over some values; what does not have the form is NULL.
    pub(crate) fn array<'a>(self, values: impl Iterator<Item = Value<'a>>) -> ArrayRef {
        match self {
            Self::Text => {
                let mut buffer = String::new();
                let mut builder = StringViewBuilder::new();
                for value in values {
                    builder.append_option(text(value, &mut buffer));
                }
                Arc::new(builder.finish())
            }
            Self::Long => {
                let mut builder = Int64Builder::new();
                builder.extend(values.map(long));
                Arc::new(builder.finish())
            }
            Self::Double => {
                let mut builder = Float64Builder::new();
                builder.extend(values.map(double));
                Arc::new(builder.finish())
            }
            Self::Texts => {
                let mut buffer = String::new();
                let mut builder = ListBuilder::new(StringViewBuilder::new());
                for value in values {
                    let valid = each(value, |item| builder.values().append_option(text(item, &mut buffer)));
                    builder.append(valid);
                }
                Arc::new(builder.finish())
            }
            Self::Longs => {
                let mut builder = ListBuilder::new(Int64Builder::new());
                for value in values {
                    let valid = each(value, |item| builder.values().append_option(long(item)));
                    builder.append(valid);
                }
                Arc::new(builder.finish())
            }
            Self::Doubles => {
                let mut builder = ListBuilder::new(Float64Builder::new());
                for value in values {
                    let valid = each(value, |item| builder.values().append_option(double(item)));
                    builder.append(valid);
                }
                Arc::new(builder.finish())
            }
        }
    }
}

/// Calls `item` with every value of a list, or with the value itself; whether there is one.
fn each<'a>(value: Value<'a>, mut item: impl FnMut(Value<'a>)) -> bool {
    match value {
        Value::Null => return false,
        Value::List(list) => list.iter().for_each(item),
        value => item(value),
    }
    true
}

fn only(value: Value<'_>) -> Value<'_> {
    match value {
        Value::List(list) if list.len() == 1 => list.iter().next().unwrap_or(Value::Null),
        value => value,
    }
}

fn long(value: Value<'_>) -> Option<i64> {
    match only(value) {
        Value::Long(value) => Some(value),
        Value::Bool(value) => Some(i64::from(value)),
        _ => None,
    }
}

fn double(value: Value<'_>) -> Option<f64> {
    match only(value) {
        Value::Double(value) => Some(value),
        value => long(value).map(|value| value as f64),
    }
}

/// Hands out the results of an expression, row by row. Arrays that are of no known type are NULL.
pub(crate) fn each_result(array: &ArrayRef, mut result: impl FnMut(usize, Value<'_>)) {
    let DataType::List(_) = array.data_type() else { return each_scalar(array, result) };
    let lists = array.as_list::<i32>();
    let mut row = Row::default();
    let mut items = Vec::new();
    for at in 0..lists.len() {
        if lists.is_null(at) {
            result(at, Value::Null);
            continue;
        }
        row.clear(1);
        items.clear();
        each_scalar(&lists.value(at), |_, value| {
            items.push(match value {
                Value::Long(value) => Cell::long(value),
                Value::Double(value) => Cell::double(value),
                Value::Text(text) => row.copied(text),
                _ => Cell::NULL,
            });
        });
        row.cells[0] = row.list(&items);
        result(at, row.value(0, ""));
    }
}

fn each_scalar(array: &ArrayRef, mut result: impl FnMut(usize, Value<'_>)) {
    let canonical = match array.data_type() {
        DataType::Boolean => DataType::Int64,
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    };
    let array = cast(array, &canonical).unwrap_or_else(|_| new_null_array(&canonical, array.len()));
    let (texts, longs, doubles) = (
        array.as_string_view_opt(),
        array.as_primitive_opt::<Int64Type>(),
        array.as_primitive_opt::<Float64Type>(),
    );
    for at in 0..array.len() {
        let value = match (texts, longs, doubles) {
            _ if array.is_null(at) => Value::Null,
            (Some(texts), ..) => Value::Text(texts.value(at)),
            (_, Some(longs), _) => Value::Long(longs.value(at)),
            (.., Some(doubles)) => Value::Double(doubles.value(at)),
            _ => Value::Null,
        };
        result(at, value);
    }
}
