//! `ioConfig`: where messages come from, and how long reading goes on before rows are published.

use ovate_storage::time::{Zone, parse};
use serde_json::{Map, Value};

use super::consumer::ConsumerProperties;
use super::data::{optional_long, truth};
use super::normalise::{from_joda, join};
use crate::error::SpecError;

/// When a supervisor without new messages is reported as idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleConfig {
    /// Whether it ever is.
    pub enabled: bool,
    /// After how long without messages; `None` is the server's default.
    pub inactive_after_ms: Option<i64>,
}

/// The Kafka side of a supervisor.
#[derive(Debug, Clone)]
pub struct KafkaIoConfig {
    /// The topic.
    pub topic: String,
    /// The consumer's settings, brokers included.
    pub consumer_properties: ConsumerProperties,
    /// Rows are published at least this often; Druid's tasks last this long.
    pub task_duration_ms: i64,
    /// How often the supervisor looks after its consumer: new partitions, lag.
    pub period_ms: i64,
    /// Where a stream that was never read begins: at its earliest message (`true`) or at its end.
    pub use_earliest_offset: bool,
    /// When the supervisor counts as idle.
    pub idle: Option<IdleConfig>,
}

impl KafkaIoConfig {
    /// Reads the section, and completes in it what Druid derives: `topic` is `stream` and the other way round.
    pub(super) fn read(io: &mut Map<String, Value>, path: &str) -> Result<Self, SpecError> {
        let topic = agree(io, ["topic", "stream"], path)?.ok_or_else(|| SpecError::Missing {
            path: join(path, "topic"),
            expected: "the name of a Kafka topic".into(),
        })?;
        let name = topic.as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(SpecError::invalid(join(path, "topic"), "the name is empty"));
        }
        io.insert("topic".into(), topic.clone());
        io.insert("stream".into(), topic);
        let earliest = io.get("useEarliestSequenceNumber").and_then(Value::as_bool);
        let earliest = Value::Bool(earliest.unwrap_or(false) || truth(io, "useEarliestOffset"));
        io.insert("useEarliestOffset".into(), earliest.clone());
        io.insert("useEarliestSequenceNumber".into(), earliest);

        complete_input_format(io);

        let idle = io.get("idleConfig").and_then(Value::as_object).map(|idle| IdleConfig {
            enabled: truth(idle, "enabled"),
            inactive_after_ms: optional_long(idle, "inactiveAfterMillis"),
        });
        Ok(Self {
            topic: name,
            consumer_properties: ConsumerProperties::read(io, &join(path, "consumerProperties"))?,
            task_duration_ms: positive_ms(io, "taskDuration", path)?,
            period_ms: positive_ms(io, "period", path)?,
            use_earliest_offset: truth(io, "useEarliestOffset"),
            idle,
        })
    }
}

/// `keepNullColumns` is as discovery is, where it is not given.
fn complete_input_format(io: &mut Map<String, Value>) {
    let Some(Value::Object(format)) = io.get_mut("inputFormat") else { return };
    if format.get("keepNullColumns").is_some_and(Value::is_null) {
        let flatten = format.get("flattenSpec").and_then(Value::as_object);
        let keep = flatten.is_some_and(|flatten| truth(flatten, "useFieldDiscovery"));
        format.insert("keepNullColumns".into(), Value::Bool(keep));
    }
}

/// The value of two keys that mean the same, and must not contradict each other.
fn agree(map: &Map<String, Value>, keys: [&str; 2], path: &str) -> Result<Option<Value>, SpecError> {
    let [first, second] = keys.map(|key| map.get(key).filter(|value| !value.is_null()));
    match (first, second) {
        (Some(a), Some(b)) if a != b => {
            let reason = format!("{a} contradicts {} {b}; give one of the two", keys[1]);
            Err(SpecError::invalid(join(path, keys[0]), reason))
        }
        (a, b) => Ok(a.or(b).cloned()),
    }
}

/// A duration of a specification that is complete: each is as [`super::normalise::joda_duration`] writes it.
pub(super) fn duration_ms(map: &Map<String, Value>, key: &str) -> Option<i64> {
    from_joda(map.get(key)?.as_str()?)
}

fn positive_ms(map: &Map<String, Value>, key: &str, path: &str) -> Result<i64, SpecError> {
    duration_ms(map, key)
        .filter(|ms| *ms > 0)
        .ok_or_else(|| SpecError::invalid(join(path, key), "it has to be more than no time"))
}

pub(super) fn instant_ms(map: &Map<String, Value>, key: &str) -> Option<i64> {
    parse::parse_iso(map.get(key)?.as_str()?, Zone::UTC)
}
