//! Segments whose files are cut off while they are mapped: an error by name, and the process goes on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use ovate_query::{Engine, EngineOptions, NoSystem};
use ovate_storage::time::Granularity;
use ovate_storage::{ColumnType, Store, StoreOptions};
use serde_json::json;

use crate::answers::{request, run, value};
use crate::data;

const ALL: &str = "SELECT deviceId, \"timestamp\" FROM EVENTS_GEO";

/// The data of the only segment of EVENTS_GEO.
fn segment(folder: &Path) -> PathBuf {
    let mut segments = std::fs::read_dir(folder.join("segments/EVENTS_GEO")).unwrap();
    segments.next().unwrap().unwrap().path().join("data.arrow")
}

/// Leaves a tenth of a file.
fn cut_off(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 10).unwrap();
}

#[tokio::test]
async fn an_answer_breaks_off_by_name_where_its_rows_are_gone() {
    let (store, folder) = data::store();
    let options = EngineOptions { threads: 1, ..EngineOptions::default() };
    let engine = Engine::new(Arc::clone(&store), Arc::new(NoSystem), options).unwrap();
    // Everything was read and found right before, and one answer is kept.
    let grouped = "SELECT eventNotificationName, COUNT(*) FROM EVENTS_GEO GROUP BY 1";
    for _ in 0..3 {
        assert_eq!(run(&engine, request(grouped)).await.unwrap().rows.len(), 2);
    }
    assert_eq!(run(&engine, request(ALL)).await.unwrap().rows.len(), data::EVENTS);
    let mut batches = engine.sql(request(ALL)).await.unwrap().batches;
    assert!(batches.next().await.unwrap().is_ok());
    let path = segment(folder.path());
    cut_off(&path);
    let rest: Vec<_> = batches.collect().await;
    let error = rest.last().unwrap().as_ref().unwrap_err().to_string();
    let id = &store.segment_records(Some("EVENTS_GEO")).unwrap()[0].id;
    assert!(error.contains(id) && error.contains("data.arrow is damaged"), "{error}");
    for sql in [ALL, grouped] {
        assert_eq!(run(&engine, request(sql)).await.unwrap_err().to_string(), error, "{sql}");
    }
    assert_eq!(store.datasource("EVENTS_GEO").unwrap().quarantined().len(), 1);
    let hot = "SELECT COUNT(\"timestamp\") FROM EVENTS_GEO WHERE __time >= TIMESTAMP '2026-11-23 10:36:00'";
    assert_eq!(value(&engine, hot).await, json!(40_000));
    assert_eq!(value(&engine, "SELECT COUNT(deviceId) FROM DEVICES").await, json!(1000));
}

#[tokio::test]
async fn groups_are_never_made_of_rows_that_are_gone() {
    let (store, folder) = data::store();
    let engine = Engine::new(store, Arc::new(NoSystem), EngineOptions::default()).unwrap();
    let grouped = "SELECT \"timestamp\", COUNT(*), MAX(deviceLatitude) FROM EVENTS_GEO GROUP BY 1";
    assert_eq!(run(&engine, request(grouped)).await.unwrap().rows.len(), data::EVENTS);
    cut_off(&segment(folder.path()));
    let error = run(&engine, request(grouped)).await.unwrap_err().to_string();
    assert!(error.contains("data.arrow is damaged"), "{error}");
}

#[tokio::test]
async fn a_kept_answer_is_not_given_where_its_rows_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let datasource = data::declare(&store, "EVENTS_GEO", Granularity::day(), &[("note", ColumnType::String)]);
    // Longer than a view, and too many to have a dictionary: an answer's texts lie in the mapping.
    let row = |n: i64| (data::START_MS + n, vec![data::Value::Text(format!("a note with the number {n}"))]);
    data::append(&datasource, &(0..2000).map(row).collect::<Vec<_>>());
    datasource.publish(data::START_MS).unwrap();
    let engine = Engine::new(Arc::clone(&store), Arc::new(NoSystem), EngineOptions::default()).unwrap();
    let sql = "SELECT note FROM EVENTS_GEO LIMIT 700";
    let mut before = run(&engine, request(sql)).await.unwrap().rows;
    for _ in 0..2 {
        before = run(&engine, request(sql)).await.unwrap().rows;
    }
    File::options().write(true).open(segment(folder.path())).unwrap().set_len(0).unwrap();
    match run(&engine, request(sql)).await {
        Ok(answer) => assert_eq!(answer.rows, before, "copied before the loss"),
        Err(error) => assert!(error.to_string().contains("data.arrow is damaged"), "{error}"),
    }
}
