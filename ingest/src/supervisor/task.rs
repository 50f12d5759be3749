//! Tasks: Druid reads streams by tasks, and its clients list them. Here a task is one run of a supervisor's thread.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

use ovate_storage::time::format_instant;
use serde::Serialize;
use serde_json::Value;

/// Where a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskLocation {
    /// The host.
    pub host: String,
    /// The HTTP port.
    pub port: i32,
    /// The HTTPS port, -1 for none.
    pub tls_port: i32,
}

/// A task as Druid's API lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// `index_kafka_<datasource>_<hash>_<suffix>`.
    pub id: String,
    /// `index_kafka_<datasource>`.
    pub group_id: String,
    /// `index_kafka`.
    #[serde(rename = "type")]
    pub task_type: String,
    /// When it began.
    pub created_time: String,
    /// The same.
    pub queue_insertion_time: String,
    /// `RUNNING`, `SUCCESS` or `FAILED`.
    pub status_code: &'static str,
    /// The same.
    pub status: &'static str,
    /// `RUNNING` while it runs, then `NONE`.
    pub runner_status_code: &'static str,
    /// Milliseconds; -1 while it runs.
    pub duration: i64,
    /// Where it runs.
    pub location: TaskLocation,
    /// The datasource it feeds.
    pub data_source: String,
    /// Why it failed.
    pub error_msg: Option<String>,
}

/// A run of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) datasource: String,
    pub(crate) created_ms: i64,
    /// When it ended, and with which error.
    pub(crate) ended: Option<(i64, Option<String>)>,
}

impl Task {
    /// A new task for a supervisor with this specification.
    pub(crate) fn new(datasource: &str, spec: &Value, now_ms: i64) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(spec.to_string().as_bytes());
        let hash = hasher.finish() >> 4;
        let id = format!("index_kafka_{datasource}_{hash:015x}_{}", random_suffix());
        Self { id, datasource: datasource.to_owned(), created_ms: now_ms, ended: None }
    }

    pub(crate) fn status(&self, location: &(String, u16)) -> TaskStatus {
        let (status, runner, duration, error_msg) = match &self.ended {
            None => ("RUNNING", "RUNNING", -1, None),
            Some((at, None)) => ("SUCCESS", "NONE", at - self.created_ms, None),
            Some((at, Some(error))) => ("FAILED", "NONE", at - self.created_ms, Some(error.clone())),
        };
        TaskStatus {
            id: self.id.clone(),
            group_id: format!("index_kafka_{}", self.datasource),
            task_type: "index_kafka".into(),
            created_time: format_instant(self.created_ms),
            queue_insertion_time: format_instant(self.created_ms),
            status_code: status,
            status,
            runner_status_code: runner,
            duration,
            location: TaskLocation { host: location.0.clone(), port: i32::from(location.1), tls_port: -1 },
            data_source: self.datasource.clone(),
            error_msg,
        }
    }
}

/// Eight letters from `a` to `p`, as Druid makes them. `RandomState` is seeded from the system.
fn random_suffix() -> String {
    let random = RandomState::new().build_hasher().finish();
    (0..8).map(|i| char::from(b'a' + ((random >> (4 * i)) & 15) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_looks_like_druids() {
        let mut task = Task::new("ALERTS", &json!({"a": 1}), 1_795_463_530_592);
        let parts: Vec<&str> = task.id.strip_prefix("index_kafka_ALERTS_").unwrap().split('_').collect();
        assert_eq!((parts[0].len(), parts[1].len()), (15, 8));
        assert!(parts[1].bytes().all(|b| (b'a'..=b'p').contains(&b)));
        task.id = "T".into();
        let location = ("127.0.0.1".to_owned(), 8091);
        let expected = json!({
            "id": "T", "groupId": "index_kafka_ALERTS", "type": "index_kafka",
            "createdTime": "2026-11-23T19:52:10.592Z", "queueInsertionTime": "2026-11-23T19:52:10.592Z",
            "statusCode": "RUNNING", "status": "RUNNING", "runnerStatusCode": "RUNNING", "duration": -1,
            "location": {"host": "127.0.0.1", "port": 8091, "tlsPort": -1}, "dataSource": "ALERTS", "errorMsg": null
        });
        assert_eq!(serde_json::to_value(task.status(&location)).unwrap(), expected);
        task.ended = Some((task.created_ms + 5, Some("Shutdown request from user".into())));
        let status = task.status(&location);
        assert_eq!((status.status, status.duration), ("FAILED", 5));
    }

    #[test]
    fn two_runs_of_one_specification_differ_in_the_suffix_only() {
        let (a, b) = (Task::new("D", &json!({}), 0), Task::new("D", &json!({}), 0));
        assert_ne!(a.id, b.id);
        assert_eq!(a.id[..a.id.len() - 8], b.id[..b.id.len() - 8]);
    }
}
