//! Status, statistics and lists in the shapes in which Druid's API gives them.

use std::collections::BTreeMap;

use ovate_storage::time::format_instant;
use serde::Serialize;
use serde_json::{Value, json};

use super::board::View;
use super::gap::OffsetGap;
use super::state::{DetailedState, RecentError};
use crate::spec::SupervisorSpec;

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// `GET /druid/indexer/v1/supervisor/{id}/status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SupervisorStatus {
    /// The supervisor.
    pub id: String,
    /// When this was put together.
    pub generation_time: String,
    /// The rest.
    pub payload: StatusPayload,
}

/// What a supervisor is doing and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusPayload {
    /// The datasource it feeds.
    pub data_source: String,
    /// The topic it reads.
    pub stream: String,
    /// The number of partitions that are read.
    pub partitions: usize,
    /// Always 1.
    pub replicas: u32,
    /// The specification's `taskDuration`.
    pub duration_seconds: i64,
    /// The task that reads, while it does.
    pub active_tasks: Vec<ActiveTask>,
    /// Always empty: rows are published while reading goes on.
    pub publishing_tasks: Vec<ActiveTask>,
    /// Offsets after the last readable message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_offsets: Option<Offsets>,
    /// Messages not read yet, by partition.
    pub minimum_lag: Offsets,
    /// Messages not read yet.
    pub aggregate_lag: i64,
    /// When the latest offsets were known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offsets_last_updated: Option<String>,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether it is healthy.
    pub healthy: bool,
    /// The state that every kind of supervisor has.
    pub state: &'static str,
    /// The state in detail.
    pub detailed_state: DetailedState,
    /// What went wrong lately.
    pub recent_errors: Vec<RecentError>,
    /// Where stored offsets and Kafka's did not meet, oldest first. Druid has no such list; it is there only if there
    /// are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offset_gaps: Vec<OffsetGap>,
}

/// A task in a status.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveTask {
    /// The task.
    pub id: String,
    /// Where the rows begin that are not published yet.
    pub starting_offsets: Offsets,
    /// Since when they gather.
    pub start_time: String,
    /// How long until they are published for their age.
    pub remaining_seconds: i64,
    /// `ACTIVE`.
    #[serde(rename = "type")]
    pub task_type: &'static str,
    /// The next offsets to read.
    pub current_offsets: Offsets,
    /// Messages not read yet, by partition.
    pub lag: Offsets,
}

/// One supervisor in a list: `GET /druid/indexer/v1/supervisor?full`, `sys.supervisors`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SupervisorSummary {
    /// The supervisor.
    pub id: String,
    /// The state that every kind of supervisor has.
    pub state: &'static str,
    /// The state in detail.
    pub detailed_state: DetailedState,
    /// Whether it is healthy.
    pub healthy: bool,
    /// The specification as it is given back.
    pub spec: Value,
    /// Whether it is suspended.
    pub suspended: bool,
    /// `kafka`.
    #[serde(skip)]
    pub supervisor_type: &'static str,
    /// The topic.
    #[serde(skip)]
    pub source: String,
}

/// One version of a supervisor: `GET /druid/indexer/v1/supervisor/{id}/history`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// The specification, or Druid's `noop` for the end of the supervisor.
    pub spec: Value,
    /// When it was posted.
    pub version: String,
}

impl HistoryEntry {
    pub(crate) fn new(id: &str, version_ms: i64, stored: Option<&Value>) -> Self {
        let spec = match stored {
            Some(stored) => as_given_back(stored),
            None => {
                json!({"type": "noop", "id": null, "dataSources": [id], "suspended": false, "source": "noop"})
            }
        };
        Self { spec, version: format_instant(version_ms) }
    }
}

/// A stored specification without its secrets. One that this release does not accept any more shows its datasource
/// only, as it is not known where its secrets are.
pub(crate) fn as_given_back(stored: &Value) -> Value {
    SupervisorSpec::parse(stored)
        .map_or_else(|_| json!({"type": stored.get("type")}), |spec| spec.to_json().clone())
}

pub(crate) fn status(
    id: &str,
    spec: Option<&SupervisorSpec>,
    suspended: bool,
    view: &View,
    now_ms: i64,
) -> SupervisorStatus {
    let duration_ms = spec.map_or(0, |spec| spec.io.task_duration_ms);
    let lag = view.lag();
    let reads = view.run.as_ref().filter(|run| !run.current.is_empty());
    let task = reads.map(|run| ActiveTask {
        id: run.task.id.clone(),
        starting_offsets: run.starting.clone(),
        start_time: format_instant(run.since_ms),
        remaining_seconds: (run.since_ms.saturating_add(duration_ms) - now_ms).max(0) / 1000,
        task_type: "ACTIVE",
        current_offsets: run.current.clone(),
        lag: lag.clone(),
    });
    let known = task.is_some() && !view.latest.is_empty();
    SupervisorStatus {
        id: id.to_owned(),
        generation_time: format_instant(now_ms),
        payload: StatusPayload {
            data_source: id.to_owned(),
            stream: spec.map(|spec| spec.io.topic.clone()).unwrap_or_default(),
            partitions: reads.map_or(0, |run| run.current.len()),
            replicas: 1,
            duration_seconds: duration_ms / 1000,
            active_tasks: task.into_iter().collect(),
            publishing_tasks: Vec::new(),
            latest_offsets: known.then(|| view.latest.clone()),
            aggregate_lag: lag.values().sum(),
            minimum_lag: lag,
            offsets_last_updated: view.latest_at_ms.filter(|_| known).map(format_instant),
            suspended,
            healthy: view.state.is_healthy(),
            state: view.state.state(),
            detailed_state: view.state,
            recent_errors: view.errors.to_vec(),
            offset_gaps: view.gaps.clone(),
        },
    }
}

/// `GET /druid/indexer/v1/supervisor/{id}/stats`: by task group and task; empty while nothing runs.
pub(crate) fn stats(view: &mut View, now_ms: i64) -> Value {
    let Some(run) = &mut view.run else { return json!({}) };
    let averages = run.meter.averages(now_ms);
    let totals = run.meter.totals();
    json!({"0": {run.task.id.as_str(): {
        "movingAverages": {"buildSegments": averages},
        "totals": {"buildSegments": totals},
    }}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::board::Run;
    use crate::supervisor::stats::RowTotals;
    use crate::supervisor::task::Task;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_supervisor_that_was_just_posted_looks_like_druids() {
        let status = serde_json::to_value(status("ALERTS", None, false, &View::default(), 0)).unwrap();
        let expected = json!({
            "dataSource": "ALERTS", "stream": "", "partitions": 0, "replicas": 1, "durationSeconds": 0,
            "activeTasks": [], "publishingTasks": [], "minimumLag": {}, "aggregateLag": 0, "suspended": false,
            "healthy": true, "state": "PENDING", "detailedState": "PENDING", "recentErrors": []
        });
        assert_eq!(status["payload"], expected);
        assert_eq!(keys(&status), ["id", "generationTime", "payload"]);
    }

    #[test]
    fn a_running_supervisor_looks_like_druids() {
        let mut run = Run::new(Task::new("D", &json!({}), 0));
        run.starting = [(0, 0)].into();
        run.current = [(0, 150)].into();
        run.meter.add(RowTotals { processed: 150, ..RowTotals::default() }, 0);
        let mut view =
            View { run: Some(run), latest: [(0, 200)].into(), latest_at_ms: Some(5), ..View::default() };
        view.state = DetailedState::Running;
        let status = serde_json::to_value(status("D", None, false, &view, 0)).unwrap();
        let payload = &status["payload"];
        assert_eq!(
            keys(payload),
            [
                "dataSource",
                "stream",
                "partitions",
                "replicas",
                "durationSeconds",
                "activeTasks",
                "publishingTasks",
                "latestOffsets",
                "minimumLag",
                "aggregateLag",
                "offsetsLastUpdated",
                "suspended",
                "healthy",
                "state",
                "detailedState",
                "recentErrors"
            ]
        );
        assert_eq!(payload["minimumLag"], json!({"0": 50}));
        assert_eq!(payload["aggregateLag"], 50);
        let task = &payload["activeTasks"][0];
        assert_eq!(
            keys(task),
            ["id", "startingOffsets", "startTime", "remainingSeconds", "type", "currentOffsets", "lag"]
        );
        let stats = stats(&mut view, 0);
        let of_task = stats["0"].as_object().unwrap().values().next().unwrap();
        assert_eq!(of_task["totals"]["buildSegments"]["processed"], 150);
        assert_eq!(keys(&of_task["movingAverages"]["buildSegments"]), ["5m", "15m", "1m"]);
    }

    #[test]
    fn a_terminated_supervisor_ends_its_history_with_a_noop() {
        let entry = HistoryEntry::new("ALERTS", 0, None);
        assert_eq!(entry.spec["type"], "noop");
        assert_eq!(entry.spec["dataSources"], json!(["ALERTS"]));
        assert_eq!(entry.version, "1970-01-01T00:00:00.000Z");
    }
}
