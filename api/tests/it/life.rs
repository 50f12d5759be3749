//! Things that have a life: a supervisor from its posting to its end, a datasource from hot rows to nothing.

use serde_json::{Value, json};

use crate::recorded::{recorded, shape_difference};
use crate::world::World;

fn assert_shape(name: &str, body: &str) {
    if let Some(difference) = shape_difference(body, &recorded(name).body) {
        panic!("{name}: {difference}");
    }
}

/// The recorded specification, with a broker that does not exist.
fn spec() -> String {
    recorded("supervisor-post-alerts").request.body().replace("127.0.0.1:9092", "127.0.0.1:1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_lives_as_in_druid() {
    let world = World::new().await;
    let at = |what: &str| format!("/druid/indexer/v1/supervisor/ALERTS{what}");

    let posted = world.post("/druid/indexer/v1/supervisor", &spec()).await;
    assert_eq!(
        (posted.status.as_u16(), posted.body.as_str()),
        (200, recorded("supervisor-post-alerts").body.as_str())
    );
    assert_eq!(world.get("/druid/indexer/v1/supervisor").await.body, r#"["ALERTS"]"#);
    assert_shape("supervisor-list-state", &world.get("/druid/indexer/v1/supervisor?state=true").await.body);
    assert_shape("supervisor-get-ALERTS", &world.get(&at("")).await.body);
    let listed = world.get("/druid/indexer/v1/supervisor?full").await.json();
    let druids: Value = serde_json::from_str(&recorded("supervisor-list-full").body).unwrap();
    let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&listed[0]), keys(&druids[0]));
    assert!(world.get("/druid/indexer/v1/supervisor?system").await.json()[0]["specString"].is_string());
    assert_shape("supervisor-status-just-posted-ALERTS", &world.get(&at("/status")).await.body);
    assert_eq!(world.get(&at("/parseErrors")).await.body, "[]");

    let suspended = world.post(&at("/suspend"), "").await;
    assert_eq!(suspended.status, 200);
    assert_eq!(suspended.json()["suspended"], true);
    assert_shape("life-01-suspend", &suspended.body);
    let again = world.post(&at("/suspend"), "").await;
    let druids = recorded("life-03-suspend-again");
    assert_eq!((again.status.as_u16(), again.body), (druids.status, druids.body));

    let resumed = world.post(&at("/resume"), "").await;
    assert_eq!(resumed.json()["suspended"], false);
    let again = world.post(&at("/resume"), "").await;
    let druids = recorded("life-14-resume-again");
    assert_eq!((again.status.as_u16(), again.body), (druids.status, druids.body));

    assert_eq!(world.post(&at("/reset"), "").await.body, recorded("life-15-reset").body);
    assert_eq!(world.post(&at("/terminate"), "").await.body, recorded("life-18-terminate").body);
    let gone = world.get(&at("")).await;
    assert_eq!(
        (gone.status.as_u16(), gone.body.as_str()),
        (404, "Cannot find any supervisor with id: [ALERTS]")
    );
    let history = world.get(&at("/history")).await.json();
    assert_eq!(history.as_array().unwrap().len(), 4);
    assert_eq!(history[0]["spec"]["dataSources"][0], "ALERTS");
    assert!(world.get("/druid/indexer/v1/supervisor/history").await.json()["ALERTS"].is_array());
    world.supervisors.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_may_be_shut_down_by_its_older_name_and_with_all_others() {
    let world = World::new().await;
    world.post("/druid/indexer/v1/supervisor", &spec()).await;
    assert_eq!(
        world.post("/druid/indexer/v1/supervisor/suspendAll", "").await.body,
        r#"{"status":"success"}"#
    );
    assert_eq!(
        world.post("/druid/indexer/v1/supervisor/resumeAll", "").await.body,
        r#"{"status":"success"}"#
    );
    assert_eq!(
        world.post("/druid/indexer/v1/supervisor/ALERTS/shutdown", "").await.body,
        r#"{"id":"ALERTS"}"#
    );
    assert_eq!(world.post("/druid/indexer/v1/supervisor/terminateAll", "").await.status, 200);
    world.supervisors.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_specification_that_is_no_json_is_a_mistake_of_the_caller() {
    let world = World::new().await;
    let answer = world.post("/druid/indexer/v1/supervisor", r#"{"type":"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"].as_str().unwrap().contains("end-of-input"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_datasource_goes_from_hot_to_published_to_unused_to_nothing() {
    let world = World::with_events().await;
    let base = "/druid/coordinator/v1/datasources";
    assert_eq!(world.get("/druid/coordinator/v1/loadstatus").await.body, "{}");
    assert_eq!(world.get(base).await.body, r#"["EVENTS_GEO"]"#);

    let hot = world.get(&format!("{base}/EVENTS_GEO/segments")).await.json();
    assert_eq!(hot, json!(["EVENTS_GEO_2026-11-23T00:00:00.000Z_2026-11-24T00:00:00.000Z_hot"]));
    let sys = json!({ "query": "SELECT segment_id FROM sys.segments", "resultFormat": "array" });
    assert_eq!(world.sql(sys).await.json(), json!([hot]));

    world.publish();
    assert_eq!(world.get("/druid/coordinator/v1/loadstatus").await.body, r#"{"EVENTS_GEO":100.0}"#);
    assert_eq!(world.get("/druid/coordinator/v1/metadata/datasources").await.body, r#"["EVENTS_GEO"]"#);
    let segments = world.get("/druid/coordinator/v1/metadata/segments?datasources=EVENTS_GEO").await.json();
    assert_eq!(segments[0]["interval"], "2026-11-23T00:00:00.000Z/2026-11-24T00:00:00.000Z");
    assert_eq!(segments[0]["dimensions"], "deviceId,eventNotificationName,remark,deviceLatitude");
    let druids: Value = serde_json::from_str(&recorded("life-06-metadata-segments").body).unwrap();
    let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&segments[0]), keys(&druids[0]));
    assert_eq!(world.get("/druid/coordinator/v1/metadata/segments?datasources=X").await.body, "[]");
    assert_shape("life-07-datasource", &world.get(&format!("{base}/EVENTS_GEO?full")).await.body);

    let one = format!("{base}/EVENTS_GEO");
    let removed = world.send("DELETE", &one, &[], "").await;
    assert_eq!(removed.body, recorded("life-24-delete-datasource").body);
    assert_eq!(world.get(base).await.body, "[]");
    assert_eq!(world.get(&one).await.status, 204);
    assert_eq!(
        world.get("/druid/coordinator/v1/metadata/datasources?includeUnused").await.body,
        r#"["EVENTS_GEO"]"#
    );

    let back = world.post(&format!("{one}/markUsed"), r#"{"interval":"2026-11-23/2026-11-24"}"#).await;
    assert_eq!(back.body, r#"{"numChangedSegments":1,"segmentStateChanged":true}"#);
    assert_eq!(world.get(base).await.body, r#"["EVENTS_GEO"]"#);
    let unused = world.post(&format!("{one}/markUnused"), r#"{"interval":"1000/3000"}"#).await;
    assert_eq!(unused.json()["numChangedSegments"], 1);

    let killed =
        world.send("DELETE", &format!("{one}?kill=true&interval=1000-01-01/2026-12-01"), &[], "").await;
    assert_eq!((killed.status.as_u16(), killed.body.as_str()), (200, ""));
    assert_eq!(world.get("/druid/coordinator/v1/metadata/datasources?includeUnused").await.body, "[]");
}

#[tokio::test]
async fn an_interval_that_is_none_is_refused() {
    let world = World::with_events().await;
    let answer =
        world.send("DELETE", "/druid/coordinator/v1/datasources/X?kill=true&interval=soon", &[], "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["errorMessage"].as_str().unwrap().contains("[soon]"));
    let both = r#"{"segmentIds":["a"],"interval":"2026/2027"}"#;
    assert_eq!(world.post("/druid/coordinator/v1/datasources/X/markUnused", both).await.status, 400);
    assert_eq!(world.post("/druid/coordinator/v1/datasources/X/markUnused", "{}").await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_segment_goes_out_of_use_and_comes_back_by_its_id() {
    let world = World::with_events().await;
    world.publish();
    let one = "/druid/coordinator/v1/datasources/EVENTS_GEO";
    let ids = world.get(&format!("{one}/segments")).await.json();
    let id = ids[0].as_str().unwrap();
    let shown = world.get(&format!("{one}/segments/{id}")).await.json();
    assert_eq!(shown["metadata"]["identifier"], id);

    let changed = r#"{"numChangedSegments":1,"segmentStateChanged":true}"#;
    let unchanged = r#"{"numChangedSegments":0,"segmentStateChanged":false}"#;
    let path = format!("{one}/segments/{id}");
    assert_eq!(world.send("DELETE", &path, &[], "").await.body, changed);
    assert_eq!(world.send("DELETE", &path, &[], "").await.body, unchanged);
    assert_eq!(world.get(&path).await.status, 204);
    assert_eq!(world.post(&path, "").await.body, changed);
    let by_id = json!({ "segmentIds": [id, "no such segment"] }).to_string();
    assert_eq!(world.post(&format!("{one}/markUnused"), &by_id).await.body, changed);
    assert_eq!(world.post(&format!("{one}/markUsed"), &by_id).await.body, changed);
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(
        world.send("DELETE", "/druid/coordinator/v1/datasources/X/segments/a", &[], "").await.body,
        unchanged
    );
}
