//! The scan against DataFusion's own MemTable over the same rows: whatever the encoding and the way a filter is
//! answered, the same rows come out.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int64Array, ListBuilder, RecordBatch, StringViewArray,
    StringViewBuilder, TimestampMillisecondArray,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use ovate_storage::snapshot::Snapshot;
use ovate_storage::{ColumnSpec, ColumnType, Datasource, Progress, Store, StoreOptions};
use proptest::prelude::*;
use tempfile::TempDir;

#[path = "../../tests/table/mod.rs"]
mod table;

pub(crate) use table::{Dice, Row, START_MS};

use super::{PostingsUse, ScanOptions, SegmentScanExec, SegmentTable, sql_schema};

pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

impl Dice {
    fn row(&mut self, serial: usize) -> Row {
        let city = ["Bern", "Basel", "Zürich", "Genève", "", "a city with a name longer than a view"];
        Row {
            time: START_MS + self.roll(3 * DAY_MS as u64) as i64 / 1000 * 1000,
            city: self.maybe(|dice| dice.pick(&city).to_owned()),
            device: self.maybe(|dice| format!("device-{}", dice.roll(700))),
            note: self.maybe(|dice| format!("note number {} of many", dice.roll(1 << 40))),
            tags: (0..self.roll(4)).map(|_| self.pick(&["red", "green", "blue"]).to_owned()).collect(),
            level: self.maybe(|dice| dice.roll(5) as i64 - 2),
            serial: self.maybe(|_| serial as i64),
            ratio: self.maybe(|dice| dice.pick(&[-0.0, 0.0, 0.5, -1.25, f32::NAN, -f32::NAN])),
            value: self.maybe(|dice| dice.roll(1 << 30) as f64 / 1e6 - 300.0),
        }
    }

    pub(crate) fn rows(&mut self, count: usize) -> Vec<Row> {
        (0..count).map(|serial| self.row(serial)).collect()
    }
}

/// A datasource and the same rows as a list.
pub(crate) struct Fixture {
    pub(crate) datasource: Arc<Datasource>,
    pub(crate) rows: Vec<Row>,
    _store: Arc<Store>,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // So that hot rows are met in both of their forms.
        let options = StoreOptions { settled_rows_min: 1500, ..StoreOptions::default() };
        let store = Store::open(folder.path(), options).unwrap();
        let datasource = store.ensure_datasource("events", table::schema()).unwrap();
        Self { datasource, rows: Vec::new(), _store: store, _folder: folder }
    }

    pub(crate) fn append(&mut self, rows: Vec<Row>) {
        let mut writer = self.datasource.writer();
        let batch = table::batch(&mut writer, &rows);
        writer.append(batch, &Progress::default(), 0).unwrap();
        drop(writer);
        self.rows.extend(rows);
    }

    pub(crate) fn publish(&self) {
        self.datasource.publish(START_MS).unwrap();
    }

    /// The rows as DataFusion's own table, each type as SQL sees it.
    pub(crate) fn model(&self) -> RecordBatch {
        let rows = &self.rows;
        let text = |of: fn(&Row) -> &Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(|row| of(row).as_deref()).collect::<StringViewArray>())
        };
        let mut tags = ListBuilder::new(StringViewBuilder::new());
        for row in rows {
            row.tags.iter().for_each(|tag| tags.values().append_value(tag));
            tags.append(!row.tags.is_empty());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| Some(row.time)).collect::<TimestampMillisecondArray>()),
            text(|row| &row.city),
            text(|row| &row.device),
            text(|row| &row.note),
            Arc::new(tags.finish()),
            Arc::new(rows.iter().map(|row| row.level).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.serial).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.ratio).collect::<Float32Array>()),
            Arc::new(rows.iter().map(|row| row.value).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(sql_schema(&self.datasource.snapshot().schema), columns).unwrap()
    }

    /// Both tables under the same name.
    fn sessions(&self, postings: PostingsUse, partitions: usize) -> (Session, Session) {
        let model = self.model();
        let expected = MemTable::try_new(model.schema(), vec![vec![model]]).unwrap();
        (self.session(postings, partitions), Session::new(Arc::new(expected), 1))
    }

    fn session(&self, postings: PostingsUse, partitions: usize) -> Session {
        let options = ScanOptions { postings, ..ScanOptions::default() };
        Session::new(Arc::new(SegmentTable::new(self.datasource.snapshot(), options)), partitions)
    }
}

pub(crate) struct Session {
    pub(crate) context: SessionContext,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Session {
    fn new(table: Arc<dyn datafusion::catalog::TableProvider>, partitions: usize) -> Self {
        let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(100);
        let context = SessionContext::new_with_config(config);
        context.register_table("events", table).unwrap();
        Self { context, runtime: tokio::runtime::Builder::new_current_thread().build().unwrap() }
    }

    pub(crate) fn plan(&self, sql: &str) -> Arc<dyn ExecutionPlan> {
        self.runtime.block_on(async {
            let frame = self.context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            frame.create_physical_plan().await.unwrap_or_else(|error| panic!("{sql}: {error}"))
        })
    }

    pub(crate) fn explain(&self, sql: &str) -> String {
        displayable(self.plan(sql).as_ref()).indent(false).to_string()
    }

    pub(crate) fn try_rows(&self, sql: &str) -> Result<Vec<String>, String> {
        let batches = self.runtime.block_on(async {
            let frame = self.context.sql(sql).await?;
            frame.collect().await
        });
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in batches.map_err(|error| error.to_string())? {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let values: Vec<_> = columns.iter().map(|column| column.value(row).to_string()).collect();
                rows.push(values.join("|"));
            }
        }
        Ok(rows)
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) fn sorted(&self, sql: &str) -> Result<Vec<String>, String> {
        let mut rows = self.try_rows(sql)?;
        rows.sort();
        Ok(rows)
    }
}

fn assert_same(actual: &Session, expected: &Session, filter: &str) {
    let sql = format!("SELECT * FROM events WHERE {filter}");
    let (left, right) = (actual.sorted(&sql), expected.sorted(&sql));
    assert_eq!(
        left.as_ref().map(Vec::len),
        right.as_ref().map(Vec::len),
        "{filter}\n{}",
        actual.explain(&sql)
    );
    assert_eq!(left, right, "{filter}");
    let sql = format!("SELECT COUNT(*) FROM events WHERE {filter}");
    assert_eq!(actual.rows(&sql), expected.rows(&sql), "{filter}");
    let sql = format!("SELECT serial, city FROM events WHERE {filter}");
    assert_eq!(actual.sorted(&sql), expected.sorted(&sql), "{filter}");
}

/// A literal of milliseconds since the epoch.
pub(crate) fn at(time_ms: i64) -> String {
    format!("arrow_cast({time_ms}, 'Timestamp(ms)')")
}

fn atom() -> impl Strategy<Value = String> {
    let time = (0i64..80, prop::sample::select(vec!["<", "<=", ">", ">=", "=", "<>"]))
        .prop_map(|(hour, op)| format!("__time {op} {}", at(START_MS + hour * HOUR_MS)));
    let between = (0i64..70, 0i64..20).prop_map(|(from, hours)| {
        format!(
            "__time BETWEEN {} AND {}",
            at(START_MS + from * HOUR_MS),
            at(START_MS + (from + hours) * HOUR_MS)
        )
    });
    let fixed = prop::sample::select(vec![
        "city = 'Bern'",
        "city <> 'Bern'",
        "city = 'nowhere'",
        "city IN ('Bern', 'Basel', 'Zürich', 'Genève', 'x')",
        "city NOT IN ('Bern', 'Basel', 'Zürich', 'Genève')",
        "city NOT IN ('Bern', 'Basel', 'Zürich', NULL)",
        "city = ''",
        "city IS NULL",
        "city IS NOT NULL",
        "city LIKE 'B%'",
        "city NOT LIKE '%e%'",
        "upper(city) = 'BERN'",
        "coalesce(city, 'none') = 'none'",
        "city > 'C'",
        "city = NULL",
        "city = 'Bern' OR city IS NULL",
        "device = 'device-7'",
        "device IN ('device-1', 'device-2', 'device-3')",
        "device LIKE 'device-1_'",
        "device < city",
        "city || device LIKE 'B%7'",
        "note LIKE '%7%'",
        "note = 'note'",
        "note IS NULL",
        "array_has(tags, 'red')",
        "tags IS NULL",
        "cardinality(tags) = 2",
        "level = 1",
        "level > 0",
        "level IN (-2, 2)",
        "level IS NULL",
        "level <> 0",
        "level > 0.5",
        "level = value",
        "serial < 20",
        "serial BETWEEN 10 AND 1200",
        "serial + 1 > 1000",
        "serial % 7 = 3",
        "ratio > 0",
        "ratio >= 0.5",
        "ratio = 0",
        "ratio < 0",
        "ratio IS NULL",
        "value > 500",
        "value < -250.5",
        "abs(value) < 10",
        "date_part('hour', __time) = 5",
        "TRUE",
        "FALSE",
        "NULL",
    ])
    .prop_map(str::to_owned);
    prop_oneof![2 => time, 1 => between, 9 => fixed]
}

pub(crate) fn filter() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|items| format!("({})", items.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|items| format!("({})", items.join(" OR "))),
            inner.prop_map(|item| format!("NOT ({item})")),
        ]
    })
}

/// Rows arriving in several goes, some of them published in between.
pub(crate) fn arrivals() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let rows = prop_oneof![4 => 0usize..40, 1 => 1100usize..2500];
    prop::collection::vec((rows, any::<bool>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_filter_selects_the_rows_that_datafusion_selects(
        arrivals in arrivals(),
        seed: u64,
        filters in prop::collection::vec(filter(), 6),
        partitions in 1usize..4,
        postings in prop::sample::select(vec![PostingsUse::Auto, PostingsUse::Always, PostingsUse::Never]),
    ) {
        let mut dice = Dice(seed);
        let mut fixture = Fixture::new();
        for (rows, publish) in arrivals {
            fixture.append(dice.rows(rows));
            if publish {
                fixture.publish();
            }
        }
        let (actual, expected) = fixture.sessions(postings, partitions);
        for filter in &filters {
            assert_same(&actual, &expected, filter);
        }
    }
}

/// Enough rows for several blocks, posting lists, every width of codes and coded numbers.
pub(crate) fn large() -> Fixture {
    let mut dice = Dice(7);
    let mut fixture = Fixture::new();
    fixture.append(dice.rows(110_000));
    fixture.publish();
    fixture.append(dice.rows(3_000));
    fixture.publish();
    fixture.append(dice.rows(3_000));
    fixture
}

#[test]
fn posting_lists_codes_and_blocks_select_the_same_rows() {
    let fixture = large();
    let filters = [
        "city = 'Bern'".to_owned(),
        "city IN ('Bern', 'Basel')".to_owned(),
        "city <> 'Bern' OR city IS NULL".to_owned(),
        "city IS NULL".to_owned(),
        "city IS NOT NULL".to_owned(),
        "level BETWEEN 1 AND 3".to_owned(),
        "device = 'device-7'".to_owned(),
        "device IN ('device-7', 'device-8') AND city = 'Bern'".to_owned(),
        "device = 'device-7' OR city IS NULL AND level = 2".to_owned(),
        "(device = 'device-7' OR device = 'device-9') AND serial > 30000".to_owned(),
        "NOT (device <> 'device-7' OR value > 0)".to_owned(),
        "device IS NULL AND serial BETWEEN 100 AND 200".to_owned(),
        "note LIKE '%77%' AND level = 1".to_owned(),
        format!("device = 'device-7' AND __time >= {}", at(START_MS + 30 * HOUR_MS)),
        format!(
            "(__time < {} OR __time > {}) AND level = 1",
            at(START_MS + HOUR_MS),
            at(START_MS + 71 * HOUR_MS)
        ),
    ];
    for postings in [PostingsUse::Auto, PostingsUse::Always, PostingsUse::Never] {
        for partitions in [1, 3] {
            let (actual, expected) = fixture.sessions(postings, partitions);
            for filter in &filters {
                assert_same(&actual, &expected, filter);
            }
        }
    }
}

#[test]
fn parts_outside_of_the_interval_are_not_read() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(1).rows(500));
    fixture.publish();
    let session = fixture.session(PostingsUse::Auto, 1);
    let plan = |from: i64, to: i64| {
        session.explain(&format!("SELECT * FROM events WHERE __time >= {} AND __time < {}", at(from), at(to)))
    };
    let one_day = plan(START_MS, START_MS + DAY_MS);
    assert!(one_day.contains("parts=1/3") && !one_day.contains("filters"), "{one_day}");
    assert!(one_day.contains("intervals=[2026-03-01T00:00:00.000Z/2026-03-02T00:00:00.000Z]"), "{one_day}");
    assert!(plan(START_MS - DAY_MS, START_MS).contains("parts=0/3"));
    assert!(plan(START_MS + DAY_MS, START_MS).contains("parts=0/3"));
}

#[test]
fn bounds_of_time_include_and_exclude_the_very_millisecond() {
    let mut fixture = Fixture::new();
    let mut rows = Dice(3).rows(4);
    for (row, time) in rows.iter_mut().zip([START_MS - 1, START_MS, START_MS + 1, START_MS + DAY_MS]) {
        row.time = time;
    }
    fixture.append(rows);
    for published in [false, true] {
        if published {
            fixture.publish();
        }
        let session = fixture.session(PostingsUse::Auto, 1);
        let count =
            |filter: &str| session.rows(&format!("SELECT COUNT(*) FROM events WHERE {filter}"))[0].clone();
        assert_eq!(count(&format!("__time >= {}", at(START_MS))), "3");
        assert_eq!(count(&format!("__time > {}", at(START_MS))), "2");
        assert_eq!(count(&format!("__time <= {}", at(START_MS))), "2");
        assert_eq!(count(&format!("__time < {}", at(START_MS))), "1");
        assert_eq!(count(&format!("__time = {}", at(START_MS))), "1");
        assert_eq!(count(&format!("__time <> {}", at(START_MS))), "3");
        assert_eq!(count("__time > TIMESTAMP '2026-02-28 23:59:59.9995'"), "3");
        assert_eq!(count("__time = NULL"), "0");
        assert_eq!(count("NOT (__time > arrow_cast(NULL, 'Timestamp(ms)'))"), "0");
    }
}

#[test]
fn totals_come_from_metadata() {
    let fixture = large();
    let session = fixture.session(PostingsUse::Auto, 2);
    let sql = "SELECT COUNT(*), MIN(__time), MAX(__time) FROM events";
    assert!(!session.explain(sql).contains("SegmentScanExec"), "{}", session.explain(sql));
    let (_, expected) = fixture.sessions(PostingsUse::Auto, 2);
    assert_eq!(session.rows(sql), expected.rows(sql));
}

#[test]
fn a_limit_stops_the_scan() {
    let fixture = large();
    let session = fixture.session(PostingsUse::Auto, 1);
    let plan = session.plan("SELECT city FROM events WHERE level = 1 LIMIT 5");
    let batches = session
        .runtime
        .block_on(datafusion::physical_plan::collect(Arc::clone(&plan), session.context.task_ctx()))
        .unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
    let scanned = plan.metrics().unwrap().sum_by_name("rows_scanned").unwrap().as_usize();
    assert!(scanned <= ovate_storage::BLOCK_ROWS, "{scanned} rows read for 5");
}

#[test]
fn ordering_by_time_needs_no_sort_where_parts_do_not_overlap() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(5).rows(9_000));
    fixture.publish();
    let (session, expected) = fixture.sessions(PostingsUse::Auto, 1);
    for order in ["", "DESC", "DESC NULLS LAST", "NULLS FIRST"] {
        for filter in ["TRUE", "level = 1", "device = 'device-7'"] {
            let sql = format!("SELECT __time FROM events WHERE {filter} ORDER BY __time {order} LIMIT 250");
            assert!(!session.explain(&sql).contains("SortExec"), "{}", session.explain(&sql));
            assert_eq!(session.rows(&sql), expected.rows(&sql), "{sql}");
            let sql = format!("SELECT * FROM events WHERE {filter} ORDER BY __time {order}");
            assert!(!session.explain(&sql).contains("SortExec"), "{}", session.explain(&sql));
            assert_eq!(session.sorted(&sql), expected.sorted(&sql), "{sql}");
        }
    }
}

#[test]
fn an_order_around_a_limit_does_not_change_which_rows_there_are() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(5).rows(9_000));
    fixture.publish();
    for partitions in [1, 2] {
        let (session, expected) = fixture.sessions(PostingsUse::Auto, partitions);
        for (inner, outer) in [("", "DESC"), ("DESC", ""), ("", ""), ("DESC", "DESC")] {
            let few = format!("SELECT __time FROM events ORDER BY __time {inner} LIMIT 3");
            let sql = format!("SELECT __time FROM ({few}) ORDER BY __time {outer}");
            assert_eq!(session.rows(&sql), expected.rows(&sql), "{sql}");
            let sql = format!("SELECT ROW_NUMBER() OVER (ORDER BY __time {outer}), __time FROM ({few})");
            assert_eq!(session.sorted(&sql), expected.sorted(&sql), "{sql}");
        }
    }
}

#[test]
fn ordered_partitions_are_merged_not_sorted() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(6).rows(140_000));
    fixture.publish();
    let (session, expected) = fixture.sessions(PostingsUse::Auto, 2);
    for order in ["", "DESC"] {
        let sql = format!("SELECT __time FROM events WHERE level = 1 ORDER BY __time {order} LIMIT 50");
        let plan = session.explain(&sql);
        assert!(!plan.contains("SortExec") && plan.contains("SortPreservingMergeExec"), "{plan}");
        assert_eq!(session.rows(&sql), expected.rows(&sql), "{sql}");
    }
}

#[test]
fn the_newest_rows_are_found_first_when_hot_rows_overlap() {
    let fixture = large();
    for partitions in [1, 2] {
        let (session, expected) = fixture.sessions(PostingsUse::Auto, partitions);
        let sql = "SELECT __time FROM events WHERE level = 1 ORDER BY __time DESC LIMIT 20";
        assert!(session.explain(sql).contains("narrowed by"), "{}", session.explain(sql));
        assert_eq!(session.rows(sql), expected.rows(sql));
    }
}

#[test]
fn columns_that_came_later_are_null_in_older_rows() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(9).rows(50));
    fixture.publish();
    let added = table::schema().with_dimensions([ColumnSpec::dimension("added", ColumnType::String)]);
    fixture.datasource.writer().set_schema(added).unwrap();
    let session = fixture.session(PostingsUse::Auto, 1);
    let count =
        |filter: &str| session.rows(&format!("SELECT COUNT(*) FROM events WHERE {filter}"))[0].clone();
    assert_eq!(count("added IS NULL"), "50");
    assert_eq!(count("added = 'x'"), "0");
    assert_eq!(count("NOT (added = 'x')"), "0");
    assert_eq!(count("coalesce(added, 'x') = 'x' OR level = 1"), "50");
    assert_eq!(session.rows("SELECT DISTINCT added FROM events"), ["NULL"]);
}

#[test]
fn a_filter_that_fails_on_a_value_fails_only_if_a_row_has_it() {
    let mut fixture = Fixture::new();
    let mut rows = Dice(11).rows(40);
    for (i, row) in rows.iter_mut().enumerate() {
        row.time = START_MS + i as i64;
        row.city = Some(if i < 20 { "not a number".to_owned() } else { i.to_string() });
    }
    fixture.append(rows);
    let session = fixture.session(PostingsUse::Auto, 1);
    let count = |from: i64| {
        let sql =
            format!("SELECT COUNT(*) FROM events WHERE __time >= {} AND CAST(city AS BIGINT) > 29", at(from));
        session.try_rows(&sql)
    };
    assert_eq!(count(START_MS + 20), Ok(vec!["10".to_owned()]));
    assert!(count(START_MS).unwrap_err().contains("not a number"));
}

#[test]
fn explain_says_how_each_filter_is_answered() {
    let fixture = large();
    let session = fixture.session(PostingsUse::Auto, 1);
    let plan = session.explain("SELECT city FROM events WHERE city = 'Bern' AND value > 1 AND device < city");
    for part in
        ["datasource=events", "by value: city@0 = Bern", "by block: value@0 > 1", "by row: device@1 < city@0"]
    {
        assert!(plan.contains(part), "{part} in {plan}");
    }
    let scan = session.plan("SELECT city FROM events");
    let summary = scan.downcast_ref::<SegmentScanExec>().unwrap().summary();
    assert_eq!(summary.rows, fixture.rows.len());
    assert_eq!(summary.segments, fixture.datasource.snapshot().parts.len());
    assert!(summary.bytes > 0);
}

#[test]
fn an_empty_datasource_is_an_empty_table() {
    let fixture = Fixture::new();
    let session = fixture.session(PostingsUse::Auto, 4);
    assert_eq!(session.rows("SELECT COUNT(*), MIN(__time) FROM events"), ["0|NULL"]);
    assert!(session.rows("SELECT * FROM events WHERE city = 'Bern'").is_empty());
}

#[test]
fn snapshots_are_what_they_were() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(1).rows(10));
    let before: Arc<Snapshot> = fixture.datasource.snapshot();
    fixture.append(Dice(2).rows(10));
    let session = Session::new(Arc::new(SegmentTable::new(before, ScanOptions::default())), 1);
    assert_eq!(session.rows("SELECT COUNT(*) FROM events"), ["10"]);
}
