//! One column of a batch, ready to be written cell by cell.
//!
//! A batch is prepared once: every array is brought to one of a few types (dictionaries are unfolded, narrow
//! integers widened, decimals become doubles), strings are searched for what needs an escape, those of a dictionary once,
//! and the row loop then only matches on a small enum. Nothing is allocated per cell except for stringified arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray,
    MAX_INLINE_VIEW_LEN, StringArray, StringViewArray, StructArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType, UInt64Type,
};
use arrow::error::ArrowError;
use ovate_storage::time::Zone;

use super::instant::write_instant;
use super::number::{write_double, write_float, write_long, write_unsigned};
use super::text::{Escape, is_plain, write_csv_field, write_plain_string, write_string};

/// How an array inside a cell is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// As a string that holds JSON: Druid's default.
    Stringified,
    /// As a JSON array: `sqlStringifyArrays: false`.
    Real,
    /// A multi-value string: one value as itself, several as a string that holds JSON.
    MultiValue,
}

#[derive(Debug)]
enum Values {
    /// Strings, and whether all of them are plain: see [`all_plain`].
    View(StringViewArray, bool),
    Text(StringArray),
    Long(Int64Array),
    Unsigned(UInt64Array),
    Float(Float32Array),
    Double(Float64Array),
    Boolean(BooleanArray),
    Instant(TimestampMillisecondArray),
    List(ListArray, Box<Values>),
    Struct(StructArray, Vec<(String, Values)>),
    Null,
}

/// A column of one batch.
#[derive(Debug)]
pub(crate) struct Column {
    values: Values,
    lists: Lists,
}

impl Column {
    /// Prepares `array` for writing.
    pub(crate) fn prepare(array: &ArrayRef, lists: Lists) -> Result<Self, ArrowError> {
        Ok(Self { values: Values::prepare(array)?, lists })
    }

    /// Appends the cell of `row` as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, row: usize, zone: Zone) {
        if self.values.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.values {
            Values::List(array, items) => self.write_list(out, array, items, row),
            Values::Struct(..) => write_string(out, &self.values.inner_json(row), Escape::Wire),
            Values::Instant(array) => {
                out.push(b'"');
                write_instant(out, array.value(row), zone);
                out.push(b'"');
            }
            values => values.write_nested(out, row, Escape::Wire),
        }
    }

    /// Appends the cell of `row` as a CSV field. NULL is the empty field.
    pub(crate) fn write_csv(&self, out: &mut Vec<u8>, row: usize, zone: Zone) {
        if self.values.is_null(row) {
            return;
        }
        match &self.values {
            Values::View(array, _) => write_csv_field(out, array.value(row)),
            Values::Text(array) => write_csv_field(out, array.value(row)),
            Values::Instant(array) => write_instant(out, array.value(row), zone),
            Values::Float(array) => write_float(out, array.value(row)),
            Values::Double(array) => write_double(out, array.value(row)),
            Values::List(array, items) => match (self.lists, array.value_length(row)) {
                (Lists::MultiValue, 0) => {}
                (Lists::MultiValue, 1) => items.write_csv_item(out, array.value_offsets()[row] as usize),
                _ => write_csv_field(out, &self.values.inner_json(row)),
            },
            Values::Struct(..) => write_csv_field(out, &self.values.inner_json(row)),
            values => values.write_nested(out, row, Escape::Inner),
        }
    }

    fn write_list(&self, out: &mut Vec<u8>, array: &ListArray, items: &Values, row: usize) {
        match (self.lists, array.value_length(row)) {
            (Lists::Real, _) => self.values.write_nested(out, row, Escape::Wire),
            (Lists::MultiValue, 0) => out.extend_from_slice(b"null"),
            (Lists::MultiValue, 1) => {
                items.write_nested(out, array.value_offsets()[row] as usize, Escape::Wire);
            }
            _ => write_string(out, &self.values.inner_json(row), Escape::Wire),
        }
    }
}

impl Values {
    fn prepare(array: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Utf8View => {
                let views = array.as_string_view();
                Self::View(views.clone(), all_plain(views))
            }
            DataType::Utf8 => Self::Text(array.as_string::<i32>().clone()),
            DataType::Int64 => Self::Long(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            DataType::Float32 => Self::Float(array.as_primitive::<Float32Type>().clone()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>().clone()),
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Instant(array.as_primitive::<TimestampMillisecondType>().clone())
            }
            DataType::Null => Self::Null,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(list.clone(), Box::new(Self::prepare(list.values())?))
            }
            DataType::Struct(fields) => {
                let all = array.as_struct();
                let members = fields.iter().zip(all.columns());
                let members =
                    members.map(|(field, column)| Ok((field.name().clone(), Self::prepare(column)?)));
                Self::Struct(all.clone(), members.collect::<Result<_, ArrowError>>()?)
            }
            other => Self::prepare(&cast(array, &nearest(other))?)?,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::View(array, _) => array.is_null(row),
            Self::Text(array) => array.is_null(row),
            Self::Long(array) => array.is_null(row),
            Self::Unsigned(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Double(array) => array.is_null(row),
            Self::Boolean(array) => array.is_null(row),
            Self::Instant(array) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
            Self::Struct(array, _) => array.is_null(row),
            Self::Null => true,
        }
    }

    /// The cell as JSON text of its own.
    fn inner_json(&self, row: usize) -> String {
        let mut inner = Vec::new();
        self.write_nested(&mut inner, row, Escape::Inner);
        String::from_utf8(inner).unwrap_or_default()
    }

    /// A value of JSON. Instants are milliseconds here: inside arrays Druid knows no timestamps, only longs.
    fn write_nested(&self, out: &mut Vec<u8>, row: usize, escape: Escape) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self {
            Self::View(array, true) => write_plain_string(out, array.value(row)),
            Self::View(array, false) => write_string(out, array.value(row), escape),
            Self::Text(array) => write_string(out, array.value(row), escape),
            Self::Long(array) => write_long(out, array.value(row)),
            Self::Unsigned(array) => write_unsigned(out, array.value(row)),
            Self::Float(array) => {
                let value = array.value(row);
                quoted_unless(value.is_finite(), out, |out| write_float(out, value));
            }
            Self::Double(array) => {
                let value = array.value(row);
                quoted_unless(value.is_finite(), out, |out| write_double(out, value));
            }
            Self::Boolean(array) => {
                out.extend_from_slice(if array.value(row) { b"true".as_slice() } else { b"false" });
            }
            Self::Instant(array) => write_long(out, array.value(row)),
            Self::List(array, items) => {
                let ends = array.value_offsets();
                out.push(b'[');
                for item in ends[row]..ends[row + 1] {
                    comma(out, item > ends[row]);
                    items.write_nested(out, item as usize, escape);
                }
                out.push(b']');
            }
            Self::Struct(_, members) => {
                out.push(b'{');
                for (i, (name, values)) in members.iter().enumerate() {
                    comma(out, i > 0);
                    write_string(out, name, escape);
                    out.push(b':');
                    values.write_nested(out, row, escape);
                }
                out.push(b'}');
            }
            Self::Null => out.extend_from_slice(b"null"),
        }
    }

    fn write_csv_item(&self, out: &mut Vec<u8>, item: usize) {
        match self {
            Self::View(array, _) if array.is_valid(item) => write_csv_field(out, array.value(item)),
            Self::Text(array) if array.is_valid(item) => write_csv_field(out, array.value(item)),
            values if values.is_null(item) => {}
            values => values.write_nested(out, item, Escape::Inner),
        }
    }
}

/// Where no more bytes than these stand behind the views for each row, all of them are looked at.
const LOOKED_AT_BYTES: usize = 32;

/// Whether no string needs an escape. Rows of a dictionary column share the bytes of its values, so that these are looked
/// at once a batch; short strings, which stand in the views, are looked at where they are. `false` also where more text
/// stands behind the views than a look is worth.
fn all_plain(array: &StringViewArray) -> bool {
    const SPACES: u128 = u128::from_ne_bytes([b' '; 16]);
    let inline = |view: &u128| {
        let length = *view as u32;
        // The length, which comes first, is shifted out, and spaces stand for what follows the string.
        length > MAX_INLINE_VIEW_LEN || is_plain(&((view >> 32) | (SPACES << (8 * length))).to_ne_bytes())
    };
    let shared: usize = array.data_buffers().iter().map(Buffer::len).sum();
    shared <= LOOKED_AT_BYTES * array.len()
        && array.data_buffers().iter().all(|buffer| is_plain(buffer))
        && array.views().iter().all(inline)
}

/// The type that stands for `other`, which has no case of its own.
fn nearest(other: &DataType) -> DataType {
    match other {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::UInt64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item) => {
            DataType::List(Arc::new(Field::new("item", item.data_type().clone(), true)))
        }
        _ => DataType::Utf8,
    }
}

/// JSON has no word for NaN and the infinities: they are strings, as Jackson writes them.
fn quoted_unless(finite: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if finite {
        write(out);
    } else {
        out.push(b'"');
        write(out);
        out.push(b'"');
    }
}

fn comma(out: &mut Vec<u8>, wanted: bool) {
    if wanted {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_string_that_needs_an_escape_is_found_wherever_it_lies() {
        for length in [0, 1, 11, 12, 13, 40] {
            let plain = "x".repeat(length);
            let strings = |last: &str| StringViewArray::from_iter_values([plain.as_str(), "y", last]);
            assert!(all_plain(&strings(&plain)), "{length}");
            for special in ['"', '\\', '\n', '\u{0}', '\u{1f}', '😀'] {
                assert!(!all_plain(&strings(&format!("{plain}{special}"))), "{length} {special:?}");
                assert!(!all_plain(&strings(&format!("{special}{plain}"))), "{length} {special:?}");
            }
            assert!(all_plain(&strings(&format!("ü{plain}\u{7f}"))), "{length}");
        }
    }
}
