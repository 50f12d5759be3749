//! Metrics of one supervisor, through the `metrics` facade.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use ovate_storage::Published;

use super::gap::OffsetGap;
use super::publishing::Hot;
use crate::pipeline::{Counts, RejectReason};

/// Handles, looked up once.
#[derive(Debug)]
pub(crate) struct RunnerMetrics {
    datasource: String,
    processed: Counter,
    bytes: Counter,
    rejected: Vec<(RejectReason, Counter)>,
    hot_rows: Gauge,
    hot_bytes: Gauge,
    publish_seconds: Histogram,
    published_rows: Counter,
    published_segments: Counter,
    publish_failures: Counter,
    pauses: Counter,
}

impl RunnerMetrics {
    pub(crate) fn new(datasource: &str) -> Self {
        let name = || datasource.to_owned();
        let rows = |outcome: &'static str| counter!("ovate_ingest_rows_total", "datasource" => name(), "outcome" => outcome);
        Self {
            processed: rows("processed"),
            rejected: RejectReason::ALL.map(|reason| (reason, rows(reason.name()))).into(),
            bytes: counter!("ovate_ingest_bytes_total", "datasource" => name()),
            hot_rows: gauge!("ovate_hot_rows", "datasource" => name()),
            hot_bytes: gauge!("ovate_hot_bytes", "datasource" => name()),
            publish_seconds: histogram!("ovate_publish_seconds", "datasource" => name()),
            published_rows: counter!("ovate_published_rows_total", "datasource" => name()),
            published_segments: counter!("ovate_published_segments_total", "datasource" => name()),
            publish_failures: counter!("ovate_publish_failures_total", "datasource" => name()),
            pauses: counter!("ovate_ingest_pauses_total", "datasource" => name()),
            datasource: name(),
        }
    }

    pub(crate) fn counts(&self, counts: &Counts) {
        self.processed.increment(counts.processed);
        self.bytes.increment(counts.bytes);
        for (reason, counter) in &self.rejected {
            let occurred = counts.of(*reason);
            if occurred > 0 {
                counter.increment(occurred);
            }
        }
    }

    pub(crate) fn hot(&self, hot: Hot) {
        self.hot_rows.set(hot.rows as f64);
        self.hot_bytes.set(hot.bytes as f64);
    }

    pub(crate) fn lag(&self, lag: &BTreeMap<i32, i64>) {
        for (partition, messages) in lag {
            let labels = [("datasource", self.datasource.clone()), ("partition", partition.to_string())];
            gauge!("ovate_ingest_lag_messages", &labels).set(*messages as f64);
        }
    }

    pub(crate) fn published(&self, published: &Published, took: Duration) {
        if published.segments.is_empty() {
            return;
        }
        self.publish_seconds.record(took.as_secs_f64());
        self.published_rows.increment(published.rows);
        self.published_segments.increment(published.segments.len() as u64);
    }

    pub(crate) fn publish_failed(&self) {
        self.publish_failures.increment(1);
    }

    /// Gaps are rare: their counters are looked up when they are needed.
    pub(crate) fn gap(&self, gap: &OffsetGap) {
        let labels = [
            ("datasource", self.datasource.clone()),
            ("cause", gap.cause.label().to_owned()),
            ("action", gap.action.label().to_owned()),
        ];
        counter!("ovate_ingest_offset_gaps_total", &labels).increment(1);
    }

    pub(crate) fn paused(&self) {
        self.pauses.increment(1);
    }

    /// Nothing is read any more.
    pub(crate) fn ended(&self) {
        self.hot(Hot::default());
    }
}
