//! A physical plan that waits for rows and instants.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::execution::session_state::SessionState;
use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use ovate_storage::snapshot::{Snapshot, SnapshotSchema};

use super::answers::{Keep, LastAnswer, Moment};
use crate::aggregate::{CacheUse, CodedAggregateExec};
use crate::catalog::Catalog;
use crate::plan::context::{DEFAULT_SCHEMA, Resource};
use crate::request::ResultColumn;
use crate::scan::SegmentScanExec;
use crate::session::Sessions;
use crate::sources::Sources;
use crate::statistics::FromStatisticsExec;

/// A plan without rows.
#[derive(Debug)]
pub(crate) struct Template {
    /// Its scans are over snapshots without parts, and compare `__time` with the instants of `instants`.
    plan: Arc<dyn ExecutionPlan>,
    columns: Vec<ResultColumn>,
    /// The datasources read, in order of first mention, and the columns that they had.
    datasources: Vec<(String, Arc<SnapshotSchema>)>,
    /// Those of the statement that the plan was made for; no two are the same.
    instants: Vec<i64>,
    /// Of the session that the plan was made in.
    partitions_max: usize,
    answer: Arc<LastAnswer>,
}

/// What there is to do for a statement.
#[derive(Debug)]
pub(crate) enum Work {
    /// A plan to run, and where its answer is to be kept.
    Run(Arc<dyn ExecutionPlan>, Option<Keep>),
    /// Nothing: these are all rows, in one batch or none, and what they lie in.
    Answered(Vec<RecordBatch>, Sources),
}

/// A template with rows and instants: a plan like any other, or its answer.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) work: Work,
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) state: &'a SessionState,
}

impl Template {
    /// The template of `plan`, which was made in a session of `partitions_max` partitions for a statement with these
    /// `instants` that names tables in `named` places; `None` if something in it could be otherwise for other rows or
    /// other instants:
    ///
    /// * a scan that is gone, because it cannot find anything, or has nothing to read: limits above it are left out;
    /// * an instant that is not exactly once in the filters of the scans, as an instant, or is anywhere else: it was
    ///   dropped, merged with another, calculated with or made a number;
    /// * a node that keeps something from one run to the next, or that another filters;
    /// * a function that gives something else each time.
    pub(crate) fn of(
        plan: &Arc<dyn ExecutionPlan>,
        columns: &[ResultColumn],
        resources: &[Resource],
        named: usize,
        instants: &[i64],
        partitions_max: usize,
    ) -> Result<Option<Self>> {
        if resources.iter().any(|resource| resource.schema != DEFAULT_SCHEMA) {
            return Ok(None);
        }
        let mut found =
            Found { seen: instants.iter().map(|time_ms| (*time_ms, 0)).collect(), ..Found::default() };
        let is_distinct = found.seen.len() == instants.len();
        found.look(plan)?;
        let once = found.seen.values().all(|count| *count == 1);
        if !is_distinct || !once || found.is_bound || found.scans != named {
            return Ok(None);
        }
        let mut datasources = Vec::with_capacity(resources.len());
        for resource in resources {
            let Some(schema) = found.schemas.get(&resource.name) else { return Ok(None) };
            datasources.push((resource.name.clone(), Arc::clone(schema)));
        }
        let emptied = rebuilt(plan, &mut |scan, _| scan.emptied().map(Some))?;
        Ok(emptied.map(|plan| Self {
            plan,
            columns: columns.to_vec(),
            datasources,
            instants: instants.to_vec(),
            partitions_max,
            answer: Arc::default(),
        }))
    }

    /// The plan over the rows of this moment, or the answer if it is known and may be used; `None` if a statement has to be
    /// planned for them.
    pub(crate) fn bind<'a>(
        &self,
        instants: &[i64],
        catalog: &Catalog,
        sessions: &'a Sessions,
        cache: CacheUse,
    ) -> Result<Option<Bound<'a>>> {
        let mut snapshots = Vec::with_capacity(self.datasources.len());
        let mut resources = Vec::with_capacity(self.datasources.len());
        for (name, schema) in &self.datasources {
            let Some(snapshot) = catalog.snapshot(name) else { return Ok(None) };
            if !Arc::ptr_eq(&snapshot.schema, schema) && snapshot.schema != *schema {
                return Ok(None);
            }
            let (schema, name) = (DEFAULT_SCHEMA.to_owned(), name.clone());
            resources.push(Resource { schema, name, rows: snapshot.rows() });
            snapshots.push(snapshot);
        }
        let state = sessions.for_rows(resources.iter().map(|resource| resource.rows).sum());
        if state.config().target_partitions() != self.partitions_max || instants.len() != self.instants.len()
        {
            return Ok(None);
        }
        let moment = if cache.read || cache.write { Moment::of(instants, &snapshots) } else { None };
        if let Some(moment) = moment.as_ref().filter(|_| cache.read)
            && let Some(rows) = self.answer.at(moment)
        {
            metrics::counter!("ovate_sql_answers_reused_total").increment(1);
            let work = Work::Answered(rows, Sources::of_snapshots(&snapshots));
            let columns = self.columns.clone();
            return Ok(Some(Bound { work, columns, resources, state }));
        }
        let plan = rebuilt(&self.plan, &mut |scan, is_arranged| {
            let named = |snapshot: &&Arc<Snapshot>| *snapshot.datasource == *scan.datasource();
            let Some(snapshot) = snapshots.iter().find(named) else {
                return internal_err!("no snapshot was taken of {}", scan.datasource());
            };
            let filled = scan.filled(Arc::clone(snapshot), |literal| self.instant(literal, instants))?;
            Ok((!is_arranged || filled.is_arranged_like(scan)).then_some(filled))
        })?;
        let keep = moment.filter(|_| cache.write).map(|moment| {
            let (answer, bytes_max) = (Arc::clone(&self.answer), sessions.plans().answer_bytes_max());
            Keep { answer, moment, bytes_max }
        });
        let columns = self.columns.clone();
        Ok(plan.map(|plan| Bound { work: Work::Run(plan, keep), columns, resources, state }))
    }

    /// What stands in place of a constant of the template.
    fn instant(&self, literal: &ScalarValue, instants: &[i64]) -> Option<ScalarValue> {
        let time_ms = instant_of(literal)?;
        let at = self.instants.iter().position(|instant| *instant == time_ms)?;
        Some(ScalarValue::TimestampMillisecond(Some(instants[at]), None))
    }
}

/// The same plan over other scans, with nothing left of earlier runs. `scan` is told whether the node above relies on
/// how the scan's rows are arranged; it answers `None` if they no longer are, and then so does this.
fn rebuilt(
    node: &Arc<dyn ExecutionPlan>,
    scan: &mut impl FnMut(&SegmentScanExec, bool) -> Result<Option<SegmentScanExec>>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    rebuilt_below(node, true, scan)
}

fn rebuilt_below(
    node: &Arc<dyn ExecutionPlan>,
    is_arranged: bool,
    scan: &mut impl FnMut(&SegmentScanExec, bool) -> Result<Option<SegmentScanExec>>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(old) = node.downcast_ref::<SegmentScanExec>() {
        return Ok(scan(old, is_arranged)?.map(|new| Arc::new(new) as Arc<dyn ExecutionPlan>));
    }
    // Groups are the same in whatever order and partitions the rows come.
    let is_arranged = node.downcast_ref::<CodedAggregateExec>().is_none();
    let mut children = Vec::new();
    for child in node.children() {
        match rebuilt_below(child, is_arranged, scan)? {
            Some(child) => children.push(child),
            None => return Ok(None),
        }
    }
    if children.is_empty() {
        return Ok(Some(Arc::clone(node)));
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    let node = Arc::clone(node).replace_children(children, options)?;
    // The others keep nothing but metrics, which are new already.
    let is_sort = node.downcast_ref::<SortExec>().is_some();
    Ok(Some(if is_sort { node.reset_state()? } else { node }))
}

/// What a plan is made of.
#[derive(Default)]
struct Found {
    scans: usize,
    schemas: BTreeMap<String, Arc<SnapshotSchema>>,
    /// How often each instant is among the filters of scans.
    seen: BTreeMap<i64, usize>,
    /// Whether something is tied to these rows or these instants.
    is_bound: bool,
}

impl Found {
    fn look(&mut self, node: &Arc<dyn ExecutionPlan>) -> Result<()> {
        if let Some(scan) = node.downcast_ref::<SegmentScanExec>() {
            let plan = scan.plan();
            self.scans += 1;
            self.schemas.insert(scan.datasource().to_owned(), Arc::clone(&plan.snapshot.schema));
            self.is_bound |= !plan.dynamic.is_empty() || plan.layout.partitions.iter().all(Vec::is_empty);
            for predicate in &plan.predicates {
                predicate.apply(|expr| {
                    self.is_bound |= expr.is_volatile_node();
                    if let Some(literal) = expr.downcast_ref::<Literal>().map(Literal::value) {
                        match instant_of(literal).and_then(|time_ms| self.seen.get_mut(&time_ms)) {
                            Some(count) => *count += 1,
                            None => self.is_bound |= self.is_instant(literal),
                        }
                    }
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
            return Ok(());
        }
        self.is_bound |= !can_run_again(node);
        let is_sort = node.downcast_ref::<SortExec>().is_some();
        node.apply_expressions(&mut |root| {
            root.apply(|expr| {
                // A sort's own filter is made anew with it.
                let is_dynamic = expr.downcast_ref::<DynamicFilterPhysicalExpr>().is_some();
                let literal = expr.downcast_ref::<Literal>().map(Literal::value);
                self.is_bound |= (is_dynamic && !is_sort) || literal.is_some_and(|of| self.is_instant(of));
                // The plan could be run again, but its answer is not that of the next run.
                self.is_bound |= expr.is_volatile_node();
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        node.children().into_iter().try_for_each(|child| self.look(child))
    }

    /// Whether a constant is one of the instants, in whatever form.
    fn is_instant(&self, literal: &ScalarValue) -> bool {
        match literal {
            ScalarValue::TimestampMillisecond(Some(time_ms), _) | ScalarValue::Int64(Some(time_ms)) => {
                self.seen.contains_key(time_ms)
            }
            _ => false,
        }
    }
}

/// The instant that a constant of a filter is, in the form in which another can take its place.
fn instant_of(literal: &ScalarValue) -> Option<i64> {
    match literal {
        ScalarValue::TimestampMillisecond(time_ms, None) => *time_ms,
        _ => None,
    }
}

/// Whether a node does the same each time, once its children and its filter are new.
fn can_run_again(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.downcast_ref::<CodedAggregateExec>().is_some()
        || node.downcast_ref::<ProjectionExec>().is_some()
        || node.downcast_ref::<FilterExec>().is_some()
        || node.downcast_ref::<SortExec>().is_some()
        || node.downcast_ref::<SortPreservingMergeExec>().is_some()
        || node.downcast_ref::<AggregateExec>().is_some()
        || node.downcast_ref::<CoalescePartitionsExec>().is_some()
        || node.downcast_ref::<CooperativeExec>().is_some()
        || node.downcast_ref::<GlobalLimitExec>().is_some()
        || node.downcast_ref::<LocalLimitExec>().is_some()
        || node.downcast_ref::<PlaceholderRowExec>().is_some()
        || node.downcast_ref::<FromStatisticsExec>().is_some()
}
