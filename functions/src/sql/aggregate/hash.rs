//! One 64-bit hash for every value of a column, whatever its type.
//!
//! Equal values have equal hashes across types: `1` as a 32-bit and as a 64-bit integer, a text in a dictionary
//! and in an array of its own. A row of several values gives each of them; NULL gives nothing.

use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use datafusion::error::Result;
use xxhash_rust::xxh3::xxh3_64;

/// A set of hashes: they are random already.
pub(super) type HashSet = std::collections::HashSet<u64, BuildHasherDefault<Identity>>;

/// Gives a hash as it is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Calls `take` with row and hash for every value.
pub(super) fn for_each(array: &ArrayRef, take: &mut dyn FnMut(usize, u64)) -> Result<()> {
    match array.data_type() {
        DataType::Null => {}
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let mut hashes = vec![None; dictionary.values().len()];
            for_each(dictionary.values(), &mut |code, hash| {
                if let Some(slot) = hashes.get_mut(code) {
                    *slot = Some(hash);
                }
            })?;
            let keys = cast(dictionary.keys(), &DataType::Int64)?;
            for (row, key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                let code = key.and_then(|key| usize::try_from(key).ok());
                if let Some(hash) = code.and_then(|code| hashes.get(code).copied().flatten()) {
                    take(row, hash);
                }
            }
        }
        DataType::Utf8View => {
            each(array.as_string_view().iter(), take, |text| xxh3_64(text.as_bytes()));
        }
        DataType::Utf8 => each(array.as_string::<i32>().iter(), take, |text| xxh3_64(text.as_bytes())),
        DataType::LargeUtf8 => each(array.as_string::<i64>().iter(), take, |text| xxh3_64(text.as_bytes())),
        DataType::Boolean => each(array.as_boolean().iter(), take, |value| of_long(i64::from(value))),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let mut hashes = vec![None; lists.values().len()];
            for_each(lists.values(), &mut |at, hash| {
                if let Some(slot) = hashes.get_mut(at) {
                    *slot = Some(hash);
                }
            })?;
            for (row, ends) in lists.offsets().windows(2).enumerate() {
                let items = hashes.get(ends[0] as usize..ends[1] as usize).unwrap_or_default();
                if lists.is_valid(row) {
                    items.iter().flatten().for_each(|hash| take(row, *hash));
                }
            }
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let times = cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
            each(times.as_primitive::<TimestampMillisecondType>().iter(), take, of_long);
        }
        given if given.is_integer() => {
            let longs = cast(array, &DataType::Int64)?;
            each(longs.as_primitive::<Int64Type>().iter(), take, of_long);
        }
        given if given.is_numeric() => {
            let doubles = cast(array, &DataType::Float64)?;
            // Zero has two signs and NaN many forms.
            let of =
                |value: f64| of_long(if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits() as i64);
            each(doubles.as_primitive::<Float64Type>().iter(), take, of);
        }
        _ => for_each(&cast(array, &DataType::Utf8View)?, take)?,
    }
    Ok(())
}

fn each<T>(values: impl Iterator<Item = Option<T>>, take: &mut dyn FnMut(usize, u64), of: impl Fn(T) -> u64) {
    for (row, value) in values.enumerate() {
        if let Some(value) = value {
            take(row, of(value));
        }
    }
}

fn of_long(value: i64) -> u64 {
    xxh3_64(&value.to_le_bytes())
}
