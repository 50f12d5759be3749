//! The surface of the crate: supervisors by id, asynchronously.

use std::sync::Arc;

use ovate_storage::Store;
use serde_json::Value;

use super::clock::now_ms;
use super::options::IngestOptions;
use super::parse_errors::ParseError;
use super::registry::{Registry, Supervisor};
use super::state::DetailedState;
use super::status::{self, HistoryEntry, SupervisorStatus, SupervisorSummary};
use super::task::TaskStatus;
use crate::error::IngestError;

type Result<T> = std::result::Result<T, IngestError>;

/// All supervisors of a store.
///
/// Changes are complete whether or not somebody waits for them: dropping the future of [`Self::suspend`] does not
/// leave half a suspension. What only looks never waits for a change. Dropped without [`Self::shutdown`], runs end as
/// in a crash: rows that are not published are read again from Kafka.
#[derive(Debug)]
pub struct SupervisorManager {
    registry: Arc<Registry>,
}

impl SupervisorManager {
    /// Starts the supervisors that the catalog holds.
    pub async fn start(store: Arc<Store>, options: IngestOptions) -> Result<Arc<Self>> {
        let registry = blocking(move || Registry::open(store, options)).await?;
        Ok(Arc::new(Self { registry: Arc::new(registry) }))
    }

    /// Takes a specification: starts a supervisor, or changes one. Returns its id. The same specification again
    /// changes nothing.
    pub async fn post(&self, spec: Value) -> Result<String> {
        self.change(move |registry| registry.post(spec)).await
    }

    /// The ids of all supervisors, sorted.
    pub fn ids(&self) -> Vec<String> {
        self.registry.all().iter().map(|supervisor| supervisor.id.clone()).collect()
    }

    /// The specification as Druid gives it back: defaults filled in, secrets masked.
    pub fn get(&self, id: &str) -> Option<Value> {
        self.registry.find(id).map(|supervisor| given_back(&supervisor))
    }

    /// What it is doing, and how far it is.
    pub fn status(&self, id: &str) -> Option<SupervisorStatus> {
        let supervisor = self.registry.find(id)?;
        let current = supervisor.current();
        let view = supervisor.board.view();
        Some(status::status(id, current.spec.as_deref(), current.suspended, &view, now_ms()))
    }

    /// What it is doing.
    pub fn state(&self, id: &str) -> Option<DetailedState> {
        self.registry.find(id).map(|supervisor| supervisor.board.view().state)
    }

    /// Whether it is healthy.
    pub fn is_healthy(&self, id: &str) -> Option<bool> {
        self.state(id).map(DetailedState::is_healthy)
    }

    /// Datasources whose rows could not be published, and why: there is no room, or it is not known what is on disk.
    pub fn publish_failures(&self) -> std::collections::BTreeMap<String, String> {
        let failure = |s: &Arc<Supervisor>| Some((s.id.clone(), s.board.view().publish_failure.clone()?));
        self.registry.all().iter().filter_map(failure).collect()
    }

    /// Row counts and their moving averages.
    pub fn stats(&self, id: &str) -> Option<Value> {
        self.registry.find(id).map(|supervisor| status::stats(&mut supervisor.board.view(), now_ms()))
    }

    /// Rows that could not be taken, newest first: a bounded sample.
    pub fn parse_errors(&self, id: &str) -> Option<Vec<ParseError>> {
        self.registry.find(id).map(|supervisor| supervisor.board.view().parse_errors.to_vec())
    }

    /// All supervisors with their states and specifications.
    pub fn list(&self) -> Vec<SupervisorSummary> {
        self.registry.all().iter().map(|supervisor| summary(supervisor)).collect()
    }

    /// What a supervisor has been, newest first; it may have been terminated. Empty if there never was one.
    pub fn history(&self, id: &str) -> Result<Vec<HistoryEntry>> {
        let records = self.registry.store().catalog().supervisor_history(Some(id))?;
        Ok(records.iter().map(|r| HistoryEntry::new(&r.id, r.version_ms, r.spec.as_ref())).collect())
    }

    /// [`Self::history`] of all supervisors there ever were, by id.
    pub fn history_of_all(&self) -> Result<std::collections::BTreeMap<String, Vec<HistoryEntry>>> {
        let mut all = std::collections::BTreeMap::<_, Vec<_>>::new();
        for record in self.registry.store().catalog().supervisor_history(None)? {
            let entry = HistoryEntry::new(&record.id, record.version_ms, record.spec.as_ref());
            all.entry(record.id).or_default().push((record.version_ms, entry));
        }
        let sorted = all.into_iter().map(|(id, mut entries)| {
            entries.sort_by_key(|(version_ms, _)| std::cmp::Reverse(*version_ms));
            (id, entries.into_iter().map(|(_, entry)| entry).collect())
        });
        Ok(sorted.collect())
    }

    /// Stops reading and publishes what is hot. Returns the specification as it is then. After an error it is suspended
    /// too: rows that could not be published stay visible, and are read again by a process that never published them.
    pub async fn suspend(&self, id: &str) -> Result<Value> {
        let owned = id.to_owned();
        self.change(move |registry| registry.suspend(&owned)).await?;
        self.get(id).ok_or_else(|| IngestError::UnknownSupervisor(id.to_owned()))
    }

    /// Reads on. Returns the specification as it is then.
    pub async fn resume(&self, id: &str) -> Result<Value> {
        let owned = id.to_owned();
        self.change(move |registry| registry.resume(&owned)).await?;
        self.get(id).ok_or_else(|| IngestError::UnknownSupervisor(id.to_owned()))
    }

    /// Forgets the stored offsets and the rows that are not published; reading starts where the specification says.
    /// Published rows stay, so they may be read a second time.
    pub async fn reset(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.change(move |registry| registry.reset(&id)).await
    }

    /// Sets the offsets that Druid's request names, after publishing what is hot.
    pub async fn reset_offsets(&self, id: &str, request: &Value) -> Result<()> {
        let (id, request) = (id.to_owned(), request.clone());
        self.change(move |registry| registry.reset_offsets(&id, &request)).await
    }

    /// Publishes what is hot and removes the supervisor. Published rows stay, and so do the offsets: posted again, it
    /// goes on where it was.
    pub async fn terminate(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.change(move |registry| registry.terminate(&id)).await
    }

    /// Tasks that run, one for each supervisor that reads, and the last ones that have ended.
    pub fn tasks(&self) -> Vec<TaskStatus> {
        let location = &self.registry.options.location;
        self.registry.tasks().iter().map(|task| task.status(location)).collect()
    }

    /// Ends a task, as Druid's API allows; its supervisor publishes and begins another at once.
    pub async fn shut_down_task(&self, task_id: &str) -> Result<()> {
        let task_id = task_id.to_owned();
        self.change(move |registry| registry.shut_down_task(&task_id)).await
    }

    /// Stops all reading and publishes everything that is hot. Nothing can be started afterwards.
    pub async fn shutdown(&self) -> Result<()> {
        self.change(Registry::shut_down).await
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Registry) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let registry = Arc::clone(&self.registry);
        blocking(move || change(&registry)).await
    }
}

/// Runs on a thread that may block; goes on to its end even if nobody waits.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(IngestError::Thread { name: "supervisor change".into(), reason: error.to_string() })
    })
}

fn given_back(supervisor: &Supervisor) -> Value {
    let current = supervisor.current();
    current.spec.map_or_else(|| serde_json::json!({"type": "kafka"}), |spec| spec.to_json().clone())
}

fn summary(supervisor: &Supervisor) -> SupervisorSummary {
    let current = supervisor.current();
    let state = supervisor.board.view().state;
    SupervisorSummary {
        id: supervisor.id.clone(),
        state: state.state(),
        detailed_state: state,
        healthy: state.is_healthy(),
        suspended: current.suspended,
        supervisor_type: "kafka",
        source: current.spec.as_ref().map(|spec| spec.io.topic.clone()).unwrap_or_default(),
        spec: given_back(supervisor),
    }
}
