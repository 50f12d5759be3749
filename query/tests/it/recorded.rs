//! What a real Druid answered, statement by statement (`tests/recorded/druid.json`).

use std::sync::Arc;

use ovate_query::{Engine, EngineOptions};
use serde_json::{Value, json};

use crate::answers::{Answer, recorded_request, run, value};
use crate::data;

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../recorded/druid.json")).unwrap()
}

/// Rows in an order that does not depend on what the statement leaves open.
fn ordered(rows: &[Vec<Value>], case: &Value) -> Vec<String> {
    let mut rows: Vec<String> =
        rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(",")).collect();
    let has_ties = case["ties"] == true;
    if has_ties || !case["query"].as_str().unwrap().contains("ORDER BY") {
        rows.sort();
    }
    rows
}

/// A value as text; doubles without their last digit, which depends on the order of summing.
fn text(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:.14e}", number.as_f64().unwrap()),
        other => other.to_string(),
    }
}

fn recorded_rows(case: &Value) -> Vec<Vec<Value>> {
    case["rows"].as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone()).collect()
}

fn difference(case: &Value, answer: &Answer) -> Option<String> {
    if let Some(names) = case["names"].as_array()
        && names.iter().map(|name| name.as_str().unwrap()).ne(answer.names())
    {
        return Some(format!("names {:?} instead of {names:?}", answer.names()));
    }
    if let Some(types) = case["types"].as_array() {
        for (column, expected) in answer.columns.iter().zip(types) {
            let got = [column.druid_type.as_str(), column.sql_type.as_str()];
            if expected.as_array().unwrap().iter().map(|t| t.as_str().unwrap()).ne(got) {
                return Some(format!("column {} has types {got:?} instead of {expected}", column.name));
            }
        }
    }
    if case["rows"].is_null() {
        return None;
    }
    let (got, expected) = (ordered(&answer.rows, case), ordered(&recorded_rows(case), case));
    (got != expected).then(|| format!("rows {got:?}\n     instead of {expected:?}"))
}

fn error_difference(case: &Value, body: &Value, status: u16) -> Option<String> {
    let expected = &case["error"];
    if case["status"] != status {
        return Some(format!("status {status} instead of {}: {body}", case["status"]));
    }
    for key in ["error", "errorCode", "persona", "category"] {
        if body[key] != expected[key] {
            return Some(format!("{key} {} instead of {}: {body}", body[key], expected[key]));
        }
    }
    // Where Druid lists what its grammar would accept, ours is another list.
    let fixed = |message: &Value| {
        let message = message.as_str().unwrap_or_default().to_owned();
        let end =
            message.find("acceptable options").or(message.find("Was expecting")).unwrap_or(message.len());
        message[..end].to_owned()
    };
    let (got, wanted) = (fixed(&body["errorMessage"]), fixed(&expected["errorMessage"]));
    if !got.starts_with(&wanted) {
        return Some(format!("message {got:?} instead of {wanted:?}"));
    }
    for key in ["sourceType", "line", "column", "endLine", "endColumn"] {
        if body["context"][key] != expected["context"][key] {
            return Some(format!("context {} instead of {}", body["context"], expected["context"]));
        }
    }
    None
}

#[tokio::test]
async fn answers_and_errors_are_those_of_druid() {
    hold_against_recordings(&data::engine(), |_| true).await;
}

#[tokio::test]
async fn answers_are_the_same_when_statements_are_spread_over_threads() {
    let (store, _folder) = data::store();
    let options = EngineOptions { threads: 3, rows_per_thread_min: 1, ..EngineOptions::default() };
    let engine = Engine::new(store, Arc::new(data::System), options).unwrap();
    // This one takes any one row of a table. With one thread that is the first; with three it may be any.
    hold_against_recordings(&engine, |name| name != "floor-units").await;
}

async fn hold_against_recordings(engine: &Arc<Engine>, wanted: fn(&str) -> bool) {
    let mut differences = Vec::new();
    for case in cases().into_iter().filter(|case| case["name"].as_str().is_some_and(wanted)) {
        let difference = match (run(engine, recorded_request(&case)).await, case["status"] == 200) {
            (Ok(answer), true) => difference(&case, &answer),
            (Err(error), false) => error_difference(&case, &error.body(), error.kind().status),
            (Ok(answer), false) => Some(format!("an answer: {:?}", answer.rows.first())),
            (Err(error), true) => Some(format!("an error: {error}")),
        };
        if let Some(difference) = difference {
            differences.push(format!("{}: {}\n     {difference}", case["name"], case["query"]));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Druid refuses these; here they have the answer that a user would expect.
#[tokio::test]
async fn some_statements_that_druid_refuses_are_answered() {
    let engine = data::engine();
    for (sql, first) in [
        ("SELECT COUNT(*) FROM DEVICES;", json!(1000)),
        ("SELECT 7%3", json!(1)),
        (
            "SELECT x FROM (SELECT avg_error_count AS x, COUNT(*) c FROM ALERTS GROUP BY x) ORDER BY x",
            json!(1),
        ),
        (
            "SELECT MIN(d) FROM (SELECT deviceLatitude d FROM ALERTS ORDER BY deviceLatitude LIMIT 2)",
            json!(47.36964),
        ),
        ("SELECT timestamp FROM EVENTS_GEO ORDER BY __time LIMIT 1", json!("2026-11-23T10:00:00Z")),
        ("SELECT ROW_NUMBER() OVER (ORDER BY __time) rn FROM ALERTS ORDER BY 1 LIMIT 1", json!(1)),
        ("SELECT CAST('abc' AS BIGINT)", Value::Null),
        ("SELECT SQRT(-1) IS NULL", json!(false)),
    ] {
        assert_eq!(value(&engine, sql).await, first, "{sql}");
    }
}
