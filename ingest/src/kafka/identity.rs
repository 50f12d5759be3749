//! Whether the stream that is read now is the stream whose offsets were stored.
//!
//! A topic that was deleted and made again has the name of the old one and offsets of its own. Going on at a stored
//! offset would skip messages without a sign, so cluster id and topic id are kept beside the offsets and compared.

use std::fmt;

use ovate_storage::StreamIdentity;

/// How two streams differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Another Kafka cluster.
    Cluster { stored: String, found: String },
    /// Another topic of the same name.
    Topic { topic: String, stored: String, found: String },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { stored, found } => write!(
                f,
                "the stored offsets belong to Kafka cluster {stored}, the brokers are of cluster {found}"
            ),
            Self::Topic { topic, stored, found } => write!(
                f,
                "topic {topic} was deleted and made again: the stored offsets belong to topic id {stored}, \
                 the topic now has id {found}"
            ),
        }
    }
}

/// Whether the brokers do not tell what they once told: then it cannot be said which stream this is.
pub(crate) fn tells_less(stored: &StreamIdentity, found: &StreamIdentity, topic: &str) -> bool {
    (stored.cluster_id.is_some() && found.cluster_id.is_none())
        || (stored.topic_ids.contains_key(topic) && !found.topic_ids.contains_key(topic))
}

/// Compares what is known on both sides; what one side does not know is no difference.
pub(crate) fn compare(stored: &StreamIdentity, found: &StreamIdentity, topic: &str) -> Result<(), Mismatch> {
    if let (Some(stored), Some(found)) = (&stored.cluster_id, &found.cluster_id)
        && stored != found
    {
        return Err(Mismatch::Cluster { stored: stored.clone(), found: found.clone() });
    }
    if let (Some(stored), Some(found)) = (stored.topic_ids.get(topic), found.topic_ids.get(topic))
        && stored != found
    {
        let (stored, found) = (stored.clone(), found.clone());
        return Err(Mismatch::Topic { topic: topic.to_owned(), stored, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: Option<&str>, topic: Option<&str>) -> StreamIdentity {
        StreamIdentity {
            cluster_id: cluster.map(str::to_owned),
            topic_ids: topic.map(|id| ("T".to_owned(), id.to_owned())).into_iter().collect(),
        }
    }

    #[test]
    fn a_recreated_topic_is_another_stream() {
        let mismatch =
            compare(&identity(Some("c"), Some("1")), &identity(Some("c"), Some("2")), "T").unwrap_err();
        assert!(mismatch.to_string().contains("made again"), "{mismatch}");
    }

    #[test]
    fn another_cluster_is_another_stream() {
        let mismatch = compare(&identity(Some("c"), None), &identity(Some("d"), None), "T").unwrap_err();
        assert!(mismatch.to_string().contains("cluster d"), "{mismatch}");
    }

    #[test]
    fn brokers_that_once_told_an_id_and_do_not_now_are_noticed() {
        let both = identity(Some("c"), Some("1"));
        assert!(tells_less(&both, &identity(None, Some("1")), "T"));
        assert!(tells_less(&both, &identity(Some("c"), None), "T"));
        assert!(!tells_less(&both, &both, "T") && !tells_less(&identity(None, None), &both, "T"));
    }

    #[test]
    fn what_is_not_known_does_not_differ() {
        assert_eq!(compare(&StreamIdentity::default(), &identity(Some("c"), Some("1")), "T"), Ok(()));
        assert_eq!(compare(&identity(Some("c"), Some("1")), &identity(Some("c"), None), "T"), Ok(()));
        assert_eq!(compare(&identity(None, Some("1")), &identity(None, Some("2")), "OTHER"), Ok(()));
    }
}
