//! Brokers that are not there, topics that are not there, offsets that are not there.

use std::time::Duration;

use ovate_ingest::{IngestOptions, OffsetPolicy};
use ovate_storage::Progress;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::json;

use crate::setup::{
    Kafka, manager, manager_with, numbers, payload, rows, run, spec, store, until, until_rows,
};

fn impatient() -> IngestOptions {
    IngestOptions { unhealthy_after: Duration::from_millis(500), ..IngestOptions::default() }
}

#[test]
fn a_topic_that_is_made_later_is_read_from_its_beginning() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("LATER", &kafka.servers())).await.unwrap();
        until("it waits for the topic", || {
            payload(&manager, "LATER")["detailedState"] == "CONNECTING_TO_STREAM"
        })
        .await;
        let status = payload(&manager, "LATER");
        assert_eq!((&status["state"], &status["healthy"]), (&json!("RUNNING"), &json!(true)));
        assert!(status["recentErrors"][0]["message"].as_str().unwrap().contains("LATER"), "{status}");
        assert_eq!(status["recentErrors"][0]["streamException"], true);
        kafka.create("LATER", 1);
        kafka.produce_rows("LATER", 0, 0..10);
        until_rows(&store, "LATER", 10).await;
    });
}

#[test]
fn brokers_that_cannot_be_reached_make_it_unhealthy_and_can_be_given_up() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let manager = manager_with(&store, impatient()).await;
        manager.post(spec("BAD", "127.0.0.1:1")).await.unwrap();
        assert_eq!(payload(&manager, "BAD")["state"], "PENDING");
        until("it is unhealthy", || manager.is_healthy("BAD") == Some(false)).await;
        let status = payload(&manager, "BAD");
        assert_eq!(status["state"], "UNHEALTHY_SUPERVISOR");
        assert_eq!(status["detailedState"], "UNABLE_TO_CONNECT_TO_STREAM");
        assert!(!status["recentErrors"].as_array().unwrap().is_empty());
        manager.terminate("BAD").await.unwrap();
    });
}

/// Has the brokers refuse requests of a kind, for longer than any test lasts.
fn refuse(kafka: &Kafka, requests: RDKafkaApiKey) {
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    kafka.cluster.request_errors(requests, &vec![refusal; 10_000]);
}

#[test]
fn a_topic_that_may_not_be_read_any_more_makes_it_unhealthy_until_it_may() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("REFUSED", 1);
        kafka.produce_rows("REFUSED", 0, 0..5);
        let store = store(folder.path());
        let manager = manager_with(&store, impatient()).await;
        manager.post(spec("REFUSED", &kafka.servers())).await.unwrap();
        until_rows(&store, "REFUSED", 5).await;
        refuse(&kafka, RDKafkaApiKey::Fetch);
        until("it is unhealthy", || manager.is_healthy("REFUSED") == Some(false)).await;
        let status = payload(&manager, "REFUSED");
        assert_eq!(status["detailedState"], "LOST_CONTACT_WITH_STREAM");
        assert!(status["recentErrors"].to_string().contains("do not let this client read"), "{status}");
        kafka.cluster.clear_request_errors(RDKafkaApiKey::Fetch);
        kafka.produce_rows("REFUSED", 0, 5..9);
        until_rows(&store, "REFUSED", 9).await;
        until("it is healthy", || manager.is_healthy("REFUSED") == Some(true)).await;
    });
}

#[test]
fn brokers_that_know_the_topic_and_tell_no_offsets_make_it_unhealthy() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("MUTE", 1);
        kafka.produce_rows("MUTE", 0, 0..5);
        refuse(&kafka, RDKafkaApiKey::ListOffsets);
        let store = store(folder.path());
        let manager = manager_with(&store, impatient()).await;
        manager.post(spec("MUTE", &kafka.servers())).await.unwrap();
        until("it is unhealthy", || manager.is_healthy("MUTE") == Some(false)).await;
        assert!(payload(&manager, "MUTE")["recentErrors"].to_string().contains("cannot look up offsets"));
        kafka.cluster.clear_request_errors(RDKafkaApiKey::ListOffsets);
        until_rows(&store, "MUTE", 5).await;
        until("it is healthy", || manager.is_healthy("MUTE") == Some(true)).await;
    });
}

#[test]
fn the_broker_map_leads_to_other_brokers() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("MAP", 1);
        kafka.produce_rows("MAP", 0, 0..3);
        let store = store(folder.path());
        let broker_map = vec![("kafka_broker:29092".to_owned(), kafka.servers())];
        let manager = manager_with(&store, IngestOptions { broker_map, ..IngestOptions::default() }).await;
        manager.post(spec("MAP", "kafka_broker:29092")).await.unwrap();
        until_rows(&store, "MAP", 3).await;
        let given_back = manager.get("MAP").unwrap();
        assert_eq!(given_back["ioConfig"]["consumerProperties"]["bootstrap.servers"], "kafka_broker:29092");
    });
}

#[test]
fn brokers_that_go_away_are_missed_and_found_again() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("AWAY", 1);
        kafka.produce_rows("AWAY", 0, 0..5);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("AWAY", &kafka.servers())).await.unwrap();
        until_rows(&store, "AWAY", 5).await;
        kafka.cluster.broker_down(-1).unwrap();
        until("contact is lost", || payload(&manager, "AWAY")["detailedState"] == "LOST_CONTACT_WITH_STREAM")
            .await;
        assert_eq!(payload(&manager, "AWAY")["healthy"], false);
        kafka.cluster.broker_up(-1).unwrap();
        kafka.produce_rows("AWAY", 0, 5..10);
        until_rows(&store, "AWAY", 10).await;
        until("contact is there again", || payload(&manager, "AWAY")["detailedState"] == "RUNNING").await;
        assert_eq!(numbers(&store, "AWAY"), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn offsets_that_kafka_does_not_have_stop_reading_until_somebody_decides() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("GONE", 1);
        kafka.produce_rows("GONE", 0, 0..5);
        let store = store(folder.path());
        let manager = manager(&store).await;
        manager.post(spec("GONE", &kafka.servers())).await.unwrap();
        until_rows(&store, "GONE", 5).await;
        let request = json!({"partitions": {"stream": "GONE", "partitionOffsetMap": {"0": 1000}}});
        manager.reset_offsets("GONE", &request).await.unwrap();
        until("it stops", || payload(&manager, "GONE")["detailedState"] == "OFFSETS_OUT_OF_RANGE").await;
        let status = payload(&manager, "GONE");
        assert_eq!((&status["healthy"], &status["state"]), (&json!(false), &json!("UNHEALTHY_SUPERVISOR")));
        assert!(status["recentErrors"].to_string().contains("offset 1000"), "{status}");
        let gap = &status["offsetGaps"][0];
        assert_eq!((&gap["from"], &gap["to"], &gap["action"]), (&json!(1000), &json!(5), &json!("STOPPED")));
        let request = json!({"partitions": {"stream": "GONE", "partitionOffsetMap": {"0": 5}}});
        manager.reset_offsets("GONE", &request).await.unwrap();
        kafka.produce_rows("GONE", 0, 5..8);
        until_rows(&store, "GONE", 8).await;
        assert_eq!(numbers(&store, "GONE"), (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn a_policy_goes_on_over_a_gap_and_counts_it() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("GAP", 1);
        kafka.produce_rows("GAP", 0, 0..5);
        let store = store(folder.path());
        let manager = manager(&store).await;
        let mut automatic = spec("GAP", &kafka.servers());
        automatic["spec"]["tuningConfig"]["resetOffsetAutomatically"] = json!(true);
        manager.post(automatic).await.unwrap();
        until_rows(&store, "GAP", 5).await;
        let request = json!({"partitions": {"stream": "GAP", "partitionOffsetMap": {"0": 1000}}});
        manager.reset_offsets("GAP", &request).await.unwrap();
        until_rows(&store, "GAP", 10).await;
        let gap = &payload(&manager, "GAP")["offsetGaps"][0];
        assert_eq!((&gap["partition"], &gap["from"], &gap["to"]), (&json!(0), &json!(1000), &json!(0)));
        assert_eq!((&gap["cause"], &gap["action"]), (&json!("BEYOND_END"), &json!("RESUMED_AT_EARLIEST")));
    });
}

#[test]
fn another_cluster_is_not_read_at_the_offsets_of_the_old_one() {
    run(async {
        let (old, new, folder) = (Kafka::start(), Kafka::start(), tempfile::tempdir().unwrap());
        for kafka in [&old, &new] {
            kafka.create("ID", 1);
        }
        old.produce_rows("ID", 0, 0..5);
        new.produce_rows("ID", 0, 100..110);
        {
            let store = store(folder.path());
            let manager = manager(&store).await;
            manager.post(spec("ID", &old.servers())).await.unwrap();
            until_rows(&store, "ID", 5).await;
            manager.post(spec("ID", &new.servers())).await.unwrap();
            until("it stops", || payload(&manager, "ID")["detailedState"] == "STREAM_IDENTITY_CHANGED").await;
            assert!(payload(&manager, "ID")["recentErrors"].to_string().contains("offsets belong to"));
        }
        let store = store(folder.path());
        let options = IngestOptions { offset_policy: OffsetPolicy::Earliest, ..IngestOptions::default() };
        let manager = manager_with(&store, options).await;
        until_rows(&store, "ID", 15).await;
        assert_eq!(numbers(&store, "ID"), (0..5).chain(100..110).collect::<Vec<_>>());
        // The first was met by the process before.
        let gaps = payload(&manager, "ID")["offsetGaps"].clone();
        let told = |at: usize| ["from", "to", "cause", "action"].map(|key| gaps[at][key].clone());
        assert_eq!(told(0), [json!(5), json!(null), json!("CLUSTER_CHANGED"), json!("STOPPED")]);
        assert_eq!(told(1), [json!(5), json!(0), json!("CLUSTER_CHANGED"), json!("RESUMED_AT_EARLIEST")]);
        assert_eq!(gaps.as_array().unwrap().len(), 2);
    });
}

#[test]
fn what_brokers_tell_late_of_the_stream_is_kept_before_a_row_is_read() {
    run(async {
        let (kafka, folder) = (Kafka::start(), tempfile::tempdir().unwrap());
        kafka.create("LATE", 1);
        kafka.produce_rows("LATE", 0, 0..5);
        let store = store(folder.path());
        let mut progress = Progress::default();
        progress.set("LATE", 0, 5);
        store.catalog().set_progress("LATE", Some(&progress), &[]).unwrap();
        let manager = manager(&store).await;
        manager.post(spec("LATE", &kafka.servers())).await.unwrap();
        until("it reads", || payload(&manager, "LATE")["detailedState"] == "RUNNING").await;
        let stored = store.catalog().progress("LATE").unwrap().unwrap();
        let identity = &stored.identity;
        assert!(identity.cluster_id.is_some() && identity.topic_ids.contains_key("LATE"), "{stored:?}");
        assert_eq!((stored.next_offset("LATE", 0), rows(&store, "LATE")), (Some(5), 0));
    });
}
