//! What can be done to a supervisor, and what becomes of its rows.

use ovate_ingest::IngestError;
use serde_json::{Value, json};

use crate::setup::{
    Kafka, manager, numbers, payload, rows, run, sealed_rows, spec, store, texts, until, until_rows,
};

#[test]
fn a_suspended_supervisor_has_published_and_does_not_read() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("S", 1);
        kafka.produce_rows("S", 0, 0..20);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("S", &kafka.servers())).await.unwrap();
        until_rows(&store, "S", 20).await;

        let suspended = manager.suspend("S").await.unwrap();
        assert_eq!(suspended["suspended"], true);
        assert_eq!(sealed_rows(&store, "S"), 20);
        assert!(matches!(manager.suspend("S").await, Err(IngestError::AlreadySuspended(_))));
        let status = payload(&manager, "S");
        assert_eq!((&status["state"], &status["suspended"]), (&json!("SUSPENDED"), &json!(true)));
        assert_eq!((&status["activeTasks"], &status["partitions"]), (&json!([]), &json!(0)));
        assert_eq!((manager.stats("S").unwrap(), manager.is_healthy("S")), (json!({}), Some(true)));
        assert_eq!(manager.tasks().iter().map(|task| task.status).collect::<Vec<_>>(), ["SUCCESS"]);

        kafka.produce_rows("S", 0, 20..30);
        assert_eq!(manager.resume("S").await.unwrap()["suspended"], false);
        assert!(matches!(manager.resume("S").await, Err(IngestError::AlreadyRunning(_))));
        until_rows(&store, "S", 30).await;
        assert_eq!(numbers(&store, "S"), (0..30).collect::<Vec<_>>());
        let history = manager.history("S").unwrap();
        let flags: Vec<&Value> = history.iter().map(|entry| &entry.spec["suspended"]).collect();
        assert_eq!(flags, [&json!(false), &json!(true), &json!(false)]);
    });
}

#[test]
fn a_suspended_supervisor_stays_suspended_in_the_next_process() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("P", 1);
        kafka.produce_rows("P", 0, 0..5);
        {
            let store = store(folder.path());
            let manager = manager(&store).await;
            let mut suspended = spec("P", &kafka.servers());
            suspended["suspended"] = json!(true);
            manager.post(suspended).await.unwrap();
            assert_eq!(payload(&manager, "P")["state"], "SUSPENDED");
        }
        let store = store(folder.path());
        let manager = manager(&store).await;
        assert_eq!((payload(&manager, "P")["state"].as_str(), rows(&store, "P")), (Some("SUSPENDED"), 0));
        manager.resume("P").await.unwrap();
        until_rows(&store, "P", 5).await;
    });
}

#[test]
fn a_reset_reads_again_and_keeps_what_was_published() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("R", 1);
        kafka.produce_rows("R", 0, 0..10);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("R", &kafka.servers())).await.unwrap();
        until_rows(&store, "R", 10).await;
        manager.reset("R").await.unwrap();
        until("it reads", || payload(&manager, "R")["activeTasks"][0]["currentOffsets"] == json!({"0": 10}))
            .await;
        assert_eq!(
            numbers(&store, "R"),
            (0..10).collect::<Vec<_>>(),
            "rows that were not published are not doubled"
        );

        manager.suspend("R").await.unwrap();
        manager.resume("R").await.unwrap();
        manager.reset("R").await.unwrap();
        until_rows(&store, "R", 20).await;
        assert!(matches!(manager.reset("NOPE").await, Err(IngestError::UnknownSupervisor(_))));
    });
}

#[test]
fn offsets_can_be_set_for_some_partitions() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("O", 2);
        kafka.produce_rows("O", 0, 0..10);
        kafka.produce_rows("O", 1, 10..20);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("O", &kafka.servers())).await.unwrap();
        until_rows(&store, "O", 20).await;
        let request = json!({"type": "kafka", "partitions": {
            "type": "end", "stream": "O", "partitionOffsetMap": {"1": 7}
        }});
        manager.reset_offsets("O", &request).await.unwrap();
        until_rows(&store, "O", 23).await;
        let mut expected: Vec<i64> = (0..20).chain(17..20).collect();
        expected.sort_unstable();
        assert_eq!(numbers(&store, "O"), expected);
        assert!(matches!(manager.reset_offsets("O", &json!({})).await, Err(IngestError::BadOffsets(_))));
    });
}

#[test]
fn a_terminated_supervisor_leaves_rows_history_and_offsets() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("T", 1);
        kafka.produce_rows("T", 0, 0..10);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("T", &kafka.servers())).await.unwrap();
        until_rows(&store, "T", 10).await;
        manager.terminate("T").await.unwrap();
        assert_eq!(sealed_rows(&store, "T"), 10);
        assert!(manager.ids().is_empty() && manager.get("T").is_none() && manager.status("T").is_none());
        assert!(matches!(manager.terminate("T").await, Err(IngestError::UnknownSupervisor(_))));
        let history = manager.history("T").unwrap();
        assert_eq!((history.len(), &history[0].spec["type"]), (2, &json!("noop")));
        assert_eq!(manager.history_of_all().unwrap()["T"].len(), 2);

        kafka.produce_rows("T", 0, 10..15);
        manager.post(spec("T", &kafka.servers())).await.unwrap();
        until_rows(&store, "T", 15).await;
        assert_eq!(numbers(&store, "T"), (0..15).collect::<Vec<_>>());
    });
}

#[test]
fn another_specification_goes_on_where_the_rows_end() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("D", 1);
        let message =
            |n: i64| json!({"t": "2026-11-23T10:00:00Z", "name": "x", "n": n, "city": "Bern"}).to_string();
        kafka.produce("D", 0, (0..10).map(message));
        let store = store(folder.path());
        let manager = manager(&store).await;
        let first = spec("D", &kafka.servers());
        manager.post(first.clone()).await.unwrap();
        until_rows(&store, "D", 10).await;
        let task = manager.tasks()[0].id.clone();
        manager.post(first.clone()).await.unwrap();
        assert_eq!(manager.tasks()[0].id, task, "the same specification changes nothing");
        assert_eq!(manager.history("D").unwrap().len(), 1);

        let mut second = first;
        second["spec"]["dataSchema"]["dimensionsSpec"]["dimensions"] =
            json!(["city", {"type": "long", "name": "n"}]);
        manager.post(second).await.unwrap();
        assert_ne!(manager.tasks()[0].id, task);
        kafka.produce("D", 0, (10..15).map(message));
        until_rows(&store, "D", 15).await;
        assert_eq!(numbers(&store, "D"), (0..15).collect::<Vec<_>>());
        let cities = texts(&store, "D", "city");
        assert_eq!(cities.iter().filter(|city| city.as_deref() == Some("Bern")).count(), 5);
        assert_eq!(manager.history("D").unwrap().len(), 2);
    });
}

#[test]
fn a_specification_that_is_refused_changes_nothing() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("X", 1);
        kafka.produce_rows("X", 0, 0..3);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("X", &kafka.servers())).await.unwrap();
        let mut misspelt = spec("X", &kafka.servers());
        misspelt["spec"]["ioConfig"]["useEarliestOfset"] = json!(true);
        let error = manager.post(misspelt).await.unwrap_err().to_string();
        assert!(error.contains("useEarliestOffset"), "{error}");
        let mut out_of_bounds = spec("X", &kafka.servers());
        out_of_bounds["spec"]["ioConfig"]["consumerProperties"]["fetch.min.bytes"] = json!("-1");
        let error = manager.post(out_of_bounds).await.unwrap_err().to_string();
        assert!(error.contains("fetch.min.bytes"), "{error}");
        until_rows(&store, "X", 3).await;
        assert_eq!(manager.history("X").unwrap().len(), 1);
    });
}

#[test]
fn what_was_given_back_can_be_posted_again_though_its_password_is_masked() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        let store = store(folder.path());
        let manager = manager(&store).await;
        let mut secret = spec("M", &kafka.servers());
        secret["spec"]["ioConfig"]["consumerProperties"]["ssl.key.password"] = json!("hunter2");
        manager.post(secret).await.unwrap();
        let given = manager.get("M").unwrap();
        assert!(!given.to_string().contains("hunter2"));
        manager.post(given.clone()).await.unwrap();
        assert_eq!(manager.history("M").unwrap().len(), 1, "the same specification changes nothing");
        manager.terminate("M").await.unwrap();
        let error = manager.post(given).await.unwrap_err().to_string();
        assert!(error.contains("masked password"), "{error}");
    });
}

#[test]
fn a_task_that_is_shut_down_is_followed_by_another() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("K", 1);
        kafka.produce_rows("K", 0, 0..10);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("K", &kafka.servers())).await.unwrap();
        until_rows(&store, "K", 10).await;
        let task = manager.tasks()[0].id.clone();
        manager.shut_down_task(&task).await.unwrap();
        let tasks = manager.tasks();
        assert_eq!(tasks.iter().map(|task| task.status).collect::<Vec<_>>(), ["RUNNING", "FAILED"]);
        assert_eq!(tasks[1].error_msg.as_deref(), Some("Shutdown request from user"));
        kafka.produce_rows("K", 0, 10..12);
        until_rows(&store, "K", 12).await;
        assert!(matches!(manager.shut_down_task(&task).await, Err(IngestError::UnknownTask(_))));
    });
}
