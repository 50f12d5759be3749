//! What statements mean where Druid and DataFusion differ.

use serde_json::{Value, json};

use crate::answers::{recorded_request, request, rows, run, value};
use crate::data;

async fn of(sql: &str) -> Value {
    value(&data::engine(), sql).await
}

async fn in_zone(sql: &str, zone: &str) -> Vec<Value> {
    let mut request = request(sql);
    request.context.insert("sqlTimeZone".to_owned(), json!(zone));
    run(&data::engine(), request).await.unwrap().rows.remove(0)
}

async fn refusal(sql: &str) -> String {
    run(&data::engine(), request(sql)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn casts_that_fail_give_null() {
    assert_eq!(of("SELECT CAST('12.9' AS BIGINT)").await, json!(12));
    assert_eq!(of("SELECT CAST('x' AS DOUBLE)").await, Value::Null);
    assert_eq!(of("SELECT CAST('x' AS TIMESTAMP)").await, Value::Null);
    assert_eq!(of("SELECT SUM(CAST(deviceId AS BIGINT)) FROM ALERTS").await, Value::Null);
    assert_eq!(of("SELECT COUNT(*) FROM ALERTS WHERE deviceId > 5 OR deviceId < 5").await, json!(0));
}

#[tokio::test]
async fn numbers_become_text_as_java_writes_them() {
    assert_eq!(of("SELECT CAST(1.0 AS VARCHAR)").await, json!("1.0"));
    assert_eq!(of("SELECT CAST(1e10 AS VARCHAR)").await, json!("1.0E10"));
    assert_eq!(of("SELECT CAST(CAST(1.1 AS FLOAT) AS VARCHAR)").await, json!("1.1"));
    assert_eq!(of("SELECT CAST(12 AS VARCHAR) || 'x'").await, json!("12x"));
    assert_eq!(of("SELECT CAST(TRUE AS VARCHAR)").await, json!("true"));
}

#[tokio::test]
async fn a_bigint_cast_to_timestamp_counts_milliseconds() {
    assert_eq!(of("SELECT CAST(1000 AS TIMESTAMP)").await, json!("1970-01-01T00:00:01.000Z"));
    assert_eq!(of("SELECT CAST(TIMESTAMP '1970-01-01 00:00:01' AS BIGINT)").await, json!(1000));
    assert_eq!(of("SELECT CAST(CAST('1970-01-02' AS TIMESTAMP) AS BIGINT)").await, json!(86_400_000));
}

#[tokio::test]
async fn text_beside_time_is_time_in_the_sessions_zone() {
    let count = |condition: &str| format!("SELECT COUNT(*) FROM EVENTS_GEO WHERE {condition}");
    let utc = count("__time BETWEEN '2026-11-23 10:00:00' AND '2026-11-23T10:00:59.999Z'");
    assert_eq!(of(&utc).await, json!(1667));
    assert_eq!(
        of(&count("__time IN ('2026-11-23T10:00:00.036Z', '2026-11-23 10:00:00.072')")).await,
        json!(2)
    );
    assert_eq!(of(&count("'2026-11-23 10:59:59.964' <= __time")).await, json!(1));
    let local = count("__time < '2026-11-23 11:01:00'");
    assert_eq!(in_zone(&local, "Europe/Zurich").await, [json!(1667)]);
    assert!(refusal(&count("__time > 'foo'")).await.starts_with("Illegal TIMESTAMP constant"));
}

#[tokio::test]
async fn the_sessions_zone_moves_days_and_texts() {
    let sql = "SELECT FLOOR(__time TO DAY), CAST(__time AS VARCHAR), EXTRACT(HOUR FROM __time), \
               CAST(__time AS DATE), TIME_FORMAT(__time, 'HH:mm'), DATE_TRUNC('day', __time), \
               TIMESTAMP '2026-11-23 11:00:00' = __time, TIMESTAMPADD(MONTH, 1, __time) \
               FROM EVENTS_GEO ORDER BY __time LIMIT 1";
    let midnight = json!("2026-11-23T00:00:00.000+01:00");
    assert_eq!(
        in_zone(sql, "Europe/Zurich").await,
        [
            midnight.clone(),
            json!("2026-11-23 11:00:00"),
            json!(11),
            midnight.clone(),
            json!("11:00"),
            midnight,
            json!(true),
            json!("2026-12-23T11:00:00.000+01:00"),
        ]
    );
}

#[tokio::test]
async fn nulls_are_the_smallest_values() {
    let sql = "SELECT x FROM (VALUES (2), (NULL), (1)) t(x) ORDER BY x";
    assert_eq!(rows(&data::engine(), sql).await, [[Value::Null], [json!(1)], [json!(2)]]);
    let sql = format!("{sql} DESC");
    assert_eq!(rows(&data::engine(), &sql).await, [[json!(2)], [json!(1)], [Value::Null]]);
}

#[tokio::test]
async fn floats_are_compared_as_they_print() {
    let count = |condition: &str| format!("SELECT COUNT(*) FROM DEVICES WHERE {condition}");
    assert_eq!(of(&count("latitude = 47.375744")).await, json!(1));
    assert_eq!(of(&count("latitude IN (47.375744, 47.358566)")).await, json!(2));
    assert_eq!(of(&count("47.375744 = latitude")).await, json!(1));
    assert_eq!(of(&count("latitude BETWEEN 47.375744 AND 47.375744")).await, json!(1));
    assert_eq!(of(&count("latitude = '47.375744'")).await, json!(1));
}

#[tokio::test]
async fn names_repeat_outside_and_differ_inside() {
    let engine = data::engine();
    for (sql, names) in [
        ("SELECT 1 AS a, 2 AS a, 3", vec!["a", "a", "EXPR$2"]),
        ("SELECT deviceId, deviceId FROM ALERTS", vec!["deviceId", "deviceId"]),
        ("SELECT *, deviceId, 1 FROM DEVICES", {
            let mut names =
                vec!["__time", "payload.location.city", "payload.location.countryCode", "location"];
            names.extend(["payload.location.region", "payload.location.timezone", "deviceId", "latitude"]);
            names.extend(["longitude", "deviceId", "EXPR$10"]);
            names
        }),
        (
            "SELECT a.deviceId, b.deviceId FROM ALERTS a JOIN ALERTS b USING (deviceId)",
            vec!["deviceId", "deviceId"],
        ),
        ("VALUES (1, 'x')", vec!["EXPR$0", "EXPR$1"]),
    ] {
        let answer = run(&engine, request(&format!("{sql} LIMIT 1"))).await;
        assert_eq!(answer.unwrap_or_else(|e| panic!("{sql}: {e}")).names(), names, "{sql}");
    }
}

#[tokio::test]
async fn aliases_and_ordinals_work_in_every_clause() {
    for sql in [
        "SELECT avg_error_count AS x, COUNT(*) AS c FROM ALERTS GROUP BY x HAVING c > 100 ORDER BY c DESC",
        "SELECT avg_error_count, COUNT(*) FROM ALERTS GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
        "SELECT avg_error_count, COUNT(*) FROM ALERTS GROUP BY avg_error_count ORDER BY COUNT(*) DESC FETCH NEXT 1 ROWS ONLY",
        "SELECT DISTINCT avg_error_count + 0, 112 FROM ALERTS ORDER BY avg_error_count + 0 LIMIT 1",
    ] {
        assert_eq!(rows(&data::engine(), sql).await, [[json!(1), json!(112)]], "{sql}");
    }
}

#[tokio::test]
async fn backslashes_and_escapes_in_patterns() {
    assert_eq!(of(r"SELECT 'a\b' LIKE 'a\b'").await, json!(true));
    assert_eq!(of(r"SELECT 'a\b' LIKE 'a\%'").await, json!(true));
    assert_eq!(of("SELECT '50%' LIKE '50!%' ESCAPE '!'").await, json!(true));
    assert_eq!(of("SELECT '505' LIKE '50!%' ESCAPE '!'").await, json!(false));
    assert_eq!(of(r"SELECT '\'").await, json!("\\"));
    let of_rows = r"SELECT COUNT(*) FROM (VALUES ('50%', '50!%'), ('505', '50!%'), ('a\b', 'a\b'), ('a\b', 'a_b'), ('x', NULL)) AS v(t, p)";
    assert_eq!(of(&format!("{of_rows} WHERE t LIKE p ESCAPE '!'")).await, json!(3));
    assert_eq!(of(&format!("{of_rows} WHERE t LIKE p")).await, json!(2));
    assert_eq!(of("SELECT COUNT(*) FROM DEVICES WHERE deviceId LIKE deviceId").await, json!(1000));
    assert_eq!(refusal("SELECT 'a' LIKE 'b' ESCAPE 'xy'").await, "ESCAPE must be a single character");
}

#[tokio::test]
async fn parameters_have_types() {
    let engine = data::engine();
    let ask =
        |query: &str, parameters: Value| recorded_request(&json!({"query": query, "parameters": parameters}));
    let parameters = json!([
        {"type": "BIGINT", "value": -3}, {"type": "VARCHAR", "value": "it's"}, {"type": "DOUBLE", "value": 1.5},
        {"type": "BOOLEAN", "value": true}, {"type": "TIMESTAMP", "value": 0}, {"type": "VARCHAR", "value": null},
    ]);
    let answer = run(&engine, ask("SELECT ?, ?, ?, ?, ?, ?", parameters)).await.unwrap();
    let expected =
        [json!(-3), json!("it's"), json!(1.5), json!(true), json!("1970-01-01T00:00:00.000Z"), Value::Null];
    assert_eq!(answer.rows, [expected]);
    let wrong = run(&engine, ask("SELECT ?", json!([{"type": "BIGINT", "value": "x"}]))).await.unwrap_err();
    assert!(wrong.to_string().contains("is not a BIGINT"), "{wrong}");
    let missing =
        run(&engine, ask("SELECT ?, ?", json!([{"type": "BIGINT", "value": 1}]))).await.unwrap_err();
    assert_eq!(missing.to_string(), "No value bound for parameter (position [2])");
}

#[tokio::test]
async fn mistakes_are_named_with_the_nearest_right_name() {
    for (sql, message) in [
        (
            "SELECT devicid FROM ALERTS",
            "Column 'devicid' not found in any table; did you mean 'deviceId'? (line [1], column [8])",
        ),
        ("SELECT a.nope FROM ALERTS a", "Column 'nope' not found in table 'a' (line [1], column [8])"),
        ("SELECT b.deviceId FROM ALERTS a", "Table 'b' not found; did you mean 'a'? (line [1], column [8])"),
        ("SELECT 1 FROM ALERT", "Object 'ALERT' not found; did you mean 'ALERTS'? (line [1], column [15])"),
        (
            "SELECT 1 FROM sys.segment",
            "Object 'segment' not found within 'sys'; did you mean 'segments'? (line [1], column [15])",
        ),
        (
            "SELECT 1 FROM information_schema.tables",
            "Object 'information_schema' not found; did you mean 'INFORMATION_SCHEMA'? (line [1], column [15])",
        ),
        (
            "SELECT TIME_FLOR(__time, 'P1D') FROM ALERTS",
            "No match found for function signature TIME_FLOR(<TIMESTAMP>, <CHARACTER>); did you mean 'TIME_FLOOR'? (line [1], column [8])",
        ),
        ("SELECT deviceId FROM ALERTS a, DEVICES d", "Column 'deviceId' is ambiguous (line [1], column [8])"),
        ("SELECT TIME_FLOOR(__time, 'P1X') FROM ALERTS", "argument 2 of TIME_FLOOR"),
        (
            "SELECT COUNT(*), deviceId FROM ALERTS",
            "Expression 'deviceId' is not being grouped (line [1], column [18])",
        ),
    ] {
        let got = refusal(sql).await;
        assert!(got.starts_with(message), "{sql}\n  {got}\n  {message}");
    }
}

#[tokio::test]
async fn settings_before_a_query_are_its_context() {
    let sql = "SET sqlTimeZone = 'Europe/Zurich'; SELECT FLOOR(__time TO DAY) FROM ALERTS LIMIT 1";
    assert_eq!(of(sql).await, json!("2026-11-23T00:00:00.000+01:00"));
}

#[tokio::test]
async fn plans_and_analyses_are_explained() {
    let engine = data::engine();
    let sql = "SELECT COUNT(*) FROM EVENTS_GEO WHERE __time < '2026-11-23T10:10:00Z' AND deviceId > 'a'";
    let plan = run(&engine, request(&format!("EXPLAIN PLAN FOR {sql}"))).await.unwrap();
    assert_eq!(plan.names(), ["PLAN", "RESOURCES", "ATTRIBUTES"]);
    let text: Value = serde_json::from_str(plan.rows[0][0].as_str().unwrap()).unwrap();
    let scan = &text[0]["query"]["scans"][0];
    // The hot rows begin later: only the segment is read.
    assert_eq!((&scan["dataSource"], &scan["segments"]), (&json!("EVENTS_GEO"), &json!(1)));
    assert_eq!(plan.rows[0][1], json!(r#"[{"name":"EVENTS_GEO","type":"DATASOURCE"}]"#));
    let analysis = run(&engine, request(&format!("EXPLAIN ANALYZE {sql}"))).await.unwrap();
    assert!(analysis.rows[0][0].as_str().unwrap().contains("output_rows"), "{analysis:?}");
}

#[tokio::test]
async fn what_a_function_takes_is_converted_on_the_sessions_clock() {
    let sql = "SELECT LEFT(__time, 16), CONCAT('at ', __time), TIME_FLOOR('2026-11-24 00:30:00', 'P1D'), \
               TIMESTAMPDIFF(HOUR, '2026-11-23 10:00:00', __time) FROM EVENTS_GEO ORDER BY __time LIMIT 1";
    assert_eq!(
        in_zone(sql, "Europe/Zurich").await,
        [
            json!("2026-11-23 11:00"),
            json!("at 2026-11-23 11:00:00"),
            json!("2026-11-24T00:00:00.000+01:00"),
            json!(1)
        ]
    );
}

#[tokio::test]
async fn odd_calls_and_names_are_answered_as_druid_answers_them() {
    assert_eq!(of("SELECT GREATEST()").await, Value::Null);
    assert_eq!(of("SELECT SQRT('4')").await, json!(2.0));
    let digits = run(&data::engine(), request("SELECT 1_000")).await.unwrap();
    assert_eq!((digits.names(), &digits.rows), (vec!["_000"], &vec![vec![json!(1)]]));
}

#[tokio::test]
async fn an_interval_reads_as_little_as_the_comparisons_it_stands_for() {
    let engine = data::engine();
    let scans = async |condition: &str| {
        let sql = format!("EXPLAIN PLAN FOR SELECT MAX(deviceId) FROM EVENTS_GEO WHERE {condition}");
        let plan: Value = serde_json::from_str(value(&engine, &sql).await.as_str().unwrap()).unwrap();
        plan[0]["query"]["scans"].clone()
    };
    let count = async |condition: &str| {
        value(&engine, &format!("SELECT COUNT(*) FROM EVENTS_GEO WHERE {condition}")).await
    };
    for (interval, comparisons) in [
        (
            "TIME_IN_INTERVAL(__time, '2026-11-23T10:00/PT1M')",
            "__time >= '2026-11-23T10:00:00Z' AND __time < '2026-11-23T10:01:00Z'",
        ),
        (
            "TIME_IN_INTERVAL(__time, '2026-11-23T11:00/P1D', 'Europe/Zurich')",
            "__time >= '2026-11-23T10:00:00Z' AND __time < '2026-11-24T10:00:00Z'",
        ),
        ("NOT TIME_IN_INTERVAL(__time, '2026/2027')", "__time < '2026-01-01' OR __time >= '2027-01-01'"),
        ("TIME_IN_INTERVAL(__time, '2027/2028')", "__time >= '2027-01-01' AND __time < '2028-01-01'"),
    ] {
        assert_eq!(scans(interval).await, scans(comparisons).await, "{interval}");
        assert_eq!(count(interval).await, count(comparisons).await, "{interval}");
    }
    assert_eq!(scans("TIME_IN_INTERVAL(__time, '2026-11-23T10:00/PT1M')").await[0]["segments"], json!(1));
    let by_row = "SELECT TIME_IN_INTERVAL(__time, '2026-11-23T10:00/PT1M'), COUNT(*) FROM EVENTS_GEO GROUP BY 1 ORDER BY 1";
    let expected = [[json!(false), json!(98_333)], [json!(true), json!(1_667)]];
    assert_eq!(rows(&engine, by_row).await, expected);
}

#[tokio::test]
async fn a_table_named_twice_is_the_same_rows_twice() {
    let sql =
        "SELECT COUNT(*) FROM ALERTS a JOIN ALERTS b ON a.deviceId = b.deviceId AND a.__time = b.__time";
    assert!(of(sql).await.as_i64().unwrap() >= 200);
}

#[tokio::test]
async fn subqueries_correlated_and_not_are_answered() {
    assert_eq!(
        of("SELECT COUNT(*) FROM DEVICES WHERE deviceId IN (SELECT deviceId FROM EVENTS_GEO)").await,
        json!(1000)
    );
    assert_eq!(
        of("SELECT COUNT(*) FROM DEVICES d WHERE EXISTS (SELECT 1 FROM ALERTS a WHERE a.deviceId = d.deviceId)").await,
        json!(0)
    );
    assert_eq!(of("SELECT (SELECT MAX(total_count_per_deviceid) FROM ALERTS) > 20").await, json!(true));
}

#[tokio::test]
async fn integers_wrap_and_divide_as_in_java() {
    assert_eq!(of("SELECT 9223372036854775807 + 1").await, json!(i64::MIN));
    assert_eq!(of("SELECT -7 / 2").await, json!(-3));
    assert_eq!(of("SELECT 9223372036854775808").await, json!(9_223_372_036_854_775_808.0));
    assert_eq!(of("SELECT -9223372036854775808").await, json!(i64::MIN));
    assert_eq!(of("SELECT '3' + 4").await, json!(7.0));
    assert_eq!(of("SELECT MOD(-7, 3)").await, json!(-1));
}
