//! `/status` and the probes: whether the server is up, which version it is, and its counters.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{Parameters, Routes};
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

/// `true`, as Druid says it, while every row that is read can be made durable and every segment can answer. With
/// `full`, or as soon as rows cannot be made durable, what is wrong instead: for users, since it names datasources,
/// segments and files.
async fn health(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let (stopped, quarantined) = (stopped(&state), quarantined(&state));
    let healthy = stopped.is_empty() && quarantined.is_empty();
    let code = if stopped.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let is_plain = stopped.is_empty() && !Parameters::of(&uri).has("full");
    if is_plain || !state.authenticator.accepts(&headers).await {
        return (code, Json(healthy)).into_response();
    }
    let body = json!({ "healthy": healthy, "stopped": stopped, "quarantined": quarantined });
    (code, Json(body)).into_response()
}

/// The damaged segments that queries need.
fn quarantined(state: &AppState) -> Vec<Value> {
    let datasources = state.store.datasources().into_iter().filter_map(|name| state.store.datasource(&name));
    let segments = datasources.flat_map(|datasource| datasource.quarantined());
    segments
        .map(|segment| {
            json!({
                "dataSource": segment.record.datasource,
                "segment": segment.record.id,
                "interval": segment.record.interval.to_string(),
                "reason": segment.reason,
            })
        })
        .collect()
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

/// Ready while every datasource can take rows; the body names those that cannot to users.
async fn readiness(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let stopped = stopped(&state);
    let code = if stopped.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if !state.authenticator.accepts(&headers).await {
        return (code, Json(json!({ "ready": stopped.is_empty() }))).into_response();
    }
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
    for name in state.store.datasources() {
        let found = state.store.datasource(&name).map_or(0, |datasource| datasource.quarantined().len());
        metrics::gauge!("ovate_segments_quarantined", "datasource" => name).set(found as f64);
    }
    metrics::gauge!("ovate_cold_cache_bytes").set(state.store.decoded().bytes() as f64);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response())
}
