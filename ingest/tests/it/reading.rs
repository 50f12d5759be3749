//! Messages become rows: visible, counted, in full, once.

use serde_json::json;

use crate::setup::{
    Kafka, manager, manager_with, numbers, payload, row, rows, run, sealed_rows, spec, store, texts, totals,
    until, until_rows,
};
use ovate_ingest::IngestOptions;

#[test]
fn rows_of_all_partitions_are_visible_and_counted() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("E", 3);
        for partition in 0..3 {
            let first = i64::from(partition) * 100;
            kafka.produce_rows("E", partition, first..first + 100);
        }
        let store = store(folder.path());
        let manager = manager(&store).await;
        assert_eq!(manager.post(spec("E", &kafka.servers())).await.unwrap(), "E");
        until_rows(&store, "E", 300).await;
        assert_eq!(numbers(&store, "E"), (0..300).collect::<Vec<_>>());

        until("counts are shown", || totals(&manager, "E")["processed"] == 300).await;
        assert!(totals(&manager, "E")["processedBytes"].as_i64().unwrap() > 300 * 30);
        until("the state is RUNNING", || payload(&manager, "E")["detailedState"] == "RUNNING").await;
        let status = payload(&manager, "E");
        assert_eq!(status["partitions"], 3);
        assert_eq!(status["latestOffsets"], json!({"0": 100, "1": 100, "2": 100}));
        assert_eq!(status["minimumLag"], json!({"0": 0, "1": 0, "2": 0}));
        assert_eq!((&status["aggregateLag"], &status["healthy"]), (&json!(0), &json!(true)));
        let task = &status["activeTasks"][0];
        assert_eq!(task["startingOffsets"], json!({"0": 0, "1": 0, "2": 0}));
        assert_eq!(task["currentOffsets"], json!({"0": 100, "1": 100, "2": 100}));
        let tasks = manager.tasks();
        assert_eq!(
            (tasks.len(), tasks[0].status, tasks[0].id.as_str()),
            (1, "RUNNING", task["id"].as_str().unwrap())
        );

        kafka.produce_rows("E", 1, 300..310);
        until_rows(&store, "E", 310).await;
    });
}

#[test]
fn values_arrive_as_they_were_sent() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("V", 1);
        let values = ["it's", "say \"hi\"", "back\\slash", "🦆 Zürich", "a\u{0}b", "", "tab\tline\n"];
        let messages =
            values.map(|name| json!({"t": "2026-11-23T10:00:00Z", "name": name, "n": 1}).to_string());
        kafka.produce("V", 0, messages);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("V", &kafka.servers())).await.unwrap();
        until_rows(&store, "V", values.len()).await;
        let mut expected: Vec<_> = values.iter().map(|value| Some((*value).to_owned())).collect();
        expected.sort();
        assert_eq!(texts(&store, "V", "name"), expected);
        manager.shutdown().await.unwrap();
        assert_eq!(texts(&store, "V", "name"), expected, "sealed");
    });
}

#[test]
fn bad_rows_are_counted_and_sampled_and_stop_nothing() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("B", 1);
        let no_time = json!({"name": "x", "n": 1}).to_string();
        let bad_number = json!({"t": "2026-11-23T10:00:00Z", "name": "x", "n": "many"}).to_string();
        let messages = [row(0), "{\"t\": nonsense".into(), no_time, "17".into(), row(1), bad_number, row(2)];
        kafka.produce("B", 0, messages);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("B", &kafka.servers())).await.unwrap();
        until_rows(&store, "B", 4).await;
        until("counts are shown", || totals(&manager, "B")["processed"] == 3).await;
        let counts = totals(&manager, "B");
        assert_eq!((&counts["unparseable"], &counts["processedWithError"]), (&json!(3), &json!(1)));
        let errors = manager.parse_errors("B").unwrap();
        let mut offsets: Vec<i64> = errors.iter().map(|error| error.offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [1, 2, 3, 5]);
        let error = serde_json::to_value(errors.iter().find(|error| error.offset == 1).unwrap()).unwrap();
        assert_eq!(
            (&error["errorType"], &error["input"]),
            (&json!("unparseable"), &json!("{\"t\": nonsense"))
        );
        assert!(error["timeOfExceptionMillis"].as_i64().unwrap() > 0);
        assert!(!error["details"][0].as_str().unwrap().is_empty());
        assert_eq!(payload(&manager, "B")["activeTasks"][0]["currentOffsets"], json!({"0": 7}));
    });
}

#[test]
fn a_stop_publishes_and_a_new_process_goes_on_where_the_rows_end() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("R", 2);
        kafka.produce_rows("R", 0, 0..50);
        kafka.produce_rows("R", 1, 50..100);
        {
            let store = store(folder.path());
            let manager = manager(&store).await;
            manager.post(spec("R", &kafka.servers())).await.unwrap();
            until_rows(&store, "R", 100).await;
            manager.shutdown().await.unwrap();
            assert_eq!(sealed_rows(&store, "R"), 100);
            assert!(
                manager.post(spec("R", &kafka.servers())).await.is_err(),
                "nothing starts after a shutdown"
            );
        }
        kafka.produce_rows("R", 1, 100..120);
        let store = store(folder.path());
        assert_eq!(rows(&store, "R"), 100);
        let manager = manager(&store).await;
        until_rows(&store, "R", 120).await;
        assert_eq!(numbers(&store, "R"), (0..120).collect::<Vec<_>>());
        let status = payload(&manager, "R");
        assert_eq!(status["activeTasks"][0]["startingOffsets"], json!({"0": 50, "1": 50}));
    });
}

#[test]
fn rows_that_a_crash_took_are_read_again_and_no_others() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("C", 1);
        kafka.produce_rows("C", 0, 0..40);
        {
            let store = store(folder.path());
            let manager = manager(&store).await;
            manager.post(spec("C", &kafka.servers())).await.unwrap();
            until_rows(&store, "C", 40).await;
            store.datasource("C").unwrap().publish(1).unwrap();
            kafka.produce_rows("C", 0, 40..70);
            until_rows(&store, "C", 70).await;
            // Dropped without a shutdown: hot rows are gone, as after kill -9.
        }
        let store = store(folder.path());
        assert_eq!(rows(&store, "C"), 40);
        let _manager = manager(&store).await;
        until_rows(&store, "C", 70).await;
        assert_eq!(numbers(&store, "C"), (0..70).collect::<Vec<_>>());
    });
}

#[test]
fn a_stream_read_from_its_end_loses_nothing_to_a_crash_before_the_first_publish() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("L", 1);
        kafka.produce_rows("L", 0, 0..10);
        let mut latest = spec("L", &kafka.servers());
        latest["spec"]["ioConfig"]["useEarliestOffset"] = json!(false);
        {
            let store = store(folder.path());
            let manager = manager(&store).await;
            manager.post(latest).await.unwrap();
            until("it reads", || payload(&manager, "L")["detailedState"] == "RUNNING").await;
            kafka.produce_rows("L", 0, 10..15);
            until_rows(&store, "L", 5).await;
        }
        kafka.produce_rows("L", 0, 15..20);
        let store = store(folder.path());
        let _manager = manager(&store).await;
        until_rows(&store, "L", 10).await;
        assert_eq!(numbers(&store, "L"), (10..20).collect::<Vec<_>>());
    });
}

#[test]
fn full_memory_makes_reading_wait_for_publishing_and_nothing_is_lost() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("M", 1);
        kafka.produce_rows("M", 0, 0..30_000);
        let store = store(folder.path());
        let options = IngestOptions { hot_bytes_max: 256 << 10, ..IngestOptions::default() };
        let manager = manager_with(&store, options).await;
        manager.post(spec("M", &kafka.servers())).await.unwrap();
        until_rows(&store, "M", 30_000).await;
        assert!(sealed_rows(&store, "M") > 0, "published while reading");
        manager.shutdown().await.unwrap();
        assert_eq!(numbers(&store, "M"), (0..30_000).collect::<Vec<_>>());
        assert!(store.segment_records(Some("M")).unwrap().len() > 1);
    });
}

#[test]
fn rows_are_published_for_their_number() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("N", 1);
        kafka.produce_rows("N", 0, 0..1000);
        let store = store(folder.path());
        let manager = manager(&store).await;
        let mut small = spec("N", &kafka.servers());
        small["spec"]["tuningConfig"]["maxRowsPerSegment"] = json!(500);
        manager.post(small).await.unwrap();
        until("rows are sealed", || sealed_rows(&store, "N") >= 500).await;
        until_rows(&store, "N", 1000).await;
    });
}
