//! How far a datasource has read its streams: Kafka offsets, with the identity of what they count in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey {
    /// The Kafka topic.
    pub topic: String,
    /// The Kafka partition.
    pub partition: i32,
}

/// Which stream the offsets belong to. An offset of a deleted and recreated topic counts in another stream, though
/// the names are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamIdentity {
    /// The Kafka cluster's own id.
    pub cluster_id: Option<String>,
    /// Topic name to topic id, where the broker tells it.
    #[serde(default)]
    pub topic_ids: BTreeMap<String, String>,
}

/// The next offset to read, per partition: everything before it is in the rows that this travels with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which stream is counted.
    pub identity: StreamIdentity,
    /// Next offset to read.
    pub partitions: BTreeMap<PartitionKey, i64>,
}

impl Progress {
    /// The next offset to read of one partition.
    pub fn next_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.partitions.get(&PartitionKey { topic: topic.to_owned(), partition }).copied()
    }

    /// Sets the next offset to read of one partition.
    pub fn set(&mut self, topic: &str, partition: i32, next_offset: i64) {
        self.partitions.insert(PartitionKey { topic: topic.to_owned(), partition }, next_offset);
    }

    /// Takes over what `later` knows; partitions that it does not name keep their offsets.
    pub fn advance(&mut self, later: &Self) {
        self.identity.clone_from(&later.identity);
        self.partitions.extend(later.partitions.iter().map(|(key, offset)| (key.clone(), *offset)));
    }
}

/// In the catalog: `{"identity": …, "offsets": {"TOPIC": {"0": 17}}}`.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    identity: StreamIdentity,
    offsets: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl Serialize for Progress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut offsets: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
        for (key, offset) in &self.partitions {
            offsets.entry(key.topic.clone()).or_default().insert(key.partition, *offset);
        }
        Stored { identity: self.identity.clone(), offsets }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Progress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let mut progress = Self { identity: stored.identity, partitions: BTreeMap::new() };
        for (topic, partitions) in stored.offsets {
            for (partition, offset) in partitions {
                progress.set(&topic, partition, offset);
            }
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_survives_the_catalog() {
        let mut progress = Progress::default();
        progress.identity.cluster_id = Some("c1".into());
        progress.set("EVENTS", 0, 17);
        progress.set("EVENTS", 2, 0);
        let text = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Progress>(&text).unwrap(), progress);
    }

    #[test]
    fn advancing_keeps_partitions_that_are_not_named() {
        let mut progress = Progress::default();
        progress.set("EVENTS", 0, 17);
        let mut later = Progress::default();
        later.set("EVENTS", 1, 3);
        progress.advance(&later);
        assert_eq!(progress.next_offset("EVENTS", 0), Some(17));
        assert_eq!(progress.next_offset("EVENTS", 1), Some(3));
    }
}
