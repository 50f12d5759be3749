//! `/druid/coordinator/v1/rules`: which segments are kept, and who decided that.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ovate_storage::time::{Interval, Zone, format_instant};
use ovate_storage::{DEFAULT_RULES, Rule, RuleChange};
use serde_json::{Value, json};

use super::{Parameters, Routes, blocking};
use crate::body::{Payload, Spec, parse};
use crate::clock::now_ms;
use crate::refusal::Refusal;
use crate::state::AppState;

/// The history that is shown unless asked otherwise: Druid's week.
const HISTORY_MS: i64 = 7 * 24 * 3_600_000;

pub(super) fn routes() -> Routes {
    vec![
        ("/druid/coordinator/v1/rules", get(all)),
        ("/druid/coordinator/v1/rules/history", get(history_of_all)),
        ("/druid/coordinator/v1/rules/{datasource}", get(one).post(set)),
        ("/druid/coordinator/v1/rules/{datasource}/history", get(history_of_one)),
    ]
}

async fn all(State(state): State<AppState>) -> Result<Json<Value>, Refusal> {
    let rules = blocking(move || state.store.rules()).await?;
    Ok(Json(json!(rules)))
}

/// A datasource's own rules; with `full` followed by those for all.
async fn one(
    State(state): State<AppState>,
    Path(datasource): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let mut rules = blocking(move || state.store.rules()).await?;
    let mut shown = rules.remove(&datasource).unwrap_or_default();
    if Parameters::of(&uri).has("full") {
        shown.extend(rules.remove(DEFAULT_RULES).unwrap_or_default());
    }
    Ok(Json(json!(shown)))
}

async fn set(
    State(state): State<AppState>,
    Path(datasource): Path<String>,
    headers: HeaderMap,
    Payload(body, _): Payload<Spec>,
) -> Result<Response, Refusal> {
    let given: Vec<Value> = parse(&body)?;
    let rules: Result<Vec<Rule>, _> = given.iter().map(Rule::from_json).collect();
    let rules = rules.map_err(|error| Refusal::Plain(StatusCode::BAD_REQUEST, error.to_string()))?;
    let header =
        |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let change = RuleChange {
        datasource,
        rules,
        author: header("X-Druid-Author"),
        comment: header("X-Druid-Comment"),
        // Connections are not told apart here.
        ip: String::new(),
        time_ms: now_ms(),
    };
    blocking(move || state.store.set_rules(&change)).await?;
    Ok([(CONTENT_TYPE, "application/json")].into_response())
}

async fn history_of_all(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, Refusal> {
    history(state, None, &uri).await
}

async fn history_of_one(
    State(state): State<AppState>,
    Path(datasource): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    history(state, Some(datasource), &uri).await
}

/// With `count` the latest changes, the latest first; otherwise those of an interval, in order of time.
async fn history(state: AppState, datasource: Option<String>, uri: &Uri) -> Result<Json<Value>, Refusal> {
    let parameters = Parameters::of(uri);
    let bad = |reason: String| Refusal::Plain(StatusCode::BAD_REQUEST, reason);
    let interval = parameters.get("interval").map(|text| Interval::parse(text, Zone::UTC)).transpose();
    let interval = interval.map_err(|error| bad(error.to_string()))?;
    let count = match parameters.get("count").map(str::parse::<usize>) {
        None => None,
        Some(Ok(count)) if count > 0 => Some(count),
        Some(_) => return Err(bad("count is not a number greater than zero".to_owned())),
    };
    let mut changes = blocking(move || state.store.catalog().rule_history(datasource.as_deref())).await?;
    match (interval, count) {
        (None, Some(count)) => changes.truncate(count),
        (interval, _) => {
            let now_ms = now_ms();
            let interval = interval.unwrap_or(Interval::new(now_ms - HISTORY_MS, now_ms + 1));
            changes.retain(|change| interval.contains(change.time_ms));
            changes.reverse();
        }
    }
    Ok(Json(changes.iter().map(entry).collect()))
}

fn entry(change: &RuleChange) -> Value {
    json!({
        "key": change.datasource,
        "type": "rules",
        "auditInfo": { "author": change.author, "comment": change.comment, "ip": change.ip },
        "payload": json!(change.rules).to_string(),
        "auditTime": format_instant(change.time_ms),
    })
}
