//! Single requests that a real Druid was sent too.

use serde_json::json;

use crate::recorded::{recorded, shape_difference};
use crate::world::World;

/// Status, body and headers are Druid's to the byte.
const TO_THE_BYTE: &[&str] = &[
    "sql-format-object",
    "sql-format-object-header",
    "sql-format-object-types",
    "sql-format-object-empty",
    "sql-format-array",
    "sql-format-array-header",
    "sql-format-array-types",
    "sql-format-objectLines",
    "sql-format-objectLines-header",
    "sql-format-objectLines-types",
    "sql-format-arrayLines",
    "sql-format-arrayLines-header",
    "sql-format-arrayLines-types",
    "sql-format-csv",
    "sql-format-csv-header",
    "sql-format-csv-types",
    "sql-format-csv-empty",
    "sql-select1",
    "sql-unknown-field",
    "sql-context-queryid",
    "sql-context-stringify-arrays",
    "sql-arrays-default",
    "sql-csv-quoting",
    "sql-dup-alias",
    "sql-literals-types",
    "sql-limit0",
    "sql-bad-json",
    "sql-no-query",
    "sql-null-query",
    "sql-form",
    "sql-text-plain",
    "sql-get",
    "sql-cancel-unknown",
    "sql-err-table",
    "sql-err-column",
    "native-cancel-unknown",
    "supervisor-unknown-get",
    "supervisor-unknown-status",
    "supervisor-unknown-health",
    "supervisor-unknown-stats",
    "supervisor-unknown-history",
    "supervisor-unknown-suspend",
    "supervisor-unknown-resume",
    "supervisor-unknown-reset",
    "supervisor-unknown-terminate",
    "supervisor-list-empty",
    "task-status-unknown",
    "task-shutdown-unknown",
    "coordinator-datasource-unknown",
    "coordinator-datasource-intervals",
    "coordinator-loadstatus",
    "coordinator-metadata-datasources",
    "coordinator-metadata-segments",
    "is-leader",
    "overlord-isleader",
    "status-health",
    "status-properties-403-or-200",
    "life-25-delete-unknown",
    "life-26-delete-kill",
    "life-27b-delete-interval",
];

/// Status and content type are Druid's, and the body has the same fields in the same order.
const IN_SHAPE: &[&str] = &[
    "sql-context-timezone",
    "native-bad-json",
    "native-unknown-type",
    "supervisor-post-bad-type",
    "supervisor-post-empty-spec",
    "coordinator-datasources",
    "coordinator-datasources-simple",
    "coordinator-datasources-full",
    "coordinator-datasource-one",
    "coordinator-datasource-segments",
    "coordinator-rules",
    "coordinator-config",
    "coordinator-servers-simple",
    "broker-datasources",
    "broker-datasource",
    "status",
];

async fn differences(world: &World, name: &str, to_the_byte: bool) -> Vec<String> {
    let recorded = recorded(name);
    let answer = world.repeat(&recorded.request).await;
    let mut found = Vec::new();
    if answer.status.as_u16() != recorded.status {
        found.push(format!("{name}: status {}, Druid says {}", answer.status, recorded.status));
    }
    for (header, value) in &recorded.headers {
        let ours = answer.header(header).unwrap_or("(none)");
        let fixed = !header.to_ascii_lowercase().ends_with("query-id") || name.ends_with("queryid");
        if ours == "(none)" || (fixed && Some(ours) != value.as_str()) {
            found.push(format!("{name}: header {header} is {ours}, Druid's is {value}"));
        }
    }
    if to_the_byte && answer.body != recorded.body {
        found.push(format!("{name}: the body is\n{}\nDruid's is\n{}", answer.body, recorded.body));
    }
    found.extend(shape_difference(&answer.body, &recorded.body).map(|text| format!("{name}: {text}")));
    found
}

#[tokio::test]
async fn answers_are_druids_to_the_byte() {
    let world = World::with_events().await;
    let mut found = Vec::new();
    for name in TO_THE_BYTE {
        found.extend(differences(&world, name, true).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn answers_have_druids_shape() {
    let world = World::with_events().await;
    let mut found = Vec::new();
    for name in IN_SHAPE {
        found.extend(differences(&world, name, false).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn every_path_is_found_with_a_slash_at_its_end_too() {
    let world = World::with_events().await;
    for path in [
        "/druid/v2/datasources/",
        "/druid/indexer/v1/supervisor/",
        "/status/",
        "/druid/coordinator/v1/datasources/",
    ] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
    assert_eq!(world.post("/druid/v2/sql/", r#"{"query":"SELECT 1"}"#).await.body, "[{\"EXPR$0\":1}]\n");
}

#[tokio::test]
async fn a_value_that_ends_in_a_backslash_is_written_the_long_way() {
    let world = World::with_events().await;
    let answer = world.sql(json!({ "query": "SELECT remark FROM EVENTS_GEO ORDER BY __time LIMIT 2" })).await;
    assert_eq!(answer.body, "[{\"remark\":\"ends with \\u005c\"},{\"remark\":null}]\n");
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_a_page_that_names_it() {
    let world = World::new().await;
    let answer = world.get("/druid/nope").await;
    let recorded = recorded("not-found");
    assert_eq!(answer.status.as_u16(), recorded.status);
    assert!(answer.body.contains("<tr><th>URI:</th><td>/druid/nope</td></tr>"));
    assert!(recorded.body.contains("<tr><th>URI:</th><td>/druid/nope</td></tr>"));
}

#[tokio::test]
async fn an_unknown_result_format_is_answered_as_druid_does_and_with_the_known_ones() {
    let world = World::new().await;
    let recorded = recorded("sql-format-bad");
    let answer = world.repeat(&recorded.request).await;
    assert_eq!(answer.status.as_u16(), recorded.status);
    let message = |body: &str| {
        serde_json::from_str::<serde_json::Value>(body).unwrap()["errorMessage"].as_str().unwrap().to_owned()
    };
    assert!(message(&answer.body).starts_with(&message(&recorded.body)));
}

#[tokio::test]
async fn leaders_are_where_the_server_is() {
    let world = World::new().await;
    for path in ["/druid/coordinator/v1/leader", "/druid/indexer/v1/leader"] {
        assert_eq!(world.get(path).await.body, "http://127.0.0.1:8888");
    }
}

#[tokio::test]
async fn native_queries_are_refused_by_name() {
    let world = World::with_events().await;
    let answer = world.post("/druid/v2", r#"{"queryType": "topN", "dataSource": "EVENTS_GEO"}"#).await;
    assert_eq!(answer.status, 501);
    assert_eq!(answer.json()["category"], "UNSUPPORTED");
    assert!(answer.json()["errorMessage"].as_str().unwrap().contains("[topN]"));
}

#[tokio::test]
async fn a_client_may_ask_for_an_arrow_stream() {
    let world = World::with_events().await;
    let arrow =
        [("accept", "application/vnd.apache.arrow.stream, */*"), ("content-type", "application/json")];
    let body = r#"{"query":"SELECT deviceId, deviceLatitude FROM EVENTS_GEO"}"#;
    let answer = world.send("POST", "/druid/v2/sql", &arrow, body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    assert!(answer.header("x-druid-sql-query-id").is_some());
}

#[tokio::test]
async fn gzip_is_sent_only_to_who_asks_for_it() {
    let world = World::with_events().await;
    let body = r#"{"query":"SELECT * FROM EVENTS_GEO"}"#;
    let zipped = world.send("POST", "/druid/v2/sql", &[("accept-encoding", "gzip")], body).await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(world.post("/druid/v2/sql", body).await.header("content-encoding"), None);
}
