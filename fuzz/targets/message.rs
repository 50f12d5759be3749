//! A message with `flattenSpec`: rows of it, or a reason; and its neighbours are kept.

#![allow(unreachable_pub)] // Shared with tests.

use std::sync::Arc;

use ovate_ingest::pipeline::{Message, Pipeline};
use ovate_ingest::spec::SupervisorSpec;
use ovate_storage::{Datasource, Progress, Store, StoreOptions};
use serde_json::{Value, json};

use crate::corpus::{Case, cases};
use crate::fuzz::Target;

/// See the module.
#[derive(Debug)]
pub struct Messages {
    pipeline: Pipeline,
    datasource: Arc<Datasource>,
    _store: Arc<Store>,
    _folder: tempfile::TempDir,
    inputs: usize,
}

fn spec() -> SupervisorSpec {
    let text = include_str!("../../ingest/tests/data/specs/devices_ingestion.json");
    let mut posted: Value = serde_json::from_str(text).unwrap();
    posted["spec"]["ioConfig"]["inputFormat"]["flattenSpec"] = json!({"useFieldDiscovery": true, "fields": [
        {"type": "path", "name": "q", "expr": "$.p.q[1].r"},
        {"type": "root", "name": "s"},
    ]});
    posted["spec"]["dataSchema"]["timestampSpec"] = json!({"column": "t", "format": "auto"});
    posted["spec"]["dataSchema"]["dimensionsSpec"] =
        json!({"dimensions": ["s", "q", {"type": "long", "name": "l"}, {"type": "double", "name": "d"}]});
    SupervisorSpec::parse(&posted).unwrap()
}

impl Target for Messages {
    const NAME: &'static str = "message";
    const WORDS: &'static [&'static str] = &["null", "{\"t\":1}", "\\ud83d", "1e999", "[[", "}}", "\"t\":"];

    fn kept() -> Vec<Vec<u8>> {
        let corpus = cases(include_str!("../../tests/corpus/rows.jsonl"));
        let mut kept: Vec<Vec<u8>> = corpus.iter().map(Case::bytes).collect();
        kept.retain(|bytes| bytes.len() < 4096);
        let good =
            br#"{"t":"2024-01-01T00:00:00.123Z","s":["a","b",null],"l":5,"d":1.5e3,"p":{"q":[1,{"r":"x"}]}}"#;
        kept.push(good.to_vec());
        kept
    }

    fn new() -> Self {
        let spec = spec();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let datasource = store.ensure_datasource(spec.id(), spec.ingestion.shared_table_schema()).unwrap();
        let pipeline = Pipeline::new(&spec.ingestion).unwrap();
        Self { pipeline, datasource, _store: store, _folder: folder, inputs: 0 }
    }

    fn run(&mut self, input: &[u8]) {
        const GOOD: &[u8] = br#"{"t":1704067200000,"s":"good"}"#;
        self.inputs += 1;
        if self.inputs.is_multiple_of(10_000) {
            // So that memory stays what it is.
            self.datasource.reset(None, &[]).unwrap();
        }
        let mut writer = self.datasource.writer();
        let messages = [GOOD, input, GOOD].map(|payload| Message {
            payload: Some(payload),
            key: None,
            timestamp_ms: None,
            partition: 0,
            offset: 0,
        });
        let mut decoded = self.pipeline.decode(&mut writer, messages, 1_704_067_200_000).unwrap();
        assert!(decoded.batch.rows() >= 2, "good neighbours are kept");
        let batch = std::mem::take(&mut decoded.batch);
        writer.append(batch, &Progress::default(), 0).unwrap();
    }
}
