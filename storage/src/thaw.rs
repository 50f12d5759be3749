//! Thawing: published segments become rows in memory again, in the very form in which hot rows are sealed.
//!
//! ```text
//!  segments of one chunk ─► thaw ─► Frozen ─► Sealing ─► fewer, larger segments
//!                                     ▲
//!                    hot index ─freeze┘
//! ```
//!
//! Each segment becomes one run, in the order in which the segments were published, and their dictionaries become
//! one. So sealing them again gives what sealing all rows at once would have given, to the byte.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringViewArray};
use arrow::compute::take;
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use crate::dictionary::{Dictionary, NULL_CODE};
use crate::error::{Result, StorageError};
use crate::hot::{Frozen, Run, RunColumn, physical_columns};
use crate::progress::Progress;
use crate::schema::{ColumnSpec, ColumnType, TableSchema};
use crate::segment::Segment;
use crate::snapshot::SegmentHandle;

/// All rows of `segments`, whose columns are among those of `schema` and its companions. Reads every byte of them.
pub(crate) fn thaw(segments: &[Arc<SegmentHandle>], schema: Arc<TableSchema>) -> Result<Frozen> {
    let (columns, companions) = physical_columns(&schema);
    let mut dictionaries: Vec<Dictionary> = columns.iter().map(|_| Dictionary::new()).collect();
    let mut runs = Vec::with_capacity(segments.len());
    for segment in segments {
        let time = segment.read(Segment::time)?.values().clone();
        let mut values = Vec::with_capacity(columns.len());
        for (spec, dictionary) in columns.iter().zip(&mut dictionaries) {
            let array = segment.read(|segment| segment.column(&spec.name))?;
            let column = array.map_or(Ok(RunColumn::Absent), |array| run_column(&array, spec, dictionary));
            values.push(column.map_err(|error| misfit(segment, &spec.name, &error))?);
        }
        runs.push(Arc::new(Run::new(time, values)));
    }
    Ok(Frozen { schema, columns, companions, runs, dictionaries, progress: Progress::default() })
}

fn misfit(segment: &SegmentHandle, column: &str, error: &arrow::error::ArrowError) -> StorageError {
    let id = &segment.record().id;
    StorageError::damaged(segment.folder(), format!("segment {id}: column {column}: {error}"))
}

pub(crate) type Thawed = Result<RunColumn, arrow::error::ArrowError>;

/// A column of a segment as hot rows have it, its strings entered into `dictionary`. `array` is of the type of `spec`: a
/// segment is checked for that when it is opened.
pub(crate) fn run_column(array: &ArrayRef, spec: &ColumnSpec, dictionary: &mut Dictionary) -> Thawed {
    Ok(match spec.column_type {
        ColumnType::String => strings(array, spec.multi_value, dictionary),
        ColumnType::Long => RunColumn::Long(numbers::<Int64Type>(array)?),
        ColumnType::Float => RunColumn::Float(numbers::<Float32Type>(array)?),
        ColumnType::Double => RunColumn::Double(numbers::<Float64Type>(array)?),
    })
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<PrimitiveArray<T>, arrow::error::ArrowError> {
    let plain = match array.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None)?,
        None => ArrayRef::clone(array),
    };
    let found = plain.as_primitive_opt::<T>().cloned();
    found.ok_or_else(|| {
        let reason = format!("it is {}, not {}", plain.data_type(), T::DATA_TYPE);
        arrow::error::ArrowError::CastError(reason)
    })
}

/// Text that had no dictionary gets none, unless rows of the column may hold several values.
fn strings(array: &ArrayRef, multi_value: bool, dictionary: &mut Dictionary) -> RunColumn {
    if let Some(lists) = array.as_list_opt::<i32>() {
        let items = codes(lists.values(), dictionary);
        let (mut ends, mut all) = (Vec::with_capacity(lists.len()), Vec::with_capacity(items.len()));
        for (row, offsets) in lists.value_offsets().windows(2).enumerate() {
            if lists.is_valid(row) {
                all.extend_from_slice(&items[offsets[0] as usize..offsets[1] as usize]);
            }
            ends.push(all.len() as u32);
        }
        return RunColumn::MultiCodes { ends: ends.into(), codes: all.into() };
    }
    match array.as_string_opt::<i32>() {
        Some(text) if !multi_value => RunColumn::Text(text.iter().collect::<StringViewArray>()),
        _ => RunColumn::Codes(codes(array, dictionary).into()),
    }
}

/// The code of each string in `dictionary`, where it is entered if it is new.
fn codes(array: &ArrayRef, dictionary: &mut Dictionary) -> Vec<u32> {
    let mut code = |text: Option<&str>| text.map_or(NULL_CODE, |text| dictionary.intern(text));
    if let Some(text) = array.as_string_opt::<i32>() {
        return text.iter().map(code).collect();
    }
    let Some(coded) = array.as_any_dictionary_opt().filter(|coded| !coded.values().is_empty()) else {
        return vec![NULL_CODE; array.len()];
    };
    let known: Vec<u32> = match coded.values().as_string_opt::<i32>() {
        Some(values) => values.iter().map(&mut code).collect(),
        None => return vec![NULL_CODE; array.len()],
    };
    let keys = coded.normalized_keys().into_iter().enumerate();
    keys.map(|(at, key)| if coded.is_valid(at) { known[key] } else { NULL_CODE }).collect()
}
