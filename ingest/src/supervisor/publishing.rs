//! When hot rows are published, and the thread that does it while reading goes on.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ovate_storage::time::Granularity;
use ovate_storage::{Datasource, Published, StorageError, Writer};

use super::clock::now_ms;

/// What is hot now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hot {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    /// With those that are on their way into segments.
    pub(crate) unpublished_bytes: usize,
    pub(crate) oldest_ms: Option<i64>,
    pub(crate) latest_time_ms: Option<i64>,
}

impl Hot {
    pub(crate) fn of(writer: &Writer) -> Self {
        Self {
            rows: writer.hot_rows(),
            bytes: writer.hot_bytes(),
            unpublished_bytes: writer.unpublished_bytes(),
            oldest_ms: writer.oldest_ms(),
            latest_time_ms: writer.latest_time_ms(),
        }
    }
}

/// How much may be hot, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublishLimits {
    pub(crate) rows_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) age_max_ms: i64,
    pub(crate) quiet_ms: i64,
    pub(crate) segment_granularity: Granularity,
}

/// Why rows are to be published now, if they are.
pub(crate) fn reason_to_publish(
    hot: Hot,
    limits: &PublishLimits,
    last_append_ms: i64,
    now_ms: i64,
) -> Option<&'static str> {
    let oldest_ms = hot.oldest_ms?;
    if hot.rows >= limits.rows_max {
        return Some("rows");
    }
    if hot.bytes >= limits.bytes_max {
        return Some("memory");
    }
    if now_ms.saturating_sub(oldest_ms) >= limits.age_max_ms {
        return Some("age");
    }
    let is_quiet = now_ms.saturating_sub(last_append_ms) >= limits.quiet_ms;
    let chunk_end_ms = |time_ms: i64| limits.segment_granularity.bucket(time_ms).end_ms;
    let has_ended = |time_ms: i64| chunk_end_ms(time_ms).saturating_add(limits.quiet_ms) <= now_ms;
    // The end of the chunk is asked for last: it needs the calendar.
    if is_quiet && hot.latest_time_ms.is_some_and(has_ended) {
        return Some("time chunk ended");
    }
    None
}

/// After a publish that failed for want of space, the next try.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Publishes one datasource, at most once at a time.
#[derive(Debug)]
pub(crate) struct Publisher {
    datasource: Arc<Datasource>,
    running: Option<(JoinHandle<Result<Published, StorageError>>, Instant)>,
    retry_at: Option<Instant>,
}

impl Publisher {
    pub(crate) fn new(datasource: Arc<Datasource>) -> Self {
        Self { datasource, running: None, retry_at: None }
    }

    /// Whether a publish could be started now.
    pub(crate) fn is_free(&self) -> bool {
        self.running.is_none() && self.retry_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Whether rows of a publish that failed still wait.
    pub(crate) fn has_failed(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Everything has been published by other means.
    pub(crate) fn settled(&mut self) {
        self.retry_at = None;
    }

    /// Starts publishing what is hot.
    pub(crate) fn start(&mut self) -> std::io::Result<()> {
        let datasource = Arc::clone(&self.datasource);
        let name = format!("publish {}", datasource.name());
        let thread = std::thread::Builder::new().name(name).spawn(move || datasource.publish(now_ms()))?;
        self.retry_at = None;
        self.running = Some((thread, Instant::now()));
        Ok(())
    }

    /// The outcome of a publish that has ended since the last call, and how long it took.
    pub(crate) fn poll(&mut self) -> Option<(Result<Published, StorageError>, Duration)> {
        if self.running.as_ref().is_some_and(|(thread, _)| thread.is_finished()) { self.wait() } else { None }
    }

    /// Waits for the publish that is running, if one is.
    pub(crate) fn wait(&mut self) -> Option<(Result<Published, StorageError>, Duration)> {
        let (thread, since) = self.running.take()?;
        let result = thread.join().unwrap_or_else(|_| {
            Err(StorageError::Poisoned {
                datasource: self.datasource.name().to_owned(),
                reason: "the publishing thread panicked".into(),
            })
        });
        if result.is_err() {
            self.retry_at = Some(Instant::now() + RETRY_AFTER);
        }
        Some((result, since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn limits() -> PublishLimits {
        PublishLimits {
            rows_max: 1000,
            bytes_max: 1 << 20,
            age_max_ms: HOUR_MS,
            quiet_ms: 60_000,
            segment_granularity: Granularity::day(),
        }
    }

    fn hot(rows: usize, bytes: usize, oldest_ms: i64, latest_time_ms: i64) -> Hot {
        let (oldest_ms, latest_time_ms) = (Some(oldest_ms), Some(latest_time_ms));
        Hot { rows, bytes, unpublished_bytes: bytes, oldest_ms, latest_time_ms }
    }

    #[test]
    fn rows_are_published_by_number_memory_and_age() {
        let now = 100 * 24 * HOUR_MS;
        let reason = |hot, now| reason_to_publish(hot, &limits(), now, now);
        assert_eq!(reason(hot(999, 0, now, now), now), None);
        assert_eq!(reason(hot(1000, 0, now, now), now), Some("rows"));
        assert_eq!(reason(hot(1, 1 << 20, now, now), now), Some("memory"));
        assert_eq!(reason(hot(1, 1, now, now), now + HOUR_MS - 1), None);
        assert_eq!(reason(hot(1, 1, now, now), now + HOUR_MS), Some("age"));
        assert_eq!(reason(Hot::default(), now), None);
    }

    #[test]
    fn a_time_chunk_is_published_when_it_has_ended_and_nothing_arrives_any_more() {
        let midnight = 100 * 24 * HOUR_MS;
        let rows = hot(1, 1, midnight, midnight - 1);
        let reason = |last_append, now| reason_to_publish(rows, &limits(), last_append, now);
        assert_eq!(reason(midnight, midnight + 59_999), None);
        assert_eq!(reason(midnight + 30_000, midnight + 60_000), None);
        assert_eq!(reason(midnight, midnight + 60_000), Some("time chunk ended"));
        let all = PublishLimits { segment_granularity: Granularity::ALL, ..limits() };
        assert_eq!(reason_to_publish(rows, &all, midnight, midnight + 60_000), None);
    }
}
