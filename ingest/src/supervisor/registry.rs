//! All supervisors of a store: what is stored of them, what runs, and every change of one into the other.
//!
//! Everything here blocks and runs on blocking threads; [`super::SupervisorManager`] is the asynchronous surface. A
//! change of one supervisor holds that supervisor's lock from beginning to end, so changes come one after the other
//! and are complete, whether or not somebody still waits for the answer. What is only read never waits for a change.
//!
//! The catalog is written before a run starts and after a run has stopped: a crash between the two leaves a
//! supervisor that the next start of the process brings into the stored state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ovate_storage::{Datasource, Store, fail_point};
use serde_json::Value;

use super::board::{Board, Run};
use super::clock::now_ms;
use super::gap::{OffsetGap, stored_gap};
use super::handle::RunnerHandle;
use super::options::IngestOptions;
use super::reset::apply_offsets;
use super::runner::{Runner, RunnerParts, Stop};
use super::state::DetailedState;
use super::task::Task;
use crate::error::IngestError;
use crate::kafka::consumer_settings;
use crate::pipeline::Pipeline;
use crate::spec::SupervisorSpec;

type Result<T> = std::result::Result<T, IngestError>;

/// Ended tasks that are still listed.
const ENDED_TASKS_KEPT: usize = 100;

/// One supervisor.
pub(crate) struct Supervisor {
    pub(crate) id: String,
    pub(crate) board: Arc<Board>,
    /// Held during a change.
    change: Mutex<Option<RunnerHandle>>,
    current: RwLock<Current>,
}

/// What is stored of a supervisor.
#[derive(Clone)]
pub(crate) struct Current {
    /// As posted, secrets included.
    posted: Value,
    /// `None` where this release does not accept what an earlier one stored.
    pub(crate) spec: Option<Arc<SupervisorSpec>>,
    pub(crate) suspended: bool,
    removed: bool,
}

impl Supervisor {
    /// `gaps` are those of earlier runs, oldest first.
    fn new(id: &str, current: Current, gaps: Vec<OffsetGap>, options: &IngestOptions) -> Arc<Self> {
        let board = Arc::new(Board::default());
        board.view().gaps = gaps;
        let asked = current.spec.as_ref().map_or(0, |spec| spec.tuning.saved_parse_exceptions_max);
        board.view().parse_errors.keep_at_most(asked.max(options.parse_errors_max));
        Arc::new(Self { id: id.to_owned(), board, change: Mutex::default(), current: RwLock::new(current) })
    }

    pub(crate) fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_current(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }

    /// Says why there is no run.
    fn cannot_start(&self, error: &IngestError) {
        self.board.view().note(now_ms(), "InvalidSpec", error.to_string(), false);
        self.board.set_state(&self.id, DetailedState::InvalidSpec);
    }

    fn change(&self) -> MutexGuard<'_, Option<RunnerHandle>> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All supervisors.
pub(crate) struct Registry {
    store: Arc<Store>,
    pub(crate) options: Arc<IngestOptions>,
    supervisors: RwLock<BTreeMap<String, Arc<Supervisor>>>,
    ended: Mutex<VecDeque<Task>>,
    is_shut_down: AtomicBool,
}

impl Registry {
    /// Starts what the catalog holds. A supervisor that cannot be started is there, and says why.
    pub(crate) fn open(store: Arc<Store>, options: IngestOptions) -> Result<Self> {
        let registry = Self {
            options: Arc::new(options),
            supervisors: RwLock::default(),
            ended: Mutex::default(),
            is_shut_down: AtomicBool::new(false),
            store,
        };
        for record in registry.store.catalog().supervisors()? {
            let parsed = SupervisorSpec::parse(&record.spec);
            let (spec, refused) = match parsed {
                Ok(spec) => (Some(Arc::new(spec)), None),
                Err(error) => (None, Some(IngestError::from(error))),
            };
            let current = Current { posted: record.spec, spec, suspended: record.suspended, removed: false };
            let gaps = registry.gaps(&record.id)?;
            let supervisor = Supervisor::new(&record.id, current, gaps, &registry.options);
            registry.insert(&supervisor);
            match refused {
                Some(error) => supervisor.cannot_start(&error),
                None => {
                    let _ = registry.begin_again(&supervisor, &mut supervisor.change());
                }
            }
        }
        Ok(registry)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn all(&self) -> Vec<Arc<Supervisor>> {
        self.supervisors.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Supervisor>> {
        self.supervisors.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Takes a specification: a new supervisor, or another specification for one that is there.
    pub(crate) fn post(&self, mut posted: Value) -> Result<String> {
        self.refuse_if_shut_down()?;
        // First: a masked password, as GET gives it, is no specification yet.
        if let Some(known) = SupervisorSpec::datasource_of(&posted).and_then(|id| self.find(id)) {
            SupervisorSpec::restore_secrets(&mut posted, &known.current().posted);
        }
        let spec = Arc::new(SupervisorSpec::parse(&posted)?);
        let id = spec.id().to_owned();
        self.check(&spec)?;
        let next = Current { posted, suspended: spec.suspended, spec: Some(spec), removed: false };
        loop {
            let supervisor = if let Some(known) = self.find(&id) {
                known
            } else {
                let gaps = self.gaps(&id)?;
                self.insert_if_absent(&Supervisor::new(&id, next.clone(), gaps, &self.options))
            };
            let mut runner = supervisor.change();
            let before = supervisor.current();
            if before.removed {
                // Terminated while this waited for it: begin with a new one.
                continue;
            }
            self.replace(&supervisor, &mut runner, &before, next)?;
            return Ok(id);
        }
    }

    /// Refuses what could not run, before anything is changed for it.
    fn check(&self, spec: &SupervisorSpec) -> Result<()> {
        consumer_settings(spec.id(), &spec.io, &self.options.broker_map)?;
        Pipeline::with_limits(&spec.ingestion, self.options.limits)?;
        Ok(())
    }

    fn replace(
        &self,
        supervisor: &Supervisor,
        runner: &mut Option<RunnerHandle>,
        before: &Current,
        next: Current,
    ) -> Result<()> {
        let is_stored = self.store.catalog().supervisor(&supervisor.id)?.is_some();
        let goes_on = runner.as_ref().is_some_and(RunnerHandle::is_alive) || next.suspended;
        if is_stored && goes_on && is_same(before, &next) {
            return Ok(());
        }
        let Err(error) = self.try_replace(supervisor, runner, &next) else { return Ok(()) };
        match self.store.catalog().supervisor(&supervisor.id)? {
            // What is stored goes on, be it the old specification or, where its thread did not start, the new one.
            Some(stored) => {
                if stored.spec == before.posted {
                    supervisor.set_current(before.clone());
                }
                let _ = self.begin_again(supervisor, runner);
            }
            None => self.remove(supervisor),
        }
        Err(error)
    }

    fn try_replace(
        &self,
        supervisor: &Supervisor,
        runner: &mut Option<RunnerHandle>,
        next: &Current,
    ) -> Result<()> {
        self.end(runner, Stop { publish: true }, None)?;
        fail_point!("spec.stopped");
        if let Some(spec) = &next.spec {
            self.declare(spec)?;
            fail_point!("spec.declared");
            let kept = spec.tuning.saved_parse_exceptions_max.max(self.options.parse_errors_max);
            supervisor.board.view().parse_errors.keep_at_most(kept);
        }
        self.store.catalog().put_supervisor(&supervisor.id, &next.posted, next.suspended, now_ms())?;
        fail_point!("spec.stored");
        supervisor.set_current(next.clone());
        self.begin(supervisor, runner)?;
        fail_point!("spec.begun");
        Ok(())
    }

    pub(crate) fn suspend(&self, id: &str) -> Result<()> {
        let supervisor = self.known(id)?;
        let mut runner = supervisor.change();
        let before = still_there(&supervisor)?;
        if before.suspended {
            return Err(IngestError::AlreadySuspended(id.to_owned()));
        }
        self.store_suspended(&supervisor, &before, true)?;
        fail_point!("suspend.stored");
        supervisor.board.set_state(id, DetailedState::Stopping);
        let ended = self.end(&mut runner, Stop { publish: true }, None);
        fail_point!("suspend.published");
        supervisor.board.set_state(id, DetailedState::Suspended);
        ended
    }

    pub(crate) fn resume(&self, id: &str) -> Result<()> {
        self.refuse_if_shut_down()?;
        let supervisor = self.known(id)?;
        let mut runner = supervisor.change();
        let before = still_there(&supervisor)?;
        if !before.suspended {
            return Err(IngestError::AlreadyRunning(id.to_owned()));
        }
        self.store_suspended(&supervisor, &before, false)?;
        fail_point!("resume.stored");
        self.begin_again(&supervisor, &mut runner)
    }

    /// Forgets rows that are not published and all offsets: reading starts where the specification says.
    pub(crate) fn reset(&self, id: &str) -> Result<()> {
        let supervisor = self.known(id)?;
        let mut runner = supervisor.change();
        still_there(&supervisor)?;
        // A run that ends badly may be what the reset is for.
        if let Err(error) = self.end(&mut runner, Stop { publish: false }, Some("the supervisor was reset")) {
            tracing::warn!(supervisor = id, %error, "the run that is reset had failed");
        }
        fail_point!("reset.stopped");
        let reset = match self.datasource(&supervisor) {
            Some(datasource) => datasource.reset(None, &[]),
            None => self.store.catalog().set_progress(id, None, &[]),
        };
        supervisor.board.view().latest.clear();
        let begun = self.begin_again(&supervisor, &mut runner);
        reset?;
        begun
    }

    /// Sets the offsets of some partitions; the others go on where they are.
    pub(crate) fn reset_offsets(&self, id: &str, request: &Value) -> Result<()> {
        let supervisor = self.known(id)?;
        let mut runner = supervisor.change();
        let current = still_there(&supervisor)?;
        let Some(spec) = &current.spec else {
            return Err(IngestError::BadOffsets(format!("supervisor {id} has no valid specification")));
        };
        let offsets = apply_offsets(&spec.io.topic, request)?;
        let is_another = supervisor.board.view().state == DetailedState::StreamIdentityChanged;
        let ended = self.end(&mut runner, Stop { publish: true }, Some("offsets were set"));
        fail_point!("offsets.published");
        let set = ended.and_then(|()| self.set_offsets(id, &spec.io.topic, &offsets, is_another));
        fail_point!("offsets.stored");
        let begun = self.begin_again(&supervisor, &mut runner);
        set.and(begun)
    }

    /// Sets offsets while nothing runs. Where it `is_another` stream that they are of, nothing that is known of the one
    /// before holds: its other partitions are read from their beginnings.
    fn set_offsets(
        &self,
        id: &str,
        topic: &str,
        offsets: &BTreeMap<i32, i64>,
        is_another: bool,
    ) -> Result<()> {
        let Some(datasource) = self.store.datasource(id) else { return Ok(()) };
        // Rows that an earlier run could not publish have offsets of their own, which must not be kept without them.
        datasource.publish(now_ms())?;
        let mut progress = datasource.writer().progress().clone();
        if is_another {
            progress.partitions.retain(|key, _| key.topic != topic);
            progress.identity.cluster_id = None;
            progress.identity.topic_ids.remove(topic);
        }
        for (partition, offset) in offsets {
            progress.set(topic, *partition, *offset);
        }
        Ok(datasource.reset(Some(&progress), &[])?)
    }

    /// Publishes what is hot and removes the supervisor. Published rows and offsets stay.
    pub(crate) fn terminate(&self, id: &str) -> Result<()> {
        let supervisor = self.known(id)?;
        let mut runner = supervisor.change();
        still_there(&supervisor)?;
        if let Err(error) = self.end(&mut runner, Stop { publish: true }, None) {
            let is_poisoned = self.datasource(&supervisor).is_some_and(|ds| ds.poisoned().is_some());
            if !is_poisoned {
                let _ = self.begin_again(&supervisor, &mut runner);
                return Err(error);
            }
            tracing::warn!(supervisor = id, %error, "terminated with rows that could not be published");
        }
        fail_point!("terminate.published");
        self.store.catalog().remove_supervisor(id, now_ms())?;
        fail_point!("terminate.removed");
        self.store.forget_datasource(id)?;
        fail_point!("terminate.forgotten");
        self.remove(&supervisor);
        Ok(())
    }

    /// Ends a run and begins another: what Druid does when a task is shut down.
    pub(crate) fn shut_down_task(&self, task_id: &str) -> Result<()> {
        let has_task =
            |s: &Arc<Supervisor>| s.board.view().run.as_ref().is_some_and(|run| run.task.id == task_id);
        let supervisor = self.all().into_iter().find(has_task);
        let supervisor = supervisor.ok_or_else(|| IngestError::UnknownTask(task_id.to_owned()))?;
        let mut runner = supervisor.change();
        still_there(&supervisor)?;
        if !has_task(&supervisor) {
            return Err(IngestError::UnknownTask(task_id.to_owned()));
        }
        let ended = self.end(&mut runner, Stop { publish: true }, Some("Shutdown request from user"));
        fail_point!("task.stopped");
        let begun = self.begin_again(&supervisor, &mut runner);
        ended.and(begun)
    }

    /// Stops all runs and publishes what is hot, all at the same time.
    pub(crate) fn shut_down(&self) -> Result<()> {
        self.is_shut_down.store(true, Ordering::SeqCst);
        let supervisors = self.all();
        let mut runners: Vec<_> = supervisors.iter().map(|supervisor| supervisor.change()).collect();
        for runner in runners.iter().filter_map(|runner| runner.as_ref()) {
            runner.ask_to_stop(Stop { publish: true });
        }
        let mut result = Ok(());
        for runner in &mut runners {
            result = result.and(self.end(runner, Stop { publish: true }, None));
            fail_point!("shutdown.stopped");
        }
        result
    }

    /// Tasks that run, then those that have ended, newest first.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let running =
            self.all().into_iter().filter_map(|s| s.board.view().run.as_ref().map(|run| run.task.clone()));
        let mut tasks: Vec<Task> = running.collect();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.extend(ended.iter().rev().cloned());
        tasks
    }

    /// Starts a run, unless the supervisor is suspended.
    fn begin(&self, supervisor: &Supervisor, runner: &mut Option<RunnerHandle>) -> Result<()> {
        let current = supervisor.current();
        let Some(spec) = current.spec.clone().filter(|_| !current.suspended) else {
            if current.suspended {
                supervisor.board.set_state(&supervisor.id, DetailedState::Suspended);
            }
            return Ok(());
        };
        let datasource = self.declare(&spec)?;
        let pipeline = Pipeline::with_limits(&spec.ingestion, self.options.limits)?;
        let config = consumer_settings(&supervisor.id, &spec.io, &self.options.broker_map)?;
        let task = Task::new(&supervisor.id, spec.to_json(), now_ms());
        {
            let mut view = supervisor.board.view();
            view.run = Some(Run::new(task));
            view.latest.clear();
        }
        supervisor.board.set_state(&supervisor.id, DetailedState::Pending);
        let (options, board) = (Arc::clone(&self.options), Arc::clone(&supervisor.board));
        let started = RunnerHandle::start(&supervisor.id, Arc::clone(&supervisor.board), |commands| {
            Runner::new(RunnerParts { spec, options, datasource, board, pipeline, config, commands })
        });
        match started {
            Ok(handle) => {
                *runner = Some(handle);
                Ok(())
            }
            Err(error) => {
                supervisor.board.view().run = None;
                Err(error)
            }
        }
    }

    /// Starts a run after a change, be it that the change failed; if that fails too, the status says so.
    fn begin_again(&self, supervisor: &Supervisor, runner: &mut Option<RunnerHandle>) -> Result<()> {
        let begun = self.begin(supervisor, runner);
        if let Err(error) = &begun {
            supervisor.cannot_start(error);
        }
        begun
    }

    /// Ends a run, if there is one.
    fn end(&self, runner: &mut Option<RunnerHandle>, stop: Stop, why_failed: Option<&str>) -> Result<()> {
        let Some(handle) = runner.take() else { return Ok(()) };
        let board = handle.board();
        let result = handle.stop(stop);
        let task = board.view().run.take().map(|run| run.task);
        if let Some(mut task) = task {
            let failed = result.as_ref().err().map(ToString::to_string).or(why_failed.map(str::to_owned));
            task.ended = Some((now_ms(), failed));
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.len() == ENDED_TASKS_KEPT {
                ended.pop_front();
            }
            ended.push_back(task);
        }
        result
    }

    fn declare(&self, spec: &SupervisorSpec) -> Result<Arc<Datasource>> {
        let schema = spec.ingestion.shared_table_schema();
        if let Some(datasource) = self.store.datasource(spec.id()) {
            let writer = datasource.writer();
            if writer.hot_rows() > 0 {
                // Rows that an earlier run could not publish: their columns, discovered ones included, stay.
                drop(writer);
                return Ok(datasource);
            }
        }
        Ok(self.store.ensure_datasource(spec.id(), schema)?)
    }

    fn datasource(&self, supervisor: &Supervisor) -> Option<Arc<Datasource>> {
        self.store.datasource(&supervisor.id)
    }

    fn store_suspended(&self, supervisor: &Supervisor, before: &Current, suspended: bool) -> Result<()> {
        let mut posted = before.posted.clone();
        if let Value::Object(posted) = &mut posted {
            posted.insert("suspended".into(), Value::Bool(suspended));
        }
        self.store.catalog().put_supervisor(&supervisor.id, &posted, suspended, now_ms())?;
        let spec = match SupervisorSpec::parse(&posted) {
            Ok(spec) => Some(Arc::new(spec)),
            Err(_) => before.spec.clone(),
        };
        supervisor.set_current(Current { posted, spec, suspended, removed: false });
        Ok(())
    }

    fn known(&self, id: &str) -> Result<Arc<Supervisor>> {
        self.find(id).ok_or_else(|| IngestError::UnknownSupervisor(id.to_owned()))
    }

    fn insert(&self, supervisor: &Arc<Supervisor>) {
        self.insert_if_absent(supervisor);
    }

    /// What is kept of the gaps that a supervisor has met, oldest first.
    fn gaps(&self, id: &str) -> Result<Vec<OffsetGap>> {
        let mut events = self.store.catalog().offset_events(Some(id))?;
        events.reverse();
        Ok(events.into_iter().filter_map(|event| stored_gap(id, event)).collect())
    }

    fn insert_if_absent(&self, supervisor: &Arc<Supervisor>) -> Arc<Supervisor> {
        let mut supervisors = self.supervisors.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(supervisors.entry(supervisor.id.clone()).or_insert_with(|| Arc::clone(supervisor)))
    }

    fn remove(&self, supervisor: &Supervisor) {
        supervisor.set_current(Current { removed: true, ..supervisor.current() });
        self.supervisors.write().unwrap_or_else(PoisonError::into_inner).remove(&supervisor.id);
    }

    fn refuse_if_shut_down(&self) -> Result<()> {
        if self.is_shut_down.load(Ordering::SeqCst) { Err(IngestError::ShutDown) } else { Ok(()) }
    }
}

fn still_there(supervisor: &Supervisor) -> Result<Current> {
    let current = supervisor.current();
    if current.removed { Err(IngestError::UnknownSupervisor(supervisor.id.clone())) } else { Ok(current) }
}

fn is_same(a: &Current, b: &Current) -> bool {
    match (&a.spec, &b.spec) {
        (Some(x), Some(y)) => {
            x.to_json() == y.to_json()
                && x.io.consumer_properties == y.io.consumer_properties
                && a.suspended == b.suspended
        }
        _ => false,
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<String> = self.all().iter().map(|supervisor| supervisor.id.clone()).collect();
        f.debug_struct("Registry").field("supervisors", &ids).finish_non_exhaustive()
    }
}
