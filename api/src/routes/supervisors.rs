//! `/druid/indexer/v1/supervisor`: who reads which stream.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ovate_ingest::IngestError;
use ovate_storage::StorageError;
use serde_json::{Value, json};

use super::{Parameters, Routes, blocking};
use crate::body::{JsonMistake, Payload, Spec, parse};
use crate::refusal::Refusal;
use crate::state::AppState;
use crate::views::supervisor::{Detail, entry};

type Answer = Result<Json<Value>, Refusal>;

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/indexer/v1/supervisor", get(list).post(submit)),
        ("/druid/indexer/v1/supervisor/history", get(all_histories)),
        ("/druid/indexer/v1/supervisor/suspendAll", post(suspend_all)),
        ("/druid/indexer/v1/supervisor/resumeAll", post(resume_all)),
        ("/druid/indexer/v1/supervisor/terminateAll", post(terminate_all)),
        ("/druid/indexer/v1/supervisor/{id}", get(spec)),
        ("/druid/indexer/v1/supervisor/{id}/status", get(status)),
        ("/druid/indexer/v1/supervisor/{id}/health", get(health)),
        ("/druid/indexer/v1/supervisor/{id}/stats", get(stats)),
        ("/druid/indexer/v1/supervisor/{id}/parseErrors", get(parse_errors)),
        ("/druid/indexer/v1/supervisor/{id}/history", get(history)),
        ("/druid/indexer/v1/supervisor/{id}/suspend", post(suspend)),
        ("/druid/indexer/v1/supervisor/{id}/resume", post(resume)),
        ("/druid/indexer/v1/supervisor/{id}/reset", post(reset)),
        ("/druid/indexer/v1/supervisor/{id}/resetOffsets", post(reset_offsets)),
        ("/druid/indexer/v1/supervisor/{id}/terminate", post(terminate)),
        ("/druid/indexer/v1/supervisor/{id}/shutdown", post(terminate)),
    ]
}

async fn list(State(state): State<AppState>, uri: Uri) -> Json<Value> {
    let parameters = Parameters::of(&uri);
    let detail = if parameters.has("full") {
        Detail::Full
    } else if parameters.has("system") {
        Detail::System
    } else if parameters.is_true("state") {
        Detail::State
    } else {
        Detail::Id
    };
    Json(state.supervisors.list().iter().map(|supervisor| entry(detail, supervisor)).collect())
}

async fn submit(State(state): State<AppState>, Payload(body, _): Payload<Spec>) -> Answer {
    let spec = body_of(&body)?;
    let id = state.supervisors.post(spec).await?;
    Ok(Json(json!({ "id": id })))
}

async fn spec(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    known(&id, state.supervisors.get(&id))
}

async fn status(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    as_json(&known(&id, state.supervisors.status(&id))?.0).map(Json)
}

async fn health(State(state): State<AppState>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let healthy = state.supervisors.is_healthy(&id);
    let healthy = healthy.ok_or(Refusal::Unknown("supervisor", id))?;
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((code, Json(json!({ "healthy": healthy }))).into_response())
}

async fn stats(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    known(&id, state.supervisors.stats(&id))
}

async fn parse_errors(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let errors = known(&id, state.supervisors.parse_errors(&id))?;
    as_json(&errors.0).map(Json)
}

async fn all_histories(State(state): State<AppState>) -> Answer {
    let histories = blocking(move || state.supervisors.history_of_all()).await?;
    as_json(&histories).map(Json)
}

async fn history(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let wanted = id.clone();
    let history = blocking(move || state.supervisors.history(&wanted)).await?;
    if history.is_empty() {
        return Err(Refusal::Plain(StatusCode::NOT_FOUND, format!("No history for [{id}].")));
    }
    as_json(&history).map(Json)
}

async fn suspend(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    Ok(Json(state.supervisors.suspend(&id).await?))
}

async fn resume(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    Ok(Json(state.supervisors.resume(&id).await?))
}

async fn reset(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    state.supervisors.reset(&id).await?;
    Ok(Json(json!({ "id": id })))
}

async fn reset_offsets(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Payload(body, _): Payload<Spec>,
) -> Answer {
    let offsets = body_of(&body)?;
    state.supervisors.reset_offsets(&id, &offsets).await?;
    Ok(Json(json!({ "id": id })))
}

async fn terminate(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    state.supervisors.terminate(&id).await?;
    Ok(Json(json!({ "id": id })))
}

async fn suspend_all(State(state): State<AppState>) -> Answer {
    for id in state.supervisors.ids() {
        done_or_was(state.supervisors.suspend(&id).await)?;
    }
    Ok(Json(json!({ "status": "success" })))
}

async fn resume_all(State(state): State<AppState>) -> Answer {
    for id in state.supervisors.ids() {
        done_or_was(state.supervisors.resume(&id).await)?;
    }
    Ok(Json(json!({ "status": "success" })))
}

async fn terminate_all(State(state): State<AppState>) -> Answer {
    for id in state.supervisors.ids() {
        done_or_was(state.supervisors.terminate(&id).await)?;
    }
    Ok(Json(json!({ "status": "success" })))
}

/// What is asked of all is no mistake where it is so already.
fn done_or_was<T>(result: Result<T, IngestError>) -> Result<(), Refusal> {
    match result {
        Ok(_)
        | Err(
            IngestError::AlreadySuspended(_)
            | IngestError::AlreadyRunning(_)
            | IngestError::UnknownSupervisor(_),
        ) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A JSON body. The overlord reports mistakes in its own, short form.
fn body_of(body: &[u8]) -> Result<Value, Refusal> {
    parse(body).map_err(|mistake: JsonMistake| Refusal::Plain(StatusCode::BAD_REQUEST, mistake.message()))
}

fn known<T>(id: &str, found: Option<T>) -> Result<Json<T>, Refusal> {
    found.map(Json).ok_or_else(|| Refusal::Unknown("supervisor", id.to_owned()))
}

fn as_json(value: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|e| Refusal::internal(e.to_string()))
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        let bad = |message| Self::Plain(StatusCode::BAD_REQUEST, message);
        match error {
            IngestError::UnknownSupervisor(id) => Self::Unknown("supervisor", id),
            IngestError::UnknownTask(id) => Self::Unknown("task", id),
            IngestError::AlreadySuspended(id) => bad(format!("[{id}] is already suspended")),
            IngestError::AlreadyRunning(id) => bad(format!("[{id}] is already running")),
            IngestError::ShutDown => Self::Plain(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            IngestError::Spec(_)
            | IngestError::BadOffsets(_)
            | IngestError::Storage(StorageError::BadName { .. } | StorageError::SchemaMismatch { .. }) => {
                bad(error.to_string())
            }
            _ => Self::Plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}
