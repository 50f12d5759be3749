//! Exported rows are those that are published and visible, and any Parquet reader reads them.

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::compaction::{COLD, EAGER};
use super::*;
use crate::export::export;
use crate::snapshot::SegmentPart;

/// The rows of all files in a folder, sorted.
fn exported(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "parquet");
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name| batch.column_by_name(name).cloned();
            let text = |name, row| column(name).and_then(|array| text_at(&array, row));
            let time = arrow::compute::cast(&column("__time").unwrap(), &DataType::Int64).unwrap();
            for row in 0..batch.num_rows() {
                let tags = column("tags").map_or(Vec::new(), |tags| list_at(tags.as_list(), row));
                let n = text("n", row).map(|n| n.parse().unwrap());
                rows.push((
                    time.as_primitive::<Int64Type>().value(row),
                    text("name", row),
                    tags,
                    n,
                    text("x", row),
                ));
            }
        }
    }
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn published_rows_are_exported_whatever_form_their_segments_have(
        rows in prop::collection::vec(any_row(), 1..120),
        later in prop::collection::vec(any_row(), 0..9),
        options in prop_oneof![Just(None), Just(Some(EAGER)), Just(Some(COLD))],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (store, datasource) = open(&folder.path().join("data"), false);
        append(&mut datasource.writer(), &rows, 1);
        datasource.publish(0).unwrap();
        while let Some(options) = options && datasource.compact(&options, 0).unwrap().is_some() {}
        append(&mut datasource.writer(), &later, 2);
        let target = folder.path().join("parquet");
        let report = store.export(&["ds".to_owned()], &target, |_| {}).unwrap();
        prop_assert_eq!(report.rows, rows.len() as u64);
        let mut rows = rows;
        rows.sort();
        prop_assert_eq!(exported(&target.join("ds")), rows);
        let again = store.export(&["ds".to_owned()], &target, |_| {});
        prop_assert!(matches!(again, Err(StorageError::NotEmpty { .. })), "what is there is not overwritten");
    }
}

#[test]
fn overshadowed_rows_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(&folder.path().join("data"), false);
    let rows: Vec<Row> =
        (0..30).map(|time| (time, Some("a".to_owned()), Vec::new(), Some(time), None)).collect();
    append(&mut datasource.writer(), &rows, 1);
    datasource.publish(0).unwrap();
    let snapshot = datasource.snapshot();
    let [Part::Segment(whole)] = snapshot.parts.as_slice() else { panic!("not one segment") };
    let disk = &*store.shared().disk;
    for (from, to, expected) in [(0, 10, 10), (20, 99, 10), (40, 50, 0)] {
        let part = SegmentPart::new(Arc::clone(whole.handle()), Interval::new(from, to));
        assert_eq!(export(disk, &part, folder.path()).unwrap(), expected);
    }
    assert_eq!(exported(&folder.path().join("ds")), [&rows[..10], &rows[20..]].concat());
}

#[test]
fn an_unknown_datasource_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _datasource) = open(&folder.path().join("data"), false);
    let error = store.export(&["sd".to_owned()], &folder.path().join("x"), |_| {}).unwrap_err();
    assert!(error.to_string().contains("sd"), "{error}");
}
