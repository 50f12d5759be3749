//! The physical-plan rule: which aggregates over scans are taken over.
//!
//! ```text
//!  AggregateExec (final)                  CodedAggregateExec
//!    AggregateExec (partial)       ──►      SegmentScanExec
//!      [ProjectionExec …]
//!        SegmentScanExec
//! ```
//!
//! It runs before DataFusion repartitions and sorts, so that the two aggregates still lie directly over each other.
//! What is not recognised in full stays as it is: grouping sets, DISTINCT and ordered aggregates, keys of types that
//! [`can_be_key`] does not name, expressions of kinds that are not listed in [`is_plain`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::Avg;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal,
    NegativeExpr, NotExpr, TryCastExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::projection::ProjectionExec;
use ovate_storage::TIME_COLUMN;
use ovate_storage::time::{Granularity, Period, Zone};

use super::accumulate::{counts_from_rows, counts_rows};
use super::cache::PartialCache;
use super::exec::CodedAggregateExec;
use super::floats::CanonicalFloats;
use super::leading::LeadingGroups;
use super::plan::{Aggregate, AggregatePlan, Input, Key, KeySource, Outcome};
use super::values::can_be_key;
use crate::scan::SegmentScanExec;
use crate::statistics::FromStatisticsExec;

/// Replaces aggregates over scans by [`CodedAggregateExec`].
#[derive(Debug)]
pub(crate) struct CodedAggregates {
    /// Where groups are remembered, if they are.
    cache: Option<Arc<PartialCache>>,
}

impl CodedAggregates {
    /// Adds the rule where it belongs: once statistics have answered what they can, before partitions are made. What
    /// it leaves to DataFusion then tells groups apart as it does itself. DataFusion's rule that keeps only the first
    /// groups of an ORDER BY with LIMIT goes: its table compares keys by `==`, so that NaN is never found again, and
    /// panics. [`LeadingGroups`] does so for the aggregates that were replaced.
    pub(crate) fn install(optimizer: &mut PhysicalOptimizer, cache: Option<Arc<PartialCache>>) {
        optimizer.rules.retain(|rule| rule.name() != "LimitAggregation");
        let before = optimizer.rules.iter().position(|rule| rule.name() == "EnsureRequirements").unwrap_or(0);
        optimizer.rules.insert(before, Arc::new(CanonicalFloats));
        optimizer.rules.insert(before, Arc::new(LeadingGroups));
        optimizer.rules.insert(before, Arc::new(Self { cache }));
    }
}

impl PhysicalOptimizerRule for CodedAggregates {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            if node.downcast_ref::<FromStatisticsExec>().is_some() {
                // It asks statistics of the aggregate as it is, and seldom has it run.
                return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
            }
            Ok(match replacement(&node, self.cache.as_ref())? {
                Some(replacement) => Transformed::yes(replacement),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "CodedAggregates"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn replacement(
    node: &Arc<dyn ExecutionPlan>,
    cache: Option<&Arc<PartialCache>>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = node.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let first = match last.mode() {
        AggregateMode::Single | AggregateMode::SinglePartitioned => last,
        AggregateMode::Final | AggregateMode::FinalPartitioned => {
            match last.input().downcast_ref::<AggregateExec>() {
                Some(first) if *first.mode() == AggregateMode::Partial => first,
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    // A limit lets DataFusion stop at so many groups.
    if last.limit_options().is_some() || first.limit_options().is_some() {
        return Ok(None);
    }
    let mut projections = Vec::new();
    let mut input = first.input();
    while let Some(projection) = input.downcast_ref::<ProjectionExec>() {
        projections.push(projection);
        input = projection.input();
    }
    let Some(scan) = input.downcast_ref::<SegmentScanExec>() else { return Ok(None) };
    if !scan.plan().coded_aggregates || scan.fetch().is_some() {
        return Ok(None);
    }
    let planner = Planner { scan, projections };
    let Some(plan) = planner.plan(last, first)? else { return Ok(None) };
    Ok(Some(Arc::new(CodedAggregateExec::new(plan, Arc::clone(input), cache.cloned()))))
}

struct Planner<'a> {
    scan: &'a SegmentScanExec,
    /// From the aggregate down.
    projections: Vec<&'a ProjectionExec>,
}

impl Planner<'_> {
    fn plan(&self, last: &AggregateExec, first: &AggregateExec) -> Result<Option<AggregatePlan>> {
        let by = first.group_expr();
        if !by.is_single() {
            return Ok(None);
        }
        // A scan that only has to count rows need not say which they are.
        let mut functions = first.aggr_expr().iter().zip(first.filter_expr());
        if by.is_empty() && functions.all(|(function, filter)| counts_rows(function) && filter.is_none()) {
            return Ok(None);
        }
        let mut keys = Vec::with_capacity(by.expr().len());
        for (expr, name) in by.expr() {
            match self.key(expr, name)? {
                Some(key) => keys.push(key),
                None => return Ok(None),
            }
        }
        let mut aggregates = Vec::with_capacity(first.aggr_expr().len());
        let mut results = Vec::with_capacity(first.aggr_expr().len());
        for (function, filter) in first.aggr_expr().iter().zip(first.filter_expr()) {
            if function.is_distinct()
                || !function.order_bys().is_empty()
                || !function.groups_accumulator_supported()
            {
                return Ok(None);
            }
            let filter = match filter.as_ref().map(|filter| self.input(filter)).transpose()? {
                None => None,
                Some(Some(filter)) => Some(filter),
                Some(None) => return Ok(None),
            };
            let mut add = |function| self.add(function, filter.clone(), &mut aggregates);
            let result = if is_average_of_doubles(function) {
                let schema = first.input().schema();
                let sum = add(over_same(sum_udaf(), function, &schema)?)?;
                let count = add(over_same(count_udaf(), function, &schema)?)?;
                sum.zip(count).map(|(sum, count)| Outcome::Average { sum, count })
            } else {
                add(Arc::clone(function))?.map(Outcome::Of)
            };
            match result {
                Some(result) => results.push(result),
                None => return Ok(None),
            }
        }
        note_shared_columns(&keys, &mut aggregates);
        Ok(Some(AggregatePlan { keys, aggregates, results, schema: last.schema() }))
    }

    /// Where among `aggregates` this one is, added if it is new; `None`: it is not one that can be computed here.
    fn add(
        &self,
        function: Arc<AggregateFunctionExpr>,
        filter: Option<Input>,
        aggregates: &mut Vec<Aggregate>,
    ) -> Result<Option<usize>> {
        let arguments = function.expressions().iter().map(|expr| self.input(expr)).collect::<Result<_>>()?;
        let Some(mut arguments): Option<Vec<Input>> = arguments else { return Ok(None) };
        // Equal arguments are one, so that they are evaluated once.
        for argument in &mut arguments {
            let known = aggregates.iter().flat_map(|other| &other.arguments).find(|known| *known == argument);
            *argument = known.unwrap_or(argument).clone();
        }
        let known = aggregates.iter().position(|other| {
            let same = other.function.fun() == function.fun()
                && other.function.ignore_nulls() == function.ignore_nulls();
            same && other.arguments == arguments && other.filter == filter
        });
        Ok(Some(known.unwrap_or_else(|| {
            aggregates.push(Aggregate { function, arguments, filter, reads_alone: true });
            aggregates.len() - 1
        })))
    }

    fn key(&self, expr: &Arc<dyn PhysicalExpr>, name: &str) -> Result<Option<Key>> {
        let table = &self.scan.plan().schema;
        let expr = self.over_table(expr)?;
        let source = if let Some(column) = expr.downcast_ref::<Column>() {
            KeySource::Column(column.index())
        } else if let Some(granularity) = buckets(&expr) {
            KeySource::Buckets(granularity)
        } else {
            match self.input_over_table(Arc::clone(&expr))? {
                Some(input) => KeySource::Computed(input),
                None => return Ok(None),
            }
        };
        let data_type = expr.data_type(table)?;
        Ok(can_be_key(&data_type).then(|| Key { source, name: name.to_owned() }))
    }

    fn input(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Input>> {
        self.input_over_table(self.over_table(expr)?)
    }

    fn input_over_table(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Option<Input>> {
        if !is_plain(&expr)? {
            return Ok(None);
        }
        let table = &self.scan.plan().schema;
        let mut columns: Vec<usize> = collect_columns(&expr).iter().map(Column::index).collect();
        columns.sort_unstable();
        let schema = Arc::new(table.project(&columns)?);
        if expr.downcast_ref::<Column>().is_some() {
            return Ok(Some(Input { columns, schema, expr: None }));
        }
        let expr = with_columns(expr, |column| {
            let at = columns.iter().position(|&index| index == column.index())?;
            Some(Arc::new(Column::new(column.name(), at)))
        })?;
        Ok(Some(Input { columns, schema, expr: Some(expr) }))
    }

    /// The same expression with columns that are indices of the table's schema.
    fn over_table(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let mut expr = Arc::clone(expr);
        for projection in &self.projections {
            let projected = projection.expr();
            expr = with_columns(expr, |column| Some(Arc::clone(&projected.get(column.index())?.expr)))?;
        }
        let plan = self.scan.plan();
        with_columns(expr, |column| {
            let index = *plan.projection.get(column.index())?;
            Some(Arc::new(Column::new(plan.schema.field(index).name(), index)))
        })
    }
}

/// Finds the aggregates that read columns which others, or computed keys, read as well. What counts values reads none.
fn note_shared_columns(keys: &[Key], aggregates: &mut [Aggregate]) {
    let mut readers: HashMap<usize, usize> = HashMap::new();
    let computed = keys.iter().filter_map(|key| match &key.source {
        KeySource::Computed(input) => Some(input),
        _ => None,
    });
    let read = aggregates.iter().filter(|aggregate| !counts_from_rows(aggregate));
    let inputs = read.flat_map(|aggregate| aggregate.arguments.iter().chain(&aggregate.filter));
    for column in computed.chain(inputs).flat_map(|input| &input.columns) {
        *readers.entry(*column).or_default() += 1;
    }
    for aggregate in aggregates {
        let mut columns = aggregate.arguments.iter().flat_map(|argument| &argument.columns);
        aggregate.reads_alone =
            counts_from_rows(aggregate) || columns.all(|column| readers.get(column).is_none_or(|&n| n == 1));
    }
}

fn is_average_of_doubles(function: &AggregateFunctionExpr) -> bool {
    function.fun().inner().downcast_ref::<Avg>().is_some()
        && function.field().data_type() == &DataType::Float64
}

/// Another function over the arguments of this one, which are over `schema`.
fn over_same(
    function: Arc<AggregateUDF>,
    of: &AggregateFunctionExpr,
    schema: &SchemaRef,
) -> Result<Arc<AggregateFunctionExpr>> {
    let builder = AggregateExprBuilder::new(function, of.expressions()).schema(Arc::clone(schema));
    Ok(Arc::new(builder.alias(of.name()).with_ignore_nulls(of.ignore_nulls()).build()?))
}

fn with_columns(
    expr: Arc<dyn PhysicalExpr>,
    replace: impl Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    // Downwards, and not into what was put in: that speaks of other columns.
    expr.transform_down(|node| {
        Ok(match node.downcast_ref::<Column>().and_then(&replace) {
            Some(replaced) => Transformed::new(replaced, true, TreeNodeRecursion::Jump),
            None => Transformed::no(node),
        })
    })
    .data()
}

/// Whether an expression is made of nothing but kinds whose value follows from the row alone.
fn is_plain(expr: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let mut plain = true;
    expr.apply(|node| {
        plain = !node.is_volatile_node()
            && (node.downcast_ref::<Column>().is_some()
                || node.downcast_ref::<Literal>().is_some()
                || node.downcast_ref::<BinaryExpr>().is_some()
                || node.downcast_ref::<CastExpr>().is_some()
                || node.downcast_ref::<TryCastExpr>().is_some()
                || node.downcast_ref::<CaseExpr>().is_some()
                || node.downcast_ref::<InListExpr>().is_some()
                || node.downcast_ref::<IsNullExpr>().is_some()
                || node.downcast_ref::<IsNotNullExpr>().is_some()
                || node.downcast_ref::<LikeExpr>().is_some()
                || node.downcast_ref::<NegativeExpr>().is_some()
                || node.downcast_ref::<NotExpr>().is_some()
                || node.downcast_ref::<ScalarFunctionExpr>().is_some());
        Ok(if plain { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(plain)
}

/// The buckets of `TIME_FLOOR(__time, period [, origin [, zone]])` with literals.
fn buckets(expr: &Arc<dyn PhysicalExpr>) -> Option<Granularity> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    if call.fun().name() != "time_floor" || call.return_type() != &time_type() {
        return None;
    }
    let (time, options) = call.args().split_first()?;
    if time.downcast_ref::<Column>()?.name() != TIME_COLUMN || options.len() > 3 {
        return None;
    }
    let literals: Vec<&ScalarValue> = options
        .iter()
        .map(|option| option.downcast_ref::<Literal>().map(Literal::value))
        .collect::<Option<_>>()?;
    let period = Period::parse(literals.first()?.try_as_str()??).ok().filter(Period::is_positive)?;
    let origin_ms = match literals.get(1) {
        None => None,
        Some(ScalarValue::TimestampMillisecond(origin_ms, None)) => *origin_ms,
        Some(other) if other.is_null() => None,
        Some(_) => return None,
    };
    let zone = match literals.get(2) {
        None => Zone::UTC,
        Some(zone) => Zone::parse(zone.try_as_str()??).ok()?,
    };
    Some(Granularity::Period { period, origin_ms, zone })
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}
