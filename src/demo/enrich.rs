//! The enrichment job: events joined with the devices that raised them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::city::Device;

/// A message of topic `EVENTS`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    /// The device.
    #[serde(rename = "deviceId")]
    pub device_id: String,
    /// Always `operatingNotification`.
    #[serde(rename = "messageName")]
    pub message_name: String,
    /// What happened, and when.
    pub payload: EventPayload,
    /// When the producer sent it: ISO-8601 with milliseconds and `Z`.
    pub timestamp: String,
}

/// The payload of an [`Event`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EventPayload {
    /// `accessGranted` or `accessRejected`.
    #[serde(rename = "notificationName")]
    pub notification_name: String,
    /// When it happened.
    #[serde(rename = "eventTimestamp")]
    pub event_timestamp: String,
}

/// A message of topic `EVENTS_GEO`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub(super) struct EventGeo {
    pub device_id: String,
    pub device_city: String,
    pub device_region: String,
    pub device_location: String,
    pub message_name: String,
    pub event_notification_name: String,
    pub timestamp: String,
    pub event_timestamp: String,
}

/// Joins `event` with its device; `None` if the device is unknown, as in an inner join.
pub(super) fn enrich(event: Event, devices: &HashMap<String, Device>) -> Option<EventGeo> {
    let location = &devices.get(&event.device_id)?.payload.location;
    Some(EventGeo {
        device_city: location.city.clone(),
        device_region: location.region.clone(),
        device_location: location.loc.clone(),
        message_name: event.message_name,
        event_notification_name: event.payload.notification_name,
        timestamp: without_trailing_zeros(&event.timestamp),
        event_timestamp: event.payload.event_timestamp,
        device_id: event.device_id,
    })
}

/// `timestamp` is a time to the job, written again with the zeros at the end of its fraction cut:
/// `20:20:34.850Z` becomes `20:20:34.85Z`, and `20:20:34.000Z` becomes `20:20:34Z`.
fn without_trailing_zeros(timestamp: &str) -> String {
    match timestamp.strip_suffix('Z') {
        Some(text) if text.contains('.') => {
            format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => timestamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_of_a_fraction_are_cut() {
        assert_eq!(without_trailing_zeros("2026-11-23T20:20:34.850Z"), "2026-11-23T20:20:34.85Z");
        assert_eq!(without_trailing_zeros("2026-11-23T20:20:30.000Z"), "2026-11-23T20:20:30Z");
        assert_eq!(without_trailing_zeros("2026-11-23T20:20:30Z"), "2026-11-23T20:20:30Z");
    }
}
