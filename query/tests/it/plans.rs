//! Plans that are remembered: a statement that comes again is answered like one that never came before.

use std::sync::Arc;

use ovate_query::{Engine, EngineOptions, NoSystem};
use ovate_storage::time::{Granularity, format_instant};
use ovate_storage::{ColumnSpec, ColumnType, Selection, Store, StoreOptions, TableSchema};
use serde_json::Value;

use crate::answers::{Answer, request, run};
use crate::data::{START_MS, Value as Cell, append, declare};

/// `{from}` and `{to}` are texts of instants.
const STATEMENTS: [&str; 19] = [
    "SELECT COUNT(*) FROM t WHERE __time >= TIMESTAMP '{from}' AND __time < TIMESTAMP '{to}'",
    "SELECT city, COUNT(*), SUM(level) FROM t WHERE __time >= TIMESTAMP '{from}' AND __time < TIMESTAMP '{to}' \
     AND NOT city IS NULL GROUP BY city ORDER BY 2 DESC, 1 LIMIT 3",
    "SELECT MOD(level, 9), COUNT(city), MAX(level) FROM t WHERE __time >= TIMESTAMP '{from}' GROUP BY 1 \
     ORDER BY 3 DESC, 1 LIMIT 2 OFFSET 1",
    "SELECT TIME_FLOOR(__time, 'PT1H'), MAX(level) FROM t WHERE __time >= TIME_PARSE('{from}') GROUP BY 1 ORDER BY 1",
    "SELECT city, level FROM t WHERE (__time >= TIMESTAMP '{from}' AND city <> 'b') OR level = 7 ORDER BY level, city",
    "SELECT __time, level FROM t WHERE __time < CAST('{to}' AS TIMESTAMP) ORDER BY __time, level LIMIT 9",
    "SELECT __time, level FROM t WHERE __time >= TIMESTAMP '{from}' ORDER BY __time DESC, level DESC LIMIT 9",
    "SELECT level FROM t WHERE __time > TIMESTAMP '{from}' AND __time >= TIMESTAMP '{to}' ORDER BY level",
    "SELECT MIN(__time), MAX(__time) FROM t WHERE __time >= TIMESTAMP '{from}'",
    "SELECT level, CASE WHEN __time >= TIMESTAMP '{from}' THEN 'new' ELSE 'old' END FROM t \
     WHERE __time < TIMESTAMP '{to}' ORDER BY 1",
    "SELECT a.city, COUNT(*) FROM t a JOIN t b ON a.level = b.level WHERE a.__time >= TIMESTAMP '{from}' \
     AND b.__time < TIMESTAMP '{to}' GROUP BY a.city ORDER BY 1",
    "SELECT COUNT(*) FROM (SELECT level FROM t WHERE __time >= TIMESTAMP '{from}' \
     UNION ALL SELECT level FROM t WHERE __time < TIMESTAMP '{to}')",
    "SELECT * FROM t WHERE NOT (__time < TIMESTAMP '{from}') ORDER BY level LIMIT 5",
    "SELECT COUNT(DISTINCT city), AVG(level) FROM t WHERE __time >= TIMESTAMP '{from}' OR __time < TIMESTAMP '{to}'",
    "SELECT level FROM t WHERE \"__time\" >= '{from}' AND \"__time\" < '{to}' AND city IN ('a', 'b') ORDER BY 1",
    "SELECT COUNT(*), MAX(level) FROM t WHERE __time > CURRENT_TIMESTAMP - INTERVAL '40' HOUR \
     AND __time <= TIMESTAMP '{to}'",
    "SELECT (SELECT COUNT(*) FROM t), COUNT(*) FROM t WHERE __time >= TIMESTAMP '{from}'",
    // Without an order only how many rows there are is known.
    "SELECT COUNT(*) FROM (SELECT DISTINCT city FROM t LIMIT 2)",
    "SELECT COUNT(*) FROM (SELECT level FROM t WHERE __time >= TIMESTAMP '{from}' GROUP BY level LIMIT 3)",
];

fn instant(minutes: i64) -> String {
    format_instant(START_MS + minutes * 60_000)[..19].replace('T', " ")
}

/// Asks at a moment that `minutes` are over since the first row.
async fn ask_at(engine: &Arc<Engine>, sql: &str, minutes: i64) -> Answer {
    let mut request = request(sql);
    let now = format_instant(START_MS + minutes * 60_000);
    request.context.insert("sqlCurrentTimestamp".to_owned(), now.into());
    run(engine, request).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}

async fn ask(engine: &Arc<Engine>, sql: &str) -> Answer {
    ask_at(engine, sql, 0).await
}

fn engine(store: &Arc<Store>, plans_max: usize) -> Arc<Engine> {
    let options = EngineOptions { plans_max, ..EngineOptions::default() };
    Engine::new(Arc::clone(store), Arc::new(NoSystem), options).unwrap()
}

fn store() -> (Arc<Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(folder.path(), StoreOptions::default()).unwrap(), folder)
}

/// `count` rows, a minute apart, from minute `from` on.
fn rows(from: i64, count: i64) -> Vec<(i64, Vec<Cell>)> {
    let row = |minute: i64| {
        let city = ["a", "b", "c", ""][(minute % 4) as usize];
        (START_MS + minute * 60_000, vec![Cell::Text(city.to_owned()), Cell::Long(minute)])
    };
    (from..from + count).map(row).collect()
}

#[tokio::test]
async fn what_is_known_of_the_parts_is_answered_without_reading_a_row() {
    let (store, _folder) = store();
    let columns = [("city", ColumnType::String), ("level", ColumnType::Long)];
    let datasource = declare(&store, "t", Granularity::day(), &columns);
    append(&datasource, &rows(0, 100));
    for plans_max in [0, 8] {
        let engine = engine(&store, plans_max);
        for wanted in ["COUNT(*)", "MAX(__time)", "MIN(__time), MAX(__time)"] {
            let sql = format!("EXPLAIN ANALYZE SELECT {wanted} FROM t");
            for _ in 0..2 {
                let analysis = ask(&engine, &sql).await;
                let plan = analysis.rows[0][0].as_str().unwrap();
                assert!(plan.contains("FromStatisticsExec") && !plan.contains("rows_scanned"), "{plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_statement_that_comes_again_sees_the_rows_and_the_instants_of_its_own_moment() {
    // No row and one row at first; then rows in order, then late ones, sealed ones before hot ones.
    const STEPS: [(i64, i64); 8] =
        [(0, 0), (0, 1), (1, 200), (300, 200), (600, 200), (100, 200), (5000, 200), (50, 200)];
    let (store, _folder) = store();
    let datasource = declare(
        &store,
        "t",
        Granularity::day(),
        &[("city", ColumnType::String), ("level", ColumnType::Long)],
    );
    let (forgets, remembers) = (engine(&store, 0), engine(&store, 64));
    let mut asked = 0;
    for (step, (from, count)) in STEPS.into_iter().enumerate() {
        append(&datasource, &rows(from, count));
        if step % 3 == 2 {
            datasource.publish(START_MS).unwrap();
        }
        for (from, to) in [(10, 500), (400, 4000), (5100, 60), (0, 0), (150, 151)] {
            for statement in STATEMENTS {
                let sql = statement.replace("{from}", &instant(from)).replace("{to}", &instant(to));
                let expected = ask_at(&forgets, &sql, to).await;
                // The second time from a plan, the third perhaps from an answer.
                for time in 1..=3 {
                    let found = ask_at(&remembers, &sql, to).await;
                    assert_eq!(found.columns, expected.columns, "step {step}, time {time}: {sql}");
                    assert_eq!(found.rows, expected.rows, "step {step}, time {time}: {sql}");
                    asked += 1;
                }
            }
        }
    }
    println!("{asked} statements");
}

#[tokio::test]
async fn an_instant_that_is_compared_as_a_number_is_that_of_each_statement() {
    let (store, _folder) = store();
    let datasource = declare(&store, "t", Granularity::day(), &[("moment", ColumnType::Long)]);
    let row = |minute: i64| (START_MS, vec![Cell::Long(START_MS + minute * 60_000)]);
    append(&datasource, &(0..100).map(row).collect::<Vec<_>>());
    let engine = engine(&store, 8);
    for time in ["CAST(moment AS TIMESTAMP)", "moment"] {
        for from in [10, 90, 50] {
            let from_text = instant(from);
            let sql = format!(
                "SELECT COUNT(*) FROM (SELECT {time} AS __time FROM t) WHERE __time >= TIMESTAMP '{from_text}'"
            );
            for _ in 0..2 {
                assert_eq!(ask(&engine, &sql).await.rows, vec![vec![Value::from(100 - from)]], "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_forgotten_when_rows_come_or_go() {
    let (store, _folder) = store();
    let datasource = declare(&store, "t", Granularity::day(), &[("city", ColumnType::String)]);
    let engine = engine(&store, 8);
    let row = |minute: i64| (START_MS + minute * 60_000, vec![Cell::Text("Zürich".to_owned())]);
    let all = async || {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(ask(&engine, "SELECT city, COUNT(*) FROM t GROUP BY city").await.rows);
        }
        answers.dedup();
        answers
    };
    let zürich = |count: i64| vec![vec![vec![Value::from("Zürich"), Value::from(count)]]];
    append(&datasource, &[row(0)]);
    assert_eq!(all().await, zürich(1));
    append(&datasource, &[row(1)]);
    assert_eq!(all().await, zürich(2));
    datasource.publish(START_MS).unwrap();
    assert_eq!(all().await, zürich(2));
    store.mark_unused("t", &Selection::All).unwrap();
    assert_eq!(all().await, [Vec::<Vec<Value>>::new()]);
    store.mark_used("t", &Selection::All).unwrap();
    assert_eq!(all().await, zürich(2));
}

#[tokio::test]
async fn a_plan_is_forgotten_when_the_columns_change() {
    let (store, _folder) = store();
    let datasource = declare(&store, "t", Granularity::day(), &[("city", ColumnType::String)]);
    let engine = engine(&store, 8);
    append(&datasource, &[(START_MS, vec![Cell::Text("Zürich".to_owned())])]);
    for _ in 0..2 {
        assert_eq!(ask(&engine, "SELECT * FROM t LIMIT 1").await.names(), ["__time", "city"]);
    }
    datasource.publish(START_MS).unwrap();
    let columns = [("city", ColumnType::String), ("level", ColumnType::Long)];
    let schema = TableSchema {
        columns: columns.iter().map(|(name, kind)| ColumnSpec::dimension(*name, *kind)).collect(),
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    store.ensure_datasource("t", Arc::new(schema)).unwrap();
    let answer = ask(&engine, "SELECT * FROM t LIMIT 1").await;
    assert_eq!(answer.names(), ["__time", "city", "level"]);
    assert_eq!(answer.rows[0][2], Value::Null);
}
