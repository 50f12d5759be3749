//! Rows on their way into the store: a batch of columns, decoded but not yet visible.

use arrow::array::{Array, Float32Array, Float64Array, Int64Array, StringViewArray};

use crate::error::{Result, StorageError};
use crate::schema::{ColumnRole, ColumnType, TableSchema};

/// One column of a batch.
#[derive(Debug, Clone)]
pub enum BatchColumn {
    /// A string column, one value a row: codes of [`crate::Writer::dictionary`], [`crate::NULL_CODE`] for NULL.
    Codes(Vec<u32>),
    /// A string column with several values a row: row `i` holds `codes[ends[i - 1]..ends[i]]`, none for NULL.
    MultiCodes {
        /// Per row, the end of its codes.
        ends: Vec<u32>,
        /// Codes of [`crate::Writer::dictionary`].
        codes: Vec<u32>,
    },
    /// A string column too varied for a dictionary; see [`crate::Writer::is_plain`].
    Text(StringViewArray),
    /// A LONG column.
    Long(Int64Array),
    /// A FLOAT column.
    Float(Float32Array),
    /// A DOUBLE column.
    Double(Float64Array),
}

impl BatchColumn {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len(),
            Self::MultiCodes { ends, .. } => ends.len(),
            Self::Text(array) => array.len(),
            Self::Long(array) => array.len(),
            Self::Float(array) => array.len(),
            Self::Double(array) => array.len(),
        }
    }

    fn fits(&self, column_type: ColumnType) -> bool {
        match self {
            Self::Codes(_) | Self::MultiCodes { .. } | Self::Text(_) => column_type == ColumnType::String,
            Self::Long(_) => column_type == ColumnType::Long,
            Self::Float(_) => column_type == ColumnType::Float,
            Self::Double(_) => column_type == ColumnType::Double,
        }
    }
}

/// Rows of any time, in order of arrival.
#[derive(Debug, Clone, Default)]
pub struct RowBatch {
    /// `__time` per row, already floored to the query granularity.
    pub time: Vec<i64>,
    /// `__time` before flooring; needed only where the schema has `First` or `Last` metrics.
    pub raw_time: Option<Vec<i64>>,
    /// One per column of the schema, in its order.
    pub columns: Vec<BatchColumn>,
}

impl RowBatch {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// Refuses a batch whose columns are not those of `schema`, row for row.
    pub(crate) fn check(&self, datasource: &str, schema: &TableSchema) -> Result<()> {
        let mismatch =
            |reason: String| StorageError::SchemaMismatch { datasource: datasource.to_owned(), reason };
        if self.columns.len() != schema.columns.len() {
            return Err(mismatch(format!(
                "{} columns given, {} expected",
                self.columns.len(),
                schema.columns.len()
            )));
        }
        for (column, spec) in self.columns.iter().zip(&schema.columns) {
            if !column.fits(spec.column_type) {
                return Err(mismatch(format!("column {} is not of type {:?}", spec.name, spec.column_type)));
            }
            if matches!(column, BatchColumn::MultiCodes { .. }) && spec.role != ColumnRole::Dimension {
                return Err(mismatch(format!("metric {} cannot have several values a row", spec.name)));
            }
            if column.rows() != self.rows() {
                return Err(mismatch(format!(
                    "column {} has {} rows, __time has {}",
                    spec.name,
                    column.rows(),
                    self.rows()
                )));
            }
        }
        Ok(())
    }
}
