//! Every statement that a real Superset sent (`tests/recorded/superset.json`) plans and runs.

use ovate_query::QueryError;

use crate::answers::{request, run};
use crate::data;

/// Statements that Druid refuses too, and how their refusals begin.
const REFUSED: [(&str, &str); 6] = [
    ("no_such_col", "Column 'no_such_col' not found in any table"),
    ("FROM nosuch", "Object 'nosuch' not found"),
    ("CREATE TABLE", "Incorrect syntax near the keyword 'CREATE'"),
    ("SHOW TABLES", "Incorrect syntax near the keyword 'SHOW'"),
    ("SET sqlTimeZone", "Unsupported SQL statement [SET_OPTION]"),
    ("LOOKUP(", ""),
];

fn statements() -> Vec<String> {
    serde_json::from_str(include_str!("../recorded/superset.json")).unwrap()
}

#[tokio::test]
async fn all_statements_of_superset_run() {
    let engine = data::engine();
    let mut failures = Vec::new();
    let statements = statements();
    assert_eq!(statements.len(), 117);
    for sql in statements {
        // A hundred thousand times a hundred thousand times a thousand rows: planned, not counted.
        if sql.contains("EVENTS_GEO AS b") {
            let explained = run(&engine, request(&format!("EXPLAIN PLAN FOR {sql}"))).await;
            assert!(explained.is_ok(), "{explained:?}");
            continue;
        }
        let expected = REFUSED.iter().find(|(part, _)| sql.contains(part)).map(|(_, start)| *start);
        let outcome = run(&engine, request(&sql)).await;
        match (outcome, expected) {
            (Ok(_), None) => {}
            (Err(QueryError::Internal(text)), _) => failures.push(format!("{sql}\n   internal: {text}")),
            (Err(error), Some(start)) if error.to_string().starts_with(start) => {}
            (Err(error), _) => failures.push(format!("{sql}\n   {error}")),
            (Ok(_), Some(_)) => failures.push(format!("{sql}\n   should have been refused")),
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
