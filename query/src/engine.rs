//! The engine: takes statements, answers with streams of rows.
//!
//! ```text
//! sql() ─► gate ─► task on the engine's own threads: plan ─► run ─► bounded channel ─► SqlResult::batches
//!            │                     │                                     │
//!          queue            time limit, cancel                dropping it aborts the task
//! ```
//!
//! Statements are planned and run on threads of the engine's own, whose stacks are large enough for the deepest
//! statement that is let in; the caller's runtime only waits. `sql()` returns when the first rows are there or the
//! statement has failed, so an HTTP status can still say so.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::future::poll_immediate;
use futures::{Stream, StreamExt, stream};
use ovate_storage::Store;
use ovate_storage::time::Zone;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::gate::{Entry, Gate, Register};
use crate::interrupt::Interrupt;
use crate::options::EngineOptions;
use crate::plan::explain;
use crate::planner::{self, Planned};
use crate::plans::Work;
use crate::request::{Context, ResultColumn, SqlRequest, SqlResult};
use crate::scan::ScanOptions;
use crate::session::{self, Sessions};
use crate::sources::Sources;
use crate::sql::statement::Mode;
use crate::system::SystemTables;

/// Stack of the engine's threads: virtual, so only what deep statements touch costs memory.
const STACK_BYTES: usize = 64 << 20;
/// Batches that may be ready before the client takes them.
const BATCHES_AHEAD: usize = 2;

/// Answers SQL over a store.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    register: Arc<Register>,
    /// Taken only when the engine is dropped.
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    catalog: Catalog,
    sessions: Sessions,
    gate: Gate,
    options: EngineOptions,
}

impl Engine {
    /// Starts an engine: its threads, its memory, its functions.
    pub fn new(
        store: Arc<Store>,
        system: Arc<dyn SystemTables>,
        options: EngineOptions,
    ) -> Result<Arc<Self>, QueryError> {
        let sessions = Sessions::new(&options)?;
        let scan = ScanOptions { postings: options.postings, ..ScanOptions::default() };
        let catalog = Catalog::new(store, system, scan);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("ovate-query")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|e| QueryError::Internal(format!("cannot start query threads: {e}")))?;
        let gate = Gate::new(options.running_max, options.waiting_max);
        let shared = Arc::new(Shared { catalog, sessions, gate, options });
        Ok(Arc::new(Self { shared, register: Arc::default(), runtime: Some(runtime) }))
    }

    /// Starts a statement. Returns with its first rows, or with the reason why there are none. Dropping the result,
    /// or this future, cancels the statement.
    pub async fn sql(self: &Arc<Self>, request: SqlRequest) -> Result<SqlResult, QueryError> {
        let Some(runtime) = &self.runtime else {
            return Err(QueryError::Internal("the engine has stopped".to_owned()));
        };
        let sql_query_id = request.sql_query_id.clone();
        let entry = self.register.enter(&sql_query_id);
        let token = entry.token();
        let (head_sender, head) = oneshot::channel();
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let statement =
            Statement { shared: Arc::clone(&self.shared), request, entry, started: Instant::now() };
        let task = runtime.spawn(statement.run(head_sender, sender));
        let guard = AbortOnDrop(task.abort_handle(), token);
        let head = match head.await {
            Ok(head) => head?,
            Err(_) => return Err(died(task).await),
        };
        head.sources.check()?;
        // The engine must outlive the rows that it computes.
        let running =
            (!head.is_all).then(|| Running { receiver, task, _guard: guard, _engine: Arc::clone(self) });
        let rest = Rest { running, sources: head.sources };
        let batches = stream::iter(head.first.map(Ok)).chain(rest.stream()).boxed();
        Ok(SqlResult { sql_query_id, columns: head.columns, zone: head.zone, batches })
    }

    /// Cancels the statements of that id. Whether there were any.
    pub fn cancel(&self, sql_query_id: &str) -> bool {
        self.register.cancel(sql_query_id)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime may not be dropped on a thread of another one, unless it is told not to wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is known once the first rows are there.
struct Head {
    columns: Vec<ResultColumn>,
    zone: Zone,
    sources: Sources,
    first: Option<RecordBatch>,
    /// Whether no more rows will come, and the statement has ended.
    is_all: bool,
}

impl Head {
    fn explanation(rows: RecordBatch, zone: Zone) -> Self {
        let sources = Sources::default();
        Self { columns: explain::columns(), zone, sources, first: Some(rows), is_all: true }
    }
}

/// Ends the statement: at the next point where its task yields, or where a join looks up.
struct AbortOnDrop(AbortHandle, CancellationToken);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.1.cancel();
        self.0.abort();
    }
}

/// The batches after the first one.
struct Rest {
    /// `None`: there are none.
    running: Option<Running>,
    sources: Sources,
}

/// What keeps batches coming.
struct Running {
    receiver: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    task: tokio::task::JoinHandle<()>,
    _guard: AbortOnDrop,
    _engine: Arc<Engine>,
}

impl Rest {
    fn stream(self) -> impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static {
        stream::unfold(Some(self), |rest| async move {
            let mut rest = rest?;
            let received = match &mut rest.running {
                Some(running) => running.receiver.recv().await,
                None => None,
            };
            // Whoever asks for more has written out what came before.
            if let Err(error) = rest.sources.check() {
                return Some((Err(error), None));
            }
            if let Some(batch) = received {
                return Some((batch, Some(rest)));
            }
            // The channel also closes when the task dies; that must not look like the end of the rows.
            match rest.running?.task.await {
                Ok(()) => None,
                Err(error) => Some((Err(task_error(error)), None)),
            }
        })
    }
}

async fn died(task: tokio::task::JoinHandle<()>) -> QueryError {
    match task.await {
        Ok(()) => QueryError::Internal("the statement ended without an answer".to_owned()),
        Err(error) => task_error(error),
    }
}

fn task_error(error: tokio::task::JoinError) -> QueryError {
    if error.is_cancelled() {
        return QueryError::Internal("the engine has stopped".to_owned());
    }
    let panic = error.into_panic();
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    QueryError::Internal(format!("the statement made the engine fail: {text}"))
}

/// A statement on its way.
struct Statement {
    shared: Arc<Shared>,
    request: SqlRequest,
    entry: Entry,
    started: Instant,
}

type Rows = mpsc::Sender<Result<RecordBatch, QueryError>>;
type HeadSender = oneshot::Sender<Result<Head, QueryError>>;

impl Statement {
    async fn run(self, head: HeadSender, rows: Rows) {
        let mut head = Some(head);
        let outcome = self.work(&mut head, &rows).await;
        metrics::histogram!("ovate_sql_seconds").record(self.started.elapsed().as_secs_f64());
        let label = match &outcome {
            Ok(_) => "ok",
            Err(error) => error.kind().category,
        };
        metrics::counter!("ovate_sql_statements_total", "outcome" => label).increment(1);
        // Slot and id are free before anybody can know that the statement has ended.
        drop(self);
        // Nobody may be listening any more, which is fine.
        match (head, outcome) {
            (Some(head), Ok(Some(whole))) => drop(head.send(Ok(whole))),
            (Some(head), Err(error)) => drop(head.send(Err(error))),
            (None, Err(error)) => drop(rows.send(Err(error)).await),
            (_, Ok(_)) => {}
        }
    }

    /// Answers; what is returned is the whole answer, unless it was sent as it came.
    async fn work(&self, head: &mut Option<HeadSender>, rows: &Rows) -> Result<Option<Head>, QueryError> {
        let options = &self.shared.options;
        // To wait for a slot is part of the time that the statement may take.
        let context = Context::read(&self.request.context)?;
        let waiting_max = self.timeout(context.timeout_ms);
        let _slot = self.within(waiting_max, self.shared.gate.enter()).await??;
        let shared = &self.shared;
        let planned =
            planner::plan(&self.request, context, &shared.catalog, &shared.sessions, &options.statement)
                .await?;
        let timeout = self.timeout(planned.timeout_ms);
        let interrupt = Interrupt {
            token: self.entry.token(),
            deadline: self.started + timeout,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            sql_query_id: self.request.sql_query_id.clone(),
        };
        self.within(timeout, self.answer(planned, Arc::new(interrupt), head, rows)).await?
    }

    /// How long the statement may take, counted from its start.
    fn timeout(&self, asked_ms: Option<u64>) -> Duration {
        let options = &self.shared.options;
        // As in Druid, 0 means no limit of one's own.
        asked_ms
            .filter(|ms| *ms > 0)
            .map_or(options.timeout_default, Duration::from_millis)
            .min(options.timeout_max)
    }

    /// Runs `work` until it is done, cancelled or out of time.
    async fn within<T>(&self, timeout: Duration, work: impl Future<Output = T>) -> Result<T, QueryError> {
        let sql_query_id = || self.request.sql_query_id.clone();
        tokio::select! {
            biased;
            () = self.entry.cancelled() => Err(QueryError::Cancelled(sql_query_id())),
            () = tokio::time::sleep_until(self.started + timeout) => {
                let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Err(QueryError::Timeout { sql_query_id: sql_query_id(), timeout_ms })
            }
            done = work => Ok(done),
        }
    }

    async fn answer(
        &self,
        planned: Planned<'_>,
        interrupt: Arc<Interrupt>,
        head: &mut Option<HeadSender>,
        rows: &Rows,
    ) -> Result<Option<Head>, QueryError> {
        let Planned { mode, work, columns, resources, zone, cache, state, .. } = planned;
        let (plan, keep) = match work {
            Work::Run(plan, keep) => (plan, keep),
            Work::Answered(mut rows, sources) => {
                let first = rows.pop();
                return Ok(Some(Head { columns, zone, sources, first, is_all: true }));
            }
        };
        let context = session::task_context(state, Arc::clone(&interrupt), cache);
        let reads_rows = !resources.is_empty();
        let sources = Sources::of(&plan);
        let failed = |e: datafusion::error::DataFusionError| QueryError::running(&e, reads_rows);
        match mode {
            Mode::Run => {
                let mut batches = execute_stream(plan, context).map_err(failed)?;
                // The first batch comes before the head, so that failures on the way to it are failures of `sql()`.
                let first = next_rows(&mut batches).await.map_err(failed)?;
                // Work that never yielded is not noticed by the clock outside.
                interrupt.check()?;
                let rows_max = self.shared.options.result_rows_max;
                let mut count = Counted { rows: 0, rows_max };
                count.add(first.as_ref())?;
                // Most answers are one batch: then the waiting client is woken once, with all of it.
                let second = match &first {
                    Some(_) => poll_immediate(next_rows(&mut batches)).await.transpose().map_err(failed)?,
                    None => Some(None),
                };
                if matches!(second, Some(None)) {
                    if let Some(keep) = keep {
                        sources.check()?;
                        keep.keep(first.as_ref());
                    }
                    return Ok(Some(Head { columns, zone, sources, first, is_all: true }));
                }
                if let Some(head) = head.take() {
                    drop(head.send(Ok(Head { columns, zone, sources, first, is_all: false })));
                }
                let mut next = match second {
                    Some(second) => second,
                    None => next_rows(&mut batches).await.map_err(failed)?,
                };
                while let Some(batch) = next {
                    count.add(Some(&batch))?;
                    if rows.send(Ok(batch)).await.is_err() {
                        break;
                    }
                    next = next_rows(&mut batches).await.map_err(failed)?;
                }
                Ok(None)
            }
            Mode::Explain => Ok(Some(Head::explanation(explain::plan(&plan, &columns, &resources)?, zone))),
            Mode::Analyze => {
                let mut batches =
                    execute_stream(Arc::clone(&plan) as Arc<dyn ExecutionPlan>, context).map_err(failed)?;
                while next_rows(&mut batches).await.map_err(failed)?.is_some() {}
                sources.check()?;
                Ok(Some(Head::explanation(explain::analysis(&plan, &resources)?, zone)))
            }
        }
    }
}

/// The rows of an answer so far.
struct Counted {
    rows: u64,
    rows_max: u64,
}

impl Counted {
    fn add(&mut self, batch: Option<&RecordBatch>) -> Result<(), QueryError> {
        self.rows += batch.map_or(0, |batch| batch.num_rows() as u64);
        if self.rows > self.rows_max {
            let rows_max = self.rows_max;
            return Err(QueryError::Resources(format!(
                "Result has more rows than result_rows_max ({rows_max}); add a LIMIT, or aggregate"
            )));
        }
        Ok(())
    }
}

/// The next batch that has rows.
async fn next_rows(
    batches: &mut datafusion::execution::SendableRecordBatchStream,
) -> Result<Option<RecordBatch>, datafusion::error::DataFusionError> {
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}
