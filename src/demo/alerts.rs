//! The alert job: rejected accesses per device in hopping windows, compared with what is usual in the window.
//!
//! Windows are one minute long and begin every 30 seconds, in event time. When the watermark (the latest event, less
//! five seconds) passes a window's end, the rejected accesses of each device and location are counted; a device is
//! raised when its count exceeds `average + 3 × deviation + 5`. Average and sample standard deviation are taken over
//! the devices that had any, and both are cut to integers *before* the comparison, as Flink does for `BIGINT`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::enrich::EventGeo;

const WINDOW_MS: i64 = 60_000;
const SLIDE_MS: i64 = 30_000;
const WATERMARK_DELAY_MS: i64 = 5_000;

/// A message of topic `ALERTS`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub(super) struct Alert {
    pub window_start: String,
    pub window_end: String,
    pub total_count_per_deviceid: i64,
    #[serde(rename = "deviceId")]
    pub device_id: String,
    #[serde(rename = "deviceLocation")]
    pub device_location: String,
    pub avg_error_count: i64,
    pub std_error_count: i64,
}

/// The windows that are still open.
#[derive(Debug, Default)]
pub(super) struct AlertWindows {
    /// Window end to rejected accesses per device and location.
    open: BTreeMap<i64, BTreeMap<(String, String), i64>>,
    watermark_ms: Option<i64>,
}

impl AlertWindows {
    /// Takes in one event; returns the alerts of windows that it closes. An event that comes after its windows have
    /// closed is dropped, and so is one without a readable time.
    pub(super) fn add(&mut self, event: &EventGeo) -> Vec<Alert> {
        let Ok(time) = DateTime::parse_from_rfc3339(&event.event_timestamp) else { return Vec::new() };
        let time_ms = time.timestamp_millis();
        if event.event_notification_name == "accessRejected" {
            self.count(time_ms, event);
        }
        self.watermark_ms = self.watermark_ms.max(Some(time_ms - WATERMARK_DELAY_MS));
        self.close()
    }

    fn count(&mut self, time_ms: i64, event: &EventGeo) {
        let last_start = time_ms.div_euclid(SLIDE_MS) * SLIDE_MS;
        for start in [last_start, last_start - SLIDE_MS] {
            let end = start + WINDOW_MS;
            if self.watermark_ms.is_none_or(|watermark| watermark < end - 1) {
                let key = (event.device_id.clone(), event.device_location.clone());
                *self.open.entry(end).or_default().entry(key).or_default() += 1;
            }
        }
    }

    fn close(&mut self) -> Vec<Alert> {
        let Some(watermark_ms) = self.watermark_ms else { return Vec::new() };
        let still_open = self.open.split_off(&(watermark_ms + 2));
        let closed = std::mem::replace(&mut self.open, still_open);
        closed.into_iter().flat_map(|(end_ms, counts)| alerts_of(end_ms, &counts)).collect()
    }
}

fn alerts_of(end_ms: i64, counts: &BTreeMap<(String, String), i64>) -> Vec<Alert> {
    let n = counts.len() as i64;
    let sum: i64 = counts.values().sum();
    let average = sum / n.max(1);
    let deviation = whole_deviation(counts.values().copied());
    let threshold = average + 3 * deviation + 5;
    counts
        .iter()
        .filter(|(_, count)| **count > threshold)
        .map(|((device_id, device_location), count)| Alert {
            window_start: local_iso(end_ms - WINDOW_MS),
            window_end: local_iso(end_ms),
            total_count_per_deviceid: *count,
            device_id: device_id.clone(),
            device_location: device_location.clone(),
            avg_error_count: average,
            std_error_count: deviation,
        })
        .collect()
}

/// The sample standard deviation, cut to a whole number; 0 for fewer than two values.
///
/// The variance is `(n × Σv² − (Σv)²) / (n × (n − 1))`. In whole numbers nothing is rounded on the way: a deviation of
/// exactly 1 is never cut to 0.
fn whole_deviation(values: impl Iterator<Item = i64> + Clone) -> i64 {
    let n = values.clone().count() as i64;
    if n < 2 {
        return 0;
    }
    let sum: i64 = values.clone().sum();
    let squares: i64 = values.map(|value| value * value).sum();
    ((n * squares - sum * sum) / (n * (n - 1))).isqrt()
}

/// ISO-8601 without a zone and without a fraction: how the job writes a window's bounds.
fn local_iso(time_ms: i64) -> String {
    let time: NaiveDateTime = DateTime::from_timestamp_millis(time_ms).unwrap_or_default().naive_utc();
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(device: &str, time: &str, name: &str) -> EventGeo {
        EventGeo {
            device_id: device.into(),
            device_city: String::new(),
            device_region: String::new(),
            device_location: "1,2".into(),
            message_name: String::new(),
            event_notification_name: name.into(),
            timestamp: time.into(),
            event_timestamp: time.into(),
        }
    }

    #[test]
    fn a_device_far_above_the_others_is_raised_when_its_window_closes() {
        let mut windows = AlertWindows::default();
        for other in 0..100 {
            windows.add(&event(&format!("calm {other}"), "2026-01-01T00:00:10.000Z", "accessRejected"));
        }
        for _ in 0..20 {
            assert!(windows.add(&event("loud", "2026-01-01T00:00:20.000Z", "accessRejected")).is_empty());
        }
        let alerts = windows.add(&event("calm", "2026-01-01T00:01:05.000Z", "accessGranted"));
        // Two windows held the events: the one ending at 00:30 and the one ending at 01:00.
        let ends: Vec<&str> = alerts.iter().map(|a| a.window_end.as_str()).collect();
        assert_eq!(ends, ["2026-01-01T00:00:30", "2026-01-01T00:01:00"]);
        assert!(alerts.iter().all(|a| a.device_id == "loud" && a.total_count_per_deviceid == 20));
    }

    #[test]
    fn a_deviation_of_exactly_one_is_not_cut_to_nothing() {
        let mut counts: BTreeMap<(String, String), i64> =
            (0..35).map(|calm| ((format!("calm {calm}"), "1,2".to_owned()), 1)).collect();
        counts.insert(("loud".into(), "1,2".into()), 7);
        // The average is 42 / 36, the variance 35 / 35: the threshold is 1 + 3 + 5, not 1 + 0 + 5.
        assert_eq!(whole_deviation(counts.values().copied()), 1);
        assert!(alerts_of(60_000, &counts).is_empty());
    }

    #[test]
    fn an_event_later_than_its_window_is_dropped() {
        let mut windows = AlertWindows::default();
        windows.add(&event("a", "2026-01-01T00:10:00.000Z", "accessGranted"));
        windows.add(&event("a", "2026-01-01T00:00:00.000Z", "accessRejected"));
        assert!(windows.open.is_empty());
    }
}
