//! COUNT(*), MIN and MAX of `__time` over whole stretches, from what is known of the parts without reading a row.
//!
//! DataFusion puts such an answer into the plan as a constant, which is right for one snapshot only. Here the
//! aggregate stays in the plan, below a [`FromStatisticsExec`] that asks the same rule when it runs. So the plan is
//! good for the next snapshot too, and where that does not know the answer, the aggregate runs.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// Puts a [`FromStatisticsExec`] above the aggregates that statistics answer.
#[derive(Debug)]
pub(crate) struct AnswerFromStatistics;

impl AnswerFromStatistics {
    /// Puts the rule in the place of DataFusion's.
    pub(crate) fn install(optimizer: &mut PhysicalOptimizer) {
        let rules = optimizer.rules.iter_mut();
        for rule in rules.filter(|rule| rule.name() == AggregateStatistics::new().name()) {
            *rule = Arc::new(Self);
        }
    }
}

impl PhysicalOptimizerRule for AnswerFromStatistics {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            if answer(&node, config)?.is_none() {
                return Ok(Transformed::no(node));
            }
            let node: Arc<dyn ExecutionPlan> = Arc::new(FromStatisticsExec { aggregate: node });
            Ok(Transformed::new(node, true, TreeNodeRecursion::Jump))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "AnswerFromStatistics"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A plan that gives the aggregate's answer without reading anything.
fn answer(
    aggregate: &Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if aggregate.downcast_ref::<AggregateExec>().is_none() {
        return Ok(None);
    }
    let answer = AggregateStatistics::new().optimize(Arc::clone(aggregate), config)?;
    // What it does not answer stays an aggregate.
    Ok(answer.downcast_ref::<AggregateExec>().is_none().then_some(answer))
}

/// Answers from statistics, or by its child where these do not know.
#[derive(Debug)]
pub(crate) struct FromStatisticsExec {
    aggregate: Arc<dyn ExecutionPlan>,
}

impl ExecutionPlan for FromStatisticsExec {
    fn name(&self) -> &'static str {
        "FromStatisticsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.aggregate]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(aggregate), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("FromStatisticsExec has one child");
        };
        Ok(Arc::new(Self { aggregate }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        match answer(&self.aggregate, context.session_config().options())? {
            Some(answer) => answer.execute(partition, context),
            None => self.aggregate.execute(partition, context),
        }
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(inputs.first().map_or_else(|| Arc::new(Statistics::new_unknown(&self.schema())), Arc::clone))
    }
}

impl DisplayAs for FromStatisticsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromStatisticsExec")
    }
}
