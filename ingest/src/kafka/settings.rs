//! The consumer's settings: what the specification may say, what it leaves open, and what is never left to it.

use rdkafka::config::ClientConfig;

use crate::error::{IngestError, SpecError};
use crate::spec::KafkaIoConfig;

/// Variables of the environment that a specification may name begin with this. Without a prefix, whoever may post a
/// specification could have any variable of the process sent to a broker of theirs.
pub(crate) const VARIABLE_PREFIX: &str = "OVATE_KAFKA_";

/// Where the specification says nothing: read soon, buffer within bounds, find the brokers again quickly.
const DEFAULTS: [(&str, &str); 12] = [
    ("isolation.level", "read_committed"),
    ("fetch.min.bytes", "1"),
    // A broker answers as soon as there is a byte; this bounds the wait where it cannot be woken.
    ("fetch.wait.max.ms", "10"),
    ("fetch.error.backoff.ms", "100"),
    // How long fetching rests when the queue is full: librdkafka's second would be felt as lag.
    ("fetch.queue.backoff.ms", "20"),
    ("queued.min.messages", "100000"),
    ("queued.max.messages.kbytes", "65536"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    // `localhost` may mean ::1 first, where few brokers listen: let the system's order decide, try both.
    ("broker.address.family", "any"),
    ("topic.metadata.refresh.interval.ms", "30000"),
];

/// Never the specification's: who decides on offsets, and what this crate relies on.
const FIXED: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("allow.auto.create.topics", "false"),
    ("enable.partition.eof", "false"),
    ("statistics.interval.ms", "1000"),
];

/// The settings of the consumer of supervisor `id`, checked by librdkafka but not yet connected.
///
/// `broker_map` replaces bootstrap servers, `A` by `B`. It concerns the first connection only: afterwards brokers
/// are reached under the names that they advertise.
pub(crate) fn consumer_settings(
    id: &str,
    io: &KafkaIoConfig,
    broker_map: &[(String, String)],
) -> Result<ClientConfig, IngestError> {
    let properties = &io.consumer_properties;
    let given = properties.resolve(|variable| {
        variable.starts_with(VARIABLE_PREFIX).then(|| std::env::var(variable).ok()).flatten()
    })?;
    let mut config = ClientConfig::new();
    for (name, value) in DEFAULTS {
        config.set(name, value);
    }
    config.set("client.id", format!("ovate-{id}"));
    for (name, value) in &given {
        config.set(name, value);
    }
    config.set("bootstrap.servers", map_brokers(&properties.bootstrap_servers, broker_map));
    // librdkafka wants a group for every consumer; nothing is ever stored in it.
    config.set("group.id", format!("ovate-{id}"));
    for (name, value) in FIXED {
        config.set(name, value);
    }
    if uses_tls(&given) && !given.iter().any(|(name, _)| name == "ssl.ca.pem") {
        config.set("ssl.ca.location", "probe");
    }
    // Log lines of level 6 (info) and above: connection troubles are reported by state, not line by line.
    config.set_log_level(rdkafka::config::RDKafkaLogLevel::Info);
    config.create_native_config().map_err(|error| {
        let path = "spec.ioConfig.consumerProperties";
        IngestError::Spec(SpecError::Invalid { path: path.into(), reason: error.to_string() })
    })?;
    Ok(config)
}

fn uses_tls(given: &[(String, String)]) -> bool {
    given.iter().any(|(name, value)| name == "security.protocol" && value.to_lowercase().contains("ssl"))
}

fn map_brokers(servers: &str, broker_map: &[(String, String)]) -> String {
    let mapped = servers.split(',').map(str::trim).filter(|server| !server.is_empty()).map(|server| {
        let plain = server.split_once("://").map_or(server, |(_, address)| address);
        broker_map
            .iter()
            .find(|(from, _)| from.eq_ignore_ascii_case(plain))
            .map_or(server, |(_, to)| to.as_str())
    });
    mapped.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> Vec<(String, String)> {
        vec![("kafka_broker:29092".into(), "127.0.0.1:9092".into())]
    }

    #[test]
    fn the_broker_map_replaces_whole_addresses() {
        assert_eq!(map_brokers("kafka_broker:29092", &map()), "127.0.0.1:9092");
        assert_eq!(map_brokers("a:1, KAFKA_BROKER:29092", &map()), "a:1,127.0.0.1:9092");
        assert_eq!(map_brokers("PLAINTEXT://kafka_broker:29092", &map()), "127.0.0.1:9092");
        assert_eq!(map_brokers("kafka_broker:290921", &map()), "kafka_broker:290921");
    }

    #[test]
    fn tls_is_recognised_by_the_protocol() {
        assert!(uses_tls(&[("security.protocol".into(), "SASL_SSL".into())]));
        assert!(!uses_tls(&[("security.protocol".into(), "SASL_PLAINTEXT".into())]));
    }
}
