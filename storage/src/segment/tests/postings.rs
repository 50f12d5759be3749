//! Posting lists in every form they are stored in.

use roaring::RoaringBitmap;

use super::*;
use crate::segment::Postings;

/// A segment of one string column; row `i` has the value that `value` gives.
fn segment(rows: usize, value: impl Fn(usize) -> Option<u32>) -> (MemoryDisk, Segment) {
    let codes: Vec<u32> = (0..rows).map(|row| value(row).unwrap_or(NULL_CODE)).collect();
    let known = codes.iter().filter(|&&code| code != NULL_CODE).max().map_or(0, |max| max + 1);
    // Width keeps codes in order after sorting.
    let values = Arc::new(StringArray::from_iter_values((0..known).map(|code| format!("{code:08}"))));
    let time: Vec<i64> = (0..rows as i64).collect();
    let input = SegmentInput {
        datasource: "events",
        interval: DAY,
        version: "v",
        columns: &[ColumnSpec::dimension("c", ColumnType::String)],
        time: &time,
        values: &[InputColumn::Codes { codes: codes.into(), values }],
        rows: None,
    };
    let disk = MemoryDisk::default();
    write_within(&disk, Path::new("segment"), &input, Form::Arrow, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    (disk, segment)
}

fn check(postings: &Postings, rows: usize, value: impl Fn(usize) -> Option<u32>) {
    let mut expected = vec![RoaringBitmap::new(); postings.len()];
    let mut nulls = RoaringBitmap::new();
    for row in 0..rows {
        match value(row) {
            Some(code) => expected[code as usize].insert(row as u32),
            None => nulls.insert(row as u32),
        };
    }
    assert_eq!(postings.nulls().unwrap(), nulls);
    for (code, expected) in expected.iter().enumerate() {
        assert_eq!(&postings.get(code as u32).unwrap(), expected, "code {code}");
        assert_eq!(postings.cardinality(code as u32).unwrap(), expected.len());
    }
    for step in [1, 2, 3, 7, 50, 1000] {
        let codes = (0..postings.len() as u32).step_by(step);
        let union: RoaringBitmap = codes.clone().flat_map(|code| expected[code as usize].iter()).collect();
        assert_eq!(postings.union(codes.clone()).unwrap(), union, "every code in {step}");
        assert_eq!(
            postings.union(codes.rev().chain([u32::MAX, 0])).unwrap(),
            union,
            "every code in {step}, reversed"
        );
    }
}

#[test]
fn codes_of_one_row_a_few_rows_and_very_many_rows() {
    let value = |row: usize| match row % 10 {
        0 => None,
        // Runs, which a bitmap stores as such.
        _ if row < 30_000 => Some((row / 10_000) as u32),
        1 | 2 => Some(3),
        3 => Some(4 + (row % 700) as u32),
        4 => Some(704 + (row / 40) as u32),
        _ => Some(704 + 2500),
    };
    let rows = 100_000;
    // Codes that no row has leave the dictionary, so take the present ones only.
    let mut present: Vec<u32> = (0..rows).filter_map(value).collect();
    present.sort_unstable();
    present.dedup();
    let dense = |row: usize| value(row).map(|code| present.binary_search(&code).unwrap() as u32);
    let (_, segment) = segment(rows, dense);
    let postings = segment.postings("c").unwrap().unwrap();
    check(&postings, rows, dense);
    assert!(postings.get(postings.len() as u32).unwrap().is_empty());
    assert_eq!(postings.cardinality(u32::MAX).unwrap(), 0);
    assert!(postings.union([]).unwrap().is_empty());
}

#[test]
fn high_cardinality_costs_a_few_bytes_a_row() {
    let rows = 200_000;
    // Two scattered rows a code: just not plain.
    let scattered = |row: usize| Some((row * 7919 % (rows / 2)) as u32);
    let (disk, segment) = segment(rows, scattered);
    let postings = segment.postings("c").unwrap().unwrap();
    check(&postings, rows, scattered);
    let index_bytes = disk.read(INDEX).len();
    assert!(index_bytes < rows * 4 + rows / 2 * 8, "{index_bytes} bytes for {rows} rows");
}

#[test]
fn a_constant_column_costs_next_to_nothing() {
    let (disk, segment) = segment(200_000, |_| Some(0));
    assert_eq!(segment.postings("c").unwrap().unwrap().get(0).unwrap().len(), 200_000);
    assert!(disk.read(INDEX).len() < 5_000);
}
