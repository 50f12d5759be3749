//! How statements run: limits, time, cancellation.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use ovate_query::{Engine, EngineOptions, NoSystem, QueryError, SqlRequest};
use serde_json::json;

use crate::answers::{request, rows, run};
use crate::data;

/// Takes far longer than any test waits.
const ENDLESS: &str =
    "SELECT MAX(a.deviceId || b.deviceId || c.deviceId) FROM EVENTS_GEO a, EVENTS_GEO b, DEVICES c";

fn with_context(sql: &str, key: &str, value: serde_json::Value) -> SqlRequest {
    let mut request = request(sql);
    request.context.insert(key.to_owned(), value);
    request
}

#[tokio::test]
async fn a_statement_ends_when_its_time_is_up() {
    let error = run(&data::engine(), with_context(ENDLESS, "timeout", json!(50))).await.unwrap_err();
    assert_eq!(error.kind().status, 504);
    assert!(matches!(error, QueryError::Timeout { timeout_ms: 50, .. }));
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled_by_its_id() {
    let engine = data::engine();
    let mut running = request(ENDLESS);
    running.sql_query_id = "to-cancel".to_owned();
    let task = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { run(&engine, running).await })
    };
    while !engine.cancel("to-cancel") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(task.await.unwrap(), Err(QueryError::Cancelled(_))));
    assert!(!engine.cancel("to-cancel"));
}

#[tokio::test]
async fn dropping_a_result_frees_its_slot() {
    let (store, _folder) = data::store();
    let options = EngineOptions { threads: 1, running_max: 1, waiting_max: 0, ..EngineOptions::default() };
    let engine = Engine::new(store, Arc::new(NoSystem), options).unwrap();
    let mut first = engine.sql(request("SELECT * FROM EVENTS_GEO")).await.unwrap();
    assert!(first.batches.next().await.unwrap().is_ok());
    let refused = run(&engine, request("SELECT 1")).await.unwrap_err();
    assert_eq!(refused.kind().status, 429);
    drop(first);
    loop {
        match run(&engine, request("SELECT 1")).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind().status, 429),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_answer_outlives_the_callers_engine() {
    let (store, _folder) = data::store();
    let engine = Engine::new(store, Arc::new(NoSystem), EngineOptions::default()).unwrap();
    let mut result = engine.sql(request("SELECT deviceId FROM EVENTS_GEO")).await.unwrap();
    drop(engine);
    let mut count = 0;
    while let Some(batch) = result.batches.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!(count, data::EVENTS);
}

#[tokio::test]
async fn a_statement_that_needs_too_much_memory_is_told_so() {
    let (store, _folder) = data::store();
    let options = EngineOptions { memory_bytes_max: 1 << 20, ..EngineOptions::default() };
    let engine = Engine::new(store, Arc::new(NoSystem), options).unwrap();
    let sql = "SELECT \"timestamp\", COUNT(*) FROM EVENTS_GEO GROUP BY 1 ORDER BY 2, 1";
    let error = run(&engine, request(sql)).await.unwrap_err();
    assert_eq!(error.kind().error, "Resource limit exceeded", "{error}");
}

#[tokio::test]
async fn the_outer_limit_caps_what_comes_back() {
    let answer =
        run(&data::engine(), with_context("SELECT deviceId FROM DEVICES", "sqlOuterLimit", json!(2))).await;
    assert_eq!(answer.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn a_chain_of_thousands_of_conditions_is_answered() {
    let terms: Vec<String> = (0..4000).map(|i| format!("deviceId = 'x{i}'")).collect();
    let sql = format!("SELECT COUNT(*) FROM DEVICES WHERE {}", terms.join(" OR "));
    assert_eq!(rows(&data::engine(), &sql).await, [[json!(0)]]);
}

#[tokio::test]
async fn deep_statements_are_answered_or_refused_but_never_fatal() {
    let engine = data::engine();
    let parens = format!("SELECT {}1{}", "(".repeat(400), ")".repeat(400));
    assert_eq!(rows(&engine, &parens).await, [[json!(1)]]);
    let sum = format!("SELECT {}", vec!["1"; 450].join(" + "));
    assert_eq!(rows(&engine, &sum).await, [[json!(450)]]);
    let cases = format!("SELECT {}1{}", "CASE WHEN TRUE THEN ".repeat(200), " END".repeat(200));
    assert_eq!(rows(&engine, &cases).await, [[json!(1)]]);
    let nested = (0..100).fold("SELECT 1 AS a".to_owned(), |sql, _| format!("SELECT a FROM ({sql})"));
    assert_eq!(rows(&engine, &nested).await, [[json!(1)]]);
    for sql in [
        format!("SELECT {}", vec!["1"; 2000].join(" + ")),
        format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT {} TRUE", "NOT ".repeat(5000)),
        format!("SELECT {}1", "- ".repeat(5000)),
        vec!["SELECT 1"; 3000].join(" UNION ALL "),
        "SELECT ".to_owned() + &"f(".repeat(3000),
    ] {
        assert_eq!(run(&engine, request(&sql)).await.unwrap_err().kind().status, 400);
    }
}
