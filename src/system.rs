//! What `sys` shows of this process: its supervisors, their tasks, and the one server that is all of Druid's services.

use std::net::SocketAddr;
use std::sync::Arc;

use ovate_ingest::SupervisorManager;
use ovate_query::{ServerRow, SupervisorRow, SystemTables, TaskRow};
use ovate_storage::time::format_instant;
use ovate_storage::{Part, Store};

/// Druid's services that a client may look for, and whether each knows a leader.
const SERVICES: [(&str, bool); 4] =
    [("coordinator", true), ("overlord", true), ("broker", false), ("historical", false)];

/// The process as `sys` sees it.
#[derive(Debug)]
pub(crate) struct System {
    supervisors: Arc<SupervisorManager>,
    store: Arc<Store>,
    address: SocketAddr,
    start_time: String,
}

impl System {
    /// A process that starts now.
    pub(crate) fn new(supervisors: Arc<SupervisorManager>, store: Arc<Store>, address: SocketAddr) -> Self {
        let start_time = format_instant(chrono::Utc::now().timestamp_millis());
        Self { supervisors, store, address, start_time }
    }

    /// Bytes of all published segments that answer queries.
    fn segment_bytes(&self) -> i64 {
        let datasources =
            self.store.datasources().into_iter().filter_map(|name| self.store.datasource(&name));
        let bytes = datasources.flat_map(|datasource| {
            let parts = datasource.snapshot().parts.clone();
            parts.into_iter().filter(|part| matches!(part, Part::Segment(_))).map(|part| part.bytes())
        });
        bytes.sum::<u64>() as i64
    }
}

impl SystemTables for System {
    fn supervisors(&self) -> Vec<SupervisorRow> {
        let list = self.supervisors.list();
        list.into_iter()
            .map(|summary| SupervisorRow {
                supervisor_id: summary.id,
                state: summary.state.to_owned(),
                detailed_state: summary.detailed_state.name().to_owned(),
                healthy: summary.healthy,
                kind: summary.supervisor_type.to_owned(),
                source: summary.source,
                suspended: summary.suspended,
                spec: summary.spec.to_string(),
            })
            .collect()
    }

    fn tasks(&self) -> Vec<TaskRow> {
        let tasks = self.supervisors.tasks();
        tasks
            .into_iter()
            .map(|task| TaskRow {
                task_id: task.id,
                group_id: task.group_id,
                kind: task.task_type,
                datasource: task.data_source,
                created_time: task.created_time,
                queue_insertion_time: task.queue_insertion_time,
                status: task.status.to_owned(),
                runner_status: task.runner_status_code.to_owned(),
                duration_ms: task.duration,
                location: Some(format!("{}:{}", task.location.host, task.location.port)),
                host: Some(task.location.host),
                plaintext_port: Some(i64::from(task.location.port)),
                tls_port: Some(i64::from(task.location.tls_port)),
                error_msg: task.error_msg,
            })
            .collect()
    }

    fn servers(&self) -> Vec<ServerRow> {
        let bytes = self.segment_bytes();
        SERVICES
            .into_iter()
            .map(|(server_type, has_leader)| {
                let historical = server_type == "historical";
                ServerRow {
                    server: self.address.to_string(),
                    host: self.address.ip().to_string(),
                    plaintext_port: i64::from(self.address.port()),
                    tls_port: -1,
                    server_type: server_type.to_owned(),
                    tier: historical.then(|| "_default_tier".to_owned()),
                    curr_size_bytes: if historical { bytes } else { 0 },
                    max_size_bytes: if historical { i64::MAX } else { 0 },
                    is_leader: has_leader.then_some(true),
                    start_time: self.start_time.clone(),
                }
            })
            .collect()
    }
}
