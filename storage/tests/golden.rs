//! Segments that earlier releases wrote are read for ever. One folder per format version and form under `golden/`; how
//! they are made is told in `FORMAT.md`. All hold the same rows, those of version 1 as Arrow, of version 2 as Parquet.

#![allow(clippy::unwrap_used)] // Helpers of tests, which may.

#[path = "golden/v1/content.rs"]
mod content;

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use ovate_storage::disk::RealDisk;
use ovate_storage::segment::{BlockStats, DecodedColumns, Form, Scalar, Segment, SegmentFiles};

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// A segment of every version and form.
fn segments() -> [Segment; 4] {
    let v1 = SegmentFiles {
        form: Form::Arrow,
        data_bytes: 87_034,
        index_bytes: 10_802,
        checksum: 0x332a_fb98_5486_b750,
    };
    let v2 = SegmentFiles {
        form: Form::Parquet,
        data_bytes: 14_723,
        index_bytes: 10_256,
        checksum: 7_933_979_864_941_925_475,
    };
    let v3 = SegmentFiles { index_bytes: 10_808, checksum: 12_164_543_152_031_252_859, ..v1 };
    let v3_cold = SegmentFiles { index_bytes: 10_254, checksum: 5_109_694_070_497_642_156, ..v2 };
    let all = [("v1", v1), ("v2", v2), ("v3_arrow", v3), ("v3_parquet", v3_cold)];
    all.map(|(version, files)| {
        Segment::open(&RealDisk, &golden(version), Some(&files), &DecodedColumns::new(1 << 20)).unwrap()
    })
}

fn column(segment: &Segment, name: &str) -> ArrayRef {
    segment.column(name).unwrap().unwrap()
}

fn text(segment: &Segment, name: &str) -> Vec<Option<String>> {
    let array = cast(&column(segment, name), &DataType::Utf8).unwrap();
    array.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

#[test]
fn a_segment_of_every_version_and_form_is_whole() {
    segments().iter().for_each(check_whole);
}

fn check_whole(segment: &Segment) {
    segment.verify().unwrap();
    assert_eq!(segment.datasource(), content::DATASOURCE);
    assert_eq!(segment.interval(), content::INTERVAL);
    assert_eq!(segment.version(), content::VERSION);
    assert_eq!(segment.rows(), content::ROWS);
    assert_eq!(segment.time_range(), (content::row(0).time, content::row(content::ROWS - 1).time));
    assert_eq!(segment.columns()[..], content::columns());
}

#[test]
fn a_column_has_the_form_it_was_written_with() {
    segments().iter().for_each(check_forms);
}

fn check_forms(segment: &Segment) {
    let keyed = |key, value| DataType::Dictionary(Box::new(key), Box::new(value));
    let of = |name| column(segment, name).data_type().clone();
    assert_eq!(of("city"), keyed(DataType::UInt8, DataType::Utf8));
    assert_eq!(of("device"), keyed(DataType::UInt16, DataType::Utf8));
    assert_eq!(
        column(segment, "tags").as_list::<i32>().values().data_type(),
        &keyed(DataType::UInt8, DataType::Utf8)
    );
    assert_eq!(of("message"), DataType::Utf8);
    assert_eq!(of("status"), keyed(DataType::UInt8, DataType::Int64));
    assert_eq!(of("offset"), DataType::Int64);
    assert_eq!(of("score"), keyed(DataType::UInt8, DataType::Float64));
    assert_eq!(of("weight"), DataType::Float32);
}

#[test]
fn a_segment_has_the_rows_it_was_written_from() {
    segments().iter().for_each(check_rows);
}

fn check_rows(segment: &Segment) {
    let time: Int64Array = segment.time().unwrap();
    let (city, device, message) = (text(segment, "city"), text(segment, "device"), text(segment, "message"));
    let tags = column(segment, "tags");
    let status = cast(&column(segment, "status"), &DataType::Int64).unwrap();
    let offset = column(segment, "offset");
    let score = cast(&column(segment, "score"), &DataType::Float64).unwrap();
    let weight = column(segment, "weight");
    for i in 0..content::ROWS {
        let expected = content::row(i);
        let items = cast(&tags.as_list::<i32>().value(i), &DataType::Utf8).unwrap();
        assert_eq!(items.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), expected.tags);
        assert_eq!(tags.is_null(i), expected.tags.is_empty());
        let found = content::Row {
            time: time.value(i),
            city: expected.city,
            device: device[i].clone().unwrap(),
            tags: expected.tags.clone(),
            message: message[i].clone(),
            status: status.is_valid(i).then(|| status.as_primitive::<Int64Type>().value(i)),
            offset: offset.as_primitive::<Int64Type>().value(i),
            score: score.is_valid(i).then(|| score.as_primitive::<Float64Type>().value(i)),
            weight: weight.is_valid(i).then(|| weight.as_primitive::<Float32Type>().value(i)),
        };
        assert_eq!(city[i].as_deref(), expected.city);
        // `Debug` tells -0.0 from 0.0, and NaN equals itself.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
}

#[test]
fn a_segment_has_posting_lists_and_statistics() {
    segments().iter().for_each(check_index);
}

fn check_index(segment: &Segment) {
    let city = segment.postings("city").unwrap().unwrap();
    let rows = |of: &dyn Fn(&content::Row) -> bool| {
        (0..content::ROWS as u32).filter(|&i| of(&content::row(i as usize))).collect()
    };
    let sorted = ["", "Genève", "Zürich", "emoji 😀", "nul\0byte"];
    assert_eq!(city.len(), sorted.len());
    for (code, value) in sorted.iter().enumerate() {
        assert_eq!(city.get(code as u32).unwrap(), rows(&|row| row.city == Some(*value)), "{value:?}");
    }
    assert_eq!(city.nulls().unwrap(), rows(&|row| row.city.is_none()));
    let tags = segment.postings("tags").unwrap().unwrap();
    assert_eq!(tags.union([0, 1]).unwrap(), rows(&|row| row.tags.contains(&"") || row.tags.contains(&"a")));
    assert!(segment.postings("message").unwrap().is_none());

    let stats = |min, max, nulls, has_nan| vec![BlockStats { min, max, nulls, has_nan }];
    let of = |name| segment.blocks(name).unwrap().map(<[BlockStats]>::to_vec);
    let (first, last) = segment.time_range();
    assert_eq!(of("__time"), Some(stats(Scalar::Long(first), Scalar::Long(last), 0, false)));
    assert_eq!(of("city"), Some(stats(Scalar::Code(0), Scalar::Code(4), 183, false)));
    assert_eq!(of("status"), Some(stats(Scalar::Long(-1), Scalar::Long(500), 100, false)));
    assert_eq!(of("score"), Some(stats(Scalar::Double(f64::NEG_INFINITY), Scalar::Double(1.5), 314, true)));
    assert_eq!(of("message"), None);
}
