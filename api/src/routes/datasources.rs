//! `/druid/coordinator/v1/datasources`: what there is, and taking it out of use.
//!
//! `DELETE …/X` takes segments out of use, from where `POST …/X` brings them back; `?kill=true&interval=…` removes
//! for good what is out of use. Rows that are not published yet belong to their supervisor and stay.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ovate_storage::time::{Interval, Zone, parse::parse_iso};
use ovate_storage::{Selection, StorageError, Store};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Parameters, Routes, blocking};
use crate::body::{Payload, Spec, parse};
use crate::refusal::Refusal;
use crate::state::AppState;
use crate::views::datasource;
use crate::views::segment::{Served, served, served_json};

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/coordinator/v1/datasources", get(list)),
        ("/druid/coordinator/v1/datasources/{name}", get(one).post(use_all).delete(disable)),
        ("/druid/coordinator/v1/datasources/{name}/segments", get(segments)),
        (
            "/druid/coordinator/v1/datasources/{name}/segments/{id}",
            get(segment).post(use_segment).delete(disable_segment),
        ),
        ("/druid/coordinator/v1/datasources/{name}/intervals", get(intervals)),
        (
            "/druid/coordinator/v1/datasources/{name}/intervals/{interval}",
            get(interval).delete(kill_interval),
        ),
        ("/druid/coordinator/v1/datasources/{name}/loadstatus", get(load_status)),
        ("/druid/coordinator/v1/datasources/{name}/tiers", get(tiers)),
        ("/druid/coordinator/v1/datasources/{name}/markUnused", post(mark_unused)),
        ("/druid/coordinator/v1/datasources/{name}/markUsed", post(mark_used)),
    ]
}

async fn list(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let parameters = Parameters::of(&uri);
    let all = blocking(move || all_served(&state.store)).await?;
    let shown = all.iter().map(|(name, segments)| {
        if parameters.has("full") {
            datasource::full(name, &json!({ "client": "side" }), segments)
        } else if parameters.has("simple") {
            datasource::simple(name, segments)
        } else {
            json!(name)
        }
    });
    Ok(Json(shown.collect()))
}

async fn one(State(state): State<AppState>, Path(name): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let full = Parameters::of(&uri).has("full");
    let shown = |segments: Vec<Served>| {
        if full { datasource::full(&name, &json!({}), &segments) } else { datasource::properties(&segments) }
    };
    Ok(found(served_of(&state, name.clone()).await?.map(shown)))
}

async fn segments(
    State(state): State<AppState>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let full = Parameters::of(&uri).has("full");
    let shown = |segments: Vec<Served>| -> Value {
        if full {
            segments.iter().map(served_json).collect()
        } else {
            segments.into_iter().map(|segment| segment.id).collect()
        }
    };
    Ok(found(served_of(&state, name).await?.map(shown)))
}

async fn segment(
    State(state): State<AppState>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let segments = served_of(&state, name).await?.unwrap_or_default();
    let shown = segments
        .iter()
        .find(|segment| segment.id == id)
        .map(|segment| json!({ "metadata": served_json(segment), "servers": [state.options.advertised] }));
    Ok(found(shown))
}

async fn use_segment(
    State(state): State<AppState>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let marked = move || none_if_unknown(state.store.mark_used(&name, &Selection::Ids(vec![id])));
    Ok(changed(blocking(marked).await?))
}

async fn disable_segment(
    State(state): State<AppState>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let marked = move || none_if_unknown(state.store.mark_unused(&name, &Selection::Ids(vec![id])));
    Ok(changed(blocking(marked).await?))
}

async fn intervals(
    State(state): State<AppState>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let simple = Parameters::of(&uri).has("simple");
    let shown = |segments: Vec<Served>| {
        if simple { datasource::intervals_simple(&segments) } else { json!(datasource::intervals(&segments)) }
    };
    Ok(found(served_of(&state, name).await?.map(shown)))
}

/// The ids of the segments that overlap an interval.
async fn interval(
    State(state): State<AppState>,
    Path((name, interval)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let interval = interval_of(&interval)?;
    let shown = |segments: Vec<Served>| -> Value {
        let inside = segments.into_iter().filter(|segment| segment.interval.overlaps(interval));
        inside.map(|segment| segment.id).collect()
    };
    Ok(found(served_of(&state, name).await?.map(shown)))
}

async fn load_status(
    State(state): State<AppState>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let simple = Parameters::of(&uri).has("simple");
    let value = if simple { json!(0) } else { json!(100.0) };
    let known = served_of(&state, name.clone()).await?;
    Ok(found(known.map(|_| json!({ name: value }))))
}

async fn tiers(State(state): State<AppState>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let known = served_of(&state, name).await?;
    Ok(found(known.map(|segments| datasource::properties(&segments)["tiers"].clone())))
}

async fn use_all(State(state): State<AppState>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(changed(blocking(move || none_if_unknown(state.store.mark_used(&name, &Selection::All))).await?))
}

async fn disable(
    State(state): State<AppState>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let parameters = Parameters::of(&uri);
    if parameters.is_true("kill") {
        let interval = parameters.get("interval").map_or(Ok(Interval::ETERNITY), interval_of)?;
        return killed(state, name, interval).await;
    }
    Ok(changed(blocking(move || none_if_unknown(state.store.mark_unused(&name, &Selection::All))).await?)
        .into_response())
}

async fn kill_interval(
    State(state): State<AppState>,
    Path((name, interval)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let interval = interval_of(&interval)?;
    killed(state, name, interval).await
}

async fn killed(state: AppState, name: String, interval: Interval) -> Result<Response, Refusal> {
    blocking(move || state.store.kill(&name, interval)).await?;
    Ok([(CONTENT_TYPE, "application/json")].into_response())
}

/// Which segments to mark: by one of the two.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marked {
    interval: Option<String>,
    segment_ids: Option<Vec<String>>,
}

async fn mark_unused(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Payload(body, _): Payload<Spec>,
) -> Result<Json<Value>, Refusal> {
    let selection = marked(&body)?;
    Ok(changed(blocking(move || none_if_unknown(state.store.mark_unused(&name, &selection))).await?))
}

async fn mark_used(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Payload(body, _): Payload<Spec>,
) -> Result<Json<Value>, Refusal> {
    let selection = marked(&body)?;
    Ok(changed(blocking(move || none_if_unknown(state.store.mark_used(&name, &selection))).await?))
}

fn marked(body: &[u8]) -> Result<Selection, Refusal> {
    let Marked { interval, segment_ids } = parse(body)?;
    match (interval, segment_ids) {
        (Some(interval), None) => Ok(Selection::Inside(interval_of(&interval)?)),
        (None, Some(ids)) if !ids.is_empty() => Ok(Selection::Ids(ids)),
        _ => Err(Refusal::input(
            "either interval or segmentIds must be given, as in {\"interval\": \"2026-01-01/2026-02-01\"}",
        )),
    }
}

/// Reads `start/end`, or `start_end` as paths write it. Times are ISO-8601; a year alone is one.
fn interval_of(text: &str) -> Result<Interval, Refusal> {
    let ends = text.split_once('/').or_else(|| text.split_once('_'));
    let interval = ends.and_then(|(start, end)| {
        Some(Interval::new(parse_iso(start, Zone::UTC)?, parse_iso(end, Zone::UTC)?))
    });
    match interval {
        Some(interval) if interval.start_ms <= interval.end_ms => Ok(interval),
        _ => Err(Refusal::input(format!(
            "interval [{text}] is not two ISO-8601 instants, the earlier first, as in 2026-01-01/2026-02-01"
        ))),
    }
}

/// Of a datasource that does not exist, no segment is marked: to Druid that is no mistake.
fn none_if_unknown(marked: Result<usize, StorageError>) -> Result<usize, StorageError> {
    match marked {
        Err(StorageError::UnknownDatasource(_)) => Ok(0),
        marked => marked,
    }
}

fn changed(count: usize) -> Json<Value> {
    Json(json!({ "numChangedSegments": count, "segmentStateChanged": count > 0 }))
}

/// The answer, or Druid's for an unknown datasource: no content.
fn found(answer: Option<Value>) -> Response {
    match answer {
        Some(answer) => Json(answer).into_response(),
        None => (StatusCode::NO_CONTENT, [(CONTENT_TYPE, "application/json")]).into_response(),
    }
}

async fn served_of(state: &AppState, name: String) -> Result<Option<Vec<Served>>, Refusal> {
    let store = Arc::clone(&state.store);
    let all = blocking(move || all_served(&store)).await?;
    Ok(all.into_iter().find(|(known, _)| *known == name).map(|(_, segments)| segments))
}

/// The datasources that have rows, with their segments.
fn all_served(store: &Store) -> Result<Vec<(String, Vec<Served>)>, StorageError> {
    let declared = store.catalog().datasources()?;
    let all = store.datasources().into_iter().filter_map(|name| {
        let granularity = declared.get(&name).map(|record| &record.schema.segment_granularity);
        let segments = served(&store.datasource(&name)?.snapshot(), granularity);
        (!segments.is_empty()).then_some((name, segments))
    });
    Ok(all.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_the_case_study_writes_them() {
        for text in
            ["1000/3000", "1000-01-01/2026-11-23", "2026-11-23_2026-11-24", "2026-11-23T10:00:00.000Z/2027"]
        {
            assert!(interval_of(text).is_ok(), "{text}");
        }
        for text in ["2026", "2027/2026", "a/b", ""] {
            assert!(interval_of(text).is_err(), "{text}");
        }
    }
}
