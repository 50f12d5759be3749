//! The operator against DataFusion's own aggregation over a MemTable of the same rows: whatever the keys, the
//! aggregates, the filters and the parts, the same groups come out.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use ovate_storage::snapshot::Part;
use proptest::prelude::*;

use super::cache::Bounds;
use super::{CodedAggregates, PartialCache};
use crate::scan::tests::{Dice, Fixture, HOUR_MS, START_MS, Session, arrivals, at, filter, large};
use crate::scan::{ScanOptions, SegmentTable};

/// A session whose plans the rule may change.
fn session_over(table: Arc<dyn TableProvider>, partitions: usize, memory_bytes: usize) -> Session {
    cached_session_over(table, partitions, memory_bytes, None)
}

fn cached_session_over(
    table: Arc<dyn TableProvider>,
    partitions: usize,
    memory_bytes: usize,
    cache: Option<Arc<PartialCache>>,
) -> Session {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(100);
    let mut optimizer = PhysicalOptimizer::new();
    CodedAggregates::install(&mut optimizer, cache);
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory_bytes, 1.0).build_arc().unwrap();
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rules(optimizer.rules)
        .build();
    let context = SessionContext::new_with_state(state);
    for function in ovate_functions::sql::scalar_functions() {
        if function.name() == "time_floor" {
            context.register_udf(function.as_ref().clone());
        }
    }
    context.register_table("events", table).unwrap();
    Session { context, runtime: tokio::runtime::Builder::new_current_thread().build().unwrap() }
}

fn coded(fixture: &Fixture, partitions: usize) -> Session {
    let table = SegmentTable::new(fixture.datasource.snapshot(), ScanOptions::default());
    session_over(Arc::new(table), partitions, 1 << 30)
}

/// A session that remembers whatever it may.
fn remembering(fixture: &Fixture, partitions: usize, cache: &Arc<PartialCache>) -> Session {
    let table = SegmentTable::new(fixture.datasource.snapshot(), ScanOptions::default());
    cached_session_over(Arc::new(table), partitions, 1 << 30, Some(Arc::clone(cache)))
}

fn uncoded(fixture: &Fixture, partitions: usize) -> Session {
    let options = ScanOptions { coded_aggregates: false, ..ScanOptions::default() };
    let table = SegmentTable::new(fixture.datasource.snapshot(), options);
    session_over(Arc::new(table), partitions, 1 << 30)
}

fn model(fixture: &Fixture) -> Session {
    let model = fixture.model();
    let table = MemTable::try_new(model.schema(), vec![vec![model]]).unwrap();
    session_over(Arc::new(table), 1, 1 << 30)
}

/// Sums of doubles depend on the order of their terms in their last digits.
fn same(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    let (left, right): (Vec<_>, Vec<_>) = (left.split('|').collect(), right.split('|').collect());
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            *left == right
                || match (left.parse::<f64>(), right.parse::<f64>()) {
                    (Ok(left), Ok(right)) => (left - right).abs() <= 1e-7 * (1.0 + right.abs()),
                    _ => false,
                }
        })
}

fn assert_same(actual: &Session, expected: &Session, sql: &str) {
    let (mut left, mut right) = (actual.rows(sql), expected.rows(sql));
    if !sql.contains("ORDER BY") {
        left.sort();
        right.sort();
    }
    assert_eq!(left.len(), right.len(), "{sql}\n{}\n{left:?}\n{right:?}", actual.explain(sql));
    for (left, right) in left.iter().zip(&right) {
        assert!(same(left, right), "{sql}\n{}\n{left}\n{right}", actual.explain(sql));
    }
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "city",
        "city",
        "device",
        "note",
        "level",
        "serial",
        "ratio",
        "value",
        "__time",
        "TIME_FLOOR(__time, 'PT1H')",
        "TIME_FLOOR(__time, 'PT5M')",
        "TIME_FLOOR(__time, 'P1D', NULL, 'Europe/Zurich')",
        "TIME_FLOOR(__time, 'P1M')",
        "TIME_FLOOR(__time, 'P1W', arrow_cast(1772323200000, 'Timestamp(ms)'), 'UTC')",
        "date_trunc('hour', __time)",
        "date_part('hour', __time)",
        "upper(city)",
        "coalesce(city, 'none')",
        "city LIKE 'B%' OR city IS NULL",
        "level % 3",
        "-level",
        "level + serial",
        "city = 'Bern'",
        "CASE WHEN ratio > 0 THEN city ELSE device END",
        "ratio * 2.0",
        "ratio / ratio",
        "0.0 * value",
    ])
}

fn aggregate() -> impl Strategy<Value = String> {
    let call = prop::sample::select(vec![
        "COUNT(*)",
        "COUNT(1)",
        "COUNT(NULL)",
        "COUNT(upper(city))",
        "SUM(CAST(level AS DOUBLE) / 4)",
        "MIN(level + 1)",
        "MAX(value * 2)",
        "COUNT(city)",
        "COUNT(ratio)",
        "COUNT(tags)",
        "SUM(level)",
        "SUM(serial)",
        "SUM(value)",
        "SUM(ratio)",
        "SUM(level * value)",
        "SUM(9223372036854775807 + 0 * serial)",
        "AVG(level)",
        "AVG(value)",
        "AVG(ratio)",
        "MIN(value)",
        "MAX(value)",
        "MIN(level)",
        "MAX(serial)",
        "MIN(__time)",
        "MAX(__time)",
        "MIN(city)",
        "MAX(note)",
        "BIT_XOR(serial)",
        "BOOL_OR(city = 'Bern')",
        "STDDEV(value)",
    ]);
    prop_oneof![
        3 => call.clone().prop_map(str::to_owned),
        1 => (call, filter()).prop_map(|(call, filter)| format!("{call} FILTER (WHERE {filter})")),
    ]
}

/// A statement; with a LIMIT only where the order says which rows are first.
fn statement() -> impl Strategy<Value = String> {
    let filter = prop_oneof![2 => Just("TRUE".to_owned()), 3 => filter()];
    let keys = prop::collection::btree_set(key(), 0..5);
    (keys, prop::collection::vec(aggregate(), 0..5), filter, any::<bool>(), 0usize..4).prop_map(
        |(keys, aggregates, filter, having, end)| {
            let keys: Vec<_> = keys.into_iter().collect();
            let mut items: Vec<String> =
                keys.iter().enumerate().map(|(i, key)| format!("{key} AS k{i}")).collect();
            items.extend(aggregates.iter().enumerate().map(|(i, call)| format!("{call} AS a{i}")));
            if items.is_empty() {
                items.push("COUNT(*) AS n".to_owned());
            }
            let mut sql = format!("SELECT {} FROM events WHERE {filter}", items.join(", "));
            if !keys.is_empty() {
                sql += " GROUP BY ";
                sql += &keys.join(", ");
            }
            if having {
                sql += " HAVING COUNT(*) > 1";
            }
            // Sums of doubles are not the same to the last digit, and so are in no order that can be compared.
            let exact =
                |call: &String| ["COUNT", "MIN", "MAX", "B"].iter().any(|start| call.starts_with(start));
            let by = aggregates.iter().position(exact).filter(|_| end > 0);
            if (end == 0 || end == 1 && by.is_some()) && !keys.is_empty() {
                let by = by.map(|i| {
                    format!("a{i} {}", if filter.len() % 2 == 0 { "DESC" } else { "ASC NULLS FIRST" })
                });
                let keys = (1..=keys.len()).map(|i| format!("{i} DESC NULLS LAST"));
                let order: Vec<_> = by.into_iter().chain(keys).collect();
                sql += " ORDER BY ";
                sql += &order.join(", ");
                sql += " LIMIT 7";
            }
            sql
        },
    )
}

/// `PROPTEST_CASES`, or few enough not to be waited for.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 32, ..config } }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn groups_are_those_of_datafusion(
        arrivals in arrivals(),
        seed: u64,
        statements in prop::collection::vec(statement(), 4),
        partitions in 1usize..4,
    ) {
        let mut dice = Dice(seed);
        let mut fixture = Fixture::new();
        for (rows, publish) in arrivals {
            fixture.append(dice.rows(rows));
            if publish {
                fixture.publish();
            }
        }
        let (actual, expected) = (coded(&fixture, partitions), model(&fixture));
        for sql in &statements {
            assert_same(&actual, &expected, sql);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 2, ..cases() })]

    #[test]
    fn groups_that_are_remembered_are_those_that_would_be_read(
        arrivals in arrivals(),
        seed: u64,
        statements in prop::collection::vec(statement(), 3),
        partitions in 1usize..4,
        bytes_max in prop_oneof![Just(1usize << 30), Just(20_000)],
        piece_rows in prop_oneof![Just(7usize), Just(1 << 16)],
    ) {
        let mut dice = Dice(seed);
        let mut fixture = Fixture::new();
        let bounds = Bounds { bytes_max, piece_rows, piece_rows_min: 1, rows_per_group_min: 0 };
        let cache = Arc::new(PartialCache::with_bounds(bounds));
        for (rows, publish) in arrivals {
            fixture.append(dice.rows(rows));
            if publish {
                fixture.publish();
            }
            let (actual, expected) = (remembering(&fixture, partitions, &cache), model(&fixture));
            // Heard of, remembered piece by piece, then part by part, recalled; after the next rows too.
            for sql in statements.iter().flat_map(|sql| [sql; 4]) {
                assert_same(&actual, &expected, sql);
            }
        }
    }
}

#[test]
fn what_was_read_once_is_not_read_again() {
    let mut fixture = large();
    let cache = Arc::new(PartialCache::with_bounds(Bounds {
        bytes_max: 1 << 20,
        piece_rows: 1 << 16,
        piece_rows_min: 500,
        rows_per_group_min: 4,
    }));
    let sql = "SELECT city, level, COUNT(*), SUM(serial) FROM events GROUP BY city, level";
    let recalled = |fixture: &Fixture, sql: &str| {
        let [recalled, read] =
            counted(&remembering(fixture, 1, &cache), sql, ["rows_recalled", "rows_scanned"]);
        assert!(recalled + read <= fixture.rows.len());
        recalled
    };
    assert_eq!([recalled(&fixture, sql), recalled(&fixture, sql)], [0, 0]);
    let all = recalled(&fixture, sql);
    assert_eq!(all, fixture.rows.len());
    // New rows are read, old ones are not.
    fixture.append(Dice(3).rows(1000));
    assert_eq!(recalled(&fixture, sql), all);
    // Another filter is another statement.
    let filtered = sql.replace("GROUP", "WHERE device <> 'device-7' GROUP");
    assert_eq!(recalled(&fixture, &filtered), 0);
    // Time is no part of it where it makes no difference to a piece.
    let later = sql.replace("GROUP", &format!("WHERE __time >= {} GROUP", at(START_MS - HOUR_MS)));
    assert_eq!(recalled(&fixture, &later), all);
    let some = sql.replace("GROUP", &format!("WHERE __time >= {} GROUP", at(START_MS + 30 * HOUR_MS)));
    assert!((1..all).contains(&recalled(&fixture, &some)));
}

#[test]
fn pieces_that_are_all_remembered_become_one() {
    let fixture = large();
    let bounds =
        Bounds { bytes_max: 1 << 30, piece_rows: 10_000, piece_rows_min: 1000, rows_per_group_min: 4 };
    let cache = Arc::new(PartialCache::with_bounds(bounds));
    let sql = "SELECT city, COUNT(*), MAX(value) FROM events GROUP BY city";
    let snapshot = fixture.datasource.snapshot();
    let kept: Vec<usize> = (snapshot.parts.iter())
        .filter(|part| part.serial().is_some() && part.rows() >= 1000)
        .map(Part::rows)
        .collect();
    let session = remembering(&fixture, 2, &cache);
    let recalled = || counted(&session, sql, ["rows_recalled", "tallies_recalled"]);
    // Heard of, remembered.
    assert_eq!([recalled(), recalled()], [[0, 0]; 2]);
    let [rows, pieces] = recalled();
    assert!(pieces > kept.len());
    assert_eq!([rows, kept.len()], recalled());
    assert_eq!(rows, kept.iter().sum::<usize>());
    assert_same(&session, &model(&fixture), sql);
}

#[test]
fn a_statement_with_nearly_as_many_groups_as_rows_is_read_every_time() {
    let fixture = large();
    let cache = Arc::new(PartialCache::with_bounds(Bounds {
        bytes_max: 1 << 30,
        piece_rows: 1 << 16,
        piece_rows_min: 1000,
        rows_per_group_min: 4,
    }));
    let sql = "SELECT serial, COUNT(*) FROM events GROUP BY serial";
    for _ in 0..3 {
        assert_eq!(counted(&remembering(&fixture, 1, &cache), sql, ["rows_recalled"]), [0]);
    }
}

#[test]
fn large_parts_on_several_threads_give_the_same_groups() {
    let fixture = large();
    let statements = [
        "SELECT city, COUNT(*), SUM(value), MIN(level), AVG(ratio) FROM events GROUP BY city",
        "SELECT device, city, level, COUNT(*), MAX(__time) FROM events GROUP BY device, city, level",
        "SELECT serial, device, note, COUNT(*) FROM events GROUP BY serial, device, note",
        "SELECT TIME_FLOOR(__time, 'PT1H'), city, SUM(level) FROM events GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT TIME_FLOOR(__time, 'PT1S'), COUNT(*) FROM events WHERE device = 'device-7' GROUP BY 1",
        "SELECT TIME_FLOOR(__time, 'PT3H'), city, COUNT(*) FROM events GROUP BY 1, 2",
        "SELECT city, level, COUNT(*) FROM events WHERE serial % 3 = 0 GROUP BY 1, 2",
        "SELECT DISTINCT city, level FROM events",
        "SELECT city, SUM(value) FILTER (WHERE level > 0) FROM events WHERE ratio >= 0 GROUP BY city",
        "SELECT city, device, note, serial, value, __time, COUNT(*) FROM events GROUP BY 1, 2, 3, 4, 5, 6",
    ];
    let expected = model(&fixture);
    for partitions in [1, 3] {
        let (actual, off) = (coded(&fixture, partitions), uncoded(&fixture, partitions));
        for sql in statements {
            assert!(actual.explain(sql).contains("CodedAggregateExec"), "{}", actual.explain(sql));
            assert!(!off.explain(sql).contains("CodedAggregateExec"), "{}", off.explain(sql));
            assert_same(&actual, &expected, sql);
            assert_eq!(actual.plan(sql).schema(), off.plan(sql).schema(), "{sql}");
        }
    }
}

/// Rows of one bucket in which zeroes of both signs alternate, each beside another city, and some other number stands
/// between: so that a filter leaves several batches.
fn signed_zeroes() -> Fixture {
    let mut fixture = Fixture::new();
    let mut rows = Dice(9).rows(1000);
    for (i, row) in rows.iter_mut().enumerate() {
        (row.time, row.value) = (START_MS, None);
        row.city = Some(["Bern", "Basel", "Genève"][i % 3].to_owned());
        row.ratio = Some([0.0, -0.0, 0.0, 1.0][i % 4]);
    }
    fixture.append(rows);
    fixture
}

#[test]
fn a_group_is_not_begun_again_when_the_sign_of_its_zero_changes() {
    let sql = "SELECT date_trunc('hour', __time) AS k0, ratio AS k1, upper(city) AS k2, value AS k3, COUNT(*) \
               FROM events WHERE ratio = 0 GROUP BY date_trunc('hour', __time), ratio, upper(city), value";
    let expected = ["BASEL|NULL|250", "BERN|NULL|250", "GENÈVE|NULL|250"]
        .map(|rest| format!("2026-03-01T00:00:00|0.0|{rest}"));
    let fixture = signed_zeroes();
    let published = signed_zeroes();
    published.publish();
    for partitions in [1, 3] {
        for session in [
            coded(&fixture, partitions),
            coded(&published, partitions),
            uncoded(&fixture, partitions),
            uncoded(&published, partitions),
            model(&fixture),
        ] {
            assert_eq!(session.sorted(sql).unwrap(), expected, "{}", session.explain(sql));
        }
    }
}

/// NaN, which equals nothing, is found again where only the first groups are wanted.
#[test]
fn the_first_groups_of_an_order_have_each_number_once() {
    let mut fixture = Fixture::new();
    let mut rows = Dice(11).rows(400);
    for (i, row) in rows.iter_mut().enumerate() {
        row.ratio = [None, Some(0.0), Some(f32::INFINITY), Some(2.0)][i % 4];
    }
    fixture.append(rows);
    for session in [coded(&fixture, 2), uncoded(&fixture, 2), model(&fixture)] {
        let rows = |key: &str| {
            session.rows(&format!("SELECT {key} FROM events GROUP BY 1 ORDER BY 1 DESC NULLS LAST LIMIT 7"))
        };
        assert_eq!(rows("ratio"), ["inf", "2.0", "0.0", "NULL"]);
        assert_eq!(rows("ratio / ratio"), ["NaN", "1.0", "NULL"]);
    }
}

#[test]
fn groups_behind_the_first_of_an_order_do_not_become_rows() {
    let (fixture, sums) =
        (large(), "SELECT serial % 1000 AS k, COUNT(*) AS n, SUM(level) AS s FROM events GROUP BY 1");
    let (session, expected) = (coded(&fixture, 2), uncoded(&fixture, 2));
    let by = |order: &str| format!("SELECT k, s FROM ({sums}) ORDER BY {order} LIMIT 5");
    for order in ["s DESC, k", "s, k DESC", "n DESC NULLS LAST, s, k"] {
        let sql = by(order);
        assert_same(&session, &expected, &sql);
        let plan = session.explain(&sql);
        assert!(plan.contains("first=5 by "), "{plan}");
    }
    // A key, and what is computed from a result, say nothing of the results' order.
    for order in ["k", "-s, k"] {
        assert_same(&session, &expected, &by(order));
        assert!(!session.explain(&by(order)).contains("first="));
    }
}

#[test]
fn numbers_are_told_apart_alike_by_every_operator() {
    let mut fixture = Fixture::new();
    let mut rows = Dice(10).rows(1200);
    let numbers = [0.0f32, -0.0, f32::NAN, -f32::NAN, 1.0];
    for (i, row) in rows.iter_mut().enumerate() {
        row.ratio = Some(numbers[i % numbers.len()]);
        row.level = Some(i as i64 % 2);
    }
    fixture.append(rows);
    for publish in [false, true] {
        if publish {
            fixture.publish();
        }
        for session in [coded(&fixture, 2), uncoded(&fixture, 2), model(&fixture)] {
            let sorted = |sql: &str| session.sorted(sql).unwrap();
            let groups = ["0.0|480", "1.0|240", "NaN|480"];
            assert_eq!(sorted("SELECT ratio, COUNT(*) FROM events GROUP BY ratio"), groups);
            assert_eq!(sorted("SELECT DISTINCT ratio FROM events"), ["0.0", "1.0", "NaN"]);
            let pairs = ["0.0|0", "0.0|1", "1.0|0", "1.0|1", "NaN|0", "NaN|1"];
            assert_eq!(sorted("SELECT DISTINCT ratio, level FROM events"), pairs);
            let over = "SELECT ratio, COUNT(*) FROM (SELECT ratio, city FROM events UNION ALL \
                        SELECT ratio, city FROM events WHERE level > 5) GROUP BY ratio";
            assert_eq!(sorted(over), groups);
            let sets = "SELECT ratio, COUNT(*) FROM events GROUP BY GROUPING SETS ((ratio), ())";
            assert_eq!(sorted(sets), ["0.0|480", "1.0|240", "NULL|1200", "NaN|480"]);
            assert_eq!(sorted("SELECT COUNT(DISTINCT ratio) FROM events"), ["3"]);
            assert_eq!(sorted("SELECT COUNT(DISTINCT ratio), COUNT(DISTINCT level) FROM events"), ["3|2"]);
            let by_level =
                "SELECT level, COUNT(DISTINCT ratio), COUNT(DISTINCT city) > 0 FROM events GROUP BY level";
            assert_eq!(sorted(by_level), ["0|3|true", "1|3|true"]);
        }
    }
}

#[test]
fn what_is_not_recognised_stays_with_datafusion() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(1).rows(200));
    let (actual, expected) = (coded(&fixture, 2), model(&fixture));
    for sql in [
        "SELECT city, COUNT(DISTINCT level) , COUNT(DISTINCT device) FROM events GROUP BY city",
        "SELECT city, level, COUNT(*) FROM events GROUP BY GROUPING SETS ((city), (level), ())",
        "SELECT tags, COUNT(*) FROM events GROUP BY tags",
        "SELECT COUNT(*), COUNT(1) FROM events WHERE level > 0",
        "SELECT city, COUNT(*) FROM (SELECT city FROM events UNION ALL SELECT device FROM events) GROUP BY city",
    ] {
        let plan = actual.explain(sql);
        assert!(!plan.contains("CodedAggregateExec"), "{plan}");
        assert_same(&actual, &expected, sql);
    }
    let sql = "SELECT city, COUNT(*) FROM (SELECT city FROM events LIMIT 5) GROUP BY city";
    let rows: i64 =
        actual.rows(sql).iter().map(|row| row.split('|').nth(1).unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(rows, 5, "{}", actual.explain(sql));
}

#[test]
fn groups_of_groups_and_joins_of_groups_work() {
    let mut fixture = Fixture::new();
    fixture.append(Dice(4).rows(900));
    fixture.publish();
    fixture.append(Dice(5).rows(300));
    let (actual, expected) = (coded(&fixture, 2), model(&fixture));
    for sql in [
        "SELECT level, COUNT(*), SUM(n) FROM (SELECT level, city, COUNT(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
        "SELECT a.city, n, m FROM (SELECT city, COUNT(*) AS n FROM events GROUP BY city) AS a \
         JOIN (SELECT city, MAX(serial) AS m FROM events GROUP BY city) AS b ON a.city = b.city",
        "SELECT DISTINCT city, level FROM events",
        "SELECT city, COUNT(*) FROM events GROUP BY city UNION ALL SELECT device, COUNT(*) FROM events GROUP BY device",
        "SELECT city, COUNT(*) AS n FROM events GROUP BY city ORDER BY n DESC, city LIMIT 3",
        "SELECT city, n FROM (SELECT city, COUNT(*) AS n FROM events GROUP BY city) WHERE n > 100",
    ] {
        assert!(actual.explain(sql).contains("CodedAggregateExec"), "{}", actual.explain(sql));
        assert_same(&actual, &expected, sql);
    }
}

#[test]
fn an_empty_datasource_has_no_groups() {
    let fixture = Fixture::new();
    let actual = coded(&fixture, 2);
    assert!(actual.rows("SELECT city, COUNT(*) FROM events GROUP BY city").is_empty());
    assert!(actual.rows("SELECT TIME_FLOOR(__time, 'P1D'), SUM(level) FROM events GROUP BY 1").is_empty());
}

#[test]
fn without_keys_there_is_one_group_also_of_no_rows() {
    let all = "SELECT COUNT(*), COUNT(level), SUM(level), AVG(value), MIN(ratio), MAX(city), STDDEV(value) FROM events";
    let mut fixture = Fixture::new();
    assert_eq!(coded(&fixture, 2).rows(all), ["0|0|NULL|NULL|NULL|NULL|NULL"]);
    fixture.append(Dice(1).rows(200));
    fixture.publish();
    let actual = coded(&fixture, 2);
    let plan = actual.explain(all);
    assert!(plan.contains("CodedAggregateExec: keys=[]"), "{plan}");
    let none = format!("{all} WHERE city = 'nowhere' AND level > 0");
    assert_eq!(actual.rows(&none), ["0|0|NULL|NULL|NULL|NULL|NULL"]);
    assert_same(&actual, &model(&fixture), &all.replace("MIN(ratio)", "MIN(level)"));
}

#[test]
fn a_statement_fails_when_its_groups_do_not_fit() {
    let fixture = large();
    let table = SegmentTable::new(fixture.datasource.snapshot(), ScanOptions::default());
    let actual = session_over(Arc::new(table), 1, 1 << 20);
    let error = actual.try_rows("SELECT note, serial, COUNT(*) FROM events GROUP BY 1, 2").unwrap_err();
    assert!(error.contains("CodedAggregateExec"), "{error}");
    assert_eq!(actual.rows("SELECT level, COUNT(*) FROM events GROUP BY 1").len(), 6);
}

#[test]
fn an_expression_that_fails_on_a_value_fails_only_if_a_row_has_it() {
    let mut fixture = Fixture::new();
    let mut rows = Dice(3).rows(1500);
    for (i, row) in rows.iter_mut().enumerate() {
        row.level = Some(i as i64 % 5);
    }
    fixture.append(rows);
    fixture.publish();
    let (actual, expected) = (coded(&fixture, 2), model(&fixture));
    for sql in [
        "SELECT 12 / level, COUNT(*) FROM events WHERE level > 0 GROUP BY 1",
        "SELECT city, SUM(12 / level) FROM events WHERE level > 0 GROUP BY city",
    ] {
        assert!(actual.explain(sql).contains("CodedAggregateExec"), "{}", actual.explain(sql));
        assert_same(&actual, &expected, sql);
    }
    let error = actual.try_rows("SELECT 12 / level, COUNT(*) FROM events GROUP BY 1").unwrap_err();
    assert!(error.contains("Divide by zero"), "{error}");
}

#[test]
fn rows_in_order_of_time_are_cut_at_buckets() {
    let fixture = large();
    let (actual, expected) = (coded(&fixture, 2), model(&fixture));
    for period in ["PT1M", "PT1H", "P1D", "P1M"] {
        for rest in ["", ", city", ", ratio, level"] {
            for filter in ["TRUE", "level > 0", "device = 'device-7'"] {
                let keys = format!("TIME_FLOOR(__time, '{period}'){rest}");
                let sql = format!(
                    "SELECT {keys}, COUNT(*), SUM(value), SUM(serial), AVG(level), MAX(value), COUNT(ratio) \
                     FILTER (WHERE city = 'Bern') FROM events WHERE {filter} GROUP BY {keys}"
                );
                assert_same(&actual, &expected, &sql);
            }
        }
    }
}

#[test]
fn explain_and_metrics_say_what_was_done() {
    let fixture = large();
    let session = coded(&fixture, 2);
    let sql = format!(
        "SELECT TIME_FLOOR(__time, 'PT1H') AS t, city, level + serial, COUNT(*) FROM events WHERE __time >= {} GROUP BY 1, 2, 3",
        at(START_MS + HOUR_MS)
    );
    let plan = session.explain(&sql);
    for part in
        ["CodedAggregateExec: keys=[", "by bucket", "by row", "city", "aggregates=[count(", "SegmentScanExec"]
    {
        assert!(plan.contains(part), "{part} in {plan}");
    }
    let found =
        counted(&session, "SELECT city, COUNT(*) FROM events GROUP BY city", ["groups", "rows_selected"]);
    assert_eq!(found, [7, fixture.rows.len()]);
}

/// What a statement's operators counted under these names.
fn counted<const N: usize>(session: &Session, sql: &str, names: [&str; N]) -> [usize; N] {
    let plan = session.plan(sql);
    let task = session.context.task_ctx();
    session.runtime.block_on(collect(Arc::clone(&plan), task)).unwrap();
    let mut rest: Vec<Arc<dyn ExecutionPlan>> = vec![plan];
    let mut found = [0; N];
    while let Some(node) = rest.pop() {
        let metrics = node.metrics().unwrap_or_default();
        for (found, name) in found.iter_mut().zip(names) {
            *found += metrics.sum_by_name(name).map_or(0, |value| value.as_usize());
        }
        rest.extend(node.children().into_iter().map(Arc::clone));
    }
    found
}
