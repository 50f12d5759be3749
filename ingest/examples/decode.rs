//! How fast a specification's messages are decoded, on one core:
//!
//! ```text
//! cargo run --release -p ovate-ingest --example decode -- SPEC.json MESSAGES.jsonl [SECONDS]
//! ```
//!
//! Messages are decoded in batches, over and over, with and without appending them to the store.

use std::error::Error;
use std::time::{Duration, Instant};

use ovate_ingest::pipeline::{Counts, Message, Pipeline};
use ovate_ingest::spec::SupervisorSpec;
use ovate_storage::{Progress, Store, StoreOptions};

/// Messages of one batch: what one round of polling brings when a stream is behind.
const BATCH: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(spec), Some(messages)) = (arguments.next(), arguments.next()) else {
        return Err("usage: decode SPEC.json MESSAGES.jsonl [SECONDS]".into());
    };
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let spec = SupervisorSpec::parse(&serde_json::from_slice(&std::fs::read(spec)?)?)?;
    let text = std::fs::read_to_string(messages)?;
    let payloads: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    for append in [false, true] {
        let (counts, elapsed) = run(&spec, &payloads, Duration::from_secs(seconds), append)?;
        let rate = counts.messages as f64 / elapsed.as_secs_f64();
        println!(
            "{}: {rate:.0} messages/s, {:.0} MB/s, {:.0} ns a message; {} with errors, {} unparseable",
            if append { "decode and append" } else { "decode" },
            counts.bytes as f64 / elapsed.as_secs_f64() / 1e6,
            1e9 / rate,
            counts.processed_with_error,
            counts.unparseable,
        );
    }
    Ok(())
}

fn run(
    spec: &SupervisorSpec,
    payloads: &[&[u8]],
    at_least: Duration,
    append: bool,
) -> Result<(Counts, Duration), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), StoreOptions::default())?;
    let datasource = store.ensure_datasource(spec.id(), spec.ingestion.shared_table_schema())?;
    let mut pipeline = Pipeline::new(&spec.ingestion)?;
    let mut writer = datasource.writer();
    let mut counts = Counts::default();
    let start = Instant::now();
    while start.elapsed() < at_least {
        for batch in payloads.chunks(BATCH) {
            let messages = batch.iter().enumerate().map(|(offset, payload)| Message {
                payload: Some(payload),
                key: None,
                timestamp_ms: None,
                partition: 0,
                offset: offset as i64,
            });
            let decoded = pipeline.decode(&mut writer, messages, 0)?;
            counts += decoded.counts;
            if append {
                writer.append(decoded.batch, &Progress::default(), 0)?;
            }
        }
    }
    Ok((counts, start.elapsed()))
}
