//! `/druid/coordinator/v1`, apart from datasources: leader, load status, segments of the catalog, servers.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ovate_storage::SegmentRecord;
use serde_json::{Value, json};

use super::overlord::{is_leader, leader};
use super::{Parameters, Routes, blocking};
use crate::refusal::Refusal;
use crate::state::AppState;
use crate::views::segment::published_json;

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/coordinator/v1/leader", get(leader)),
        ("/druid/coordinator/v1/isLeader", get(is_leader)),
        ("/druid/coordinator/v1/loadstatus", get(load_status)),
        ("/druid/coordinator/v1/loadqueue", get(load_queue)),
        ("/druid/coordinator/v1/servers", get(servers)),
        ("/druid/coordinator/v1/tiers", get(tiers)),
        ("/druid/coordinator/v1/config", get(config)),
        ("/druid/coordinator/v1/config/compaction", get(compaction)),
        ("/druid/coordinator/v1/metadata/datasources", get(metadata_datasources)),
        ("/druid/coordinator/v1/metadata/datasources/{datasource}", get(metadata_datasource)),
        ("/druid/coordinator/v1/metadata/datasources/{datasource}/segments", get(metadata_segments_of)),
        ("/druid/coordinator/v1/metadata/datasources/{datasource}/segments/{id}", get(metadata_segment)),
        ("/druid/coordinator/v1/metadata/segments", get(metadata_segments)),
    ]
}

/// Published segments answer queries from the moment they are published: all are loaded, always.
async fn load_status(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let parameters = Parameters::of(&uri);
    let records = used(&state, None).await?;
    let names: BTreeSet<_> = records.iter().map(|record| record.datasource.as_str()).collect();
    if parameters.has("full") {
        let left: BTreeMap<_, _> = names.into_iter().map(|name| (name, 0)).collect();
        return Ok(Json(json!({ "_default_tier": left })));
    }
    let shown = if parameters.has("simple") { json!(0) } else { json!(100.0) };
    Ok(Json(names.into_iter().map(|name| (name.to_owned(), shown.clone())).collect()))
}

async fn load_queue() -> Json<Value> {
    Json(json!({}))
}

async fn servers(State(state): State<AppState>, uri: Uri) -> Json<Value> {
    let all = state.system.servers();
    let data = all.iter().filter(|row| row.tier.is_some());
    if !Parameters::of(&uri).has("simple") && !Parameters::of(&uri).has("full") {
        return Json(data.map(|row| row.server.as_str()).collect());
    }
    let entry = |row: &ovate_query::ServerRow| {
        json!({
            "host": row.server,
            "tier": row.tier,
            "type": row.server_type,
            "priority": 0,
            "currSize": row.curr_size_bytes,
            "maxSize": row.max_size_bytes,
        })
    };
    Json(data.map(entry).collect())
}

async fn tiers() -> Json<Value> {
    Json(json!(["_default_tier"]))
}

/// Druid's settings, as far as they mean anything in one process.
async fn config() -> Json<Value> {
    Json(json!({
        "millisToWaitBeforeDeleting": 0,
        "maxSegmentsToMove": 0,
        "replicantLifetime": 0,
        "replicationThrottleLimit": 0,
        "balancerComputeThreads": 1,
        "killDataSourceWhitelist": [],
        "killTaskSlotRatio": 0.0,
        "maxKillTaskSlots": 0,
        "killPendingSegmentsSkipList": [],
        "maxSegmentsInNodeLoadingQueue": 0,
        "decommissioningNodes": [],
        "pauseCoordination": false,
        "replicateAfterLoadTimeout": false,
        "useRoundRobinSegmentAssignment": true,
        "smartSegmentLoading": true,
        "debugDimensions": null,
        "turboLoadingNodes": [],
    }))
}

async fn compaction() -> Json<Value> {
    Json(json!({ "compactionConfigs": [] }))
}

async fn metadata_datasources(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let unused_too = Parameters::of(&uri).has("includeUnused");
    let records = records(&state, None, !unused_too).await?;
    let names: BTreeSet<_> = records.into_iter().map(|record| record.datasource).collect();
    Ok(Json(json!(names)))
}

async fn metadata_datasource(
    State(state): State<AppState>,
    Path(datasource): Path<String>,
) -> Result<Response, Refusal> {
    let records = used(&state, Some(datasource.clone())).await?;
    if records.is_empty() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let segments: Value = records.iter().map(published_json).collect();
    Ok(Json(json!({ "name": datasource, "properties": {}, "segments": segments })).into_response())
}

async fn metadata_segments_of(
    State(state): State<AppState>,
    Path(datasource): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let records = used(&state, Some(datasource)).await?;
    if Parameters::of(&uri).has("full") {
        return Ok(Json(records.iter().map(published_json).collect()));
    }
    Ok(Json(records.into_iter().map(|record| record.id).collect()))
}

async fn metadata_segment(
    State(state): State<AppState>,
    Path((datasource, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let records = records(&state, Some(datasource), false).await?;
    Ok(match records.iter().find(|record| record.id == id) {
        Some(record) => Json(published_json(record)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

async fn metadata_segments(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let parameters = Parameters::of(&uri);
    let wanted: Vec<_> = parameters.all("datasources").collect();
    let records = used(&state, None).await?;
    let shown =
        records.iter().filter(|record| wanted.is_empty() || wanted.contains(&record.datasource.as_str()));
    Ok(Json(shown.map(published_json).collect()))
}

async fn used(state: &AppState, datasource: Option<String>) -> Result<Vec<SegmentRecord>, Refusal> {
    records(state, datasource, true).await
}

async fn records(
    state: &AppState,
    datasource: Option<String>,
    used_only: bool,
) -> Result<Vec<SegmentRecord>, Refusal> {
    let state = state.clone();
    let mut records = blocking(move || state.store.segment_records(datasource.as_deref())).await?;
    records.retain(|record| record.used || !used_only);
    Ok(records)
}
