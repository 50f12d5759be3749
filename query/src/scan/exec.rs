//! The physical operator: a planned scan as DataFusion sees it.
//!
//! Besides running, it answers what the optimizer may ask: how many rows there are and between which times (so that
//! COUNT(*), MIN and MAX of `__time` need no scan), in which order they come, whether it can stop early or read
//! backward, and it listens to the filters that a TopK above narrows while it runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, SchedulingType, apply_expression_roots,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use ovate_storage::TIME_COLUMN;
use ovate_storage::snapshot::{Part, Snapshot};

use super::dictionaries::Dictionaries;
use super::filter::{Filters, Node, TIME_INDEX, write_intervals};
use super::layout::{Layout, Shape, Unit};
use super::select::PostingsUse;
use super::stream::{Selections, batches};
use super::truth::Truths;

/// Rows assumed to be left by filters, one in this many, where nothing better is known.
const ASSUMED_SELECTIVITY: usize = 4;

/// A scan, planned.
#[derive(Debug, Clone)]
pub(crate) struct ScanPlan {
    /// The rows.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The table's columns.
    pub(crate) schema: SchemaRef,
    /// Which of them come out, in this order.
    pub(crate) projection: Vec<usize>,
    /// What a row has to pass, as it was asked for.
    pub(crate) predicates: Vec<Arc<dyn PhysicalExpr>>,
    /// The same, sorted.
    pub(crate) filters: Filters,
    /// Filters that change while the scan runs; rows need not pass them.
    pub(crate) dynamic: Vec<Arc<dyn PhysicalExpr>>,
    /// Who reads what.
    pub(crate) layout: Layout,
    /// Whether units are read from their ends.
    pub(crate) backward: bool,
    /// The most rows of a partition.
    pub(crate) fetch: Option<usize>,
    /// When posting lists are used.
    pub(crate) postings: PostingsUse,
    /// Dictionaries in SQL's types.
    pub(crate) dictionaries: Arc<Dictionaries>,
    /// How it was laid out.
    pub(crate) shape: Shape,
    /// Whether an operator above may take rows by their codes.
    pub(crate) coded_aggregates: bool,
}

/// What a scan will read, for EXPLAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanSummary {
    /// Parts read, hot ones included.
    pub segments: usize,
    /// Rows in the stretches read, before filters other than time.
    pub rows: usize,
    /// Bytes that these parts take on disk or in memory, in proportion to the rows read.
    pub bytes: u64,
}

/// Reads the rows of one snapshot that pass the filters pushed into it.
#[derive(Debug, Clone)]
pub struct SegmentScanExec {
    plan: Arc<ScanPlan>,
    output: SchemaRef,
    properties: Arc<PlanProperties>,
    truths: Arc<Truths>,
    metrics: ExecutionPlanMetricsSet,
}

impl SegmentScanExec {
    pub(crate) fn new(plan: ScanPlan) -> Result<Self> {
        let output = Arc::new(plan.schema.project(&plan.projection)?);
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&output));
        if plan.layout.ordered
            && let Some(at) = plan.projection.iter().position(|&index| index == TIME_INDEX)
        {
            let options = SortOptions { descending: plan.backward, nulls_first: plan.backward };
            let column = Column::new(plan.schema.field(TIME_INDEX).name(), at);
            equivalence.add_ordering([PhysicalSortExpr::new(Arc::new(column), options)]);
        }
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(plan.layout.partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            plan: Arc::new(plan),
            output,
            properties: Arc::new(properties),
            truths: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// What the scan will read.
    pub fn summary(&self) -> ScanSummary {
        let parts = &self.plan.snapshot.parts;
        let mut summary = ScanSummary { rows: self.plan.layout.rows(), ..ScanSummary::default() };
        for (index, part) in parts.iter().enumerate() {
            let rows: usize =
                self.plan.layout.units().filter(|unit| unit.part == index).map(|u| u.rows.len()).sum();
            if rows > 0 {
                summary.segments += 1;
                summary.bytes += (part.bytes() as u128 * rows as u128 / part.rows().max(1) as u128) as u64;
            }
        }
        summary
    }

    /// The parts of which rows are read.
    pub(crate) fn parts_read(&self) -> impl Iterator<Item = &Part> {
        let read: BTreeSet<usize> = self.plan.layout.units().map(|unit| unit.part).collect();
        read.into_iter().map(|part| &self.plan.snapshot.parts[part])
    }

    /// The datasource read.
    pub fn datasource(&self) -> &str {
        &self.plan.snapshot.datasource
    }

    /// What was planned.
    pub(crate) fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    /// No rows yet, about `batch_rows` at a time, for an operator that feeds units and decodes the rows itself.
    pub(crate) fn selections(&self, partition: usize, batch_rows: usize) -> Selections {
        self.selections_of(partition, &[], Some(batch_rows))
    }

    /// The rows of some units; of `None` at a time only their number matters.
    fn selections_of(&self, partition: usize, units: &[Unit], batch_rows: Option<usize>) -> Selections {
        Selections::new(&self.plan, &self.truths, partition, units, batch_rows, &self.metrics)
    }

    /// Says in the metrics, once, how many parts there are.
    pub(crate) fn count_parts(&self, partition: usize) {
        if partition == 0 {
            let parts = MetricBuilder::new(&self.metrics).counter("parts", 0);
            parts.add(self.plan.snapshot.parts.len());
            let pruned = MetricBuilder::new(&self.metrics).counter("parts_pruned", 0);
            pruned.add(self.plan.layout.parts_pruned);
        }
    }

    /// The same scan of no rows, which keeps none of them alive.
    pub(crate) fn emptied(&self) -> Result<Self> {
        self.with(|plan| {
            let Snapshot { datasource, schema, .. } = &*plan.snapshot;
            let (datasource, schema) = (Arc::clone(datasource), Arc::clone(schema));
            plan.snapshot = Arc::new(Snapshot { datasource, schema, parts: Vec::new(), generation: 0 });
            let partitions = vec![Vec::new(); plan.layout.partitions.len()];
            plan.layout = Layout { partitions, parts_pruned: 0, ordered: plan.layout.ordered };
            Ok(())
        })
    }

    /// The same scan of other rows, with other constants in its filters where `change` has any.
    pub(crate) fn filled(
        &self,
        snapshot: Arc<Snapshot>,
        change: impl Fn(&ScalarValue) -> Option<ScalarValue>,
    ) -> Result<Self> {
        self.with(|plan| {
            let changed = |predicate| with_literals(predicate, &change);
            plan.predicates = plan.predicates.iter().map(changed).collect::<Result<_>>()?;
            plan.filters = Filters::new(&plan.predicates, &plan.schema)?;
            plan.layout = Layout::new(&snapshot, &plan.filters.time, plan.shape)?;
            plan.snapshot = snapshot;
            Ok(())
        })
    }

    /// Whether the rows come in as many partitions, and in order if the other's do and only then.
    pub(crate) fn is_arranged_like(&self, other: &Self) -> bool {
        let (own, others) = (&self.plan.layout, &other.plan.layout);
        own.ordered == others.ordered && own.partitions.len() == others.partitions.len()
    }

    fn with(&self, change: impl FnOnce(&mut ScanPlan) -> Result<()>) -> Result<Self> {
        let mut plan = ScanPlan::clone(&self.plan);
        change(&mut plan)?;
        Self::new(plan)
    }

    fn statistics_of(&self, partitions: &[Vec<Unit>]) -> Statistics {
        let units = || partitions.iter().flatten();
        let filtered = !self.plan.filters.conjuncts.is_empty();
        let exact = !filtered && units().all(|unit| unit.accepted.is_none());
        let (mut rows, mut cut) = (0, false);
        for partition in partitions {
            let read: usize = partition.iter().map(|unit| unit.rows.len()).sum();
            let expected = if filtered { read.div_ceil(ASSUMED_SELECTIVITY) } else { read };
            let fetch = self.plan.fetch.unwrap_or(usize::MAX);
            cut |= fetch < expected;
            rows += expected.min(fetch);
        }
        let mut statistics = Statistics::new_unknown(&self.output);
        statistics.num_rows = if exact { Precision::Exact(rows) } else { Precision::Inexact(rows) };
        if let Some(at) = self.plan.projection.iter().position(|&index| index == TIME_INDEX)
            && let (Some(low), Some(high)) =
                (units().map(|unit| unit.time_range.0).min(), units().map(|unit| unit.time_range.1).max())
        {
            let bound = |ms| {
                let value = ScalarValue::TimestampMillisecond(Some(ms), None);
                // A stretch cut between partitions has the bounds of the whole.
                let whole = partitions.len() == self.plan.layout.partitions.len();
                if exact && !cut && whole { Precision::Exact(value) } else { Precision::Inexact(value) }
            };
            statistics.column_statistics[at] = ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: bound(low),
                max_value: bound(high),
                ..ColumnStatistics::new_unknown()
            };
        }
        statistics
    }

    /// Whether `order` is by `__time` alone, and if so whether it descends.
    fn order_by_time(&self, order: &[PhysicalSortExpr]) -> Option<bool> {
        let [first] = order else { return None };
        let column = first.expr.downcast_ref::<Column>()?;
        (self.plan.projection.get(column.index()) == Some(&TIME_INDEX)).then_some(first.options.descending)
    }
}

impl ExecutionPlan for SegmentScanExec {
    fn name(&self) -> &'static str {
        "SegmentScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut predicates = self.plan.dynamic.clone();
        for node in &self.plan.filters.conjuncts {
            collect_predicates(node, &mut predicates);
        }
        apply_expression_roots(&predicates, f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("SegmentScanExec has no children") }
    }

    #[allow(deprecated)]
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("SegmentScanExec has no children") }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batch_rows = context.session_config().batch_size();
        let gathered = (!self.plan.projection.is_empty()).then_some(batch_rows);
        self.count_parts(partition);
        let units = self.plan.layout.partitions.get(partition).map_or(&[][..], Vec::as_slice);
        let selections = self.selections_of(partition, units, gathered);
        let stream = batches(
            selections,
            self.plan.projection.clone(),
            Arc::clone(&self.output),
            batch_rows,
            BaselineMetrics::new(&self.metrics, partition),
        );
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.output), Box::pin(stream));
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::new(match args.partition() {
            None => self.statistics_of(&self.plan.layout.partitions),
            Some(partition) => match self.plan.layout.partitions.get(partition..=partition) {
                Some(units) => self.statistics_of(units),
                None => return internal_err!("SegmentScanExec has no partition {partition}"),
            },
        }))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let limited = self.with(|plan| {
            plan.fetch = limit;
            Ok(())
        });
        Some(Arc::new(limited.ok()?))
    }

    fn fetch(&self) -> Option<usize> {
        self.plan.fetch
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        pushed: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // Nothing is taken over: what is dynamic only helps to read less, and whoever made it checks the rows.
        let refused = vec![PushedDown::No; pushed.parent_filters.len()];
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(refused);
        let mut dynamic = Vec::new();
        for pushed in pushed.parent_filters {
            if phase == FilterPushdownPhase::Post && narrows_time(&pushed.filter) {
                dynamic.push(reassign_expr_columns(pushed.filter, &self.plan.schema)?);
            }
        }
        if dynamic.is_empty() {
            return Ok(propagation);
        }
        let narrowed = self.with(|plan| {
            plan.dynamic.extend(dynamic);
            Ok(())
        })?;
        Ok(propagation.with_updated_node(Arc::new(narrowed)))
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let Some(descending) = self.order_by_time(order) else {
            return Ok(SortOrderPushdownResult::Unsupported);
        };
        // The first rows that a fetch is of are others in another order.
        let is_in_order = self.plan.layout.ordered && self.plan.backward == descending;
        if self.plan.fetch.is_some() && !is_in_order {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        if self.plan.layout.ordered {
            let inner = self.with(|plan| {
                plan.backward = descending;
                Ok(())
            })?;
            return Ok(SortOrderPushdownResult::Exact { inner: Arc::new(inner) });
        }
        if !descending {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        // Newest part first, so that a TopK soon knows which parts cannot matter any more.
        let inner = self.with(|plan| {
            plan.shape.newest_first = true;
            plan.layout = Layout::new(&plan.snapshot, &plan.filters.time, plan.shape)?;
            Ok(())
        })?;
        Ok(SortOrderPushdownResult::Inexact { inner: Arc::new(inner) })
    }
}

/// The same predicate with other constants, where `change` has any.
fn with_literals(
    predicate: &Arc<dyn PhysicalExpr>,
    change: &impl Fn(&ScalarValue) -> Option<ScalarValue>,
) -> Result<Arc<dyn PhysicalExpr>> {
    Arc::clone(predicate)
        .transform_up(|expr| {
            let changed = expr.downcast_ref::<Literal>().and_then(|literal| change(literal.value()));
            Ok(match changed {
                Some(value) => Transformed::yes(Arc::new(Literal::new(value)) as Arc<dyn PhysicalExpr>),
                None => Transformed::no(expr),
            })
        })
        .data()
}

/// Whether a filter is dynamic and speaks of the time: of others nothing is made.
fn narrows_time(filter: &Arc<dyn PhysicalExpr>) -> bool {
    filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_some()
        && collect_columns(filter).iter().any(|column| column.name() == TIME_COLUMN)
}

fn collect_predicates(node: &Node, predicates: &mut Vec<Arc<dyn PhysicalExpr>>) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            for node in nodes {
                collect_predicates(node, predicates);
            }
        }
        Node::Time(_) => {}
        Node::Leaf(leaf) => predicates.push(Arc::clone(leaf.predicate())),
    }
}

impl DisplayAs for SegmentScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        let line = if matches!(format, DisplayFormatType::TreeRender) { "\n" } else { ", " };
        if !matches!(format, DisplayFormatType::TreeRender) {
            f.write_str("SegmentScanExec: ")?;
        }
        write!(f, "datasource={}{line}intervals=", plan.snapshot.datasource)?;
        write_intervals(f, &plan.filters.time)?;
        let parts = plan.snapshot.parts.len();
        write!(
            f,
            "{line}parts={}/{parts}{line}rows={}",
            parts - plan.layout.parts_pruned,
            plan.layout.rows()
        )?;
        write!(f, "{line}columns=[")?;
        for (i, field) in self.output.fields().iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, field.name())?;
        }
        f.write_str("]")?;
        for (i, filter) in plan.filters.conjuncts.iter().enumerate() {
            write!(f, "{}{filter}", if i == 0 { format!("{line}filters=[") } else { "; ".to_owned() })?;
        }
        if !plan.filters.conjuncts.is_empty() {
            f.write_str("]")?;
        }
        for filter in &plan.dynamic {
            write!(f, "{line}narrowed by {filter}")?;
        }
        if plan.backward {
            write!(f, "{line}backward")?;
        }
        if let Some(fetch) = plan.fetch {
            write!(f, "{line}fetch={fetch}")?;
        }
        Ok(())
    }
}
