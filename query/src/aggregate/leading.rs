//! `GROUP BY … ORDER BY an aggregate LIMIT n`: only groups that can be among the first `n` become rows.
//!
//! ```text
//!  SortExec: TopK(fetch=n)                       SortExec: TopK(fetch=n)
//!    [ProjectionExec …]                   ──►      [ProjectionExec …]
//!      CodedAggregateExec                            CodedAggregateExec, first=n by …
//! ```
//!
//! Keys of the others are never looked up, and the sort has little more to look at than it gives out. It stays where it
//! is: groups that equal the last of the first `n` are all kept, for what else is sorted by.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, make_comparator};
use arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::exec::CodedAggregateExec;

/// Which groups are wanted: the first ones in the order of one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leading {
    /// Which of the results, from 0.
    pub(super) result: usize,
    /// How they are ordered.
    pub(super) options: SortOptions,
    /// How many are wanted.
    pub(super) fetch: usize,
}

impl Leading {
    /// The groups that may be wanted, given the `values` of their result; `None`: all.
    pub(super) fn groups(&self, values: &ArrayRef) -> Result<Option<Vec<u32>>> {
        let Some(last) = self.fetch.checked_sub(1).filter(|&last| last + 1 < values.len()) else {
            return Ok(None);
        };
        let compare = make_comparator(values, values, self.options)?;
        let mut groups: Vec<u32> = (0..values.len() as u32).collect();
        let (_, &mut last, _) =
            groups.select_nth_unstable_by(last, |&left, &right| compare(left as usize, right as usize));
        groups.clear();
        let is_wanted = |group: &u32| compare(*group as usize, last as usize) != Ordering::Greater;
        groups.extend((0..values.len() as u32).filter(is_wanted));
        Ok((groups.len() < values.len()).then_some(groups))
    }
}

/// Tells aggregates which of their groups a sort above them wants.
#[derive(Debug)]
pub(super) struct LeadingGroups;

impl PhysicalOptimizerRule for LeadingGroups {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            Ok(match told(&node)? {
                Some(told) => Transformed::yes(told),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "LeadingGroups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The sort that `node` is, over an aggregate that knows of it.
fn told(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(None) };
    let Some(fetch) = sort.fetch() else { return Ok(None) };
    let first = sort.expr().first();
    let Some(column) = first.expr.downcast_ref::<Column>() else { return Ok(None) };
    let Some(below) = with_leading(sort.input(), column.index(), first.options, fetch)? else {
        return Ok(None);
    };
    replace_children_if_necessary(Arc::clone(node), vec![below]).map(Some)
}

/// The aggregate under `node` told that its column, which is number `column` of `node`, decides.
fn with_leading(
    node: &Arc<dyn ExecutionPlan>,
    column: usize,
    options: SortOptions,
    fetch: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(aggregate) = node.downcast_ref::<CodedAggregateExec>() {
        let Some(result) = aggregate.result_of(column) else { return Ok(None) };
        return Ok(Some(Arc::new(aggregate.with_leading(Leading { result, options, fetch }))));
    }
    let Some(projection) = node.downcast_ref::<ProjectionExec>() else { return Ok(None) };
    let source = projection.expr().get(column).and_then(|projected| projected.expr.downcast_ref::<Column>());
    let Some(source) = source else { return Ok(None) };
    let below = with_leading(projection.input(), source.index(), options, fetch)?;
    below.map(|below| replace_children_if_necessary(Arc::clone(node), vec![below])).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, UInt32Array};
    use arrow::compute::{sort, take};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_values_are_among_those_kept_and_nothing_behind_the_last_of_them(
            values in prop::collection::vec(prop::option::weighted(0.9, -5i32..5), 0..60),
            fetch in 0usize..20,
            descending: bool,
            nulls_first: bool,
        ) {
            let number = |value: i32| match value {
                4 => f64::NAN,
                3 => -f64::NAN,
                2 => -0.0,
                other => f64::from(other),
            };
            let values: ArrayRef =
                Arc::new(values.iter().map(|value| value.map(number)).collect::<Float64Array>());
            let options = SortOptions { descending, nulls_first };
            let kept = Leading { result: 0, options, fetch }.groups(&values).unwrap();
            let sorted = sort(&values, Some(options)).unwrap();
            let ordered = make_comparator(&sorted, &sorted, options).unwrap();
            let Some(kept) = kept else {
                prop_assert!(fetch == 0 || values.len() <= fetch || ordered(values.len() - 1, fetch - 1).is_eq());
                return Ok(());
            };
            prop_assert!(kept.is_sorted());
            let kept = sort(&take(&values, &UInt32Array::from(kept), None).unwrap(), Some(options)).unwrap();
            let compare = make_comparator(&kept, &sorted, options).unwrap();
            for row in 0..kept.len() {
                prop_assert!(compare(row, row).is_eq());
            }
            // All that equal the last one wanted, and no more.
            prop_assert!(ordered(kept.len() - 1, fetch - 1).is_eq());
            prop_assert!(ordered(kept.len(), fetch - 1).is_gt());
        }
    }
}
