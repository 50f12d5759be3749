//! The parts of a UNION ALL come one after the other, whatever the number of threads.

use std::sync::Arc;

use ovate_query::{Engine, EngineOptions, NoSystem};
use serde_json::{Value, json};

use crate::answers::rows;
use crate::data;

/// 100,000 rows, 1,000 and 200.
const PARTS: &str = "SELECT 'a' AS part, deviceId FROM EVENTS_GEO UNION ALL SELECT 'b', deviceId FROM DEVICES UNION ALL \
     SELECT 'c', deviceId FROM ALERTS";

/// Engines that use one thread and as many as they like, over batches of a few rows and of many.
fn engines() -> (Vec<Arc<Engine>>, tempfile::TempDir) {
    let (store, folder) = data::store();
    let engine = |threads, batch_rows| {
        let options =
            EngineOptions { threads, batch_rows, rows_per_thread_min: 0, ..EngineOptions::default() };
        Engine::new(Arc::clone(&store), Arc::new(NoSystem), options).unwrap()
    };
    (vec![engine(1, 8_192), engine(8, 8_192), engine(4, 100)], folder)
}

/// The first column, each run of equal values as the value and its length.
fn runs(rows: &[Vec<Value>]) -> Vec<(Value, usize)> {
    let mut runs: Vec<(Value, usize)> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some((value, length)) if *value == row[0] => *length += 1,
            _ => runs.push((row[0].clone(), 1)),
        }
    }
    runs
}

#[tokio::test]
async fn parts_follow_each_other_and_a_limit_takes_the_first() {
    let whole = [("a", data::EVENTS), ("b", 1_000), ("c", 200)];
    let (engines, _folder) = engines();
    for engine in &engines {
        for (sql, expected) in [
            (PARTS.to_owned(), &whole[..]),
            (format!("{PARTS} LIMIT 7"), &[("a", 7)]),
            (format!("{PARTS} LIMIT 20 OFFSET 99990"), &[("a", 10), ("b", 10)]),
            (format!("{PARTS} LIMIT 2000 OFFSET 100999"), &[("b", 1), ("c", 200)]),
            (format!("SELECT LOWER(UPPER(part)), deviceId FROM ({PARTS})"), &whole),
            (format!("SELECT part FROM ({PARTS}) WHERE part <> 'a' OR deviceId = 'x'"), &whole[1..]),
            (format!("SELECT part FROM ({PARTS} LIMIT 100003) WHERE part <> 'a'"), &[("b", 3)]),
            (
                format!("SELECT part, COUNT(*) FROM ({PARTS} LIMIT 100003) GROUP BY 1 ORDER BY 1"),
                &[("a", 1), ("b", 1)],
            ),
            (
                format!(
                    "(SELECT 'z' AS part FROM DEVICES LIMIT 3) UNION ALL SELECT part FROM ({PARTS} LIMIT 4)"
                ),
                &[("z", 3), ("a", 4)],
            ),
        ] {
            let expected: Vec<_> = expected.iter().map(|(part, length)| (json!(part), *length)).collect();
            assert_eq!(runs(&rows(engine, &sql).await), expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_limit_over_a_union_decides_what_is_counted() {
    let (engines, _folder) = engines();
    let parts: Vec<String> = (1..=40).map(|n| format!("SELECT {n} AS n")).collect();
    let parts = parts.join(" UNION ALL ");
    for engine in &engines {
        let all: Vec<Vec<Value>> = (1..=40).map(|n| vec![json!(n)]).collect();
        assert_eq!(rows(engine, &parts).await, all);
        assert_eq!(rows(engine, &format!("SELECT SUM(n) FROM ({parts} LIMIT 10)")).await, [[json!(55)]]);
        assert_eq!(
            rows(engine, &format!("{parts} ORDER BY n DESC LIMIT 2")).await,
            [[json!(40)], [json!(39)]]
        );
        assert_eq!(
            rows(engine, &format!("SELECT COUNT(*), SUM(n) FROM ({parts})")).await,
            [[json!(40), json!(820)]]
        );
    }
}
