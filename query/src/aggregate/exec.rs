//! The operator: partitions of the scan aggregated side by side, merged, given out as one partition.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, CardinalityEffect, EmissionType, SchedulingType, apply_expression_roots,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use futures::stream;
use ovate_storage::disk::losses;

use super::cache::{CacheUse, PartialCache, Question, Recall};
use super::leading::Leading;
use super::partial::{Partial, Tally};
use super::plan::{AggregatePlan, Input, KeySource};
use crate::scan::SegmentScanExec;
use crate::scan::layout::Unit;
use crate::scan::morsels::Morsels;
use crate::scan::stream::Selections;

/// Rows gathered between two chances to cancel: well under a millisecond's work for few keys.
const STEP_ROWS: usize = 64 << 10;

/// Groups and aggregates the rows of a scan by the codes of their keys.
#[derive(Debug, Clone)]
pub(crate) struct CodedAggregateExec {
    plan: Arc<AggregatePlan>,
    /// A [`SegmentScanExec`].
    scan: Arc<dyn ExecutionPlan>,
    cache: Option<Arc<PartialCache>>,
    /// Which groups are wanted, if not all.
    leading: Option<Leading>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl CodedAggregateExec {
    pub(super) fn new(
        plan: AggregatePlan,
        scan: Arc<dyn ExecutionPlan>,
        cache: Option<Arc<PartialCache>>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&plan.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            plan: Arc::new(plan),
            scan,
            cache,
            leading: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same, where no more groups are wanted than these.
    pub(super) fn with_leading(&self, leading: Leading) -> Self {
        Self { leading: Some(leading), ..self.clone() }
    }

    /// Which of the results is this column of the schema; `None`: it is a key.
    pub(super) fn result_of(&self, column: usize) -> Option<usize> {
        column.checked_sub(self.plan.keys.len())
    }

    fn with_scan(&self, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(scan), true) if scan.downcast_ref::<SegmentScanExec>().is_some() => {
                let metrics = ExecutionPlanMetricsSet::new();
                Ok(Arc::new(Self { scan, metrics, ..self.clone() }))
            }
            _ => internal_err!("CodedAggregateExec reads one SegmentScanExec"),
        }
    }

    fn segment_scan(&self) -> Result<&SegmentScanExec> {
        let Some(scan) = self.scan.downcast_ref::<SegmentScanExec>() else {
            return internal_err!("CodedAggregateExec reads a SegmentScanExec");
        };
        Ok(scan)
    }

    /// What the cache may be asked; `None`: nothing.
    fn recall(&self, context: &TaskContext) -> Result<Option<Recall>> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let scan = self.segment_scan()?.plan();
        let usage = context.session_config().get_extension::<CacheUse>();
        let question = Question {
            aggregates: Arc::clone(&self.plan),
            table: Arc::clone(&scan.schema),
            conjuncts: scan.filters.conjuncts.clone(),
        };
        Ok(cache.recall(question, usage.map(|usage| *usage).unwrap_or_default()))
    }
}

/// A share of the rows being aggregated, and what is taken over of those of others.
struct Task {
    plan: Arc<AggregatePlan>,
    /// A [`SegmentScanExec`].
    scan: Arc<dyn ExecutionPlan>,
    partition: usize,
    morsels: Arc<Morsels>,
    context: Arc<TaskContext>,
    recall: Option<Recall>,
    baseline: BaselineMetrics,
    rows_recalled: Count,
    tallies_recalled: Count,
}

impl Task {
    /// The groups of all rows that this task came to read.
    async fn run(self) -> Result<Partial> {
        let Some(scan) = self.scan.downcast_ref::<SegmentScanExec>() else {
            return internal_err!("CodedAggregateExec reads a SegmentScanExec");
        };
        scan.count_parts(self.partition);
        let mut partial = self.partial()?;
        let mut selections = scan.selections(self.partition, STEP_ROWS);
        while let Some(morsel) = self.morsels.next(self.partition) {
            let Some(recall) = &self.recall else {
                self.read(morsel, &mut selections, &mut partial).await?;
                continue;
            };
            let part = &scan.plan().snapshot.parts[morsel.part];
            let place = recall.place(part, &morsel).filter(|_| recall.remembers());
            let rows = morsel.rows.len();
            match (recall.get(part, &morsel).as_slice(), place) {
                ([], None) => self.read(morsel, &mut selections, &mut partial).await?,
                ([], Some(place)) => {
                    let lost = losses();
                    let mut own = self.partial()?;
                    self.read(morsel, &mut selections, &mut own).await?;
                    let tally = own.tally()?;
                    partial.add(&tally)?;
                    if losses() == lost {
                        recall.put(place, tally, rows);
                    }
                }
                (tallies @ [_], _) | (tallies, None) => self.recalled(rows, tallies, &mut partial).await?,
                (tallies, Some(place)) => {
                    let mut own = self.partial()?;
                    self.recalled(rows, tallies, &mut own).await?;
                    let tally = own.tally()?;
                    partial.add(&tally)?;
                    recall.put(place, tally, rows);
                }
            }
        }
        Ok(partial)
    }

    fn partial(&self) -> Result<Partial> {
        let consumer = MemoryConsumer::new(format!("CodedAggregateExec[{}]", self.partition));
        Partial::new(Arc::clone(&self.plan), consumer.register(self.context.memory_pool()))
    }

    /// Adds tallies, which are those of so many rows.
    async fn recalled(&self, rows: usize, tallies: &[Arc<Tally>], partial: &mut Partial) -> Result<()> {
        self.rows_recalled.add(rows);
        for tally in tallies {
            let timer = self.baseline.elapsed_compute().timer();
            partial.add(tally)?;
            drop(timer);
            self.tallies_recalled.add(1);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn read(&self, morsel: Unit, selections: &mut Selections, partial: &mut Partial) -> Result<()> {
        selections.feed(morsel);
        while let Some(selected) = selections.next().await? {
            let timer = self.baseline.elapsed_compute().timer();
            partial.update(selected)?;
            drop(timer);
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl ExecutionPlan for CodedAggregateExec {
    fn name(&self) -> &'static str {
        "CodedAggregateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // The scan cut itself into as many partitions as are worth it.
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let keys = self.plan.keys.iter().filter_map(|key| match &key.source {
            KeySource::Computed(input) => Some(input),
            _ => None,
        });
        let inputs = self.plan.aggregates.iter().flat_map(|a| a.arguments.iter().chain(&a.filter));
        let exprs: Vec<_> =
            keys.chain(inputs).filter_map(|input: &Input| input.expr.as_ref().map(Arc::clone)).collect();
        apply_expression_roots(&exprs, f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.with_scan(children)
    }

    #[allow(deprecated)]
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.with_scan(children)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("CodedAggregateExec has no partition {partition}");
        }
        let recall = self.recall(&context)?;
        let scan = self.segment_scan()?.plan();
        let partitions = &scan.layout.partitions;
        let (readers, morsels) = match &recall {
            Some(recall) => {
                let pieces = recall.pieces(&scan.snapshot.parts, scan.layout.units(), partitions.len());
                (pieces.len(), Morsels::new(&pieces, None))
            }
            None => (partitions.len(), Morsels::new(partitions, Some(STEP_ROWS))),
        };
        let morsels = Arc::new(morsels);
        let parts: Vec<_> = (0..readers)
            .map(|partition| {
                let counter = |name: &'static str| MetricBuilder::new(&self.metrics).counter(name, partition);
                let task = Task {
                    plan: Arc::clone(&self.plan),
                    scan: Arc::clone(&self.scan),
                    partition,
                    morsels: Arc::clone(&morsels),
                    context: Arc::clone(&context),
                    recall: recall.clone(),
                    baseline: BaselineMetrics::new(&self.metrics, partition),
                    rows_recalled: counter("rows_recalled"),
                    tallies_recalled: counter("tallies_recalled"),
                };
                task.run()
            })
            .collect();
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let groups = MetricBuilder::new(&self.metrics).counter("groups", 0);
        let batch_rows = context.session_config().batch_size().max(1);
        let consumer = MemoryConsumer::new("CodedAggregateExec").register(context.memory_pool());
        let none = Partial::new(Arc::clone(&self.plan), consumer)?;
        let leading = self.leading;
        let rows = async move {
            let merged = merged(none, parts).await?;
            let timer = baseline.elapsed_compute().timer();
            groups.add(merged.len());
            let rows = merged.finish(leading.as_ref())?;
            drop(timer);
            baseline.record_output(rows.num_rows());
            Ok(rows)
        };
        let batches = stream::once(rows).flat_map(move |rows: Result<RecordBatch>| match rows {
            Ok(rows) => stream::iter(cut(&rows, batch_rows)).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.plan.schema), Box::pin(batches));
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, _partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.plan.schema);
        if let Some(Precision::Exact(rows) | Precision::Inexact(rows)) =
            inputs.first().map(|input| input.num_rows)
        {
            // Most groupings leave few rows; what is above is not worth spreading over threads for them.
            statistics.num_rows = Precision::Inexact(rows.isqrt());
        }
        Ok(Arc::new(statistics))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }
}

/// All groups: one partition here, the others on threads of their own; `none` if there is no partition.
///
/// A partition is read by whoever has time ([`Morsels`]). So a thread that the system has not let begin by the time when
/// the first has read everything is not waited for: on a machine that does much else that may take milliseconds.
async fn merged(
    none: Partial,
    parts: Vec<impl Future<Output = Result<Partial>> + Send + 'static>,
) -> Result<Partial> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(none) };
    // Dropped together with this future, tasks end.
    let others: Vec<_> = parts
        .map(|part| {
            let turn = Arc::new(AtomicBool::new(true));
            let own_turn = Arc::clone(&turn);
            let begun = async move {
                if own_turn.swap(false, Ordering::AcqRel) { part.await.map(Some) } else { Ok(None) }
            };
            (turn, SpawnedTask::spawn(begun))
        })
        .collect();
    if !others.is_empty() {
        // Tokio keeps what was spawned last for the thread that spawned it, and wakes another only for what was before.
        tokio::spawn(async {});
    }
    let mut merged = first.await?;
    for (turn, other) in others {
        if turn.swap(false, Ordering::AcqRel) {
            continue;
        }
        let other = other.join().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
        if let Some(other) = other {
            merged.merge(other)?;
            tokio::task::yield_now().await;
        }
    }
    Ok(merged)
}

fn cut(rows: &RecordBatch, batch_rows: usize) -> Vec<Result<RecordBatch>> {
    (0..rows.num_rows())
        .step_by(batch_rows)
        .map(|start| Ok(rows.slice(start, batch_rows.min(rows.num_rows() - start))))
        .collect()
}

impl DisplayAs for CodedAggregateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodedAggregateExec: {}", self.plan)?;
        let Some(Leading { result, options, fetch }) = &self.leading else { return Ok(()) };
        let name = self.plan.schema.field(self.plan.keys.len() + result).name();
        write!(f, ", first={fetch} by {name} {options}")
    }
}
