//! A supervisor's specification: refused, or taken, given back, and taken again as the same.

#![allow(unreachable_pub)] // Shared with tests.

use ovate_ingest::pipeline::Pipeline;
use ovate_ingest::spec::SupervisorSpec;
use serde_json::Value;

use crate::fuzz::Target;

/// See the module.
#[derive(Debug)]
pub struct Specification;

impl Target for Specification {
    const NAME: &'static str = "specification";
    const WORDS: &'static [&'static str] = &[
        "null",
        "[]",
        "{}",
        "1",
        "\"expr\"",
        "\"type\"",
        "\"path\"",
        "\"$.a[0]\"",
        "\"PT1H\"",
        "\"string\"",
    ];

    fn kept() -> Vec<Vec<u8>> {
        [
            include_str!("../../ingest/tests/data/specs/alerts_ingestion.json"),
            include_str!("../../ingest/tests/data/specs/devices_ingestion.json"),
            include_str!("../../ingest/tests/data/specs/events_geo_ingestion.json"),
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    }

    fn new() -> Self {
        Self
    }

    fn run(&mut self, input: &[u8]) {
        let Ok(posted) = serde_json::from_slice::<Value>(input) else { return };
        let Ok(spec) = SupervisorSpec::parse(&posted) else { return };
        let _ = Pipeline::new(&spec.ingestion);
        assert_eq!(SupervisorSpec::parse(spec.to_json()).unwrap().to_json(), spec.to_json());
    }
}
