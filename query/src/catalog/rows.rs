//! System tables from rows: a declared list of columns and a value for each.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Builder, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;

use super::Found;
use crate::error::QueryError;

/// The type of a system column; there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Long,
}

/// A declared column: its name, its type, whether NULL occurs.
pub(super) type Declared = (&'static str, Kind, bool);

/// A cell.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Text(String),
    Long(i64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Long(number)
    }
}

impl From<bool> for Cell {
    /// `sys` shows truth values as 1 and 0.
    fn from(flag: bool) -> Self {
        Self::Long(i64::from(flag))
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The Arrow schema of declared columns.
pub(super) fn schema(columns: &[Declared]) -> SchemaRef {
    let field = |(name, kind, nullable): &Declared| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8View,
            Kind::Long => DataType::Int64,
        };
        Field::new(*name, data_type, *nullable)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A table of rows. Cells that a row is short of, or that have the wrong type, are NULL.
pub(super) fn table(columns: &[Declared], rows: &[Vec<Cell>]) -> Result<Found, QueryError> {
    let arrays = columns.iter().enumerate().map(|(i, (_, kind, _))| array(rows, i, *kind)).collect();
    let schema = schema(columns);
    let internal = |e: &dyn std::error::Error| QueryError::Internal(format!("system table: {e}"));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| internal(&e))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(|e| internal(&e))?;
    Ok(Found { provider: Arc::new(table), rows: rows.len() })
}

fn array(rows: &[Vec<Cell>], column: usize, kind: Kind) -> ArrayRef {
    match kind {
        Kind::Text => {
            let mut out = StringViewBuilder::with_capacity(rows.len());
            for row in rows {
                out.append_option(match row.get(column) {
                    Some(Cell::Text(text)) => Some(text),
                    _ => None,
                });
            }
            Arc::new(out.finish())
        }
        Kind::Long => {
            let mut out = Int64Builder::with_capacity(rows.len());
            for row in rows {
                out.append_option(match row.get(column) {
                    Some(Cell::Long(number)) => Some(*number),
                    _ => None,
                });
            }
            Arc::new(out.finish())
        }
    }
}
