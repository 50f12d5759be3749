//! What is known of each group: the interface of accumulators, and who computes what.
//!
//! COUNT, SUM, MIN and MAX of numbers are our own ([`super::counts`], [`super::folds`]): a row costs them an addition, and
//! a stretch of rows that are all of one group is folded as a whole. AVG is a sum over a count. Every other function is
//! DataFusion's ([`Theirs`]).

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use datafusion::common::Result;
use datafusion::functions_aggregate::count::Count;
use datafusion::functions_aggregate::min_max::{Max, Min};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;

use super::chunk::CodeSlice;
use super::counts::Counts;
use super::folds::{Add, Fold, Folds, Greatest, Least};
use super::plan::Aggregate;

/// The groups of the rows at hand.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowGroups<'a> {
    /// So many rows of one group.
    One {
        /// The group.
        group: usize,
        /// How many.
        rows: usize,
    },
    /// One group a row.
    Each(&'a [u32]),
}

/// One aggregate over all groups.
pub(super) trait Accumulate: Send {
    /// Adds rows, of which `filter` says which count. There are `groups` groups, to one of which each row belongs.
    fn update(
        &mut self,
        rows: RowGroups<'_>,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()>;

    /// Adds rows, the argument of each being what stands in `values`, which has no NULLs, under the row's code. Whether this
    /// accumulator can: if not, nothing was added.
    fn update_coded(
        &mut self,
        _rows: RowGroups<'_>,
        _codes: CodeSlice<'_>,
        _values: &ArrayRef,
        _groups: usize,
    ) -> Result<bool> {
        Ok(false)
    }

    /// Adds what [`Self::state`] of another gave, one row for each of its groups.
    fn merge(&mut self, rows: RowGroups<'_>, state: &[ArrayRef], groups: usize) -> Result<()>;

    /// What is known of each group, to be merged; this is empty afterwards. Groups have so many `rows`, if they are counted.
    fn state(&mut self, rows: &[i64]) -> Result<Vec<ArrayRef>>;

    /// The result for each group; this is empty afterwards. Groups have so many `rows`, if they are counted.
    fn finish(&mut self, rows: &[i64]) -> Result<ArrayRef>;

    /// Bytes taken.
    fn bytes(&self) -> usize;
}

/// The accumulator of an aggregate.
pub(super) fn accumulator(aggregate: &Aggregate) -> Result<Box<dyn Accumulate>> {
    if let Some(own) = own(aggregate) {
        return Ok(own);
    }
    let inner = aggregate.function.create_groups_accumulator()?;
    Ok(Box::new(Theirs { inner, groups: Vec::new() }))
}

/// Whether a function counts rows, whatever is in them.
pub(super) fn counts_rows(function: &AggregateFunctionExpr) -> bool {
    let arguments = function.expressions();
    let [argument] = arguments.as_slice() else { return false };
    function.fun().inner().downcast_ref::<Count>().is_some()
        && argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
}

/// Whether an aggregate is counted from the number of rows of its groups.
pub(super) fn counts_from_rows(aggregate: &Aggregate) -> bool {
    aggregate.filter.is_none()
        && aggregate.function.expressions().len() == 1
        && aggregate.function.fun().inner().downcast_ref::<Count>().is_some()
}

fn own(aggregate: &Aggregate) -> Option<Box<dyn Accumulate>> {
    let function = &aggregate.function;
    if function.expressions().len() != 1 {
        return None;
    }
    let kind = function.fun().inner();
    if kind.downcast_ref::<Count>().is_some() {
        let counts = if counts_from_rows(aggregate) { Counts::of_all() } else { Counts::of_some() };
        return Some(Box::new(counts));
    }
    let field = function.field();
    let result = field.data_type();
    if kind.downcast_ref::<Sum>().is_some() {
        return match result {
            DataType::Int64 => Some(Box::new(Folds::<Int64Type, Add>::default())),
            DataType::Float64 => Some(Box::new(Folds::<Float64Type, Add>::default())),
            _ => None,
        };
    }
    if kind.downcast_ref::<Min>().is_some() {
        return extremes::<Least>(result);
    }
    if kind.downcast_ref::<Max>().is_some() {
        return extremes::<Greatest>(result);
    }
    None
}

fn extremes<O>(data_type: &DataType) -> Option<Box<dyn Accumulate>>
where
    O: Fold<i64> + Fold<f32> + Fold<f64> + 'static,
{
    Some(match data_type {
        DataType::Int64 => Box::new(Folds::<Int64Type, O>::default()),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            Box::new(Folds::<TimestampMillisecondType, O>::default())
        }
        DataType::Float32 => Box::new(Folds::<Float32Type, O>::default()),
        DataType::Float64 => Box::new(Folds::<Float64Type, O>::default()),
        _ => return None,
    })
}

/// An accumulator of DataFusion's.
struct Theirs {
    inner: Box<dyn GroupsAccumulator>,
    /// The group of each row, as it wants them.
    groups: Vec<usize>,
}

impl Theirs {
    fn read(&mut self, rows: RowGroups<'_>) {
        self.groups.clear();
        match rows {
            RowGroups::One { group, rows } => self.groups.resize(rows, group),
            RowGroups::Each(groups) => self.groups.extend(groups.iter().map(|&group| group as usize)),
        }
    }
}

impl Accumulate for Theirs {
    fn update(
        &mut self,
        rows: RowGroups<'_>,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.read(rows);
        self.inner.update_batch(arguments, &self.groups, filter, groups)
    }

    fn merge(&mut self, rows: RowGroups<'_>, state: &[ArrayRef], groups: usize) -> Result<()> {
        self.read(rows);
        self.inner.merge_batch(state, &self.groups, groups)
    }

    fn state(&mut self, _: &[i64]) -> Result<Vec<ArrayRef>> {
        self.inner.state(EmitTo::All)
    }

    fn finish(&mut self, _: &[i64]) -> Result<ArrayRef> {
        self.inner.evaluate(EmitTo::All)
    }

    fn bytes(&self) -> usize {
        self.inner.size() + self.groups.capacity() * size_of::<usize>()
    }
}
