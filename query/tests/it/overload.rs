//! Queries that ask for more than there is: they spill, or name the limit they met, and leave nothing behind.

use std::path::Path;
use std::sync::Arc;

use ovate_query::{Engine, EngineOptions, NoSystem, QueryError};
use serde_json::json;

use crate::answers::{request, run, value};
use crate::data;

/// 100,000 events, each under three names.
const MANY_GROUPS: &str = "SELECT COUNT(*) AS n FROM (SELECT e.\"timestamp\", d.x, COUNT(*) FROM EVENTS_GEO AS e \
                           CROSS JOIN (VALUES ('a'), ('b'), ('c')) AS d(x) GROUP BY 1, 2)";
const GROUPS: u64 = 300_000;

fn engine(memory_bytes_max: usize, spill: &Path) -> (Arc<Engine>, tempfile::TempDir) {
    let (store, folder) = data::store();
    let options = EngineOptions {
        threads: 2,
        memory_bytes_max,
        spill_folder: Some(spill.to_owned()),
        spill_bytes_max: 256 << 20,
        ..EngineOptions::default()
    };
    (Engine::new(store, Arc::new(NoSystem), options).unwrap(), folder)
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}

#[tokio::test]
async fn groups_that_do_not_fit_in_memory_are_spilled() {
    let spill = tempfile::tempdir().unwrap();
    let (engine, _folder) = engine(24 << 20, spill.path());
    assert_eq!(value(&engine, MANY_GROUPS).await, json!(GROUPS));
    assert_eq!(files(spill.path()), 0);
}

#[tokio::test]
async fn what_a_killed_process_spilled_is_removed_at_the_start() {
    let spill = tempfile::tempdir().unwrap();
    std::fs::create_dir(spill.path().join("datafusion-x")).unwrap();
    std::fs::write(spill.path().join("datafusion-x/left"), "rows").unwrap();
    let (_engine, _folder) = engine(16 << 20, spill.path());
    assert_eq!(files(spill.path()), 0);
}

#[tokio::test]
async fn spilling_beyond_the_disk_space_for_it_names_the_limit() {
    let spill = tempfile::tempdir().unwrap();
    let (store, _folder) = data::store();
    let options = EngineOptions {
        threads: 1,
        memory_bytes_max: 24 << 20,
        spill_folder: Some(spill.path().to_owned()),
        spill_bytes_max: 64 << 10,
        ..EngineOptions::default()
    };
    let engine = Engine::new(store, Arc::new(NoSystem), options).unwrap();
    let error = run(&engine, request(MANY_GROUPS)).await.unwrap_err();
    assert_eq!(error.kind().error, "Resource limit exceeded", "{error}");
    assert!(error.to_string().contains("query_spill_mib"), "{error}");
}

#[tokio::test]
async fn an_answer_of_too_many_rows_names_the_limit() {
    let (store, _folder) = data::store();
    let options = EngineOptions { result_rows_max: 1000, ..EngineOptions::default() };
    let engine = Engine::new(store, Arc::new(NoSystem), options).unwrap();
    assert_eq!(run(&engine, request("SELECT * FROM DEVICES")).await.unwrap().rows.len(), 1000);
    let error = run(&engine, request("SELECT deviceId FROM EVENTS_GEO")).await.unwrap_err();
    assert_eq!(error.kind().error, "Resource limit exceeded", "{error}");
    assert!(error.to_string().contains("result_rows_max (1000)"), "{error}");
}

/// One thread and one slot: whatever went on after its cancellation would keep the next query from being answered.
#[tokio::test]
async fn a_cancelled_query_stops_computing() {
    let (store, _folder) = data::store();
    let options = EngineOptions { threads: 1, running_max: 1, waiting_max: 1, ..EngineOptions::default() };
    let engine = Engine::new(store, Arc::new(NoSystem), options).unwrap();
    for (name, sql) in [
        (
            "a join",
            "SELECT MAX(a.deviceId || b.deviceId || c.deviceId) FROM EVENTS_GEO a, EVENTS_GEO b, DEVICES c",
        ),
        (
            "groups",
            "SELECT a.deviceId, b.\"timestamp\", COUNT(*) FROM EVENTS_GEO a, EVENTS_GEO b GROUP BY 1, 2",
        ),
        (
            "an order",
            "SELECT a.deviceId FROM EVENTS_GEO a, EVENTS_GEO b ORDER BY a.deviceId || b.\"timestamp\"",
        ),
        ("distinct", "SELECT COUNT(DISTINCT a.deviceId || b.\"timestamp\") FROM EVENTS_GEO a, EVENTS_GEO b"),
        (
            "a window",
            "SELECT MAX(r) FROM (SELECT SUM(a.deviceLatitude) OVER (ORDER BY b.\"timestamp\") AS r FROM EVENTS_GEO a, EVENTS_GEO b)",
        ),
    ] {
        let mut endless = request(sql);
        endless.sql_query_id = name.to_owned();
        let task = {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { run(&engine, endless).await })
        };
        // The single slot is taken: the query runs.
        while !engine.cancel(name) {
            tokio::task::yield_now().await;
        }
        let ended = task.await.unwrap();
        assert!(matches!(ended, Err(QueryError::Cancelled(_))), "{name}: {ended:?}");
        assert!(!engine.cancel(name), "{name} is still registered");
        assert_eq!(value(&engine, "SELECT COUNT(*) FROM DEVICES").await, json!(1000), "{name}");
    }
}
