//! Specifications, messages and times that are changed at random.

use ovate_storage::time::joda::JodaPattern;
use ovate_storage::time::{Zone, parse::parse_iso};
use ovate_storage::{Progress, Store, StoreOptions};
use serde_json::{Value, json};

use crate::corpus::{Case, cases};
use crate::fuzz::fuzz;
use crate::pipeline::{Message, Pipeline};
use crate::spec::SupervisorSpec;

const SPECS: [&str; 3] = [
    include_str!("../tests/data/specs/alerts_ingestion.json"),
    include_str!("../tests/data/specs/devices_ingestion.json"),
    include_str!("../tests/data/specs/events_geo_ingestion.json"),
];

#[test]
fn no_specification_makes_the_reader_panic_and_what_is_taken_can_be_posted_again() {
    let kept: Vec<Vec<u8>> = SPECS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let words =
        ["null", "[]", "{}", "1", "\"expr\"", "\"type\"", "\"path\"", "\"$.a[0]\"", "\"PT1H\"", "\"string\""];
    fuzz("specification", &kept, &words, 2_000, |bytes| {
        let Ok(posted) = serde_json::from_slice::<Value>(bytes) else { return };
        let Ok(spec) = SupervisorSpec::parse(&posted) else { return };
        let _ = Pipeline::new(&spec.ingestion);
        assert_eq!(SupervisorSpec::parse(spec.to_json()).unwrap().to_json(), spec.to_json());
    });
}

#[test]
fn no_message_makes_the_pipeline_panic_or_cost_its_neighbours() {
    let posted: Value = serde_json::from_str(SPECS[1]).unwrap();
    let mut posted = posted;
    let flatten = json!({"useFieldDiscovery": true, "fields": [
        {"type": "path", "name": "q", "expr": "$.p.q[1].r"},
        {"type": "root", "name": "s"},
    ]});
    posted["spec"]["ioConfig"]["inputFormat"]["flattenSpec"] = flatten;
    posted["spec"]["dataSchema"]["timestampSpec"] = json!({"column": "t", "format": "auto"});
    posted["spec"]["dataSchema"]["dimensionsSpec"] =
        json!({"dimensions": ["s", "q", {"type": "long", "name": "l"}, {"type": "double", "name": "d"}]});
    let spec = SupervisorSpec::parse(&posted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let schema = spec.ingestion.shared_table_schema();
    let datasource = store.ensure_datasource(spec.id(), schema).unwrap();
    let mut pipeline = Pipeline::new(&spec.ingestion).unwrap();
    let good = br#"{"t":1704067200000,"s":"good"}"#;
    let corpus = cases(include_str!("../../tests/corpus/rows.jsonl"));
    let mut kept: Vec<Vec<u8>> = corpus.iter().map(Case::bytes).collect();
    kept.retain(|bytes| bytes.len() < 4096);
    kept.push(
        br#"{"t":"2024-01-01T00:00:00.123Z","s":["a","b",null],"l":5,"d":1.5e3,"p":{"q":[1,{"r":"x"}]}}"#
            .to_vec(),
    );
    fuzz(
        "message",
        &kept,
        &["null", "{\"t\":1}", "\\ud83d", "1e999", "[[", "}}", "\"t\":"],
        6_000,
        |bytes| {
            let mut writer = datasource.writer();
            let messages = [&good[..], bytes, &good[..]].map(|payload| Message {
                payload: Some(payload),
                key: None,
                timestamp_ms: None,
                partition: 0,
                offset: 0,
            });
            let mut decoded = pipeline.decode(&mut writer, messages, 1_704_067_200_000).unwrap();
            assert!(decoded.batch.rows() >= 2, "good neighbours are kept");
            let batch = std::mem::take(&mut decoded.batch);
            writer.append(batch, &Progress::default(), 0).unwrap();
        },
    );
}

#[test]
fn no_time_and_no_pattern_makes_the_calendar_panic() {
    let kept: Vec<Vec<u8>> = [
        "2024-01-01T00:00:00.123Z",
        "2024-02-29 23:59:59+01:00",
        "2024-W01-1",
        "2024-366",
        "-0001-01-01T00:00:00-23:59",
        "292278993-12-31T23:59:59Z",
        "yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "EEE, dd MMM yyyy HH:mm:ss z",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let words = ["T", "Z", "+99:99", "24:00", "W53", "Europe/Zurich", "0000", "é", "SSS", "''", "yyyyyyyyyy"];
    fuzz("time", &kept, &words, 30_000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = parse_iso(&text, Zone::UTC);
        if let Ok(pattern) = JodaPattern::compile(&text) {
            let _ = pattern.parse("2024-01-01T00:00:00.123Z", Zone::UTC);
            let _ = pattern.parse(&text, Zone::UTC);
        }
    });
}
