//! One statement, from text to a physical plan. No rows are read; deep statements need a thread with a large stack.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as SqlStatement};
use ovate_storage::time::Zone;

use crate::aggregate::CacheUse;
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::options::StatementLimits;
use crate::plan::context::{Names, Resource};
use crate::plan::{blame, output, semantics};
use crate::request::{Context, ResultColumn, SqlRequest};
use crate::session::Sessions;
use crate::sql::hints::Hints;
use crate::sql::rewrite::{Surroundings, rewrite};
use crate::sql::statement::Mode;
use crate::sql::{shape, statement};

/// A statement that is ready to run.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) mode: Mode,
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) zone: Zone,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) cache: CacheUse,
    /// The session that the plan was made for.
    pub(crate) state: &'a SessionState,
}

/// Plans a statement.
pub(crate) async fn plan<'a>(
    request: &SqlRequest,
    catalog: &Catalog,
    sessions: &'a Sessions,
    limits: &StatementLimits,
) -> Result<Planned<'a>, QueryError> {
    let Logical { mode, plan, columns, resources, context, state } =
        logical(request, catalog, sessions, limits)?;
    let plan =
        state.query_planner().create_physical_plan(&plan, state).await.map_err(|e| blame::unplaced(&e))?;
    let Context { zone, timeout_ms, cache, .. } = context;
    Ok(Planned { mode, plan, columns, resources, zone, timeout_ms, cache, state })
}

struct Logical<'a> {
    mode: Mode,
    plan: LogicalPlan,
    columns: Vec<ResultColumn>,
    resources: Vec<Resource>,
    context: Context,
    state: &'a SessionState,
}

/// Everything up to the optimized logical plan.
fn logical<'a>(
    request: &SqlRequest,
    catalog: &Catalog,
    sessions: &'a Sessions,
    limits: &StatementLimits,
) -> Result<Logical<'a>, QueryError> {
    let statement = statement::parse(&request.query, limits)?;
    let context = if statement.settings.is_empty() {
        Context::read(&request.context)?
    } else {
        let mut settings = request.context.clone();
        settings.extend(statement.settings);
        Context::read(&settings)?
    };
    let mut query = statement.query;
    shape::settle(&mut query, limits)?;
    let hints = Hints::of(&query);
    let is_values = matches!(*query.body, SetExpr::Values(_));
    rewrite(
        &mut query,
        &Surroundings {
            sql: &request.query,
            parameters: &request.parameters,
            zone: context.zone,
            now_ms: context.now_ms.unwrap_or_else(now_ms),
        },
    )?;
    let names = Names::new(catalog, sessions.naming());
    let blamed = |e: DataFusionError| blame::blame(&e, &request.query, limits, &names);
    let plan = named(query, &names)
        .and_then(|plan| semantics::apply(plan, context.zone, &names.multi_values()))
        .map_err(blamed)?;
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
    Ok(Logical { mode: statement.mode, plan, columns, resources, context, state })
}

fn named(query: Box<Query>, names: &Names<'_>) -> Result<LogicalPlan, DataFusionError> {
    let options = ParserOptions::new()
        .with_enable_ident_normalization(false)
        .with_default_null_ordering(NullOrdering::NullsMin);
    SqlToRel::new_with_options(names, options).sql_statement_to_plan(SqlStatement::Query(query))
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
