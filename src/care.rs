//! What a running store does for itself: drops what its retention rules drop, merges small segments, makes cold ones
//! Parquet, and removes files that nothing needs any more. On a thread of its own, so that reading and answering never
//! wait for it.
//!
//! Work comes in steps of bounded size, and after a step the thread rests for as long as the step took: at most half
//! a core goes into it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ovate_storage::time::{Period, Zone};
use ovate_storage::{CompactionOptions, Datasource, Store};

/// How often the thread looks for something to do, unless told otherwise.
pub(crate) const PERIOD: Duration = Duration::from_secs(10);

/// What is done for small and for cold segments, as time goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Compaction {
    /// When segments are small.
    pub options: CompactionOptions,
    /// How long after the end of its chunk a segment is cold; `None`: never.
    pub cold_after: Option<Period>,
}

impl Compaction {
    /// What there is to do at a time.
    pub(crate) fn at(&self, now_ms: i64) -> CompactionOptions {
        let cold_before_ms = self.cold_after.map(|period| period.add(now_ms, -1, Zone::UTC));
        CompactionOptions { cold_before_ms, ..self.options }
    }
}

/// The thread, until it is stopped.
#[derive(Debug)]
pub(crate) struct Care {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Care {
    /// Starts the thread, which looks for something to do every `period`. Without `compaction` it leaves segments as
    /// they were published.
    pub(crate) fn start(store: Arc<Store>, period: Duration, compaction: Option<Compaction>) -> Result<Self> {
        let (stop, stopped) = channel();
        let run = move || {
            let mut pause = period;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                let begun = Instant::now();
                let has_more = round(&store, compaction.as_ref());
                pause = if has_more { begun.elapsed() } else { period };
            }
        };
        let thread = std::thread::Builder::new().name("care".to_owned()).spawn(run);
        Ok(Self { stop, thread: thread.context("cannot start the thread that cares for segments")? })
    }

    /// Ends the thread, after the step that it is at. Blocks until then.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that cares for segments has panicked");
        }
    }
}

/// One step of everything. Whether there is more to do at once.
fn round(store: &Store, compaction: Option<&Compaction>) -> bool {
    let now_ms = chrono::Utc::now().timestamp_millis();
    match store.apply_rules(now_ms) {
        Ok(dropped) => {
            for dropped in dropped {
                let count = dropped.segments.len();
                tracing::info!(
                    datasource = dropped.datasource,
                    segments = count,
                    "dropped by retention rules"
                );
                metrics::counter!("ovate_segments_dropped_total", "datasource" => dropped.datasource)
                    .increment(count as u64);
            }
        }
        Err(error) => tracing::warn!(%error, "cannot apply retention rules"),
    }
    let mut has_more = false;
    for name in store.datasources() {
        let Some(datasource) = store.datasource(&name) else { continue };
        if let Some(compaction) = compaction {
            has_more |= compact(&datasource, &compaction.at(now_ms), now_ms);
        }
        if let Err(error) = datasource.remove_leftovers() {
            tracing::warn!(datasource = name, %error, "cannot remove what nothing needs any more");
        }
    }
    has_more
}

/// One step of compaction. Whether it did anything.
fn compact(datasource: &Datasource, options: &CompactionOptions, now_ms: i64) -> bool {
    let name = datasource.name();
    match datasource.compact(options, now_ms) {
        Ok(Some(done)) => {
            let (before, after) = (done.merged.len(), done.segments.len());
            tracing::info!(
                datasource = name, interval = %done.interval, before, after, rows = done.rows, form = ?done.form,
                bytes_before = done.bytes_before, bytes = done.bytes, "merged segments"
            );
            metrics::counter!("ovate_compactions_total", "datasource" => name.to_owned()).increment(1);
            metrics::counter!("ovate_segments_merged_total", "datasource" => name.to_owned())
                .increment(before as u64);
            true
        }
        // Nothing to do; or nothing that can be done, which was said where it happened.
        Ok(None) | Err(ovate_storage::StorageError::Poisoned { .. }) => false,
        Err(error) => {
            tracing::warn!(datasource = name, %error, "cannot merge segments; they stay as they are");
            metrics::counter!("ovate_compaction_errors_total", "datasource" => name.to_owned()).increment(1);
            false
        }
    }
}
