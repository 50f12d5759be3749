//! How a segment is read: without copies, page by page, and by other Arrow readers too.

use arrow::array::{ArrayData, RecordBatch, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::TimeUnit;
use arrow::ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::disk::RealDisk;
use crate::error::StorageError;
use crate::segment::INDEX_FILE;
use crate::segment::pages::PAGE_BYTES;
use crate::segment::parquet_file::ROW_GROUP_ROWS;

#[test]
fn columns_lie_in_the_mapping() {
    /// A disk that remembers where it mapped the data.
    #[derive(Debug, Default)]
    struct Watching(RealDisk, Mutex<Option<std::ops::Range<usize>>>);
    impl Disk for Watching {
        fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
            self.0.create(path)
        }
        fn open_random_access(&self, _: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn create_folder(&self, path: &Path) -> io::Result<()> {
            self.0.create_folder(path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.0.rename(from, to)
        }
        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            self.0.sync_folder(path)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.0.remove(path)
        }
        fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
            self.0.list(path)
        }
        fn map(&self, path: &Path) -> io::Result<Buffer> {
            let buffer = self.0.map(path)?;
            if path.ends_with("data.arrow") {
                let start = buffer.as_ptr() as usize;
                *self.1.lock().unwrap() = Some(start..start + buffer.len());
            }
            Ok(buffer)
        }
    }
    fn check(data: &ArrayData, mapping: &std::ops::Range<usize>) {
        for buffer in data.buffers().iter().chain(data.nulls().map(NullBuffer::buffer)) {
            if !buffer.is_empty() {
                let start = buffer.as_ptr() as usize;
                assert!(mapping.contains(&start) && start + buffer.len() <= mapping.end);
            }
        }
        data.child_data().iter().for_each(|child| check(child, mapping));
    }

    let folder = tempfile::tempdir().unwrap();
    write_in(
        &RealDisk,
        &folder.path().join("segment"),
        &varied_rows(3000),
        None,
        Form::Arrow,
        Bounds::default(),
    )
    .unwrap();
    let disk = Watching::default();
    let segment =
        Segment::open(&disk, &folder.path().join("segment"), None, &DecodedColumns::new(0)).unwrap();
    let mapping = disk.1.lock().unwrap().clone().unwrap();
    check(&segment.time().unwrap().to_data(), &mapping);
    for spec in segment.columns().iter() {
        check(&segment.column(&spec.name).unwrap().unwrap().to_data(), &mapping);
    }
}

#[test]
fn columns_are_decoded_once() {
    let disk = MemoryDisk::default();
    write(&disk, &varied_rows(50), None, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    let first = segment.column("name").unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &segment.column("name").unwrap().unwrap()));
    assert!(segment.column("no such column").unwrap().is_none());
    assert!(segment.postings("no such column").unwrap().is_none());
    assert!(segment.blocks("no such column").unwrap().is_none());
}

#[test]
fn other_arrow_readers_see_the_same_columns() {
    let disk = MemoryDisk::default();
    write(&disk, &varied_rows(3000), None, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    let reader = FileReader::try_new(io::Cursor::new(disk.read(DATA)), None).unwrap();
    let schema = reader.schema();
    assert_eq!(schema.metadata()["ovate.datasource"], "events");
    assert_eq!(schema.metadata()["ovate.interval"], "1970-01-01T00:00:00.000Z/1970-01-02T00:00:00.000Z");
    assert_eq!(schema.field(0).data_type(), &DataType::Timestamp(TimeUnit::Millisecond, None));
    let batches: Vec<RecordBatch> = reader.collect::<std::result::Result<_, _>>().unwrap();
    let [batch] = batches.as_slice() else { panic!("{} batches", batches.len()) };
    assert_eq!(batch.num_rows(), 3000);
    assert_eq!(batch.num_columns(), 7);
    for (spec, field) in segment.columns().iter().zip(&schema.fields()[1..]) {
        assert_eq!(&spec.name, field.name());
        assert_eq!(spec, &serde_json::from_str::<ColumnSpec>(&field.metadata()["ovate.column"]).unwrap());
        let theirs = make_array(batch.column_by_name(&spec.name).unwrap().to_data());
        assert_eq!(&theirs, &segment.column(&spec.name).unwrap().unwrap());
    }
}

#[test]
fn a_cold_segment_has_the_arrays_lists_and_statistics_of_a_warm_one() {
    // More rows than a row group of Parquet has, and blocks and dictionaries of every kind.
    let rows = varied_rows(ROW_GROUP_ROWS + 5000);
    let [warm, cold] = [Form::Arrow, Form::Parquet].map(|form| {
        let disk = MemoryDisk::default();
        let summary = write_as(form, &disk, &rows, None, Bounds::default()).unwrap();
        assert_eq!(summary.files.form, form);
        open(&disk, Some(&summary.files)).unwrap()
    });
    assert!(cold.files().data_bytes < warm.files().data_bytes / 2);
    assert_eq!(cold.time().unwrap(), warm.time().unwrap());
    assert_eq!(cold.columns(), warm.columns());
    for spec in warm.columns().iter() {
        let [cold, warm] =
            [&cold, &warm].map(|segment| segment.column(&spec.name).unwrap().unwrap().to_data());
        // Data are compared bit by bit, so that NaN is itself.
        assert!(cold == warm, "{}", spec.name);
    }
    for spec in warm.columns().iter() {
        assert_eq!(cold.blocks(&spec.name).unwrap(), warm.blocks(&spec.name).unwrap());
        let [cold, warm] = [&cold, &warm].map(|segment| segment.postings(&spec.name).unwrap());
        assert_eq!(cold.map(|lists| lists.get(0).unwrap()), warm.map(|lists| lists.get(0).unwrap()));
    }
}

#[test]
fn other_parquet_readers_see_the_same_columns() {
    let disk = MemoryDisk::default();
    write_as(Form::Parquet, &disk, &varied_rows(3000), None, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    let bytes = bytes::Bytes::from(disk.read(COLD_DATA));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let metadata = builder.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().unwrap();
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    assert_eq!(value("ovate.datasource"), Some("events"));
    assert_eq!(builder.schema().field(0).data_type(), &DataType::Timestamp(TimeUnit::Millisecond, None));
    let batches: Vec<RecordBatch> =
        builder.with_batch_size(5000).build().unwrap().collect::<std::result::Result<_, _>>().unwrap();
    let [batch] = batches.as_slice() else { panic!("{} batches", batches.len()) };
    assert_eq!((batch.num_rows(), batch.num_columns()), (3000, 7));
    for (spec, field) in segment.columns().iter().zip(&batch.schema().fields()[1..]) {
        assert_eq!(spec, &serde_json::from_str::<ColumnSpec>(&field.metadata()["ovate.column"]).unwrap());
        let ours = segment.column(&spec.name).unwrap().unwrap();
        let theirs = batch.column_by_name(&spec.name).unwrap();
        if ours.as_list_opt::<i32>().is_none() {
            let [ours, theirs] = [&ours, theirs].map(|array| cast(array, &DataType::Utf8).unwrap());
            assert_eq!(&ours, &theirs, "{}", spec.name);
        }
    }
}

#[test]
fn a_cold_column_takes_the_form_it_had_whatever_it_would_take_today() {
    let disk = MemoryDisk::default();
    // Fewer rows than numbers get a dictionary for, and than strings can do without one.
    let bounds = Bounds { rows_min: 10, ..Bounds::default() };
    write_as(Form::Parquet, &disk, &varied_rows(300), None, bounds).unwrap();
    let segment = open(&disk, None).unwrap();
    let of = |name| segment.column(name).unwrap().unwrap().data_type().clone();
    assert_eq!(of("text"), DataType::Utf8);
    assert!(
        matches!(of("number"), DataType::Dictionary(..)) && matches!(of("share"), DataType::Dictionary(..))
    );
    segment.verify().unwrap();
}

#[test]
fn a_damaged_page_disturbs_only_those_who_read_it() {
    let disk = MemoryDisk::default();
    // Enough rows for both number columns to lie on pages of their own.
    let count = 400_000;
    let time: Vec<i64> = (0..count).collect();
    let numbers = |salt: i64| InputColumn::Long((0..count).map(|i| Some(i * salt)).collect());
    let columns = ["a", "b"].map(|name| ColumnSpec::metric(name, ColumnType::Long, Rollup::Sum));
    let input = SegmentInput {
        datasource: "events",
        interval: DAY,
        version: "v",
        columns: &columns,
        time: &time,
        values: &[numbers(3), numbers(5)],
        rows: None,
    };
    write_within(&disk, Path::new("segment"), &input, Form::Arrow, Bounds::default()).unwrap();

    let mut data = disk.read(DATA);
    let at = data.len() - PAGE_BYTES / 2;
    data[at] ^= 1;
    disk.replace(DATA, data);
    let segment = open(&disk, None).unwrap();
    assert!(segment.time().is_ok());
    assert!(segment.column("a").is_ok());
    let error = segment.column("b").unwrap_err();
    assert!(matches!(&error, StorageError::Damaged { path, .. } if path.ends_with("data.arrow")), "{error}");
    let page = at / PAGE_BYTES * PAGE_BYTES;
    assert!(error.to_string().contains(&format!("bytes {page} to ")), "{error}");
    assert!(segment.verify().is_err());
}

#[test]
fn files_that_were_not_published_together_are_refused() {
    let disk = MemoryDisk::default();
    let published = write(&disk, &varied_rows(50), None, Bounds::default()).unwrap();
    let other = MemoryDisk::default();
    write(&other, &varied_rows(51), None, Bounds::default()).unwrap();

    assert!(open(&disk, Some(&published.files)).is_ok());
    let error = open(&other, Some(&published.files)).unwrap_err();
    assert!(error.to_string().ends_with("it is not the file that was published"), "{error}");
    // Exchanged data are noticed when they are read, or at once if their length tells.
    disk.replace(DATA, other.read(DATA));
    let error = open(&disk, Some(&published.files)).and_then(|segment| segment.time()).unwrap_err();
    assert!(matches!(&error, StorageError::Damaged { path, .. } if path.ends_with("data.arrow")), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Segment::open(&RealDisk, folder.path(), None, &DecodedColumns::new(0)).unwrap_err();
    assert!(matches!(&error, StorageError::Io { path, .. } if path.ends_with(INDEX_FILE)), "{error}");
    write_in(
        &RealDisk,
        &folder.path().join("segment"),
        &varied_rows(3),
        None,
        Form::Arrow,
        Bounds::default(),
    )
    .unwrap();
    std::fs::remove_file(folder.path().join("segment").join("data.arrow")).unwrap();
    let error =
        Segment::open(&RealDisk, &folder.path().join("segment"), None, &DecodedColumns::new(0)).unwrap_err();
    assert!(matches!(&error, StorageError::Io { path, .. } if path.ends_with("data.arrow")), "{error}");
}

#[test]
fn the_catalog_keeps_the_checksum_as_text() {
    let form = Form::Arrow;
    let files = SegmentFiles { form, data_bytes: 1, index_bytes: 2, checksum: u64::MAX - 1 };
    let json = serde_json::to_string(&files).unwrap();
    assert_eq!(json, r#"{"dataBytes":1,"indexBytes":2,"checksum":"fffffffffffffffe"}"#);
    assert_eq!(serde_json::from_str::<SegmentFiles>(&json).unwrap(), files);
    let cold = SegmentFiles { form: Form::Parquet, ..files };
    let json = serde_json::to_string(&cold).unwrap();
    assert!(json.contains(r#""form":"parquet""#), "{json}");
    assert_eq!(serde_json::from_str::<SegmentFiles>(&json).unwrap(), cold);
}

#[test]
fn threads_share_what_the_first_one_decoded() {
    let disk = MemoryDisk::default();
    write(&disk, &varied_rows(2000), None, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    let read = || -> Vec<ArrayRef> {
        segment.columns().iter().map(|spec| segment.column(&spec.name).unwrap().unwrap()).collect()
    };
    let found: Vec<Vec<ArrayRef>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for columns in &found {
        assert!(columns.iter().zip(&found[0]).all(|(a, b)| Arc::ptr_eq(a, b)));
    }
}
