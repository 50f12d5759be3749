//! What a datasource's rows look like: columns, their types, how they are cut into time chunks and rolled up.
//!
//! A [`TableSchema`] is decided by an ingestion spec (or by the embedding program), stored in the catalog, and
//! handed to the hot index and to the segment writer. Segments carry the columns they were written with, so a
//! schema may change between segments; readers fill what is missing with NULL.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Granularity;

/// The name of the primary time column: milliseconds since the epoch, UTC, never NULL.
pub const TIME_COLUMN: &str = "__time";

/// The value type of a column, under Druid's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ColumnType {
    /// UTF-8 text; several values a row where [`ColumnSpec::multi_value`] says so.
    String,
    /// 64-bit signed integer.
    Long,
    /// 32-bit IEEE float.
    Float,
    /// 64-bit IEEE float.
    Double,
}

/// How several rows of one rollup key become one value of a metric column.
///
/// `First` and `Last` follow the row's own `__time` before truncation; that time is kept in a hidden companion
/// column ([`ColumnSpec::companion`]), so that rolled-up rows roll up again without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Rollup {
    Sum,
    Min,
    Max,
    First,
    Last,
}

/// Whether a column identifies a row or measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnRole {
    /// Part of the rollup key and of the sort order.
    Dimension,
    /// Aggregated when rows roll up.
    Metric(Rollup),
}

/// One column besides `__time`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnSpec {
    /// The name, as queries write it. Case-sensitive.
    pub name: String,
    /// The value type.
    pub column_type: ColumnType,
    /// Dimension or metric.
    pub role: ColumnRole,
    /// Strings only: rows may hold several values.
    #[serde(default)]
    pub multi_value: bool,
    /// Strings only: sealed segments carry posting lists for the column.
    #[serde(default)]
    pub bitmap_index: bool,
}

impl ColumnSpec {
    /// A dimension with Druid's defaults: bitmaps for strings, one value a row.
    pub fn dimension(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self {
            name: name.into(),
            column_type,
            role: ColumnRole::Dimension,
            multi_value: false,
            bitmap_index: column_type == ColumnType::String,
        }
    }

    /// A metric that rolls up by `rollup`.
    pub fn metric(name: impl Into<String>, column_type: ColumnType, rollup: Rollup) -> Self {
        Self {
            name: name.into(),
            column_type,
            role: ColumnRole::Metric(rollup),
            multi_value: false,
            bitmap_index: false,
        }
    }

    /// The hidden LONG column that keeps the time of a `First` or `Last` metric; `None` for all others.
    pub fn companion(&self) -> Option<String> {
        match self.role {
            ColumnRole::Metric(Rollup::First | Rollup::Last) => {
                Some(format!("{COMPANION_PREFIX}{}", self.name))
            }
            _ => None,
        }
    }
}

/// Names with this prefix are the store's own; specs may not use it and queries do not see it.
pub const COMPANION_PREFIX: &str = "__ovate_time_of.";

/// The shape of a datasource. Cheap to share: always held in an [`Arc`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSchema {
    /// Every column besides `__time`, dimensions first, in spec order: the order of `SELECT *` and of sorting.
    pub columns: Vec<ColumnSpec>,
    /// How time is cut into chunks; a segment lies in one chunk.
    pub segment_granularity: Granularity,
    /// `__time` is floored to this before it is stored.
    pub query_granularity: Granularity,
    /// Rows with equal truncated time and dimensions become one.
    pub rollup: bool,
}

impl TableSchema {
    /// The position of `name` in [`Self::columns`].
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// This schema with `added` at the end of its dimensions: what schemaless discovery does.
    #[must_use]
    pub fn with_dimensions(self: &Arc<Self>, added: impl IntoIterator<Item = ColumnSpec>) -> Arc<Self> {
        let mut next = Self::clone(self);
        let at =
            next.columns.iter().position(|c| c.role != ColumnRole::Dimension).unwrap_or(next.columns.len());
        next.columns.splice(at..at, added);
        Arc::new(next)
    }
}
