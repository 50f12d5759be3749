//! The case study's three specifications, unmodified, on samples of its data.

use super::*;

fn run(spec: &str, lines: &str) -> (Vec<Map<String, Value>>, Decoded) {
    let spec = SupervisorSpec::parse(&serde_json::from_str(spec).unwrap()).unwrap();
    decode(&spec, &lines.lines().collect::<Vec<_>>())
}

fn clean(decoded: &Decoded, rows: usize) {
    let counts = decoded.counts;
    assert_eq!((counts.processed, counts.processed_with_error), (rows as u64, 0));
    assert_eq!((counts.unparseable, counts.thrown_away), (0, 0));
}

/// The halves of `latitude,longitude`, as 32-bit floats.
fn halves(location: &Value) -> (f32, f32) {
    let (latitude, longitude) = location.as_str().unwrap().split_once(',').unwrap();
    (latitude.parse().unwrap(), longitude.parse().unwrap())
}

#[test]
fn enriched_events_have_coordinates_and_event_time() {
    let lines = include_str!("../../../tests/data/events_geo.jsonl");
    let (rows, decoded) = run(include_str!("../../../tests/data/specs/events_geo_ingestion.json"), lines);
    clean(&decoded, 200);
    for (row, line) in rows.iter().zip(lines.lines()) {
        let message: Value = serde_json::from_str(line).unwrap();
        for same in
            ["deviceId", "deviceCity", "deviceRegion", "messageName", "eventNotificationName", "timestamp"]
        {
            assert_eq!(row[same], message[same], "{same}");
        }
        let (latitude, longitude) = halves(&message["deviceLocation"]);
        assert_eq!((&row["deviceLatitude"], &row["deviceLongitude"]), (&json!(latitude), &json!(longitude)));
        let time = chrono::DateTime::parse_from_rfc3339(message["eventTimestamp"].as_str().unwrap()).unwrap();
        assert_eq!(row["__time"], json!(time.timestamp_millis()));
        assert_eq!(row.len(), 9);
    }
}

#[test]
fn devices_are_flattened_and_stand_at_their_missing_time() {
    let lines = include_str!("../../../tests/data/devices.jsonl");
    let (rows, decoded) = run(include_str!("../../../tests/data/specs/devices_ingestion.json"), lines);
    clean(&decoded, 200);
    for (row, line) in rows.iter().zip(lines.lines()) {
        let message: Value = serde_json::from_str(line).unwrap();
        let location = &message["payload"]["location"];
        for name in ["city", "countryCode", "region", "timezone"] {
            assert_eq!(row[&format!("payload.location.{name}")], location[name]);
        }
        assert_eq!((&row["deviceId"], &row["location"]), (&message["deviceId"], &location["loc"]));
        let (latitude, longitude) = halves(&location["loc"]);
        assert_eq!((&row["latitude"], &row["longitude"]), (&json!(latitude), &json!(longitude)));
        assert_eq!(row["__time"], json!(1_262_304_000_000_i64));
    }
}

#[test]
fn alerts_have_longs_and_the_windows_end_as_time() {
    let lines = include_str!("../../../tests/data/alerts.jsonl");
    let (rows, decoded) = run(include_str!("../../../tests/data/specs/alerts_ingestion.json"), lines);
    clean(&decoded, 20);
    for (row, line) in rows.iter().zip(lines.lines()) {
        let message: Value = serde_json::from_str(line).unwrap();
        for same in
            ["window_start", "deviceId", "total_count_per_deviceid", "avg_error_count", "std_error_count"]
        {
            assert_eq!(row[same], message[same], "{same}");
        }
        let (latitude, longitude) = halves(&message["deviceLocation"]);
        assert_eq!((&row["deviceLatitude"], &row["deviceLongitude"]), (&json!(latitude), &json!(longitude)));
        let end = message["window_end"].as_str().unwrap();
        let time = chrono::NaiveDateTime::parse_from_str(end, "%Y-%m-%dT%H:%M:%S").unwrap();
        assert_eq!(row["__time"], json!(time.and_utc().timestamp_millis()));
    }
}

#[test]
fn a_second_batch_gives_the_same_rows() {
    let lines: Vec<&[u8]> =
        include_str!("../../../tests/data/events_geo.jsonl").lines().map(str::as_bytes).collect();
    let spec = include_str!("../../../tests/data/specs/events_geo_ingestion.json");
    let spec = SupervisorSpec::parse(&serde_json::from_str(spec).unwrap()).unwrap();
    let mut bench = Bench::new(&spec, Limits::default());
    let (first, _) = bench.feed(&lines, DAY);
    let (second, _) = bench.feed(&lines, DAY);
    bench.datasource.publish(DAY).unwrap();
    let (third, _) = bench.feed(&lines, DAY);
    assert_eq!(first, second);
    assert_eq!(first, third);
}
