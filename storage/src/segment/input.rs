//! What a segment is written from: columns in any row order, strings as codes of an unsorted dictionary.
//!
//! Everything is checked here once, so that the later stages may index without looking.

use std::collections::HashSet;
use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int64Array, StringViewArray, UInt32Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};

use crate::dictionary::NULL_CODE;
use crate::error::{Result, StorageError};
use crate::schema::{ColumnSpec, ColumnType, TIME_COLUMN};
use crate::time::Interval;

/// The rows of a segment about to be written. Borrowed, so that one set of columns can be cut into several time
/// chunks by [`Self::rows`].
#[derive(Debug, Clone)]
pub struct SegmentInput<'a> {
    /// The datasource; kept in the files so that they explain themselves.
    pub datasource: &'a str,
    /// The time chunk; every row lies in it.
    pub interval: Interval,
    /// The version of the chunk.
    pub version: &'a str,
    /// Every column besides `__time`, hidden ones included. Dimensions sort the rows, in this order.
    pub columns: &'a [ColumnSpec],
    /// `__time` per row.
    pub time: &'a [i64],
    /// One per entry of `columns`.
    pub values: &'a [InputColumn],
    /// Which rows to write, by position; `None` for all. No row may be named twice.
    pub rows: Option<&'a [u32]>,
}

/// One column of rows about to be sealed.
#[derive(Debug, Clone)]
pub enum InputColumn {
    /// Strings by code, [`NULL_CODE`] for NULL.
    Codes {
        /// One per row.
        codes: ScalarBuffer<u32>,
        /// The string of each code: Utf8View or Utf8, in any order, without NULLs.
        values: ArrayRef,
    },
    /// Several strings a row: row `i` holds `codes[ends[i - 1]..ends[i]]`, none for NULL.
    MultiCodes {
        /// Per row, the end of its codes.
        ends: ScalarBuffer<u32>,
        /// The codes of all rows.
        codes: ScalarBuffer<u32>,
        /// The string of each code: Utf8View or Utf8, in any order, without NULLs.
        values: ArrayRef,
    },
    /// Strings without a dictionary.
    Text(StringViewArray),
    /// LONG.
    Long(Int64Array),
    /// FLOAT.
    Float(Float32Array),
    /// DOUBLE.
    Double(Float64Array),
    /// No row has a value: the column is left out of the segment and reads as NULL.
    Absent,
}

/// Row positions are 32 bits wide, and the greatest stands for NULL where codes are meant.
const ROWS_MAX: usize = u32::MAX as usize - 1;

impl InputColumn {
    fn rows(&self) -> Option<usize> {
        match self {
            Self::Codes { codes, .. } => Some(codes.len()),
            Self::MultiCodes { ends, .. } => Some(ends.len()),
            Self::Text(array) => Some(array.len()),
            Self::Long(array) => Some(array.len()),
            Self::Float(array) => Some(array.len()),
            Self::Double(array) => Some(array.len()),
            Self::Absent => None,
        }
    }

    fn fits(&self, spec: &ColumnSpec) -> bool {
        match self {
            Self::Codes { .. } | Self::Text(_) => spec.column_type == ColumnType::String,
            Self::MultiCodes { .. } => spec.column_type == ColumnType::String && spec.multi_value,
            Self::Long(_) => spec.column_type == ColumnType::Long,
            Self::Float(_) => spec.column_type == ColumnType::Float,
            Self::Double(_) => spec.column_type == ColumnType::Double,
            Self::Absent => true,
        }
    }

    /// What is wrong with the column by itself.
    fn fault(&self) -> Option<String> {
        let (codes, values, null_allowed) = match self {
            Self::Codes { codes, values } => (codes, values, true),
            Self::MultiCodes { ends, codes, values } => {
                if !ends.is_sorted() || ends.last().copied().unwrap_or(0) as usize != codes.len() {
                    return Some("its ends are not those of its codes".into());
                }
                (codes, values, false)
            }
            _ => return None,
        };
        if !matches!(values.data_type(), DataType::Utf8 | DataType::Utf8View) {
            return Some(format!("its dictionary is {}, not Utf8View or Utf8", values.data_type()));
        }
        if values.null_count() > 0 {
            return Some("its dictionary has a NULL".into());
        }
        let known = values.len();
        codes
            .iter()
            .find(|&&code| code as usize >= known && !(null_allowed && code == NULL_CODE))
            .map(|code| format!("code {code} is not in its dictionary of {known}"))
    }

    /// The column's values at `rows`.
    fn at(&self, rows: &UInt32Array) -> Result<Self> {
        let pick = |array: &dyn Array| take(array, rows, None);
        Ok(match self {
            Self::Codes { codes, values } => Self::Codes {
                codes: rows.values().iter().map(|&row| codes[row as usize]).collect(),
                values: ArrayRef::clone(values),
            },
            Self::MultiCodes { ends, codes, values } => {
                let (ends, codes) = lists_at(ends, codes, rows);
                Self::MultiCodes { ends, codes, values: ArrayRef::clone(values) }
            }
            Self::Text(array) => Self::Text(pick(array)?.as_string_view().clone()),
            Self::Long(array) => Self::Long(pick(array)?.as_primitive::<Int64Type>().clone()),
            Self::Float(array) => Self::Float(pick(array)?.as_primitive::<Float32Type>().clone()),
            Self::Double(array) => Self::Double(pick(array)?.as_primitive::<Float64Type>().clone()),
            Self::Absent => Self::Absent,
        })
    }
}

/// Where the items of one row of a multi-value column are.
pub(crate) fn list_range(ends: &[u32], row: usize) -> Range<usize> {
    let start = if row == 0 { 0 } else { ends[row - 1] };
    start as usize..ends[row] as usize
}

/// The items of some rows of a multi-value column: their ends, and they themselves.
pub(crate) fn lists_at(
    ends: &[u32],
    codes: &[u32],
    rows: &UInt32Array,
) -> (ScalarBuffer<u32>, ScalarBuffer<u32>) {
    let (mut new_ends, mut new_codes) = (Vec::with_capacity(rows.len()), Vec::new());
    for &row in rows.values() {
        new_codes.extend_from_slice(&codes[list_range(ends, row as usize)]);
        new_ends.push(new_codes.len() as u32);
    }
    (new_ends.into(), new_codes.into())
}

/// The input after [`SegmentInput::rows`] was applied.
pub(super) struct Selected {
    pub(super) time: ScalarBuffer<i64>,
    pub(super) values: Vec<InputColumn>,
}

impl SegmentInput<'_> {
    /// Refuses input that does not fit together.
    pub(super) fn check(&self) -> Result<()> {
        let stored = self.time.len();
        if self.values.len() != self.columns.len() {
            let found = self.values.len();
            return Err(self.mismatch(format!("{found} columns given, {} expected", self.columns.len())));
        }
        let mut names = HashSet::from([TIME_COLUMN]);
        for (spec, values) in self.columns.iter().zip(self.values) {
            let name = &spec.name;
            if !names.insert(name) {
                return Err(self.mismatch(format!("column {name} is given twice")));
            }
            if !values.fits(spec) {
                let several = if spec.multi_value { " with several values a row" } else { "" };
                return Err(self.mismatch(format!("column {name} is not {:?}{several}", spec.column_type)));
            }
            if let Some(rows) = values.rows().filter(|&rows| rows != stored) {
                return Err(self.mismatch(format!("column {name} has {rows} rows, __time has {stored}")));
            }
            if let Some(fault) = values.fault() {
                return Err(self.mismatch(format!("column {name}: {fault}")));
            }
        }
        let rows = self.rows.map_or(stored, <[u32]>::len);
        if rows == 0 {
            return Err(self.mismatch("a segment has at least one row".into()));
        }
        if rows > ROWS_MAX {
            return Err(too_large(TIME_COLUMN, "rows", rows as u64, ROWS_MAX as u64));
        }
        if let Some(row) = self.rows.into_iter().flatten().find(|&&row| row as usize >= stored) {
            return Err(self.mismatch(format!("row {row} is asked for, there are {stored}")));
        }
        Ok(())
    }

    /// The rows to write, without the others.
    pub(super) fn select(&self) -> Result<Selected> {
        let Some(rows) = self.rows else {
            return Ok(Selected { time: self.time.to_vec().into(), values: self.values.to_vec() });
        };
        let rows = UInt32Array::from(rows.to_vec());
        Ok(Selected {
            time: rows.values().iter().map(|&row| self.time[row as usize]).collect(),
            values: self.values.iter().map(|column| column.at(&rows)).collect::<Result<_>>()?,
        })
    }

    pub(super) fn mismatch(&self, reason: String) -> StorageError {
        StorageError::SchemaMismatch { datasource: self.datasource.to_owned(), reason }
    }
}

/// One segment cannot hold this; the caller writes several.
pub(super) fn too_large(column: &str, unit: &'static str, found: u64, max: u64) -> StorageError {
    StorageError::SegmentTooLarge { column: column.to_owned(), unit, found, max }
}
