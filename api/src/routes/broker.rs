//! `/druid/v2`: SQL, and the broker's list of datasources. Native queries are in [`super::native`].

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::{any, delete, get, post};
use ovate_storage::{ColumnRole, Snapshot};
use serde_json::{Value, json};

use super::Routes;
use crate::sql;
use crate::state::AppState;

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/v2/sql", post(sql::post).options(sql::options).fallback(sql::other_method)),
        ("/druid/v2/sql/{id}", delete(sql::cancel)),
        ("/druid/v2/datasources", get(list)),
        ("/druid/v2/datasources/{name}", get(one)),
        ("/druid/broker/v1/loadstatus", any(load_status)),
    ]
}

async fn list(State(state): State<AppState>) -> Json<Value> {
    let names = state.store.datasources();
    Json(names.into_iter().filter(|name| snapshot(&state, name).is_some_and(|s| s.rows() > 0)).collect())
}

async fn one(State(state): State<AppState>, Path(name): Path<String>) -> Json<Value> {
    let snapshot = snapshot(&state, &name);
    let columns = snapshot.iter().flat_map(|snapshot| &snapshot.schema.columns);
    let (dimensions, metrics): (Vec<_>, Vec<_>) =
        columns.partition(|column| column.role == ColumnRole::Dimension);
    let names = |columns: Vec<&ovate_storage::ColumnSpec>| -> Value {
        columns.into_iter().map(|column| column.name.as_str()).collect()
    };
    Json(json!({ "dimensions": names(dimensions), "metrics": names(metrics) }))
}

async fn load_status() -> Json<Value> {
    Json(json!({ "inventoryInitialized": true }))
}

fn snapshot(state: &AppState, name: &str) -> Option<std::sync::Arc<Snapshot>> {
    state.store.datasource(name).map(|datasource| datasource.snapshot())
}
