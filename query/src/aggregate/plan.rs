//! What is to be aggregated, over the columns of the scanned table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use ovate_storage::time::Granularity;

/// A grouping, planned.
#[derive(Debug, PartialEq)]
pub(super) struct AggregatePlan {
    /// What rows are grouped by.
    pub(super) keys: Vec<Key>,
    /// What is computed for each group, nothing twice.
    pub(super) aggregates: Vec<Aggregate>,
    /// How the results follow from that.
    pub(super) results: Vec<Outcome>,
    /// The keys, then the results.
    pub(super) schema: SchemaRef,
}

/// One key.
#[derive(Debug, PartialEq)]
pub(super) struct Key {
    /// Where its values come from.
    pub(super) source: KeySource,
    /// How the plan writes it.
    pub(super) name: String,
}

/// Where the values of a key come from.
#[derive(Debug, PartialEq)]
pub(super) enum KeySource {
    /// The table's column of this index.
    Column(usize),
    /// The starts of the buckets that `__time` lies in.
    Buckets(Granularity),
    /// Anything else, computed row by row.
    Computed(Input),
}

/// One aggregate.
#[derive(Debug, PartialEq)]
pub(super) struct Aggregate {
    /// The function.
    pub(super) function: Arc<AggregateFunctionExpr>,
    /// Its arguments.
    pub(super) arguments: Vec<Input>,
    /// Which rows count; `None`: all.
    pub(super) filter: Option<Input>,
    /// Whether nothing else is computed from the values of its arguments.
    pub(super) reads_alone: bool,
}

/// How a result follows from aggregates, which are given by index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    /// It is this one.
    Of(usize),
    /// A sum over a count of the same values: AVG of doubles.
    Average {
        /// The sum.
        sum: usize,
        /// The count.
        count: usize,
    },
}

/// An expression over columns of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    /// The columns, as indices of the table's schema.
    pub(super) columns: Vec<usize>,
    /// These columns.
    pub(super) schema: SchemaRef,
    /// The expression over them; `None`: the only column itself.
    pub(super) expr: Option<Arc<dyn PhysicalExpr>>,
}

impl Input {
    /// The type of its values.
    pub(super) fn data_type(&self) -> Result<DataType> {
        match &self.expr {
            Some(expr) => expr.data_type(&self.schema),
            None => Ok(self.schema.field(0).data_type().clone()),
        }
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
        for (i, result) in self.schema.fields().iter().skip(self.keys.len()).enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, result.name())?;
        }
        f.write_str("]")
    }
}
