//! A server to ask: its store, what is in it, and how a request is made.

use std::sync::Arc;

use arrow::array::Float32Array;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use ovate_api::{ApiOptions, AppState, Parts};
use ovate_ingest::{IngestOptions, SupervisorManager};
use ovate_query::{Engine, EngineOptions, NoSystem};
use ovate_storage::time::Granularity;
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, NULL_CODE, Progress, RowBatch, Store, StoreOptions, TableSchema,
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::recorded::RecordedRequest;

/// 2026-11-23T10:00:00.000Z, the first of the recorded events.
pub(crate) const TEN_MS: i64 = 1_795_428_000_000;

/// A server without a listener.
pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) state: AppState,
    pub(crate) supervisors: Arc<SupervisorManager>,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ApiOptions::default()).await
    }

    pub(crate) async fn with(options: ApiOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let supervisors =
            SupervisorManager::start(Arc::clone(&store), IngestOptions::default()).await.unwrap();
        let engine = Engine::new(Arc::clone(&store), Arc::new(NoSystem), EngineOptions::default()).unwrap();
        let parts = Parts {
            engine,
            supervisors: Arc::clone(&supervisors),
            store: Arc::clone(&store),
            system: Arc::new(NoSystem),
            metrics: None,
        };
        let state = AppState::new(parts, options).unwrap();
        Self { store, state, supervisors, _folder: folder }
    }

    /// With the first three rows of the recorded EVENTS_GEO.
    pub(crate) async fn with_events() -> Self {
        let world = Self::new().await;
        world.add_events();
        world
    }

    fn add_events(&self) {
        append_events(&self.store);
    }

    /// Moves what has arrived into segments.
    pub(crate) fn publish(&self) {
        self.store.datasource("EVENTS_GEO").unwrap().publish(TEN_MS + 1_000).unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body).await
    }

    pub(crate) async fn sql(&self, body: serde_json::Value) -> Answer {
        self.post("/druid/v2/sql", &body.to_string()).await
    }

    /// Sends a recorded request again.
    pub(crate) async fn repeat(&self, request: &RecordedRequest) -> Answer {
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
        let headers: Vec<_> = headers.collect();
        self.send(&request.method, &request.path, &headers, &request.body()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = ovate_api::router(self.state.clone()).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

/// Appends the first three rows of the recorded EVENTS_GEO.
pub(crate) fn append_events(store: &Store) {
    append_events_at(store, TEN_MS);
}

/// As [`append_events`], beginning at another time.
pub(crate) fn append_events_at(store: &Store, start_ms: i64) {
    let string = |name| ColumnSpec::dimension(name, ColumnType::String);
    let columns = vec![
        string("deviceId"),
        string("eventNotificationName"),
        string("remark"),
        ColumnSpec::dimension("deviceLatitude", ColumnType::Float),
    ];
    let schema = TableSchema {
        columns,
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    let datasource = store.ensure_datasource("EVENTS_GEO", Arc::new(schema)).unwrap();
    let mut writer = datasource.writer();
    let devices = [
        "edb90c47-6b6c-4e28-a16b-cbfd25344425",
        "214acc94-b16b-4512-ab79-248c1876803c",
        "a28cf072-53c2-42cb-bcd9-d132b792f696",
    ];
    let devices = devices.map(|id| writer.dictionary(0).intern(id)).to_vec();
    let granted = writer.dictionary(1).intern("accessGranted");
    let remark = writer.dictionary(2).intern("ends with \\");
    let batch = RowBatch {
        time: vec![start_ms, start_ms + 36, start_ms + 72],
        raw_time: None,
        columns: vec![
            BatchColumn::Codes(devices),
            BatchColumn::Codes(vec![granted; 3]),
            BatchColumn::Codes(vec![remark, NULL_CODE, remark]),
            BatchColumn::Float(Float32Array::from(vec![47.372204, 47.369926, 47.36925])),
        ],
    };
    writer.append(batch, &Progress::default(), TEN_MS).unwrap();
}
