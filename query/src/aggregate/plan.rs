//! What is to be aggregated, over the columns of the scanned table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use ovate_storage::time::Granularity;

use crate::scan::column::PartColumns;
use crate::scan::rows::Rows;

/// A grouping, planned.
#[derive(Debug)]
pub(super) struct AggregatePlan {
    /// What rows are grouped by.
    pub(super) keys: Vec<Key>,
    /// What is computed for each group.
    pub(super) aggregates: Vec<Aggregate>,
    /// The keys, then the aggregates.
    pub(super) schema: SchemaRef,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Where its values come from.
    pub(super) source: KeySource,
    /// How the plan writes it.
    pub(super) name: String,
}

/// Where the values of a key come from.
#[derive(Debug)]
pub(super) enum KeySource {
    /// The table's column of this index.
    Column(usize),
    /// The starts of the buckets that `__time` lies in.
    Buckets(Granularity),
    /// Anything else, computed row by row.
    Computed(Input),
}

/// One aggregate.
#[derive(Debug)]
pub(super) struct Aggregate {
    /// The function.
    pub(super) function: Arc<AggregateFunctionExpr>,
    /// Its arguments.
    pub(super) arguments: Vec<Input>,
    /// Which rows count; `None`: all.
    pub(super) filter: Option<Input>,
}

/// An expression over columns of the table.
#[derive(Debug)]
pub(super) struct Input {
    /// The columns, as indices of the table's schema.
    pub(super) columns: Vec<usize>,
    /// These columns.
    pub(super) schema: SchemaRef,
    /// The expression over them; `None`: the only column itself.
    pub(super) expr: Option<Arc<dyn PhysicalExpr>>,
}

/// Some rows of one part, at most a few thousand; columns are decoded once.
pub(super) struct Chunk<'a> {
    /// The part.
    pub(super) columns: &'a PartColumns,
    /// The rows: a stretch or positions.
    pub(super) rows: Rows,
    decoded: Vec<(usize, ArrayRef)>,
}

impl<'a> Chunk<'a> {
    /// These rows of a part.
    pub(super) fn new(columns: &'a PartColumns, rows: Rows) -> Self {
        Self { columns, rows, decoded: Vec::new() }
    }

    /// The values of a column in its SQL type.
    pub(super) fn decode(&mut self, index: usize) -> Result<ArrayRef> {
        if let Some((_, array)) = self.decoded.iter().find(|(decoded, _)| *decoded == index) {
            return Ok(Arc::clone(array));
        }
        let array = self.columns.decode(index, &self.rows)?;
        self.decoded.push((index, Arc::clone(&array)));
        Ok(array)
    }

    /// The values of an expression.
    pub(super) fn evaluate(&mut self, input: &Input) -> Result<ArrayRef> {
        let Some(expr) = &input.expr else {
            let [column] = input.columns[..] else { return internal_err!("an expression is missing") };
            return self.decode(column);
        };
        let columns = input.columns.iter().map(|&index| self.decode(index)).collect::<Result<Vec<_>>>()?;
        let rows = self.rows.len();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&input.schema), columns, &options)?;
        expr.evaluate(&batch)?.into_array(rows)
    }

    /// The rows for which a condition holds.
    pub(super) fn test(&mut self, condition: &Input) -> Result<BooleanArray> {
        let verdicts = self.evaluate(condition)?;
        let Some(verdicts) = verdicts.as_boolean_opt() else {
            return internal_err!("a condition gives {} values", verdicts.data_type());
        };
        Ok(verdicts.clone())
    }
}

impl fmt::Display for AggregatePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys=[")?;
        for (i, key) in self.keys.iter().enumerate() {
            let how = match key.source {
                KeySource::Column(_) => "",
                KeySource::Buckets(_) => " by bucket",
                KeySource::Computed(_) => " by row",
            };
            write!(f, "{}{}{how}", if i == 0 { "" } else { ", " }, key.name)?;
        }
        f.write_str("], aggregates=[")?;
        for (i, aggregate) in self.aggregates.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, aggregate.function.name())?;
        }
        f.write_str("]")
    }
}
