//! Statements that are wrong, broken, too large or malicious: each is refused, and the refusal says why.

use std::fmt::Write as _;
use std::sync::Arc;

use futures::TryStreamExt;
use ovate_query::{Engine, QueryError, SqlRequest};
use serde_json::json;

use crate::answers::request;
use crate::corpus::cases;
use crate::data;

/// Read when the test runs, so that a case can be added without building.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpus/sql.jsonl");

/// The number of rows, without looking at them.
async fn drained(engine: &Arc<Engine>, request: SqlRequest) -> Result<usize, QueryError> {
    let batches = engine.sql(request).await?.batches;
    batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
}

#[tokio::test]
async fn every_bad_statement_is_refused_with_its_reason() {
    let engine = data::engine();
    let cases = cases(&std::fs::read_to_string(CORPUS).unwrap());
    let mut wrong = String::new();
    for case in &cases {
        let [what, reason] = &case.columns[..] else { panic!("line {}: two columns", case.line) };
        let sql = String::from_utf8(case.bytes()).unwrap();
        let mut request = request(&sql);
        request.sql_query_id = format!("corpus-{}", case.line);
        request.context.insert("timeout".into(), json!(2_000));
        let outcome = match drained(&engine, request).await {
            Ok(rows) => format!("answered with {rows} rows"),
            Err(error) => {
                let (status, text) = (error.kind().status, error.to_string());
                if (400..500).contains(&status) && !reason.is_empty() && text.contains(reason.as_str()) {
                    continue;
                }
                format!("{status} {text}")
            }
        };
        let shown: String = sql.chars().take(80).collect();
        writeln!(wrong, "{}\t{what}\t{}\t{outcome:?}", case.line, json!(shown)).unwrap();
    }
    println!("bad statements: {} refused", cases.len());
    assert!(cases.len() >= 500);
    assert!(wrong.is_empty(), "line, what, statement, outcome:\n{wrong}");
    assert_eq!(crate::answers::value(&engine, "SELECT COUNT(*) FROM DEVICES").await, json!(1000));
}
