//! `UNION ALL` whose parts come one after the other.
//!
//! DataFusion reads the parts of a union at once and takes rows as they come, so that without ORDER BY a LIMIT finds
//! other rows each time. Druid's parts follow each other. Wherever the order of rows can be seen, that is below a
//! LIMIT or in the answer itself, a union becomes a [`UnionInOrderExec`]; below sorts, aggregates and joins it stays.
//!
//! ```text
//!  GlobalLimitExec                GlobalLimitExec
//!    ProjectionExec                 UnionInOrderExec
//!      UnionExec          ──►         ProjectionExec
//!        a                              a
//!        b                            ProjectionExec
//!                                       b
//! ```
//!
//! What works row by row moves into the parts, where nothing that is put between for more threads can mix them. Each
//! part still runs on all of them.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, Partitioning,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

/// Replaces the unions whose order can be seen.
#[derive(Debug)]
pub(crate) struct UnionsInOrder;

impl UnionsInOrder {
    /// Adds the rule where partitions are not made yet.
    pub(crate) fn install(optimizer: &mut PhysicalOptimizer) {
        let before = optimizer.rules.iter().position(|rule| rule.name() == "EnsureRequirements").unwrap_or(0);
        optimizer.rules.insert(before, Arc::new(Self));
    }
}

impl PhysicalOptimizerRule for UnionsInOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        in_order(plan, true)
    }

    fn name(&self) -> &'static str {
        "UnionsInOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn in_order(node: Arc<dyn ExecutionPlan>, is_seen: bool) -> Result<Arc<dyn ExecutionPlan>> {
    let parts = if is_seen { parts(&node)? } else { None };
    if let Some(parts) = parts {
        let parts = parts.into_iter().map(|part| in_order(part, true)).collect::<Result<_>>()?;
        return UnionInOrderExec::try_new(parts);
    }
    let is_limit = node.is::<GlobalLimitExec>() || node.is::<LocalLimitExec>();
    let is_kept = node.maintains_input_order() == [true] && !node.is::<AggregateExec>();
    let mut changed = false;
    let mut children = Vec::new();
    for child in node.children() {
        let new = in_order(Arc::clone(child), is_kept && (is_seen || is_limit))?;
        changed |= !Arc::ptr_eq(child, &new);
        children.push(new);
    }
    if changed { replace_children_if_necessary(node, children) } else { Ok(node) }
}

/// The parts of the union that `node` is, or works on row by row.
fn parts(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Vec<Arc<dyn ExecutionPlan>>>> {
    if let Some(union) = node.downcast_ref::<UnionExec>() {
        return Ok(Some(union.inputs().clone()));
    }
    let is_by_row = node.is::<ProjectionExec>() || node.is::<FilterExec>() || node.is::<LocalLimitExec>();
    let (true, [below]) = (is_by_row, &node.children()[..]) else { return Ok(None) };
    let Some(parts) = parts(below)? else { return Ok(None) };
    parts
        .into_iter()
        .map(|part| replace_children_if_necessary(Arc::clone(node), vec![part]))
        .collect::<Result<_>>()
        .map(Some)
}

/// Reads its inputs one after the other.
#[derive(Debug)]
pub(crate) struct UnionInOrderExec {
    /// The same parts in any order: it knows their common schema and statistics.
    union: UnionExec,
    properties: Arc<PlanProperties>,
}

impl UnionInOrderExec {
    fn try_new(inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let union = UnionExec::try_new(inputs)?;
        let Some(union) = union.downcast_ref::<UnionExec>().cloned() else {
            return internal_err!("a union has at least two parts");
        };
        let of_union = union.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(union.schema()),
            Partitioning::UnknownPartitioning(1),
            of_union.emission_type,
            of_union.boundedness,
        );
        Ok(Arc::new(Self { union, properties: Arc::new(properties) }))
    }
}

impl DisplayAs for UnionInOrderExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnionInOrderExec")
    }
}

impl ExecutionPlan for UnionInOrderExec {
    fn name(&self) -> &'static str {
        "UnionInOrderExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.union.children()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; self.union.inputs().len()])
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Self::try_new(children)
    }

    /// A part begins when the one before it has ended, so that a LIMIT that is reached early leaves it alone.
    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let inputs = stream::iter(self.union.inputs().clone());
        let streams = inputs.map(move |input| input.execute(0, Arc::clone(&context)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), streams.try_flatten())))
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        self.union.child_stats_requests(None)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.union.statistics_from_inputs(inputs, &StatisticsArgs::new())
    }
}
