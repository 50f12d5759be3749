//! Names: Druid's segment ids, and the folders that stand for them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::time::{Interval, format_instant};

/// Druid's segment id: `datasource_start_end_version`, and `_partition` unless that is 0.
pub(crate) fn segment_id(datasource: &str, interval: Interval, version: &str, partition_num: u32) -> String {
    let (start, end) = (format_instant(interval.start_ms), format_instant(interval.end_ms));
    let id = format!("{datasource}_{start}_{end}_{version}");
    if partition_num == 0 { id } else { format!("{id}_{partition_num}") }
}

/// Where a segment's files are: `segments/<datasource>/<segment id>`, both as [`folder_name`] writes them.
pub(crate) fn segment_folder(root: &Path, datasource: &str, id: &str) -> PathBuf {
    root.join("segments").join(folder_name(datasource)).join(folder_name(id))
}

/// A name as one path component: every byte that is not a letter, digit, `-`, `_` or `.` becomes `%XX`, and so does
/// a leading dot.
pub(crate) fn folder_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if plain {
            text.push(byte as char);
        } else {
            // Writing into a String does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_is_one_path_component_and_unlike_any_other() {
        assert_eq!(folder_name("EVENTS_GEO"), "EVENTS_GEO");
        assert_eq!(folder_name("../etc"), "%2E.%2Fetc");
        assert_eq!(folder_name("a:b%"), "a%3Ab%25");
    }

    #[test]
    fn a_segment_id_is_druids() {
        let day = Interval::new(0, 86_400_000);
        let id = segment_id("E", day, "2026-11-23T19:52:14.228Z", 0);
        assert_eq!(id, "E_1970-01-01T00:00:00.000Z_1970-01-02T00:00:00.000Z_2026-11-23T19:52:14.228Z");
        assert!(segment_id("E", day, "v", 3).ends_with("_v_3"));
    }
}
