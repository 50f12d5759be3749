//! Which statements are planned once, and answered once.

use std::sync::Arc;

use ovate_storage::time::Granularity;
use ovate_storage::{
    ColumnSpec, ColumnType, Datasource, Progress, RowBatch, Store, StoreOptions, TableSchema,
};

use super::{Worded, Work};
use crate::catalog::Catalog;
use crate::options::{EngineOptions, StatementLimits};
use crate::planner;
use crate::request::{Context, SqlRequest};
use crate::scan::ScanOptions;
use crate::session::Sessions;
use crate::system::NoSystem;

struct World {
    store: Arc<Store>,
    catalog: Catalog,
    sessions: Sessions,
    _folder: tempfile::TempDir,
}

impl World {
    /// A table `t` of one row.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let schema = TableSchema {
            columns: vec![ColumnSpec::dimension("level", ColumnType::Long)],
            segment_granularity: Granularity::day(),
            query_granularity: Granularity::NONE,
            rollup: false,
        };
        let datasource = store.ensure_datasource("t", Arc::new(schema)).unwrap();
        append(&datasource);
        let catalog = Catalog::new(Arc::clone(&store), Arc::new(NoSystem), ScanOptions::default());
        let sessions = Sessions::new(&EngineOptions::default()).unwrap();
        Self { store, catalog, sessions, _folder: folder }
    }

    /// What there is to do for a statement.
    async fn work(&self, sql: &str, uses_cache: bool) -> Work {
        let mut request = SqlRequest { query: sql.to_owned(), ..SqlRequest::default() };
        for key in ["useCache", "populateCache"] {
            request.context.insert(key.to_owned(), uses_cache.into());
        }
        let limits = StatementLimits::default();
        let context = Context::read(&request.context).unwrap();
        planner::plan(&request, context, &self.catalog, &self.sessions, &limits).await.unwrap().work
    }

    /// Whether the plan of a statement is remembered.
    async fn remembers(&self, sql: &str) -> bool {
        let mut request = SqlRequest { query: sql.to_owned(), ..SqlRequest::default() };
        // Half an hour after the row.
        request.context.insert("sqlCurrentTimestamp".to_owned(), "2026-01-01T00:30:00Z".into());
        let limits = StatementLimits::default();
        let context = Context::read(&request.context).unwrap();
        planner::plan(&request, context, &self.catalog, &self.sessions, &limits).await.unwrap();
        let worded = Worded::of(&request, &context, 0);
        worded.is_some_and(|worded| self.sessions.plans().get(&worded.wording).is_some())
    }
}

fn append(datasource: &Datasource) {
    let columns = vec![ovate_storage::BatchColumn::Long(vec![7].into())];
    let batch = RowBatch { time: vec![1_767_225_600_000], raw_time: None, columns };
    datasource.writer().append(batch, &Progress::default(), 0).unwrap();
}

#[tokio::test]
async fn an_answer_is_given_again_while_rows_and_instants_are_the_same() {
    let world = World::new();
    let since = |year| format!("SELECT COUNT(*) FROM t WHERE __time >= TIMESTAMP '{year}-01-01 00:00:00'");
    // It is planned, then found, and then its answer is there to be kept.
    assert!(matches!(world.work(&since(2020), true).await, Work::Run(_, None)));
    let Work::Run(_, Some(keep)) = world.work(&since(2020), true).await else { panic!("not kept") };
    keep.keep(None);
    assert!(matches!(world.work(&since(2020), true).await, Work::Answered(..)));
    assert!(matches!(world.work(&since(2020), false).await, Work::Run(_, None)), "who wants none gets none");
    assert!(matches!(world.work(&since(2021), true).await, Work::Run(_, Some(_))), "other instants");
    assert!(matches!(world.work(&since(2020), true).await, Work::Answered(..)));
    append(&world.store.datasource("t").unwrap());
    assert!(matches!(world.work(&since(2020), true).await, Work::Run(_, Some(_))), "other rows");
}

#[tokio::test]
async fn statements_of_dashboards_are_planned_once() {
    let world = World::new();
    for sql in [
        "SELECT 1",
        "SELECT * FROM t LIMIT 5",
        "SELECT level, COUNT(*) FROM t GROUP BY level ORDER BY 2 DESC LIMIT 10",
        "SELECT TIME_FLOOR(__time, 'PT1M'), SUM(level) FROM t \
         WHERE __time >= TIMESTAMP '2026-01-01 00:00:00' AND __time < TIMESTAMP '2026-01-02 00:00:00' GROUP BY 1",
        "SELECT COUNT(*) FROM t",
        "SELECT MAX(__time) FROM t",
        "SELECT MIN(level) FROM t",
        "SELECT level FROM t ORDER BY level DESC LIMIT 3",
        "SELECT level FROM t WHERE __time >= CURRENT_TIMESTAMP - INTERVAL '1' HOUR",
        "SELECT level FROM t WHERE \"__time\" >= '2026-01-01 00:00:00.000000' AND \"__time\" < '2027-01-01 00:00:00.000000'",
        "SELECT COUNT(*), MAX(level) FROM t WHERE level = 7",
        "SELECT level FROM t WHERE __time >= TIME_PARSE('2026-01-01T00:00:00') AND level > 1 ORDER BY level",
    ] {
        assert!(world.remembers(sql).await, "{sql}");
    }
}

#[tokio::test]
async fn what_depends_on_more_than_the_wording_is_planned_each_time() {
    let world = World::new();
    for sql in [
        "SELECT CURRENT_TIMESTAMP",
        "SELECT level FROM t WHERE __time >= TIME_FLOOR(CURRENT_TIMESTAMP, 'P1D')",
        "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES",
        "SELECT MAX(__time) FROM t WHERE level = 7 AND FALSE",
        // No row can be both; the plan reads nothing.
        "SELECT level FROM t WHERE __time > TIMESTAMP '2026-01-02 00:00:00' AND __time < TIMESTAMP '2026-01-01 00:00:00' \
         AND 1 = 0",
        // One of the two says nothing new.
        "SELECT level FROM t WHERE __time >= TIMESTAMP '2026-01-01 00:00:00' AND __time >= TIMESTAMP '2026-01-01 00:00:00'",
        "SELECT level FROM t WHERE __time >= TIMESTAMP '2026-01-01 00:00:00' AND level < 1767225600000 + 0 * level \
         AND __time <> TIMESTAMP '2026-01-01 00:00:00'",
        // What the LIMIT has found already is told to the scan.
        "SELECT level FROM t ORDER BY __time, level LIMIT 3",
        "SELECT a.level FROM t a JOIN t b ON a.level = b.level",
        "SELECT UUID()",
        "SELECT level, UUID() FROM t",
        "SELECT COUNT(*) FROM t WHERE UUID() > 'a'",
    ] {
        assert!(!world.remembers(sql).await, "{sql}");
    }
}
