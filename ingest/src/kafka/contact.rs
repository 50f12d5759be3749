//! What librdkafka tells on the side: errors, log lines, and once a second its statistics.
//!
//! Everything arrives on the thread that polls, so the lock is never contended. The statistics are how lag and the
//! health of brokers are known without a blocking call on the thread that reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

/// The latest that is known of the brokers and of how far the stream reaches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sighting {
    /// When it was told.
    pub(crate) at: Option<Instant>,
    /// Whether any broker is connected, and those that lead a partition that is read.
    pub(crate) brokers_up: bool,
    /// The offset after the last readable message, per partition.
    pub(crate) ends: BTreeMap<i32, i64>,
}

/// The callbacks of one consumer.
#[derive(Debug)]
pub(crate) struct Contact {
    topic: String,
    seen: Mutex<Sighting>,
    reason: Mutex<Option<String>>,
}

impl Contact {
    pub(crate) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), seen: Mutex::default(), reason: Mutex::default() }
    }

    /// The latest statistics.
    pub(crate) fn sighting(&self) -> Sighting {
        lock(&self.seen).clone()
    }

    /// The text that came with the last error, which says more than its code. Taken once.
    pub(crate) fn take_reason(&self) -> Option<String> {
        lock(&self.reason).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Contact {
    /// Connection troubles repeat once a second and are in the supervisor's status: they are no news here.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::warn!(topic = self.topic, facility, "{message}");
            }
            _ => tracing::debug!(topic = self.topic, facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(topic = self.topic, %error, reason, "kafka");
        *lock(&self.reason) = Some(reason.to_owned());
    }

    fn stats(&self, statistics: Statistics) {
        let up = |node: i32| {
            statistics.brokers.values().any(|broker| broker.nodeid == node && broker.state == "UP")
        };
        let any_up = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let partitions = statistics.topics.get(&self.topic).map(|topic| &topic.partitions);
        let read =
            partitions.into_iter().flat_map(|all| all.values()).filter(|p| p.partition >= 0 && p.desired);
        let mut leaders_up = true;
        let mut ends = BTreeMap::new();
        for partition in read {
            leaders_up &= partition.leader >= 0 && up(partition.leader);
            // What is read is committed: an open transaction's messages are not readable yet.
            let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
            if end >= 0 {
                ends.insert(partition.partition, end);
            }
        }
        *lock(&self.seen) = Sighting { at: Some(Instant::now()), brokers_up: any_up && leaders_up, ends };
    }
}

impl ConsumerContext for Contact {}
