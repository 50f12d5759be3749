//! Stopping what does not stop by itself.
//!
//! A statement ends early because its time is up, because somebody cancelled it, or because nobody reads it any
//! more. Its task notices that when it yields, and scans yield often enough. Joins do not: one batch of input can
//! become millions of batches of output before the next one is read. So every join gets an [`InterruptExec`] above
//! it, which yields to the scheduler and looks at the statement's [`Interrupt`] between batches.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::QueryError;

/// When and why a statement must stop. Travels in the task context.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pub(crate) token: CancellationToken,
    pub(crate) deadline: Instant,
    pub(crate) timeout_ms: u64,
    pub(crate) sql_query_id: String,
}

impl Interrupt {
    /// Fails when the statement must stop.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.token.is_cancelled() {
            return Err(QueryError::Cancelled(self.sql_query_id.clone()));
        }
        if Instant::now() >= self.deadline {
            return Err(QueryError::Timeout {
                sql_query_id: self.sql_query_id.clone(),
                timeout_ms: self.timeout_ms,
            });
        }
        Ok(())
    }
}

/// Puts an [`InterruptExec`] above every join.
#[derive(Debug)]
pub(crate) struct InterruptJoins;

impl PhysicalOptimizerRule for InterruptJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(if node.children().len() > 1 {
                Transformed::yes(Arc::new(InterruptExec::new(node)) as Arc<dyn ExecutionPlan>)
            } else {
                Transformed::no(node)
            })
        })
        .map(|done| done.data)
    }

    fn name(&self) -> &'static str {
        "InterruptJoins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Passes its input on, and stops when the statement must.
#[derive(Debug)]
pub(crate) struct InterruptExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl InterruptExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties =
            PlanProperties::clone(input.properties()).with_scheduling_type(SchedulingType::Cooperative);
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for InterruptExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InterruptExec")
    }
}

impl ExecutionPlan for InterruptExec {
    fn name(&self) -> &'static str {
        "InterruptExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("InterruptExec has one child");
        };
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let interrupt = context.session_config().get_extension::<Interrupt>();
        let input = make_cooperative(self.input.execute(partition, context)?);
        Ok(match interrupt {
            Some(interrupt) => Box::pin(InterruptStream { input, interrupt }),
            None => input,
        })
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

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}

struct InterruptStream {
    input: SendableRecordBatchStream,
    interrupt: Arc<Interrupt>,
}

impl Stream for InterruptStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.interrupt.check() {
            return Poll::Ready(Some(Err(DataFusionError::External(Box::new(error)))));
        }
        self.input.poll_next_unpin(cx)
    }
}

impl RecordBatchStream for InterruptStream {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
