//! Compaction: the same bytes as sealing all rows at once, while queries run and rows arrive.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{CompactionOptions, Form, Selection};

/// Merges whatever can be merged.
pub(super) const EAGER: CompactionOptions = CompactionOptions {
    small_rows_max: 1 << 20,
    segments_min: 2,
    quiet_ms: i64::MIN,
    step_rows_max: 1 << 20,
    step_bytes_max: 1 << 40,
    cold_before_ms: None,
};

/// The same, and all chunks are cold.
pub(super) const COLD: CompactionOptions = CompactionOptions { cold_before_ms: Some(i64::MAX), ..EAGER };

fn open_large(folder: &Path, rollup: bool) -> (Arc<Store>, Arc<Datasource>) {
    let store = Store::open(folder, StoreOptions::default()).unwrap();
    let datasource = store.ensure_datasource("ds", schema(rollup)).unwrap();
    (store, datasource)
}

fn compact_all(datasource: &Datasource, options: &CompactionOptions) -> usize {
    let mut steps = 0;
    while datasource.compact(options, 0).unwrap().is_some() {
        steps += 1;
    }
    steps
}

/// Per chunk, in order of time, the bytes of the files of its one segment.
fn files(store: &Store) -> Vec<[Vec<u8>; 2]> {
    let records = store.segment_records(None).unwrap();
    let folders = records.iter().map(|r| crate::names::segment_folder(store.folder(), "ds", &r.id));
    folders
        .map(|folder| ["data.arrow", "index.ovate"].map(|file| std::fs::read(folder.join(file)).unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn compacted_segments_are_to_the_byte_those_of_all_rows_at_once(
        batches in prop::collection::vec(prop::collection::vec(any_row(), 1..60), 2..8),
        rollup in any::<bool>(),
    ) {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (often, once) = (open_large(folders[0].path(), rollup), open_large(folders[1].path(), rollup));
        for rows in &batches {
            append(&mut often.1.writer(), rows, 1);
            often.1.publish(0).unwrap();
            append(&mut once.1.writer(), rows, 1);
        }
        let hot = rows_of(&once.1.snapshot());
        once.1.publish(0).unwrap();
        let sealed = rows_of(&once.1.snapshot());
        compact_all(&often.1, &EAGER);
        let compacted = rows_of(&often.1.snapshot());
        prop_assert_eq!(&compacted, &sealed);
        if !rollup {
            prop_assert_eq!(&compacted, &hot);
        }
        prop_assert!(files(&often.0) == files(&once.0), "the bytes differ");
        compact_all(&often.1, &COLD);
        prop_assert_eq!(&rows_of(&often.1.snapshot()), &sealed);
        let records = often.0.segment_records(None).unwrap();
        prop_assert!(records.iter().all(|record| record.files.form == Form::Parquet));
        prop_assert_eq!(often.0.verify(|_| {}).unwrap().findings, []);
    }
}

#[test]
fn rows_that_were_published_one_by_one_are_not_rolled_up_later() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    // A column of the same kind in both schemas, so that both can be merged.
    let schema = |rollup| Arc::new(TableSchema { rollup, ..TableSchema::clone(&schema(false)) });
    for at in 0..2 {
        append(&mut datasource.writer(), &[row(7, "a"), row(7, "a")], at);
        datasource.publish(at).unwrap();
    }
    store.ensure_datasource("ds", schema(true)).unwrap();
    append(&mut datasource.writer(), &[row(7, "a"), row(7, "a")], 2);
    datasource.publish(2).unwrap();
    let rows = || datasource.snapshot().rows();
    assert_eq!(rows(), 5, "two and two as they came, then two as one");
    assert_eq!(compact_all(&datasource, &EAGER), 1);
    assert_eq!(rows(), 5);
    append(&mut datasource.writer(), &[row(7, "a")], 3);
    datasource.publish(3).unwrap();
    compact_all(&datasource, &EAGER);
    assert_eq!(rows(), 6, "what was merged from such rows is not rolled up either");
}

#[test]
fn many_different_texts_are_merged_as_they_were_stored() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (often, once) = (open_large(folders[0].path(), false), open_large(folders[1].path(), false));
    // The first batch is nearly unique and has no dictionary on disk, the second repeats one value.
    let unique: Vec<Row> = (0..3000).map(|i| row(i, &format!("name {i}"))).collect();
    let same: Vec<Row> = (0..2000).map(|i| row(i, "name 7")).collect();
    for rows in [&unique, &same] {
        append(&mut often.1.writer(), rows, 1);
        often.1.publish(0).unwrap();
        append(&mut once.1.writer(), rows, 1);
    }
    once.1.publish(0).unwrap();
    assert_eq!(compact_all(&often.1, &EAGER), 1);
    assert!(files(&often.0) == files(&once.0));
}

#[test]
fn cold_segments_become_arrow_again_when_no_chunk_is_cold_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    let forms = || store.segment_records(None).unwrap().iter().map(|r| r.files.form).collect::<Vec<_>>();
    for at in 0..2 {
        append(&mut datasource.writer(), &[row(at, "a")], at);
        datasource.publish(at).unwrap();
        compact_all(&datasource, &COLD);
    }
    assert_eq!(forms(), [Form::Parquet]);
    append(&mut datasource.writer(), &[row(7, "b")], 2);
    datasource.publish(2).unwrap();
    compact_all(&datasource, &EAGER);
    assert_eq!(forms(), [Form::Arrow]);
    assert_eq!(rows_of(&datasource.snapshot()), [row(0, "a"), row(1, "a"), row(7, "b")]);
}

#[test]
fn a_query_goes_on_reading_the_segments_of_its_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    for at in 0..3 {
        append(&mut datasource.writer(), &[row(at, "a")], at);
        datasource.publish(at).unwrap();
    }
    let folders = || std::fs::read_dir(folder.path().join("segments/ds")).unwrap().count();
    // Nothing of it is opened yet.
    let before = datasource.snapshot();
    let done = datasource.compact(&EAGER, 9).unwrap().unwrap();
    assert_eq!((done.merged.len(), done.segments.len(), done.rows), (3, 1, 3));
    assert_eq!(store.segment_records(None).unwrap().len(), 1);
    assert_eq!(folders(), 4);
    datasource.remove_leftovers().unwrap();
    assert_eq!(rows_of(&before).len(), 3);
    assert_eq!(rows_of(&before), rows_of(&datasource.snapshot()));
    drop(before);
    datasource.remove_leftovers().unwrap();
    assert_eq!(folders(), 1);
    assert_eq!(datasource.compact(&EAGER, 9).unwrap(), None);
}

#[test]
fn a_killed_segment_stays_readable_for_the_query_that_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    datasource.publish(0).unwrap();
    let before = datasource.snapshot();
    store.mark_unused("ds", &Selection::All).unwrap();
    assert_eq!(store.kill("ds", Interval::ETERNITY).unwrap(), 1);
    // Its id is not free as long as its files are needed.
    append(&mut datasource.writer(), &[row(2, "b")], 2);
    datasource.publish(0).unwrap();
    assert_eq!(rows_of(&before), [row(1, "a")]);
    assert_eq!(rows_of(&datasource.snapshot()), [row(2, "b")]);
    drop(before);
    datasource.remove_leftovers().unwrap();
    assert_eq!(store.verify(|_| {}).unwrap().findings, []);
    assert_eq!(std::fs::read_dir(folder.path().join("segments/ds")).unwrap().count(), 1);
}

#[test]
fn rows_of_before_and_after_a_change_of_columns_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    append(&mut datasource.writer(), &[row(1, "a")], 1);
    datasource.publish(0).unwrap();
    let mut narrow = TableSchema::clone(&schema(false));
    narrow.columns.remove(1);
    narrow.columns.insert(0, ColumnSpec::dimension("new", ColumnType::String));
    store.ensure_datasource("ds", Arc::new(narrow)).unwrap();
    {
        let mut writer = datasource.writer();
        let (new, name) = (writer.dictionary(0).intern("x"), writer.dictionary(1).intern("b"));
        let columns = vec![
            BatchColumn::Codes(vec![new]),
            BatchColumn::Codes(vec![name]),
            BatchColumn::Long(Int64Array::from(vec![7])),
            BatchColumn::Float(Float32Array::new_null(1)),
        ];
        let batch = RowBatch { time: vec![2], raw_time: None, columns };
        writer.append(batch, &Progress::default(), 0).unwrap();
    }
    datasource.publish(1).unwrap();
    let before = rows_of(&datasource.snapshot());
    assert_eq!(compact_all(&datasource, &EAGER), 1);
    assert_eq!(rows_of(&datasource.snapshot()), before);
    let records = store.segment_records(None).unwrap();
    let names: Vec<&str> = records[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["new", "name", "n", "x", "tags"]);
    assert_eq!(store.verify(|_| {}).unwrap().findings, []);
}

#[test]
fn chunks_that_are_cut_differently_from_now_on_hide_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    let mut rows = Vec::new();
    for (now, granularity) in [(1, "HOUR"), (2, "DAY"), (3, "HOUR"), (4, "FIFTEEN_MINUTE"), (5, "DAY")] {
        let mut schema = TableSchema::clone(&schema(false));
        schema.segment_granularity = serde_json::from_str(&format!("\"{granularity}\"")).unwrap();
        store.ensure_datasource("ds", Arc::new(schema)).unwrap();
        let batch: Vec<Row> = (0..9).map(|n| row((n * 7 + now) % 30 * HOUR + n, granularity)).collect();
        append(&mut datasource.writer(), &batch, now);
        datasource.publish(now).unwrap();
        rows.extend(batch);
        rows.sort();
        assert_eq!(rows_of(&datasource.snapshot()), rows, "after {granularity}");
    }
    compact_all(&datasource, &EAGER);
    assert_eq!(rows_of(&datasource.snapshot()), rows);
    drop((store, datasource));
    let (_store, datasource) = open_large(folder.path(), false);
    assert_eq!(rows_of(&datasource.snapshot()), rows);
}

#[test]
fn queries_see_every_row_once_while_rows_arrive_and_segments_are_merged() {
    const ROWS: i64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let (store, datasource) = open_large(folder.path(), false);
    let done = AtomicBool::new(false);
    let numbered = |n: i64| (n % 3 * HOUR + n, None, Vec::new(), Some(n), None);
    let (mut steps, mut looks) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for start in (0..ROWS).step_by(10) {
                let rows: Vec<Row> = (start..start + 10).map(numbered).collect();
                append(&mut datasource.writer(), &rows, start + 10);
                if start % 20 == 0 {
                    datasource.publish(start).unwrap();
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        let compacting = scope.spawn(|| {
            let mut steps = 0;
            while !done.load(Ordering::SeqCst) {
                steps += usize::from(datasource.compact(&EAGER, 0).unwrap().is_some());
            }
            steps
        });
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let mut seen: Vec<i64> = rows_of(&datasource.snapshot()).iter().filter_map(|row| row.3).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
            assert!(seen.len() >= last, "rows went away");
            last = seen.len();
            looks += 1;
        }
        steps = compacting.join().unwrap();
    });
    datasource.publish(ROWS).unwrap();
    while datasource.compact(&EAGER, 0).unwrap().is_some() {
        steps += 1;
    }
    datasource.remove_leftovers().unwrap();
    println!("compaction under load: {steps} steps, {looks} snapshots read whole");
    assert_eq!(store.segment_records(None).unwrap().len(), 3);
    assert_eq!(rows_of(&datasource.snapshot()).len(), ROWS as usize);
    assert_eq!(store.verify(|_| {}).unwrap().findings, []);
}
