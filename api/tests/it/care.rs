//! A store that is looked after: retention rules, backups while it works, and segments that are damaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ovate_storage::{Store, StoreOptions};
use serde_json::{Value, json};

use crate::world::{TEN_MS, World};

const RULES: &str = "/druid/coordinator/v1/rules";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_set_shown_applied_and_remembered() {
    let world = World::with_events().await;
    world.publish();
    assert_eq!(world.get(&format!("{RULES}/EVENTS_GEO")).await.body, "[]");
    assert_eq!(world.get(&format!("{RULES}/EVENTS_GEO?full")).await.json()[0]["type"], "loadForever");

    let kept = r#"[{"type":"loadByPeriod","period":"P30D"},{"type":"dropForever"}]"#;
    let headers =
        [("content-type", "application/json"), ("X-Druid-Author", "ada"), ("X-Druid-Comment", "a month")];
    let set = world.send("POST", &format!("{RULES}/EVENTS_GEO"), &headers, kept).await;
    assert_eq!((set.status.as_u16(), set.body.as_str()), (200, ""));
    let all = world.get(RULES).await.json();
    assert_eq!(all["EVENTS_GEO"][0]["period"], "P30D");
    assert_eq!(all["EVENTS_GEO"][0]["tieredReplicants"], json!({ "_default_tier": 2 }));
    assert_eq!(all["_default"][0]["type"], "loadForever");
    let full = world.get(&format!("{RULES}/EVENTS_GEO?full")).await.json();
    let types: Vec<&str> =
        full.as_array().unwrap().iter().map(|rule| rule["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["loadByPeriod", "dropForever", "loadForever"]);

    let rows = json!({ "query": "SELECT COUNT(*) AS n FROM EVENTS_GEO" });
    assert_eq!(world.store.apply_rules(TEN_MS).unwrap(), []);
    assert_eq!(world.sql(rows.clone()).await.json()[0]["n"], 3);
    let later_ms = TEN_MS + 40 * 86_400_000;
    assert_eq!(world.store.apply_rules(later_ms).unwrap()[0].segments.len(), 1);
    assert_eq!(world.store.apply_rules(later_ms).unwrap(), []);
    assert_eq!(world.get("/druid/coordinator/v1/datasources").await.body, "[]");
    let used = world.post("/druid/coordinator/v1/datasources/EVENTS_GEO", "").await;
    assert_eq!(used.json()["numChangedSegments"], 1, "dropped is not killed");
    assert_eq!(world.sql(rows).await.json()[0]["n"], 3);

    world.post(&format!("{RULES}/_default"), r#"[{"type":"dropBeforeByPeriod","period":"P1Y"}]"#).await;
    let history = world.get(&format!("{RULES}/history")).await.json();
    assert_eq!(history.as_array().unwrap().len(), 2);
    let entry = &history[0];
    assert_eq!((&entry["key"], &entry["type"]), (&json!("EVENTS_GEO"), &json!("rules")));
    assert_eq!(entry["auditInfo"], json!({ "author": "ada", "comment": "a month", "ip": "" }));
    let payload: Value = serde_json::from_str(entry["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload[1]["type"], "dropForever");
    assert_eq!(world.get(&format!("{RULES}/history?count=1")).await.json()[0]["key"], "_default");
    let of_one = world.get(&format!("{RULES}/EVENTS_GEO/history?interval=2000/2001")).await;
    assert_eq!(of_one.body, "[]");
    assert_eq!(world.get(&format!("{RULES}/history?count=0")).await.status, 400);
}

#[tokio::test]
async fn a_rule_that_is_not_known_is_refused_by_name() {
    let world = World::new().await;
    let path = format!("{RULES}/X");
    let refused = world.post(&path, r#"[{"type":"loadForever"},{"type":"forget"}]"#).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["error"].as_str().unwrap().contains("type [forget] is not known"));
    assert_eq!(world.post(&path, "{}").await.status, 400);
    assert_eq!(world.get(&path).await.body, "[]", "nothing was set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_backed_up_while_rows_arrive_and_are_published() {
    let world = World::with_events().await;
    let (stop, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let arriving = {
        let (store, stop, published) = (Arc::clone(&world.store), Arc::clone(&stop), Arc::clone(&published));
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                crate::world::append_events(&store);
                store.datasource("EVENTS_GEO").unwrap().publish(TEN_MS).unwrap();
                published.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    while published.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let made = world.post("/ovate/v1/backups", r#"{"name":"monday"}"#).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let again = world.post("/ovate/v1/backups", r#"{"name":"monday"}"#).await;
    assert_eq!(again.status, 409);
    assert_eq!(world.post("/ovate/v1/backups", r#"{"name":"../monday"}"#).await.status, 400);
    assert_eq!(world.post("/ovate/v1/backups", r#"{"path":"/tmp/x"}"#).await.status, 400);
    stop.store(true, Ordering::SeqCst);
    arriving.join().unwrap();

    let folder = world.store.folder().join("backups/monday");
    let report = made.json();
    assert_eq!(report["path"].as_str(), folder.to_str());
    let backup = Store::open(&folder, StoreOptions::default()).unwrap();
    assert_eq!(backup.verify(|_| {}).unwrap().findings, []);
    let rows = backup.datasource("EVENTS_GEO").unwrap().snapshot().rows();
    assert_eq!(report["rows"], rows);
    assert_eq!(rows % 3, 0, "three rows arrive at a time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_segment_is_in_quarantine_and_the_others_answer() {
    let world = World::with_events().await;
    world.publish();
    let datasource = world.store.datasource("EVENTS_GEO").unwrap();
    crate::world::append_events_at(&world.store, TEN_MS + 86_400_000);
    datasource.publish(TEN_MS).unwrap();
    let record = world.store.segment_records(None).unwrap().swap_remove(0);
    let folder = world.store.folder().join("segments/EVENTS_GEO").join(record.id.replace(':', "%3A"));
    let path = folder.join("data.arrow");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    assert_eq!(world.get("/status/health").await.body, "true");
    let ask = |from: u32, to: u32| {
        let days = format!("__time >= TIMESTAMP '2026-11-{from}' AND __time < TIMESTAMP '2026-11-{to}'");
        json!({ "query": format!("SELECT deviceId FROM EVENTS_GEO WHERE {days}") })
    };
    let first = world.sql(ask(23, 24)).await;
    assert_ne!(first.status, 200, "{}", first.body);
    for part in [record.id.as_str(), "data.arrow", "do not match their checksum"] {
        assert!(first.body.contains(part), "{part} is not in {}", first.body);
    }
    let message = |body: &str| serde_json::from_str::<Value>(body).unwrap()["errorMessage"].clone();
    assert_eq!(message(&world.sql(ask(23, 24)).await.body), message(&first.body));
    let others = world.sql(ask(24, 25)).await;
    assert_eq!(others.json().as_array().map(Vec::len), Some(3), "{}", others.body);
    assert_ne!(world.sql(ask(23, 25)).await.status, 200, "no smaller answer");

    assert_eq!(world.get("/status/health").await.body, "false");
    let full = world.get("/status/health?full").await.json();
    assert_eq!(full["quarantined"][0]["segment"], record.id.as_str());
    let sys = json!({ "query": "SELECT segment_id, is_active, is_available FROM sys.segments ORDER BY 1" });
    let rows = world.sql(sys).await.json();
    assert_eq!((&rows[0]["is_active"], &rows[0]["is_available"]), (&json!(1), &json!(0)));
    assert_eq!((&rows[1]["is_active"], &rows[1]["is_available"]), (&json!(1), &json!(1)));
    // Out of use, nothing needs it any more.
    let path = format!("/druid/coordinator/v1/datasources/EVENTS_GEO/segments/{}", record.id);
    world.send("DELETE", &path, &[], "").await;
    assert_eq!(world.get("/status/health").await.body, "true");
}
