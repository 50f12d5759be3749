//! `/druid/indexer/v1`: leader, tasks, workers.
//!
//! A task is one run of a supervisor: it has an id and a state, and it cannot be posted. Shut down, it ends, and its
//! supervisor begins another.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::{get, post};
use ovate_ingest::supervisor::TaskStatus;
use serde_json::{Map, Value, json};

use super::{Parameters, Routes};
use crate::body::{Payload, Sql, parse};
use crate::refusal::Refusal;
use crate::state::AppState;
use crate::views::worker::worker;

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/indexer/v1/leader", get(leader)),
        ("/druid/indexer/v1/isLeader", get(is_leader)),
        ("/druid/indexer/v1/tasks", get(tasks)),
        ("/druid/indexer/v1/runningTasks", get(running)),
        ("/druid/indexer/v1/pendingTasks", get(none)),
        ("/druid/indexer/v1/waitingTasks", get(none)),
        ("/druid/indexer/v1/completeTasks", get(complete)),
        ("/druid/indexer/v1/taskStatus", post(statuses)),
        ("/druid/indexer/v1/task", post(submit)),
        ("/druid/indexer/v1/task/{id}/status", get(status)),
        ("/druid/indexer/v1/task/{id}/shutdown", post(shutdown)),
        ("/druid/indexer/v1/workers", get(workers)),
    ]
}

pub(super) async fn leader(State(state): State<AppState>) -> String {
    format!("http://{}", state.options.advertised)
}

pub(super) async fn is_leader() -> Json<Value> {
    Json(json!({ "leader": true }))
}

async fn tasks(State(state): State<AppState>, uri: Uri) -> Json<Value> {
    let wanted_state = match Parameters::of(&uri).get("state") {
        Some("pending" | "waiting") => return Json(json!([])),
        Some("running") => Some(true),
        Some("complete") => Some(false),
        _ => None,
    };
    listed(&state, &uri, |task| wanted_state.is_none_or(|running| running == is_running(task)))
}

async fn running(State(state): State<AppState>, uri: Uri) -> Json<Value> {
    listed(&state, &uri, is_running)
}

async fn complete(State(state): State<AppState>, uri: Uri) -> Json<Value> {
    listed(&state, &uri, |task| !is_running(task))
}

/// Tasks never wait: they begin when they are made.
async fn none() -> Json<Value> {
    Json(json!([]))
}

fn is_running(task: &TaskStatus) -> bool {
    task.status == "RUNNING"
}

fn listed(state: &AppState, uri: &Uri, wanted: impl Fn(&TaskStatus) -> bool) -> Json<Value> {
    let parameters = Parameters::of(uri);
    let (datasource, kind) = (parameters.get("datasource"), parameters.get("type"));
    let most = parameters.get("max").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    let tasks = state.supervisors.tasks();
    let tasks = tasks.iter().filter(|task| {
        wanted(task)
            && datasource.is_none_or(|name| name == task.data_source)
            && kind.is_none_or(|kind| kind == task.task_type)
    });
    Json(tasks.take(most).map(|task| json!(task)).collect())
}

async fn status(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let task = find(&state, &id)?;
    Ok(Json(json!({ "task": id, "status": task })))
}

async fn statuses(
    State(state): State<AppState>,
    Payload(body, _): Payload<Sql>,
) -> Result<Json<Value>, Refusal> {
    let ids: Vec<String> = parse(&body)?;
    let tasks = state.supervisors.tasks();
    let known = tasks.iter().filter(|task| ids.contains(&task.id));
    Ok(Json(Value::Object(known.map(|task| (task.id.clone(), json!(task))).collect::<Map<_, _>>())))
}

async fn shutdown(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    state.supervisors.shut_down_task(&id).await?;
    Ok(Json(json!({ "task": id })))
}

async fn submit() -> Refusal {
    Refusal::unsupported(
        "tasks cannot be submitted: batch ingestion is not supported; \
         post a Kafka supervisor to /druid/indexer/v1/supervisor",
    )
}

fn find(state: &AppState, id: &str) -> Result<TaskStatus, Refusal> {
    let task = state.supervisors.tasks().into_iter().find(|task| task.id == id);
    task.ok_or_else(|| Refusal::Unknown("task", id.to_owned()))
}

async fn workers(State(state): State<AppState>) -> Json<Value> {
    Json(json!([worker(&state.options.advertised, &state.supervisors.tasks())]))
}
