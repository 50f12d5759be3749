//! The request to set offsets, as Druid takes it.
//!
//! ```json
//! {"type": "kafka", "partitions": {"type": "end", "stream": "TOPIC", "partitionOffsetMap": {"0": 100}}}
//! ```

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::IngestError;

/// The offsets that a request wants for partitions of `topic`.
pub(crate) fn apply_offsets(topic: &str, request: &Value) -> Result<BTreeMap<i32, i64>, IngestError> {
    let bad = |reason: String| IngestError::BadOffsets(reason);
    match request.get("type").and_then(Value::as_str) {
        Some("kafka") | None => {}
        Some(other) => return Err(bad(format!("type {other:?} is not supported; supported: kafka"))),
    }
    let partitions = request.get("partitions").and_then(Value::as_object).ok_or_else(|| {
        bad("partitions: missing; expected an object with stream and partitionOffsetMap".into())
    })?;
    let stream = partitions.get("stream").or_else(|| partitions.get("topic")).and_then(Value::as_str);
    if stream.is_some_and(|stream| stream != topic) {
        return Err(bad(format!(
            "partitions.stream: {:?} is not the topic, which is {topic:?}",
            stream.unwrap_or("")
        )));
    }
    let map =
        ["partitionOffsetMap", "partitionSequenceNumberMap"].iter().find_map(|key| partitions.get(*key));
    let map = map
        .and_then(Value::as_object)
        .filter(|map| !map.is_empty())
        .ok_or_else(|| bad("partitions.partitionOffsetMap: missing; expected {partition: offset}".into()))?;
    map.iter()
        .map(|(partition, offset)| {
            let number = partition.parse::<i32>().ok().filter(|partition| *partition >= 0);
            let offset = offset.as_i64().or_else(|| offset.as_str()?.parse().ok()).filter(|offset| *offset >= 0);
            match (number, offset) {
                (Some(partition), Some(offset)) => Ok((partition, offset)),
                _ => Err(bad(format!(
                    "partitions.partitionOffsetMap.{partition}: expected a partition and an offset not below 0"
                ))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn druids_request_is_understood() {
        let request = json!({"type": "kafka", "partitions": {
            "type": "end", "stream": "ALERTS", "partitionOffsetMap": {"0": 100, "2": "7"}
        }});
        assert_eq!(apply_offsets("ALERTS", &request).unwrap(), [(0, 100), (2, 7)].into());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |request: Value| apply_offsets("T", &request).unwrap_err().to_string();
        assert!(message(json!({})).contains("partitions"));
        assert!(message(json!({"type": "kinesis", "partitions": {}})).contains("kinesis"));
        let other = json!({"partitions": {"stream": "U", "partitionOffsetMap": {"0": 1}}});
        assert!(message(other).contains("\"U\" is not the topic"));
        let negative = json!({"partitions": {"stream": "T", "partitionOffsetMap": {"0": -1}}});
        assert!(message(negative).contains("partitionOffsetMap.0"));
        assert!(message(json!({"partitions": {"partitionOffsetMap": {}}})).contains("missing"));
    }
}
