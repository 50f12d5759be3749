//! An instant, or a pattern for instants.

#![allow(unreachable_pub)] // Shared with tests.

use ovate_storage::time::joda::JodaPattern;
use ovate_storage::time::{Zone, parse::parse_iso};

use crate::fuzz::Target;

/// See the module.
#[derive(Debug)]
pub struct Instants;

impl Target for Instants {
    const NAME: &'static str = "instant";
    const WORDS: &'static [&'static str] =
        &["T", "Z", "+99:99", "24:00", "W53", "Europe/Zurich", "0000", "é", "SSS", "''", "yyyyyyyyyy"];

    fn kept() -> Vec<Vec<u8>> {
        [
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
        .to_vec()
    }

    fn new() -> Self {
        Self
    }

    fn run(&mut self, input: &[u8]) {
        let text = String::from_utf8_lossy(input);
        let _ = parse_iso(&text, Zone::UTC);
        if let Ok(pattern) = JodaPattern::compile(&text) {
            let _ = pattern.parse("2024-01-01T00:00:00.123Z", Zone::UTC);
            let _ = pattern.parse(&text, Zone::UTC);
        }
    }
}
