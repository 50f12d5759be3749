//! What `sys` shows that neither the store nor the engine knows: supervisors, tasks and this very process.
//!
//! The binary's wiring implements [`SystemTables`]; [`NoSystem`] is for programs that embed the engine alone.

use std::fmt::Debug;

/// The answers behind `sys.supervisors`, `sys.tasks` and `sys.servers`. Called on a query thread: answer from memory.
pub trait SystemTables: Send + Sync + Debug {
    /// One row per supervisor.
    fn supervisors(&self) -> Vec<SupervisorRow>;
    /// One row per task, running or recent.
    fn tasks(&self) -> Vec<TaskRow>;
    /// One row per service that this process stands for.
    fn servers(&self) -> Vec<ServerRow>;
}

/// A row of `sys.supervisors`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct SupervisorRow {
    pub supervisor_id: String,
    pub state: String,
    pub detailed_state: String,
    pub healthy: bool,
    /// Column `type`.
    pub kind: String,
    /// The topic or stream.
    pub source: String,
    pub suspended: bool,
    /// The specification, as JSON text.
    pub spec: String,
}

/// A row of `sys.tasks`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct TaskRow {
    pub task_id: String,
    pub group_id: String,
    /// Column `type`.
    pub kind: String,
    pub datasource: String,
    /// ISO-8601.
    pub created_time: String,
    /// ISO-8601.
    pub queue_insertion_time: String,
    pub status: String,
    pub runner_status: String,
    /// `-1` while the task runs.
    pub duration_ms: i64,
    pub location: Option<String>,
    pub host: Option<String>,
    pub plaintext_port: Option<i64>,
    pub tls_port: Option<i64>,
    pub error_msg: Option<String>,
}

/// A row of `sys.servers`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ServerRow {
    /// `host:port`.
    pub server: String,
    pub host: String,
    pub plaintext_port: i64,
    /// `-1`: none.
    pub tls_port: i64,
    /// `broker`, `historical`, `coordinator`, …
    pub server_type: String,
    pub tier: Option<String>,
    pub curr_size_bytes: i64,
    pub max_size_bytes: i64,
    pub is_leader: Option<bool>,
    /// ISO-8601.
    pub start_time: String,
}

/// Nothing but the engine: no supervisors, no tasks, no servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSystem;

impl SystemTables for NoSystem {
    fn supervisors(&self) -> Vec<SupervisorRow> {
        Vec::new()
    }

    fn tasks(&self) -> Vec<TaskRow> {
        Vec::new()
    }

    fn servers(&self) -> Vec<ServerRow> {
        Vec::new()
    }
}
