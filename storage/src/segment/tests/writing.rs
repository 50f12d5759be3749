//! What the writer decides and what it refuses.

use arrow::array::{Float32Array, Float64Array, UInt32Array};

use super::*;
use crate::error::StorageError;

fn written(columns: &[ColumnSpec], values: &[InputColumn], bounds: Bounds) -> Result<Segment> {
    written_as(Form::Arrow, columns, values, bounds)
}

fn written_as(form: Form, columns: &[ColumnSpec], values: &[InputColumn], bounds: Bounds) -> Result<Segment> {
    let rows = values.iter().find_map(|column| match column {
        InputColumn::Codes { codes, .. } => Some(codes.len()),
        InputColumn::Text(array) => Some(array.len()),
        InputColumn::Long(array) => Some(array.len()),
        InputColumn::Double(array) => Some(array.len()),
        _ => None,
    });
    let time = vec![5; rows.unwrap_or(1)];
    let input = SegmentInput {
        datasource: "events",
        interval: DAY,
        version: "v",
        columns,
        time: &time,
        values,
        rows: None,
    };
    let disk = MemoryDisk::default();
    let summary = write_within(&disk, Path::new("segment"), &input, form, bounds)?;
    open(&disk, Some(&summary.files))
}

fn type_of(column_type: ColumnType, values: InputColumn) -> DataType {
    let segment = written(&[ColumnSpec::dimension("c", column_type)], &[values], Bounds::default()).unwrap();
    segment.column("c").unwrap().unwrap().data_type().clone()
}

fn dictionary(key: DataType, value: DataType) -> DataType {
    DataType::Dictionary(Box::new(key), Box::new(value))
}

fn texts(rows: usize, distinct: usize) -> InputColumn {
    InputColumn::Text((0..rows).map(|row| Some(format!("value {}", row % distinct))).collect())
}

fn codes(rows: usize, distinct: usize) -> InputColumn {
    InputColumn::Codes {
        codes: (0..rows).map(|row| (row % distinct) as u32).collect(),
        values: Arc::new(StringArray::from_iter_values((0..distinct).map(|value| format!("value {value}")))),
    }
}

fn longs(rows: usize, distinct: usize) -> InputColumn {
    InputColumn::Long((0..rows).map(|row| Some((row % distinct) as i64)).collect())
}

#[test]
fn strings_get_the_narrowest_keys() {
    for column in [texts, codes] {
        let of = |rows, distinct| type_of(ColumnType::String, column(rows, distinct));
        assert_eq!(of(1, 1), dictionary(DataType::UInt8, DataType::Utf8));
        assert_eq!(of(600, 256), dictionary(DataType::UInt8, DataType::Utf8));
        assert_eq!(of(600, 257), dictionary(DataType::UInt16, DataType::Utf8));
        assert_eq!(of(140_000, 65_536), dictionary(DataType::UInt16, DataType::Utf8));
        assert_eq!(of(140_000, 65_537), dictionary(DataType::UInt32, DataType::Utf8));
    }
}

#[test]
fn strings_that_are_nearly_unique_stay_plain() {
    for column in [texts, codes] {
        let of = |rows, distinct| type_of(ColumnType::String, column(rows, distinct));
        assert_eq!(of(1024, 512), dictionary(DataType::UInt16, DataType::Utf8));
        assert_eq!(of(1024, 513), DataType::Utf8);
        assert_eq!(of(1023, 1023), dictionary(DataType::UInt16, DataType::Utf8));
    }
}

#[test]
fn numbers_of_few_values_get_a_dictionary() {
    let of = |rows, distinct| type_of(ColumnType::Long, longs(rows, distinct));
    assert_eq!(of(1023, 2), DataType::Int64);
    assert_eq!(of(1024, 128), dictionary(DataType::UInt8, DataType::Int64));
    assert_eq!(of(1024, 129), DataType::Int64);
    assert_eq!(of(600_000, 65_536), dictionary(DataType::UInt16, DataType::Int64));
    assert_eq!(of(600_000, 65_537), DataType::Int64);
}

#[test]
fn a_dictionary_of_doubles_keeps_both_zeros_and_every_nan() {
    let values = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0, f64::NEG_INFINITY];
    let column: Float64Array = (0..2048).map(|row| (row % 7 < 6).then(|| values[row % 7])).collect();
    let columns = [ColumnSpec::dimension("c", ColumnType::Double)];
    let segment = written(&columns, &[InputColumn::Double(column)], Bounds::default()).unwrap();
    let column = segment.column("c").unwrap().unwrap();
    let found = column.as_any_dictionary().values().as_primitive::<Float64Type>().values().to_vec();
    let shown: Vec<u64> = found.iter().map(|value| value.to_bits()).collect();
    let expected = [-f64::NAN, f64::NEG_INFINITY, -0.0, 0.0, 1.0, f64::NAN].map(f64::to_bits);
    assert_eq!(shown, expected);
}

#[test]
fn a_column_that_is_null_everywhere_reads_as_null() {
    let columns = [
        ColumnSpec::dimension("s", ColumnType::String),
        ColumnSpec::dimension("n", ColumnType::Long),
        ColumnSpec::dimension("t", ColumnType::String),
        ColumnSpec::dimension("f", ColumnType::Float),
        ColumnSpec::dimension("d", ColumnType::Double),
    ];
    let values = [
        InputColumn::Codes {
            codes: vec![NULL_CODE; 2000].into(),
            values: Arc::new(StringArray::new_null(0)),
        },
        InputColumn::Long(Int64Array::new_null(2000)),
        InputColumn::Text(StringViewArray::new_null(2000)),
        InputColumn::Float(Float32Array::new_null(2000)),
        InputColumn::Double(Float64Array::new_null(2000)),
    ];
    for form in [Form::Arrow, Form::Parquet] {
        let segment = written_as(form, &columns, &values, Bounds::default()).unwrap();
        segment.verify().unwrap();
        for ColumnSpec { name, .. } in &columns {
            let column = segment.column(name).unwrap().unwrap();
            assert_eq!(column.null_count(), 2000, "{name}, {form:?}");
        }
        let postings = segment.postings("s").unwrap().unwrap();
        assert!(postings.is_empty());
        assert_eq!(postings.nulls().unwrap().len(), 2000);
        assert_eq!(segment.blocks("n").unwrap().unwrap()[0].nulls, 2000);
    }
}

#[test]
fn a_multi_value_column_takes_rows_of_one_value_in_any_form() {
    let mut spec = ColumnSpec::dimension("c", ColumnType::String);
    spec.multi_value = true;
    for column in [texts(2000, 2000), codes(2000, 1500)] {
        let segment = written(&[spec.clone()], &[column], Bounds::default()).unwrap();
        let column = segment.column("c").unwrap().unwrap();
        let list = column.as_list::<i32>();
        assert_eq!(list.value_length(0), 1);
        assert_eq!(list.values().data_type(), &dictionary(DataType::UInt16, DataType::Utf8));
    }
}

#[test]
fn equal_strings_under_several_codes_become_one() {
    let column = InputColumn::Codes {
        codes: vec![0, 1, 2].into(),
        values: Arc::new(StringArray::from_iter_values(["b", "a", "b"])),
    };
    let columns = [ColumnSpec::dimension("c", ColumnType::String)];
    let segment = written(&columns, &[column], Bounds::default()).unwrap();
    let postings = segment.postings("c").unwrap().unwrap();
    assert_eq!(postings.len(), 2);
    assert_eq!(postings.cardinality(1).unwrap(), 2);
}

#[test]
fn text_beyond_the_limit_of_a_segment_is_refused_by_name() {
    let bounds = Bounds { rows_min: 1, text_bytes_max: 100 };
    let columns = [ColumnSpec::dimension("long story", ColumnType::String)];
    for column in [texts(20, 20), codes(40, 20)] {
        let error = written(&columns, &[column], bounds).unwrap_err();
        assert!(
            matches!(&error, StorageError::SegmentTooLarge { column, max: 100, .. } if column == "long story"),
            "{error}"
        );
    }
}

#[test]
fn input_that_does_not_fit_together_is_refused() {
    let string = || ColumnSpec::dimension("c", ColumnType::String);
    let refused = |columns: &[ColumnSpec], values: &[InputColumn], rows: Option<&[u32]>, because: &str| {
        let time = [0, 1];
        let input = SegmentInput {
            datasource: "events",
            interval: DAY,
            version: "v",
            columns,
            time: &time,
            values,
            rows,
        };
        let error = write_within(
            &MemoryDisk::default(),
            Path::new("segment"),
            &input,
            Form::Arrow,
            Bounds::default(),
        )
        .unwrap_err();
        assert!(matches!(error, StorageError::SchemaMismatch { .. }), "{error}");
        assert!(error.to_string().contains(because), "{error} does not say {because}");
    };
    let values = || Arc::new(StringArray::from_iter_values(["a"])) as ArrayRef;
    let coded = |codes: Vec<u32>| InputColumn::Codes { codes: codes.into(), values: values() };
    let multi = |ends: Vec<u32>, codes: Vec<u32>| InputColumn::MultiCodes {
        ends: ends.into(),
        codes: codes.into(),
        values: values(),
    };
    let mut several = string();
    several.multi_value = true;

    refused(&[], &[], Some(&[]), "at least one row");
    refused(&[], &[], Some(&[2]), "row 2 is asked for");
    refused(&[string()], &[], None, "0 columns given, 1 expected");
    refused(&[string(), string()], &[coded(vec![0, 0]), coded(vec![0, 0])], None, "column c is given twice");
    refused(&[string()], &[longs(2, 1)], None, "column c is not String");
    refused(&[string()], &[multi(vec![0, 1], vec![0])], None, "column c is not String");
    refused(&[string()], &[coded(vec![0])], None, "column c has 1 rows, __time has 2");
    refused(&[string()], &[coded(vec![0, 1])], None, "code 1 is not in its dictionary of 1");
    refused(&[several.clone()], &[multi(vec![0, 2], vec![0])], None, "its ends are not those of its codes");
    refused(&[several.clone()], &[multi(vec![1, 0], vec![])], None, "its ends are not those of its codes");
    refused(&[several], &[multi(vec![0, 1], vec![NULL_CODE])], None, "is not in its dictionary");
    let numbers =
        InputColumn::Codes { codes: vec![0, 0].into(), values: Arc::new(UInt32Array::from(vec![1])) };
    refused(&[string()], &[numbers], None, "not Utf8View or Utf8");
    let time = ColumnSpec::dimension("__time", ColumnType::Long);
    refused(&[time], &[longs(2, 1)], None, "column __time is given twice");
}

#[test]
fn rows_outside_their_time_chunk_are_refused() {
    let input = SegmentInput {
        datasource: "events",
        interval: DAY,
        version: "v",
        columns: &[],
        time: &[0, DAY.end_ms],
        values: &[],
        rows: None,
    };
    let disk = MemoryDisk::default();
    assert!(write_within(&disk, Path::new("segment"), &input, Form::Arrow, Bounds::default()).is_err());
    let inside = SegmentInput { rows: Some(&[0]), ..input };
    write_within(&disk, Path::new("segment"), &inside, Form::Arrow, Bounds::default()).unwrap();
    assert_eq!(open(&disk, None).unwrap().time().unwrap().values(), &[0]);
}

#[test]
fn times_may_lie_eternities_apart() {
    let Interval { start_ms, end_ms } = Interval::ETERNITY;
    let input = SegmentInput {
        datasource: "events",
        interval: Interval::ETERNITY,
        version: "v",
        columns: &[ColumnSpec::dimension("c", ColumnType::Long)],
        time: &[end_ms - 1, 0, start_ms, 0],
        values: &[longs(4, 4)],
        rows: None,
    };
    let disk = MemoryDisk::default();
    write_within(&disk, Path::new("segment"), &input, Form::Arrow, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    assert_eq!(segment.time().unwrap().values(), &[start_ms, 0, 0, end_ms - 1]);
    let column = segment.column("c").unwrap().unwrap();
    assert_eq!(column.as_primitive::<Int64Type>().values(), &[2, 1, 3, 0]);
}

/// A disk that writes down what is done, and fails at one call if asked to.
#[derive(Debug, Clone, Default)]
struct Watched {
    disk: MemoryDisk,
    log: Arc<Mutex<Vec<String>>>,
    fail_at: Option<usize>,
}

impl Watched {
    fn note(&self, action: &str, path: &Path) -> io::Result<()> {
        let mut log = self.log.lock().unwrap();
        log.push(format!("{action} {}", path.display()));
        if self.fail_at == Some(log.len() - 1) { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }
}

struct WatchedFile(Watched, PathBuf, Box<dyn DiskFile>);

impl Write for WatchedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.note("write", &self.1)?;
        self.2.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for WatchedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.note("sync", &self.1)
    }
}

impl Disk for Watched {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.note("create", path)?;
        Ok(Box::new(WatchedFile(self.clone(), path.into(), self.disk.create(path)?)))
    }

    fn open_random_access(&self, _: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.note("create folder", path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.note("sync folder", path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(path)
    }

    fn map(&self, path: &Path) -> io::Result<Buffer> {
        self.note("map", path)?;
        self.disk.map(path)
    }
}

#[test]
fn a_written_segment_is_durable() {
    let disk = Watched::default();
    write(&disk, &varied_rows(100), None, Bounds::default()).unwrap();
    let log = disk.log.lock().unwrap();
    let last = |wanted: &str| log.iter().rposition(|entry| entry == wanted).unwrap();
    for path in [DATA, INDEX] {
        assert!(last(&format!("sync {path}")) > last(&format!("write {path}")));
        assert!(last("sync folder segment") > last(&format!("create {path}")));
    }
    assert_eq!(last("sync folder segment"), log.len() - 1);
}

#[test]
fn every_failing_call_ends_the_write_with_an_error() {
    let whole = Watched::default();
    write(&whole, &varied_rows(100), None, Bounds::default()).unwrap();
    let calls = whole.log.lock().unwrap().len();
    for fail_at in 0..calls {
        let disk = Watched { fail_at: Some(fail_at), ..Watched::default() };
        let error = write(&disk, &varied_rows(100), None, Bounds::default()).unwrap_err();
        assert!(matches!(error, StorageError::Io { .. }), "{error}");
        assert_eq!(disk.log.lock().unwrap().len(), fail_at + 1, "nothing is tried after a failure");
    }
}
