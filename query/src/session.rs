//! What all statements share: functions, rules, memory. Built once, cloned never.
//!
//! There are two sessions that differ in one number: statements over few rows are planned for one partition, the
//! others for as many as there are threads. Everything that differs between statements (time zone, current time,
//! limits) is put into the plan, so that a statement needs no session of its own.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use datafusion::execution::SessionStateDefaults;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;

use crate::aggregate::{CacheUse, CodedAggregates, PartialCache};
use crate::error::QueryError;
use crate::interrupt::{Interrupt, InterruptJoins};
use crate::options::EngineOptions;
use crate::plan::multi_value::MultiValueComparison;
use crate::plan::operators::TextArithmetic;
use crate::plan::safe_cast::SafeCasts;
use crate::plans::PlanCache;
use crate::statistics::AnswerFromStatistics;
use crate::union::UnionsInOrder;

/// The sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    narrow: SessionState,
    wide: SessionState,
    plans: PlanCache,
    rows_per_thread_min: usize,
}

impl Sessions {
    pub(crate) fn new(options: &EngineOptions) -> Result<Self, QueryError> {
        let runtime = runtime(options)?;
        let cache = PartialCache::new(options.cache_bytes_max);
        let narrow = state(options, Arc::clone(&runtime), cache.clone(), 1);
        let wide = state(options, runtime, cache, options.threads.max(1));
        let plans = PlanCache::new(options.plans_max, options.cache_bytes_max);
        Ok(Self { narrow, wide, plans, rows_per_thread_min: options.rows_per_thread_min })
    }

    /// The session in which names are looked up.
    pub(crate) fn naming(&self) -> &SessionState {
        &self.narrow
    }

    /// The plans that are remembered.
    pub(crate) fn plans(&self) -> &PlanCache {
        &self.plans
    }

    /// The session for a statement over so many rows.
    pub(crate) fn for_rows(&self, rows: usize) -> &SessionState {
        if rows < self.rows_per_thread_min { &self.narrow } else { &self.wide }
    }
}

/// What running operators ask for; they look up no functions.
pub(crate) fn task_context(
    state: &SessionState,
    interrupt: Arc<Interrupt>,
    cache: CacheUse,
) -> Arc<TaskContext> {
    Arc::new(TaskContext::new(
        Some(interrupt.sql_query_id.clone()),
        state.session_id().to_owned(),
        state.config().clone().with_extension(interrupt).with_extension(Arc::new(cache)),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::clone(state.runtime_env()),
    ))
}

fn runtime(options: &EngineOptions) -> Result<Arc<RuntimeEnv>, QueryError> {
    let pool = TrackConsumersPool::new(
        FairSpillPool::new(options.memory_bytes_max),
        std::num::NonZeroUsize::new(3).unwrap_or(std::num::NonZeroUsize::MIN),
    );
    let mode = match &options.spill_folder {
        Some(folder) => {
            empty(folder).map_err(|e| {
                QueryError::Internal(format!("cannot empty the spill folder {}: {e}", folder.display()))
            })?;
            DiskManagerMode::Directories(vec![folder.clone()])
        }
        None => DiskManagerMode::Disabled,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_bytes_max);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(|e| QueryError::Internal(format!("cannot set up query memory: {e}")))
}

/// What a process left that was killed is of no use to anybody.
fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
}

fn state(
    options: &EngineOptions,
    runtime: Arc<RuntimeEnv>,
    cache: Option<Arc<PartialCache>>,
    partitions: usize,
) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(options.batch_rows)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let settings = config.options_mut();
    // Druid's clients print what they get: rows in one stream, batches as they come.
    settings.execution.coalesce_batches = true;
    settings.optimizer.skip_failed_rules = false;
    // Scans narrow nothing by it that metadata does not answer already, and a plan that is tied to one cannot be reused.
    settings.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // Logical and physical plans disagree about whether some CASE can be NULL, which changes no value; comparing them
    // turns right statements into internal errors.
    settings.execution.skip_physical_aggregate_schema_check = true;
    settings.explain.show_schema = false;
    let mut analyzer = Analyzer::new();
    analyzer.rules.push(Arc::new(SafeCasts));
    let mut physical = PhysicalOptimizer::new();
    CodedAggregates::install(&mut physical, cache);
    UnionsInOrder::install(&mut physical);
    AnswerFromStatistics::install(&mut physical);
    // Before dynamic filters are handed down, which hold on to the nodes they were made by.
    let before = physical.rules.iter().position(|rule| rule.name() == "EnsureCooperative");
    physical.rules.insert(before.unwrap_or(physical.rules.len()), Arc::new(InterruptJoins));
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_analyzer_rules(analyzer.rules)
        .with_physical_optimizer_rules(physical.rules)
        .with_expr_planners(expr_planners())
        .with_scalar_functions(scalar_functions())
        .with_aggregate_functions(aggregate_functions())
        .with_window_functions(window_functions())
        .build()
}

/// The first that answers wins: ours come first.
fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    let mut all: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(TextArithmetic), Arc::new(MultiValueComparison)];
    all.extend(SessionStateDefaults::default_expr_planners());
    all
}

/// Later functions replace earlier ones of the same name: ours come last.
fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut all = SessionStateDefaults::default_scalar_functions();
    all.extend(ovate_functions::sql::scalar_functions());
    all.push(crate::sql::like::function());
    all
}

fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut all = SessionStateDefaults::default_aggregate_functions();
    all.extend(ovate_functions::sql::aggregate_functions());
    all
}

fn window_functions() -> Vec<Arc<WindowUDF>> {
    SessionStateDefaults::default_window_functions()
}
