//! Dimensions with several values a row.

use std::sync::Arc;

use ovate_query::{Engine, EngineOptions, NoSystem};
use ovate_storage::time::Granularity;
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, Progress, RowBatch, Store, StoreOptions, TableSchema,
};
use serde_json::{Value, json};

use crate::answers::{request, rows, run};

/// Rows: `[a, b]`, `[b]`, none, `[a, c]`.
fn engine() -> (Arc<Engine>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let mut tags = ColumnSpec::dimension("tags", ColumnType::String);
    tags.multi_value = true;
    let schema = TableSchema {
        columns: vec![tags],
        segment_granularity: Granularity::ALL,
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    let datasource = store.ensure_datasource("T", Arc::new(schema)).unwrap();
    let mut writer = datasource.writer();
    let [a, b, c] = ["a", "b", "c"].map(|tag| writer.dictionary(0).intern(tag));
    let tags = BatchColumn::MultiCodes { ends: vec![2, 3, 3, 5], codes: vec![a, b, b, a, c] };
    let batch = RowBatch { time: vec![0, 1, 2, 3], raw_time: None, columns: vec![tags] };
    writer.append(batch, &Progress::default(), 0).unwrap();
    drop(writer);
    (Engine::new(store, Arc::new(NoSystem), EngineOptions::default()).unwrap(), folder)
}

#[tokio::test]
async fn a_row_is_shown_with_all_its_values() {
    let (engine, _folder) = engine();
    let answer = run(&engine, request("SELECT tags FROM T ORDER BY __time")).await.unwrap();
    assert_eq!(
        answer.rows,
        [[json!(r#"["a","b"]"#)], [json!(r#"["b"]"#)], [Value::Null], [json!(r#"["a","c"]"#)]]
    );
    assert_eq!(
        (answer.columns[0].druid_type.as_str(), answer.columns[0].sql_type.as_str()),
        ("STRING", "VARCHAR")
    );
}

#[tokio::test]
async fn a_row_is_grouped_under_each_of_its_values() {
    let (engine, _folder) = engine();
    let expected =
        [[Value::Null, json!(1)], [json!("a"), json!(2)], [json!("b"), json!(2)], [json!("c"), json!(1)]];
    for sql in [
        "SELECT tags, COUNT(*) FROM T GROUP BY 1 ORDER BY 1",
        "SELECT t.tags AS x, COUNT(*) AS n FROM T t WHERE __time < '2000-01-01' GROUP BY t.tags ORDER BY x",
    ] {
        assert_eq!(rows(&engine, sql).await, expected, "{sql}");
    }
    let distinct = rows(&engine, "SELECT DISTINCT tags FROM T ORDER BY tags").await;
    assert_eq!(distinct, [[Value::Null], [json!("a")], [json!("b")], [json!("c")]]);
}

#[tokio::test]
async fn a_filter_passes_a_row_when_any_value_passes() {
    let (engine, _folder) = engine();
    for (condition, count) in [
        ("tags = 'b'", 2),
        ("'c' = tags", 1),
        ("tags IN ('b', 'c')", 3),
        ("tags <> 'a'", 1),
        ("tags IS NULL", 1),
    ] {
        let sql = format!("SELECT COUNT(*) FROM T WHERE {condition}");
        assert_eq!(rows(&engine, &sql).await, [[json!(count)]], "{condition}");
    }
}
