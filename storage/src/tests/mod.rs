//! The store against a simple model: a list of rows. Whatever is appended, published and reopened, a snapshot shows
//! the rows of the list, each once.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array, ListArray, StringViewArray};
use arrow::datatypes::{DataType, Float32Type, Int64Type};
use proptest::prelude::*;

mod compaction;
mod durability;
mod export;
mod model;

use crate::hot::Writer;
use crate::time::{Granularity, Interval};
use crate::{
    BatchColumn, ColumnSpec, ColumnType, Datasource, NULL_CODE, Part, Progress, Rollup, RowBatch, Selection,
    Snapshot, StorageError, Store, StoreOptions, TableSchema,
};

const HOUR: i64 = 3_600_000;

/// `__time`, a string, several strings, a long, a float; as text, so that rows compare and sort.
type Row = (i64, Option<String>, Vec<String>, Option<i64>, Option<String>);

fn schema(rollup: bool) -> Arc<TableSchema> {
    let mut tags = ColumnSpec::dimension("tags", ColumnType::String);
    tags.multi_value = true;
    Arc::new(TableSchema {
        columns: vec![
            ColumnSpec::dimension("name", ColumnType::String),
            tags,
            if rollup {
                ColumnSpec::metric("n", ColumnType::Long, Rollup::Sum)
            } else {
                ColumnSpec::dimension("n", ColumnType::Long)
            },
            ColumnSpec::dimension("x", ColumnType::Float),
        ],
        segment_granularity: serde_json::from_str("\"HOUR\"").unwrap(),
        query_granularity: Granularity::NONE,
        rollup,
    })
}

fn open(folder: &Path, rollup: bool) -> (Arc<Store>, Arc<Datasource>) {
    let store = Store::open(
        folder,
        StoreOptions { segment_rows_max: 50, settled_rows_min: 16, ..StoreOptions::default() },
    )
    .unwrap();
    let datasource = store.ensure_datasource("ds", schema(rollup)).unwrap();
    (store, datasource)
}

fn append(writer: &mut Writer, rows: &[Row], offset: i64) {
    let mut codes = Vec::new();
    let (mut ends, mut tags) = (Vec::new(), Vec::new());
    for (_, name, row_tags, _, _) in rows {
        codes.push(name.as_ref().map_or(NULL_CODE, |name| writer.dictionary(0).intern(name)));
        tags.extend(row_tags.iter().map(|tag| writer.dictionary(1).intern(tag)));
        ends.push(tags.len() as u32);
    }
    let names = if writer.is_plain(0) {
        BatchColumn::Text(rows.iter().map(|row| row.1.as_deref()).collect::<StringViewArray>())
    } else {
        BatchColumn::Codes(codes)
    };
    let batch = RowBatch {
        time: rows.iter().map(|row| row.0).collect(),
        raw_time: None,
        columns: vec![
            names,
            BatchColumn::MultiCodes { ends, codes: tags },
            BatchColumn::Long(rows.iter().map(|row| row.3).collect::<Int64Array>()),
            BatchColumn::Float(
                rows.iter()
                    .map(|row| row.4.as_ref().map(|x| x.parse::<f32>().unwrap()))
                    .collect::<Float32Array>(),
            ),
        ],
    };
    let mut progress = Progress::default();
    progress.set("topic", 0, offset);
    writer.append(batch, &progress, 0).unwrap();
}

fn text_at(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            text_at(dictionary.values(), dictionary.normalized_keys()[row])
        }
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Some(array.as_string_view().value(row).to_owned()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float32 => Some(array.as_primitive::<Float32Type>().value(row).to_string()),
        other => panic!("unexpected {other}"),
    }
}

fn list_at(array: &ListArray, row: usize) -> Vec<String> {
    if array.is_null(row) {
        return Vec::new();
    }
    let items = array.value(row);
    (0..items.len()).filter_map(|at| text_at(&items, at)).collect()
}

/// All rows of a snapshot, sorted.
fn rows_of(snapshot: &Snapshot) -> Vec<Row> {
    let mut rows = Vec::new();
    for part in &snapshot.parts {
        let time = part.time().unwrap();
        let column = |name| part.column(name).unwrap();
        let (name, tags, n, x) = (column("name"), column("tags"), column("n"), column("x"));
        let text = |array: &Option<ArrayRef>, row| array.as_ref().and_then(|array| text_at(array, row));
        for row in 0..part.rows() {
            if !part.visible().contains(time.value(row)) {
                continue;
            }
            rows.push((
                time.value(row),
                text(&name, row),
                tags.as_ref().map(|tags| list_at(tags.as_list(), row)).unwrap_or_default(),
                text(&n, row).map(|n| n.parse().unwrap()),
                text(&x, row),
            ));
        }
    }
    rows.sort();
    rows
}

fn any_row() -> impl Strategy<Value = Row> {
    let name =
        prop::option::of(prop::sample::select(vec!["", "a", "b", "a longer name than twelve", "é🚪\0"]));
    let tags = prop::collection::vec(prop::sample::select(vec!["t1", "t2", "a tag of many bytes"]), 0..3);
    let x = prop::option::of(prop::sample::select(vec!["1.5", "-2", "0.25"]));
    (0..4 * HOUR, name, tags, prop::option::of(-5i64..5), x).prop_map(|(time, name, tags, n, x)| {
        let owned = |text: &str| text.to_owned();
        (time, name.map(owned), tags.into_iter().map(owned).collect(), n, x.map(owned))
    })
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Row>),
    Publish,
    Reopen,
    CrashAndReopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(any_row(), 0..40).prop_map(Step::Append),
        2 => Just(Step::Publish),
        1 => Just(Step::Reopen),
        1 => Just(Step::CrashAndReopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_snapshot_shows_every_row_once_whatever_happens(steps in prop::collection::vec(any_step(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut datasource) = open(folder.path(), false);
        let (mut published, mut hot): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
        let mut offset = 0;
        let mut committed = 0;
        for step in steps {
            match step {
                Step::Append(rows) => {
                    offset += rows.len() as i64;
                    append(&mut datasource.writer(), &rows, offset);
                    hot.extend(rows);
                }
                Step::Publish => {
                    datasource.publish(0).unwrap();
                    published.append(&mut hot);
                    committed = offset;
                }
                Step::Reopen | Step::CrashAndReopen => {
                    if matches!(step, Step::Reopen) {
                        datasource.publish(0).unwrap();
                        published.append(&mut hot);
                        committed = offset;
                    }
                    drop((datasource, store));
                    (store, datasource) = open(folder.path(), false);
                    hot.clear();
                    offset = committed;
                    let stored = store.catalog().progress("ds").unwrap();
                    prop_assert_eq!(stored.and_then(|p| p.next_offset("topic", 0)).unwrap_or(0), committed);
                }
            }
            let mut expected: Vec<Row> = published.iter().chain(&hot).cloned().collect();
            expected.sort();
            prop_assert_eq!(rows_of(&datasource.snapshot()), expected);
        }
    }

    #[test]
    fn rolled_up_rows_keep_their_sums(batches in prop::collection::vec(prop::collection::vec(any_row(), 0..30), 1..8)) {
        use std::collections::BTreeMap;
        let folder = tempfile::tempdir().unwrap();
        let (_store, datasource) = open(folder.path(), true);
        let mut expected: BTreeMap<_, i64> = BTreeMap::new();
        let mut sums = |rows: &[Row]| {
            for (time, name, tags, n, x) in rows {
                *expected.entry((*time, name.clone(), tags.clone(), x.clone())).or_default() += n.unwrap_or(0);
            }
        };
        for rows in &batches {
            // Few times, so that keys meet.
            let rows: Vec<Row> = rows.iter().cloned().map(|row| (row.0 / HOUR * HOUR, row.1, row.2, row.3, row.4)).collect();
            append(&mut datasource.writer(), &rows, 0);
            sums(&rows);
        }
        let summed = |rows: Vec<Row>| {
            let mut found: BTreeMap<_, i64> = BTreeMap::new();
            for (time, name, tags, n, x) in rows {
                *found.entry((time, name, tags, x)).or_default() += n.unwrap_or(0);
            }
            found
        };
        prop_assert_eq!(&summed(rows_of(&datasource.snapshot())), &expected);
        datasource.publish(0).unwrap();
        let sealed = rows_of(&datasource.snapshot());
        if sealed.len() <= 50 {
            prop_assert_eq!(sealed.len(), expected.len(), "a published chunk is rolled up completely");
        }
        prop_assert_eq!(&summed(sealed), &expected);
    }
}

fn row(time: i64, name: &str) -> Row {
    (time, Some(name.to_owned()), Vec::new(), None, None)
}

#[test]
fn late_rows_join_the_version_of_their_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    datasource.publish(1_000).unwrap();
    append(&mut datasource.writer(), &[row(2, "b"), row(HOUR, "c")], 3);
    let published = datasource.publish(2_000).unwrap();
    assert_eq!(published.segments.len(), 2);
    let records = store.segment_records(Some("ds")).unwrap();
    let first: Vec<_> = records.iter().filter(|r| r.interval.start_ms == 0).collect();
    assert_eq!(first.len(), 2);
    assert_eq!(first[0].version, first[1].version);
    assert_eq!(rows_of(&datasource.snapshot()).len(), 3);
}

#[test]
fn unused_segments_do_not_answer_and_can_come_back_until_they_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a"), row(HOUR, "b")], 2);
    datasource.publish(0).unwrap();
    append(&mut datasource.writer(), &[row(2, "hot")], 3);
    assert_eq!(store.mark_unused("ds", &Selection::Inside(Interval::new(0, HOUR))).unwrap(), 1);
    assert_eq!(rows_of(&datasource.snapshot()).len(), 2);
    assert_eq!(store.mark_used("ds", &Selection::All).unwrap(), 1);
    assert_eq!(rows_of(&datasource.snapshot()).len(), 3);
    assert_eq!(store.mark_unused("ds", &Selection::All).unwrap(), 2);
    assert_eq!(store.kill("ds", Interval::ETERNITY).unwrap(), 2);
    assert_eq!(store.segment_records(None).unwrap(), []);
    assert_eq!(rows_of(&datasource.snapshot()).len(), 1);
    assert!(matches!(store.mark_unused("other", &Selection::All), Err(StorageError::UnknownDatasource(_))));
}

#[test]
fn a_second_process_is_refused_by_the_pid_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path(), false);
    let second = Store::open(folder.path(), StoreOptions::default()).unwrap_err();
    assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
}

#[test]
fn files_that_the_catalog_does_not_name_are_removed_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = folder.path().join("segments/ds/not ours");
    let orphan = folder.path().join("segments/ds/orphan");
    {
        let _store = open(folder.path(), false);
        std::fs::create_dir_all(&stranger).unwrap();
        std::fs::create_dir_all(&orphan).unwrap();
        std::fs::write(orphan.join("data.arrow"), "half a file").unwrap();
        std::fs::create_dir_all(folder.path().join("tmp/half")).unwrap();
    }
    let _store = open(folder.path(), false);
    assert!(!orphan.exists() && !folder.path().join("tmp/half").exists());
    assert!(stranger.exists(), "only what looks like a segment is removed");
}

#[test]
fn a_reset_drops_what_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    datasource.publish(0).unwrap();
    append(&mut datasource.writer(), &[row(2, "b")], 2);
    datasource.reset(None, &[]).unwrap();
    assert_eq!(rows_of(&datasource.snapshot()).len(), 1);
    assert_eq!(store.catalog().progress("ds").unwrap(), None);
    append(&mut datasource.writer(), &[row(2, "b")], 2);
    assert_eq!(rows_of(&datasource.snapshot()).len(), 2);
}

#[test]
fn columns_can_be_added_while_rows_are_hot() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    let wider = schema(false).with_dimensions([ColumnSpec::dimension("added", ColumnType::String)]);
    store.ensure_datasource("ds", wider).unwrap();
    {
        let mut writer = datasource.writer();
        let code = writer.dictionary(4).intern("new");
        let batch = RowBatch {
            time: vec![2],
            raw_time: None,
            columns: vec![
                BatchColumn::Codes(vec![NULL_CODE]),
                BatchColumn::Codes(vec![NULL_CODE]),
                BatchColumn::Long(Int64Array::from(vec![7])),
                BatchColumn::Float(Float32Array::new_null(1)),
                BatchColumn::Codes(vec![code]),
            ],
        };
        writer.append(batch, &Progress::default(), 0).unwrap();
    }
    let seen = |snapshot: &Snapshot| {
        let mut values: Vec<Option<String>> = Vec::new();
        for part in &snapshot.parts {
            let column = part.column("added").unwrap();
            values
                .extend((0..part.rows()).map(|row| column.as_ref().and_then(|column| text_at(column, row))));
        }
        values.sort();
        values
    };
    assert_eq!(seen(&datasource.snapshot()), [None, Some("new".to_owned())]);
    datasource.publish(0).unwrap();
    assert_eq!(seen(&datasource.snapshot()), [None, Some("new".to_owned())]);
    assert!(datasource.snapshot().parts.iter().all(|part| matches!(part, Part::Segment(_))));
}

#[test]
fn a_nearly_unique_column_that_turns_multi_value_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, datasource) = open(folder.path(), false);
    let rows: Vec<Row> = (0..20_000).map(|i| row(i, &format!("name {i}"))).collect();
    append(&mut datasource.writer(), &rows, 1);
    assert!(datasource.writer().is_plain(0));
    append(&mut datasource.writer(), &rows[..10], 2);
    {
        let mut writer = datasource.writer();
        let codes = vec![writer.dictionary(0).intern("x"), writer.dictionary(0).intern("name 7")];
        let batch = RowBatch {
            time: vec![5],
            raw_time: None,
            columns: vec![
                BatchColumn::MultiCodes { ends: vec![2], codes },
                BatchColumn::Codes(vec![NULL_CODE]),
                BatchColumn::Long(Int64Array::new_null(1)),
                BatchColumn::Float(Float32Array::new_null(1)),
            ],
        };
        writer.append(batch, &Progress::default(), 0).unwrap();
        assert!(!writer.is_plain(0));
    }
    let names = |snapshot: &Snapshot| {
        let mut names: Vec<String> = Vec::new();
        for part in &snapshot.parts {
            let column = part.column("name").unwrap().unwrap();
            names.extend((0..part.rows()).flat_map(|row| list_at(column.as_list(), row)));
        }
        names.sort();
        names
    };
    let mut expected: Vec<String> = rows.iter().chain(&rows[..10]).filter_map(|row| row.1.clone()).collect();
    expected.extend(["x".to_owned(), "name 7".to_owned()]);
    expected.sort();
    assert!(names(&datasource.snapshot()) == expected);
    datasource.publish(0).unwrap();
    assert!(names(&datasource.snapshot()) == expected);
}

#[test]
fn many_small_batches_of_text_take_no_more_memory_than_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, datasource) = open(folder.path(), false);
    let rows: Vec<Row> = (0..20_000).map(|i| row(i, &format!("2026-11-23T20:20:33.{i:05}Z"))).collect();
    append(&mut datasource.writer(), &rows, 1);
    assert!(datasource.writer().is_plain(0));
    datasource.publish(0).unwrap();
    for few in rows.chunks(5) {
        append(&mut datasource.writer(), few, 2);
    }
    let bytes = datasource.writer().hot_bytes();
    // Of text 25 bytes a row; of everything else views, times, codes, ends, two numbers and their validity.
    assert!(bytes < rows.len() * 150, "{bytes} bytes for {} rows", rows.len());
}

#[test]
fn rows_take_memory_until_they_are_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, datasource) = open(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    let bytes = datasource.writer().hot_bytes();
    assert_eq!(datasource.writer().unpublished_bytes(), bytes);
    {
        let mut writer = datasource.writer();
        writer.freeze();
        assert_eq!(writer.hot_rows(), 0);
        assert!(writer.unpublished_bytes() >= bytes);
    }
    datasource.publish(0).unwrap();
    assert!(datasource.writer().unpublished_bytes() < bytes);
}

#[test]
fn a_name_is_as_long_as_a_folder_may_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    assert!(store.ensure_datasource(&"門".repeat(15), schema(false)).is_err());
    // Nine bytes each once escaped, and the longest name of a segment: all of time.
    let schema =
        Arc::new(TableSchema { segment_granularity: Granularity::ALL, ..TableSchema::clone(&schema(false)) });
    let datasource = store.ensure_datasource(&"門".repeat(14), schema).unwrap();
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    assert_eq!(datasource.publish(0).unwrap().rows, 1);
}

#[test]
fn a_folder_stays_locked_while_anybody_can_write() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open(folder.path(), false);
    drop(store);
    let locked =
        || matches!(Store::open(folder.path(), StoreOptions::default()), Err(StorageError::Locked { .. }));
    assert!(locked());
    drop(datasource);
    assert!(!locked());
}

#[test]
fn fresh_rows_are_settled_as_soon_as_enough_are_together() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, datasource) = open(folder.path(), false);
    for at in 0..100 {
        let rows: Vec<Row> = (0..=at % 5).map(|i| row(at * 5 + i, "a")).collect();
        append(&mut datasource.writer(), &rows, at);
        let snapshot = datasource.snapshot();
        let unsettled: usize =
            snapshot.parts.iter().filter(|part| part.serial().is_none()).map(Part::rows).sum();
        assert!(unsettled < 16, "{unsettled} rows wait after batch {at}");
    }
    assert_eq!(datasource.snapshot().rows(), 300);
}

#[test]
fn a_code_that_no_dictionary_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, datasource) = open(folder.path(), false);
    let mut batch = RowBatch {
        time: vec![1],
        raw_time: None,
        columns: vec![
            BatchColumn::Codes(vec![5]),
            BatchColumn::Codes(vec![NULL_CODE]),
            BatchColumn::Long(Int64Array::new_null(1)),
            BatchColumn::Float(Float32Array::new_null(1)),
        ],
    };
    let error = datasource.writer().append(batch.clone(), &Progress::default(), 0).unwrap_err();
    assert!(error.to_string().contains("code 5 of column name"), "{error}");
    batch.columns.pop();
    assert!(datasource.writer().append(batch, &Progress::default(), 0).is_err());
}
