//! `/status` and the probes: whether the server is up, which version it is, and its counters.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Routes;
use crate::refusal::Refusal;
use crate::state::AppState;

pub(super) fn routes() -> Routes {
    vec![
        ("/status", get(status)),
        ("/status/health", get(health)),
        ("/status/properties", get(properties)),
        ("/status/selfDiscovered", get(self_discovered)),
        ("/status/selfDiscovered/status", get(self_discovered_status)),
        ("/readiness", get(readiness)),
        ("/druid/broker/v1/readiness", get(readiness)),
        ("/druid/historical/v1/readiness", get(readiness)),
        ("/metrics", get(metrics)),
    ]
}

async fn status() -> Json<Value> {
    let resident = resident_bytes().unwrap_or_default();
    let module = |name| json!({ "name": name, "artifact": name, "version": env!("CARGO_PKG_VERSION") });
    let modules = ["ovate-storage", "ovate-ingest", "ovate-query", "ovate-api"].map(module);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "modules": modules,
        "memory": {
            "maxMemory": resident,
            "totalMemory": resident,
            "freeMemory": 0,
            "usedMemory": resident,
            "directMemory": 0,
        },
    }))
}

/// The memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE_BYTES)
}

/// `true`, as Druid says it, while every row that is read can be made durable; otherwise which datasource's cannot,
/// and why.
async fn health(State(state): State<AppState>) -> Response {
    let stopped = stopped(&state);
    if stopped.is_empty() {
        return Json(true).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "healthy": false, "stopped": stopped }))).into_response()
}

async fn properties(State(state): State<AppState>) -> Json<Value> {
    let (host, port) = state.options.advertised.rsplit_once(':').unwrap_or((&state.options.advertised, ""));
    Json(json!({
        "druid.host": host,
        "druid.plaintextPort": port,
        "druid.service": "ovate",
        "ovate.version": env!("CARGO_PKG_VERSION"),
    }))
}

async fn self_discovered() -> Response {
    [(CONTENT_TYPE, "application/json")].into_response()
}

async fn self_discovered_status() -> Json<Value> {
    Json(json!({ "selfDiscovered": true }))
}

/// Ready while every datasource can take rows; the body names those that cannot.
async fn readiness(State(state): State<AppState>) -> Response {
    let stopped = stopped(&state);
    let code = if stopped.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": stopped.is_empty(), "stopped": stopped }))).into_response()
}

/// Datasources that cannot publish, for now or until the process starts anew, and why.
fn stopped(state: &AppState) -> Map<String, Value> {
    let reason = |(name, reason)| (name, Value::String(reason));
    let mut stopped: Map<String, Value> =
        state.supervisors.publish_failures().into_iter().map(reason).collect();
    let names = state.store.datasources();
    stopped.extend(names.into_iter().filter_map(|name| {
        let reason = state.store.datasource(&name)?.poisoned()?;
        Some((name, Value::String(reason)))
    }));
    stopped
}

async fn metrics(State(state): State<AppState>) -> Result<Response, Refusal> {
    let Some(handle) = &state.metrics else {
        return Err(Refusal::Plain(StatusCode::NOT_FOUND, "metrics are not recorded".to_owned()));
    };
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response())
}
