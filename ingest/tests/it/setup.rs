//! A broker, a store and a supervisor manager, and what tests ask of them.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use ovate_ingest::{IngestOptions, SupervisorManager};
use ovate_storage::{Store, StoreOptions};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use serde_json::{Value, json};

/// A mock cluster of one broker and a producer to it.
pub(crate) struct Kafka {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Kafka {
    pub(crate) fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        let servers = cluster.bootstrap_servers();
        let producer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
        Self { cluster, producer }
    }

    pub(crate) fn servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        self.cluster.create_topic(topic, partitions, 1).unwrap();
    }

    /// Produces to one partition, and waits until the broker has everything.
    pub(crate) fn produce<T: AsRef<[u8]>>(
        &self,
        topic: &str,
        partition: i32,
        payloads: impl IntoIterator<Item = T>,
    ) {
        for payload in payloads {
            let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(payload.as_ref());
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(Duration::from_secs(20)).unwrap();
    }

    /// Numbered rows.
    pub(crate) fn produce_rows(&self, topic: &str, partition: i32, numbers: std::ops::Range<i64>) {
        self.produce(topic, partition, numbers.map(row));
    }
}

pub(crate) fn row(number: i64) -> String {
    json!({"t": "2026-11-23T10:00:00Z", "name": format!("n{number}"), "n": number}).to_string()
}

/// A specification for a datasource and a topic of the same name.
pub(crate) fn spec(name: &str, servers: &str) -> Value {
    json!({
        "type": "kafka",
        "spec": {
            "dataSchema": {
                "dataSource": name,
                "timestampSpec": {"column": "t", "format": "iso"},
                "dimensionsSpec": {"dimensions": ["name", {"type": "long", "name": "n"}]},
                "granularitySpec": {"segmentGranularity": "DAY", "queryGranularity": "NONE", "rollup": false}
            },
            "ioConfig": {
                "topic": name,
                "inputFormat": {"type": "json"},
                "consumerProperties": {"bootstrap.servers": servers},
                "useEarliestOffset": true,
                "period": "PT1S",
                "taskDuration": "PT1H"
            },
            "tuningConfig": {"type": "kafka"}
        }
    })
}

pub(crate) fn store(folder: &Path) -> Arc<Store> {
    Store::open(folder, StoreOptions::default()).unwrap()
}

pub(crate) async fn manager(store: &Arc<Store>) -> Arc<SupervisorManager> {
    manager_with(store, IngestOptions::default()).await
}

pub(crate) async fn manager_with(store: &Arc<Store>, options: IngestOptions) -> Arc<SupervisorManager> {
    SupervisorManager::start(Arc::clone(store), options).await.unwrap()
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_mins(1), "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the datasource has exactly so many rows, and some time longer that it keeps them.
pub(crate) async fn until_rows(store: &Store, name: &str, expected: usize) {
    until(&format!("{name} has {expected} rows, it has {}", rows(store, name)), || {
        let found = rows(store, name);
        assert!(found <= expected, "{name} has {found} rows, at most {expected} expected");
        found == expected
    })
    .await;
}

pub(crate) fn rows(store: &Store, name: &str) -> usize {
    store.datasource(name).map_or(0, |ds| ds.snapshot().parts.iter().map(ovate_storage::Part::rows).sum())
}

pub(crate) fn sealed_rows(store: &Store, name: &str) -> u64 {
    store.segment_records(Some(name)).unwrap().iter().map(|record| record.rows).sum()
}

/// All values of a text column, sorted.
pub(crate) fn texts(store: &Store, name: &str, column: &str) -> Vec<Option<String>> {
    let snapshot = store.datasource(name).unwrap().snapshot();
    let mut values = Vec::new();
    for part in &snapshot.parts {
        let Some(array) = part.column(column).unwrap() else {
            values.extend(std::iter::repeat_n(None, part.rows()));
            continue;
        };
        let array = arrow::compute::cast(&array, &DataType::Utf8).unwrap();
        let array = array.as_string::<i32>();
        values.extend((0..array.len()).map(|i| array.is_valid(i).then(|| array.value(i).to_owned())));
    }
    values.sort();
    values
}

/// The numbers of all rows, sorted: what is lost or doubled shows.
pub(crate) fn numbers(store: &Store, name: &str) -> Vec<i64> {
    let snapshot = store.datasource(name).unwrap().snapshot();
    let mut values = Vec::new();
    for part in &snapshot.parts {
        let array = arrow::compute::cast(&part.column("n").unwrap().unwrap(), &DataType::Int64).unwrap();
        values.extend(array.as_primitive::<arrow::datatypes::Int64Type>().values().iter().copied());
    }
    values.sort_unstable();
    values
}

pub(crate) fn payload(manager: &SupervisorManager, name: &str) -> Value {
    serde_json::to_value(manager.status(name).unwrap()).unwrap()["payload"].clone()
}

pub(crate) fn totals(manager: &SupervisorManager, name: &str) -> Value {
    let stats = manager.stats(name).unwrap();
    let of_task = stats["0"].as_object().and_then(|tasks| tasks.values().next());
    of_task.map(|task| task["totals"]["buildSegments"].clone()).unwrap_or_default()
}

/// Runs a test on threads as the server has them.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}
