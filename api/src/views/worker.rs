//! The worker that runs all tasks: this process.

use std::collections::BTreeMap;

use ovate_ingest::supervisor::TaskStatus;
use serde_json::{Value, json};

/// An entry of `/druid/indexer/v1/workers`.
pub(crate) fn worker(advertised: &str, tasks: &[TaskStatus]) -> Value {
    let running: Vec<_> = tasks.iter().filter(|task| task.status == "RUNNING").collect();
    let mut by_type: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &running {
        *by_type.entry(&task.task_type).or_default() += 1;
    }
    json!({
        "worker": {
            "scheme": "http",
            "host": advertised,
            "ip": advertised.rsplit_once(':').map_or(advertised, |(host, _)| host),
            "capacity": i32::MAX,
            "version": "0",
            "category": "_default_worker_category",
        },
        "currCapacityUsed": running.len(),
        "currParallelIndexCapacityUsed": 0,
        "currCapacityUsedByTaskType": by_type,
        "availabilityGroups": running.iter().map(|task| task.group_id.as_str()).collect::<Vec<_>>(),
        "runningTasks": running.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(),
        "lastCompletedTaskTime": Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use ovate_ingest::supervisor::TaskLocation;

    use super::*;

    fn task(id: &str, status: &'static str) -> TaskStatus {
        TaskStatus {
            id: id.to_owned(),
            group_id: "index_kafka_A".to_owned(),
            task_type: "index_kafka".to_owned(),
            created_time: String::new(),
            queue_insertion_time: String::new(),
            status_code: status,
            status,
            runner_status_code: status,
            duration: -1,
            location: TaskLocation { host: String::new(), port: 1, tls_port: -1 },
            data_source: "A".to_owned(),
            error_msg: None,
        }
    }

    #[test]
    fn only_running_tasks_use_the_worker() {
        let worker = worker("127.0.0.1:8888", &[task("a", "RUNNING"), task("b", "SUCCESS")]);
        assert_eq!(worker["currCapacityUsedByTaskType"].to_string(), r#"{"index_kafka":1}"#);
        assert_eq!(worker["runningTasks"].to_string(), r#"["a"]"#);
        assert_eq!(worker["worker"]["ip"], "127.0.0.1");
    }
}
