//! Segments, written and read back.

mod damage;
mod postings;
mod reading;
mod round_trip;
mod writing;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StringViewArray};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::prepare::Bounds;
use super::write::write_within;
use super::{DecodedColumns, Form, InputColumn, Segment, SegmentFiles, SegmentInput, SegmentSummary};
use crate::dictionary::NULL_CODE;
use crate::disk::{Disk, DiskFile, RandomAccessFile};
use crate::error::Result;
use crate::schema::{ColumnSpec, ColumnType, Rollup};
use crate::time::Interval;

/// Files in memory, which tests may damage.
#[derive(Debug, Clone, Default)]
struct MemoryDisk(Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>);

struct MemoryFile(MemoryDisk, PathBuf);

impl MemoryDisk {
    fn read(&self, path: &str) -> Vec<u8> {
        self.0.lock().unwrap()[Path::new(path)].clone()
    }

    fn replace(&self, path: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap().insert(path.into(), bytes);
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().get_mut(&self.1).unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let before = self.0.lock().unwrap().insert(path.into(), Vec::new());
        assert!(before.is_none(), "{} is written twice", path.display());
        Ok(Box::new(MemoryFile(self.clone(), path.into())))
    }

    fn open_random_access(&self, _: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn map(&self, path: &Path) -> io::Result<Buffer> {
        let files = self.0.lock().unwrap();
        files
            .get(path)
            .map(|bytes| Buffer::from(bytes.as_slice()))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const DATA: &str = "segment/data.arrow";
const COLD_DATA: &str = "segment/data.parquet";
const INDEX: &str = "segment/index.ovate";
const DAY: Interval = Interval::new(0, 86_400_000);

/// Rows with a column of every kind.
#[derive(Debug, Clone, Default)]
struct Row {
    time: i64,
    name: Option<String>,
    tags: Vec<String>,
    number: Option<i64>,
    text: Option<String>,
    share: Option<f64>,
    weight: Option<f32>,
}

fn specs() -> Vec<ColumnSpec> {
    let mut tags = ColumnSpec::dimension("tags", ColumnType::String);
    tags.multi_value = true;
    vec![
        ColumnSpec::dimension("name", ColumnType::String),
        tags,
        ColumnSpec::dimension("number", ColumnType::Long),
        ColumnSpec::dimension("text", ColumnType::String),
        ColumnSpec::dimension("share", ColumnType::Double),
        ColumnSpec::metric("weight", ColumnType::Float, Rollup::Sum),
        ColumnSpec::metric("absent", ColumnType::Long, Rollup::Max),
    ]
}

/// A dictionary as the hot index makes it: in order of arrival, after values that no row has.
#[derive(Default)]
struct Interned(Vec<String>);

impl Interned {
    fn code(&mut self, value: &str) -> u32 {
        if self.0.is_empty() {
            self.0.extend(["zz never used".to_owned(), "a never used".to_owned()]);
        }
        let at = self.0.iter().skip(2).position(|known| known == value).map(|at| at + 2);
        at.unwrap_or_else(|| {
            self.0.push(value.to_owned());
            self.0.len() - 1
        }) as u32
    }

    fn values(self) -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(self.0))
    }
}

/// Rows as the columns that [`specs`] names.
fn columns_of(rows: &[Row]) -> Vec<InputColumn> {
    let (mut names, mut tags) = (Interned::default(), Interned::default());
    let name_codes: Vec<u32> =
        rows.iter().map(|row| row.name.as_ref().map_or(NULL_CODE, |name| names.code(name))).collect();
    let (mut ends, mut tag_codes) = (Vec::new(), Vec::new());
    for row in rows {
        tag_codes.extend(row.tags.iter().map(|tag| tags.code(tag)));
        ends.push(tag_codes.len() as u32);
    }
    vec![
        InputColumn::Codes { codes: name_codes.into(), values: names.values() },
        InputColumn::MultiCodes { ends: ends.into(), codes: tag_codes.into(), values: tags.values() },
        InputColumn::Long(rows.iter().map(|row| row.number).collect()),
        InputColumn::Text(rows.iter().map(|row| row.text.as_deref()).collect()),
        InputColumn::Double(rows.iter().map(|row| row.share).collect()),
        InputColumn::Float(rows.iter().map(|row| row.weight).collect()),
        InputColumn::Absent,
    ]
}

fn write(disk: &dyn Disk, rows: &[Row], selection: Option<&[u32]>, bounds: Bounds) -> Result<SegmentSummary> {
    write_as(Form::Arrow, disk, rows, selection, bounds)
}

fn write_as(
    form: Form,
    disk: &dyn Disk,
    rows: &[Row],
    selection: Option<&[u32]>,
    bounds: Bounds,
) -> Result<SegmentSummary> {
    write_in(disk, Path::new("segment"), rows, selection, form, bounds)
}

fn write_in(
    disk: &dyn Disk,
    folder: &Path,
    rows: &[Row],
    selection: Option<&[u32]>,
    form: Form,
    bounds: Bounds,
) -> Result<SegmentSummary> {
    let time: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let input = SegmentInput {
        datasource: "events",
        interval: DAY,
        version: "2026-11-23T00:00:00.000Z",
        columns: &specs(),
        time: &time,
        values: &columns_of(rows),
        rows: selection,
    };
    write_within(disk, folder, &input, form, bounds)
}

fn open(disk: &dyn Disk, expected: Option<&SegmentFiles>) -> Result<Segment> {
    Segment::open(disk, Path::new("segment"), expected, &DecodedColumns::new(1 << 20))
}

/// Rows of some variety: `count` of them, unsorted, with repeated and NULL values.
fn varied_rows(count: usize) -> Vec<Row> {
    let texts = ["", "a", "Zürich", "😀 emoji", "nul\0byte", "a rather long value, beyond any inline view"];
    (0..count)
        .map(|i| {
            // Neighbours differ, and the sequence does not repeat soon.
            let mixed = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            let pick = |salt: u64, of: u64| (mixed / salt) % of;
            Row {
                time: pick(1, 86_400_000) as i64 / 1000 * 1000,
                name: (pick(3, 7) > 0).then(|| texts[pick(5, 6) as usize].to_owned()),
                tags: (0..pick(7, 4)).map(|at| format!("tag {}", pick(11 + at, 5))).collect(),
                number: (pick(13, 9) > 0).then(|| pick(17, 5) as i64 - 2),
                text: (pick(19, 8) > 0).then(|| format!("message {mixed:x}")),
                share: (pick(23, 5) > 0)
                    .then(|| [f64::NAN, -0.0, 0.0, f64::INFINITY, 1.5][pick(29, 5) as usize]),
                weight: (pick(31, 5) > 0).then(|| i as f32 / 3.0),
            }
        })
        .collect()
}

/// The rows of a segment, as the arrays say.
fn rows_of(segment: &Segment) -> Result<Vec<Row>> {
    let column = |name: &str, data_type: DataType| -> Result<ArrayRef> {
        let array = segment.column(name)?.expect("a column that was written");
        Ok(cast(&array, &data_type).unwrap())
    };
    let (name, text) = (column("name", DataType::Utf8)?, column("text", DataType::Utf8)?);
    let (name, text): (&StringArray, &StringArray) = (name.as_string(), text.as_string());
    let number = column("number", DataType::Int64)?;
    let share = column("share", DataType::Float64)?;
    // Widening keeps every float apart, NaN included.
    let weight = column("weight", DataType::Float64)?;
    let tags = segment.column("tags")?.expect("a column that was written");
    let time: Int64Array = segment.time()?;
    assert!(segment.column("absent")?.is_none());
    let rows = (0..segment.rows()).map(|row| {
        let number = number.as_primitive::<Int64Type>();
        let (share, weight) = (share.as_primitive::<Float64Type>(), weight.as_primitive::<Float64Type>());
        let items = cast(&tags.as_list::<i32>().value(row), &DataType::Utf8).unwrap();
        let items: Vec<String> =
            items.as_string::<i32>().iter().map(|item| item.unwrap().to_owned()).collect();
        assert_eq!(tags.is_null(row), items.is_empty());
        Row {
            time: time.value(row),
            name: name.is_valid(row).then(|| name.value(row).to_owned()),
            tags: items,
            number: number.is_valid(row).then(|| number.value(row)),
            text: text.is_valid(row).then(|| text.value(row).to_owned()),
            share: share.is_valid(row).then(|| share.value(row)),
            weight: weight.is_valid(row).then(|| weight.value(row) as f32),
        }
    });
    Ok(rows.collect())
}

/// Equal rows have equal texts: `Debug` shows -0.0 and NaN as such.
fn shown(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}

/// The order that a segment has.
fn in_segment_order(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    let total = |value: Option<f64>| {
        value.map(|value| value.to_bits() as i64).map(|bits| bits ^ ((bits >> 63) as u64 >> 1) as i64)
    };
    rows.sort_by(|a, b| {
        (a.time, &a.name, &a.tags, a.number, &a.text, total(a.share)).cmp(&(
            b.time,
            &b.name,
            &b.tags,
            b.number,
            &b.text,
            total(b.share),
        ))
    });
    rows
}
