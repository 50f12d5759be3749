//! A statement: refused with a reason, or answered to its end.

#![allow(unreachable_pub)] // Shared with tests.

use std::sync::Arc;

use arrow::array::{Float32Array, Float64Array, Int64Array};
use futures::TryStreamExt;
use ovate_query::{Engine, EngineOptions, NoSystem, QueryError, SqlRequest};
use ovate_storage::time::Granularity;
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, Datasource, NULL_CODE, Progress, RowBatch, Store, StoreOptions,
    TableSchema,
};
use serde_json::json;

use crate::corpus::{Case, cases};
use crate::fuzz::Target;

/// Statements that are right.
pub const RIGHT: [&str; 26] = [
    "SELECT * FROM T",
    "SELECT city, COUNT(*) AS n FROM T GROUP BY city ORDER BY n DESC LIMIT 3",
    "SELECT TIME_FLOOR(__time, 'PT1H', NULL, 'Europe/Zurich') AS t, SUM(level) FROM T GROUP BY 1 HAVING SUM(level) > 1",
    "SELECT FLOOR(__time TO DAY), EXTRACT(HOUR FROM __time) FROM T WHERE __time >= TIMESTAMP '2026-03-01 00:00:00'",
    "SELECT * FROM T WHERE __time > CURRENT_TIMESTAMP - INTERVAL '2' MINUTE AND NOT city IS NULL",
    "SELECT COUNT(DISTINCT city) FILTER (WHERE level IN (1, 2, 3)), AVG(value) FROM T",
    "SELECT CASE WHEN level > 0 THEN 'a' WHEN level = 0 THEN NULL ELSE city END FROM T",
    "SELECT a.city, b.n FROM T a JOIN (SELECT city, COUNT(*) AS n FROM T GROUP BY city) b ON a.city = b.city",
    "WITH x AS (SELECT level, value FROM T) SELECT * FROM x WHERE level < ALL (SELECT level FROM x)",
    "SELECT city FROM T UNION ALL SELECT 'x' ORDER BY 1",
    "SELECT city, ROW_NUMBER() OVER (PARTITION BY city ORDER BY __time) FROM T",
    "SELECT MV_TO_STRING(tags, ','), MV_LENGTH(tags) FROM T WHERE MV_CONTAINS(tags, 'red') OR tags = 'blue'",
    "SELECT REGEXP_EXTRACT(city, '^(.)(.*)$', 2), city LIKE 'B%', city || '-' || level FROM T",
    "SELECT CAST(city AS BIGINT), CAST(level AS VARCHAR), CAST(value AS DECIMAL), TRY_CAST(city AS DOUBLE) FROM T",
    "SELECT TIMESTAMPADD(MONTH, -1, __time), TIMESTAMPDIFF(DAY, __time, CURRENT_TIMESTAMP), TIME_FORMAT(__time, 'yyyy') FROM T",
    "SELECT APPROX_COUNT_DISTINCT(city), APPROX_QUANTILE(value, 0.9), LATEST(city, 10), EARLIEST(level) FROM T",
    "SELECT SUBSTRING(city, 1, 2), UPPER(TRIM(city)), COALESCE(city, ''), NULLIF(level, 0) FROM T",
    "SELECT GREATEST(level, 1), ROUND(value, 1), MOD(level, 2), level / 2, -ratio, POWER(value, 2) FROM T",
    "SELECT city, level, COUNT(*) FROM T GROUP BY GROUPING SETS ((city), (level), ()) ORDER BY 1, 2, 3",
    "SELECT ARRAY[1, 2], ARRAY_AGG(city), STRING_AGG(city, ',') FROM T",
    "SELECT (SELECT MAX(level) FROM T) - level FROM T WHERE EXISTS (SELECT 1 FROM T WHERE level = 1)",
    "EXPLAIN PLAN FOR SELECT city, SUM(value) FROM T WHERE level BETWEEN -1 AND 2 GROUP BY city",
    "SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T'",
    "SELECT \"segment_id\", \"num_rows\" FROM sys.segments",
    "SELECT DISTINCT ON (city) city FROM T",
    "SELECT x FROM (VALUES (1), (2)) AS v(x) OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
];

/// See the module.
pub struct Statements {
    engine: Arc<Engine>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
    /// Those that were answered.
    pub answered: usize,
    /// The last reason of a refusal.
    pub refusal: String,
}

/// Rows with every type of column and with NULLs; some sealed, some hot.
fn store(folder: &tempfile::TempDir) -> Arc<Store> {
    let tags = ColumnSpec { multi_value: true, ..ColumnSpec::dimension("tags", ColumnType::String) };
    let schema = TableSchema {
        columns: vec![
            ColumnSpec::dimension("city", ColumnType::String),
            tags,
            ColumnSpec::dimension("level", ColumnType::Long),
            ColumnSpec::dimension("value", ColumnType::Double),
            ColumnSpec::dimension("ratio", ColumnType::Float),
        ],
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    };
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let table = store.ensure_datasource("T", Arc::new(schema)).unwrap();
    append(&table, 0..8);
    table.publish(0).unwrap();
    append(&table, 8..12);
    store
}

fn append(table: &Datasource, rows: std::ops::Range<i64>) {
    const CITIES: [&str; 4] = ["Bern", "Zürich", "", "12"];
    let mut writer = table.writer();
    let some = |row: i64| row % 5 != 4;
    let cities = rows
        .clone()
        .map(|row| if some(row) { writer.dictionary(0).intern(CITIES[row as usize % 4]) } else { NULL_CODE });
    let cities = cities.collect();
    let codes: Vec<u32> =
        rows.clone().map(|row| writer.dictionary(1).intern(["red", "blue"][row as usize % 2])).collect();
    let columns = vec![
        BatchColumn::Codes(cities),
        BatchColumn::MultiCodes { ends: (1..=codes.len() as u32).collect(), codes },
        BatchColumn::Long(rows.clone().map(|row| some(row).then_some(row - 3)).collect::<Int64Array>()),
        BatchColumn::Double(
            rows.clone().map(|row| some(row + 1).then_some(row as f64 / 4.0)).collect::<Float64Array>(),
        ),
        BatchColumn::Float(
            rows.clone().map(|row| some(row + 2).then_some(row as f32 - 0.5)).collect::<Float32Array>(),
        ),
    ];
    // 2026-03-01T00:00:00Z, and every seven hours.
    let time = rows.map(|row| 1_772_323_200_000 + row * 25_200_000).collect();
    writer.append(RowBatch { time, raw_time: None, columns }, &Progress::default(), 0).unwrap();
}

impl Target for Statements {
    const NAME: &'static str = "statement";
    const WORDS: &'static [&'static str] = &[
        "SELECT ",
        " FROM T",
        " WHERE ",
        " GROUP BY 1",
        " ORDER BY 1",
        " LIMIT 1",
        "NULL",
        "city",
        "tags",
        "level",
        "value",
        "ratio",
        "__time",
        "(",
        ")",
        ",",
        "*",
        "-",
        "'a'",
        "1",
        "0",
        "9223372036854775807",
        "1e308",
        "COUNT(*)",
        "MAX(",
        " AND ",
        " OR NOT ",
        " IS NULL",
        " IN (1, 2)",
        "CAST(",
        " AS ",
        "CASE WHEN ",
        " END",
        "INTERVAL '1' DAY",
        "TIMESTAMP '2026-03-01'",
        "ARRAY[",
        "]",
        " UNION ALL ",
        " JOIN T b ON ",
        "DISTINCT ",
        " OVER (",
        "TIME_FLOOR(",
        "MV_LENGTH(",
        "REGEXP_REPLACE(",
        "?",
        "--",
        "/*",
        "\"",
    ];

    fn kept() -> Vec<Vec<u8>> {
        let bad = cases(include_str!("../../tests/corpus/sql.jsonl"));
        let bad = bad.iter().map(Case::bytes).filter(|bytes| bytes.len() < 500);
        // A few: more becomes of right ones.
        let right = RIGHT.iter().map(|text| text.as_bytes().to_vec());
        right.chain(bad.step_by(60)).collect()
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = EngineOptions { threads: 1, memory_bytes_max: 64 << 20, ..EngineOptions::default() };
        let engine = Engine::new(store(&folder), Arc::new(NoSystem), options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { engine, runtime, _folder: folder, answered: 0, refusal: String::new() }
    }

    fn run(&mut self, input: &[u8]) {
        let query = String::from_utf8_lossy(input).into_owned();
        let context = [("timeout".to_owned(), json!(500))].into_iter().collect();
        let request = SqlRequest { query, context, ..SqlRequest::default() };
        let answer = self.runtime.block_on(async {
            let batches = self.engine.sql(request).await?.batches;
            batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
        });
        match answer {
            Ok(_) => self.answered += 1,
            Err(QueryError::Internal(reason)) => panic!("{reason}"),
            Err(error) => self.refusal = error.to_string(),
        }
    }
}
