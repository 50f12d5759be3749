//! One statement, from text to a physical plan. No rows are read; deep statements need a thread with a large stack.

use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as SqlStatement};
use ovate_storage::time::Zone;

use crate::aggregate::CacheUse;
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::options::StatementLimits;
use crate::plan::context::{Names, Resource};
use crate::plan::{blame, output, semantics};
use crate::plans::{Bound, Template, Worded, Work};
use crate::request::{Context, ResultColumn, SqlRequest};
use crate::session::Sessions;
use crate::sql::hints::Hints;
use crate::sql::rewrite::{Now, Surroundings, rewrite};
use crate::sql::statement::Mode;
use crate::sql::{shape, statement};

/// A statement that is ready to run.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) mode: Mode,
    pub(crate) work: Work,
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) zone: Zone,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) cache: CacheUse,
    /// The session that the plan was made for.
    pub(crate) state: &'a SessionState,
}

/// Plans a statement, or finds a plan of its wording. `context` is the request's.
pub(crate) async fn plan<'a>(
    request: &SqlRequest,
    context: Context,
    catalog: &Catalog,
    sessions: &'a Sessions,
    limits: &StatementLimits,
) -> Result<Planned<'a>, QueryError> {
    let clock_ms = now_ms();
    let worded = if sessions.plans().is_used() {
        Worded::of(request, &context, context.now_ms.unwrap_or(clock_ms))
    } else {
        None
    };
    if let Some(worded) = &worded
        && let Some(template) = sessions.plans().get(&worded.wording)
        && let Some(bound) = template
            .bind(&worded.instants, catalog, sessions, context.cache)
            .map_err(|e| blame::unplaced(&e))?
    {
        metrics::counter!("ovate_sql_plans_reused_total").increment(1);
        let Bound { work, columns, resources, state } = bound;
        let Context { zone, timeout_ms, cache, .. } = context;
        return Ok(Planned { mode: Mode::Run, work, columns, resources, zone, timeout_ms, cache, state });
    }
    let Logical { mode, plan, columns, resources, context, state, named, nows } =
        logical(request, context, catalog, sessions, limits, clock_ms)?;
    let plan =
        state.query_planner().create_physical_plan(&plan, state).await.map_err(|e| blame::unplaced(&e))?;
    let Context { zone, timeout_ms, cache, .. } = context;
    // What else follows from the current time is right only now.
    if let Some(worded) = worded.filter(|worded| mode == Mode::Run && worded.nows == nows) {
        let partitions_max = state.config().target_partitions();
        let template = Template::of(&plan, &columns, &resources, named, &worded.instants, partitions_max);
        if let Some(template) = template.map_err(|e| blame::unplaced(&e))? {
            sessions.plans().put(worded.wording, template);
        }
    }
    let work = Work::Run(plan, None);
    Ok(Planned { mode, work, columns, resources, zone, timeout_ms, cache, state })
}

struct Logical<'a> {
    mode: Mode,
    plan: LogicalPlan,
    columns: Vec<ResultColumn>,
    resources: Vec<Resource>,
    context: Context,
    state: &'a SessionState,
    /// In how many places the statement names a table.
    named: usize,
    /// In how many places it depends on the current time.
    nows: usize,
}

/// Everything up to the optimized logical plan of a statement that came at `clock_ms`.
fn logical<'a>(
    request: &SqlRequest,
    context: Context,
    catalog: &Catalog,
    sessions: &'a Sessions,
    limits: &StatementLimits,
    clock_ms: i64,
) -> Result<Logical<'a>, QueryError> {
    let statement = statement::parse(&request.query, limits)?;
    let context = if statement.settings.is_empty() {
        context
    } else {
        let mut settings = request.context.clone();
        settings.extend(statement.settings);
        Context::read(&settings)?
    };
    let mut query = statement.query;
    shape::settle(&mut query, limits)?;
    let hints = Hints::of(&query);
    let is_values = matches!(*query.body, SetExpr::Values(_));
    let now = Now::new(context.now_ms.unwrap_or(clock_ms));
    let (sql, parameters, zone) = (&request.query, &request.parameters, context.zone);
    rewrite(&mut query, &Surroundings { sql, parameters, zone, now: &now })?;
    let names = Names::new(catalog, sessions.naming());
    let blamed = |e: DataFusionError| blame::blame(&e, &request.query, limits, &names);
    let plan = from_tree(query, &names)
        .and_then(|plan| semantics::apply(plan, context.zone, &names.multi_values()))
        .map_err(blamed)?;
    let named = tables_named(&plan).map_err(blamed)?;
    let plan = match context.outer_limit {
        Some(rows) => LogicalPlanBuilder::from(plan)
            .limit(0, Some(rows))
            .and_then(LogicalPlanBuilder::build)
            .map_err(blamed)?,
        None => plan,
    };
    let resources = names.resources();
    let state = sessions.for_rows(resources.iter().map(|resource| resource.rows).sum());
    let analyzed =
        state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(blamed)?;
    let (analyzed, columns) =
        output::settle(analyzed, &hints, is_values, &names.multi_values()).map_err(blamed)?;
    let plan = state.optimizer().optimize(analyzed, state, |_, _| {}).map_err(blamed)?;
    Ok(Logical { mode: statement.mode, plan, columns, resources, context, state, named, nows: now.asked() })
}

fn from_tree(query: Box<Query>, names: &Names<'_>) -> Result<LogicalPlan, DataFusionError> {
    let options = ParserOptions::new()
        .with_enable_ident_normalization(false)
        .with_default_null_ordering(NullOrdering::NullsMin);
    SqlToRel::new_with_options(names, options).sql_statement_to_plan(SqlStatement::Query(query))
}

/// In how many places tables are read.
fn tables_named(plan: &LogicalPlan) -> Result<usize, DataFusionError> {
    let mut count = 0;
    plan.apply_with_subqueries(|node| {
        count += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(count)
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
