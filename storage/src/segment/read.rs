//! Reads a segment: both files mapped, nothing touched before it is asked for. Columns of a cold segment are decoded
//! then.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::INDEX_FILE;
use super::arrays;
use super::check;
use super::decoded::DecodedColumns;
use super::footer::{self, ArrayLayout, ColumnEntry, Description, Element, Form, SegmentFiles, TimeEntry};
use super::pages::{CheckedFile, Damage, Extent};
use super::parquet_file::ParquetColumns;
use super::postings::Postings;
use super::stats::{self, BLOCK_ROWS, BlockStats, STATS_BYTES, ScalarKind};
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::schema::{ColumnSpec, ColumnType, TIME_COLUMN};
use crate::snapshot::next_serial;
use crate::time::Interval;

/// A mapped segment. Columns are made by the first who asks and shared with all others.
#[derive(Debug)]
pub struct Segment {
    data: Arc<CheckedFile>,
    cold: Option<Cold>,
    index: Arc<CheckedFile>,
    files: SegmentFiles,
    description: Description,
    specs: Arc<[ColumnSpec]>,
    time: Cached,
    columns: Box<[Cached]>,
    damage: Arc<Damage>,
}

/// How the columns of a segment in Parquet are read.
#[derive(Debug)]
struct Cold {
    columns: ParquetColumns,
    decoded: Arc<DecodedColumns>,
    serial: u64,
}

impl Drop for Cold {
    fn drop(&mut self) {
        self.decoded.forget(self.serial);
    }
}

/// What was made of a column so far.
#[derive(Debug, Default)]
struct Cached {
    /// In the mapping; a decoded column is not kept here.
    array: OnceLock<ArrayRef>,
    blocks: OnceLock<Box<[BlockStats]>>,
}

impl Segment {
    /// Maps the segment in `folder`. Reads and verifies the footer and nothing else; what lies under its checksums
    /// is verified page by page when it is first used. With `expected`, from the catalog, the files must be the
    /// very ones that were published. Columns of a cold segment are kept in `decoded`.
    pub fn open(
        disk: &dyn Disk,
        folder: &Path,
        expected: Option<&SegmentFiles>,
        decoded: &Arc<DecodedColumns>,
    ) -> Result<Self> {
        let index_path = folder.join(INDEX_FILE);
        let index = disk.map(&index_path).map_err(StorageError::io("open", &index_path))?;
        let footer = footer::decode(&index_path, &index)?;
        let description = footer.description;
        let data_path = folder.join(description.form.data_file());
        let data = disk.map(&data_path).map_err(StorageError::io("open", &data_path))?;
        if data.len() as u64 != description.data_bytes {
            let reason = format!("it has {} bytes instead of {}", data.len(), description.data_bytes);
            return Err(StorageError::damaged(&data_path, reason));
        }
        let files = SegmentFiles {
            form: description.form,
            data_bytes: data.len() as u64,
            index_bytes: index.len() as u64,
            checksum: footer.checksum,
        };
        if expected.is_some_and(|expected| *expected != files) {
            return Err(StorageError::damaged(&index_path, "it is not the file that was published"));
        }
        if let Some(reason) = contradiction(&description) {
            return Err(StorageError::damaged(&index_path, reason));
        }
        let before_footer = index.slice_with_length(0, footer.start);
        let damage = Arc::new(Damage::new());
        let page_bytes = description.page_bytes as usize;
        let checked =
            |path, bytes, pages| CheckedFile::new(path, bytes, (page_bytes, pages), Arc::clone(&damage));
        let data = Arc::new(checked(data_path, data, footer.data_pages)?);
        let cold = (description.form == Form::Parquet).then(|| Cold {
            columns: ParquetColumns::new(Arc::clone(&data), &description),
            decoded: Arc::clone(decoded),
            serial: next_serial(),
        });
        Ok(Self {
            data,
            cold,
            index: Arc::new(checked(index_path, before_footer, footer.index_pages)?),
            files,
            specs: description.columns.iter().map(|column| column.spec.clone()).collect(),
            time: Cached::default(),
            columns: description.columns.iter().map(|_| Cached::default()).collect(),
            description,
            damage,
        })
    }

    /// What was found to be wrong since it was opened, by any reader of any part of it.
    pub fn damage(&self) -> Option<&str> {
        // What they find is remembered.
        let _ = self.all_read();
        self.damage.get().map(String::as_str)
    }

    /// The datasource it was written for.
    pub fn datasource(&self) -> &str {
        &self.description.datasource
    }

    /// Its time chunk.
    pub fn interval(&self) -> Interval {
        self.description.interval
    }

    /// The version of its time chunk.
    pub fn version(&self) -> &str {
        &self.description.version
    }

    /// The number of rows, at least one.
    pub fn rows(&self) -> usize {
        self.description.rows as usize
    }

    /// Least and greatest `__time`, both inclusive.
    pub fn time_range(&self) -> (i64, i64) {
        (self.description.min_time_ms, self.description.max_time_ms)
    }

    /// Lengths and checksum of the files.
    pub fn files(&self) -> SegmentFiles {
        self.files
    }

    /// The columns besides `__time` that some row has a value in, hidden ones included.
    pub fn columns(&self) -> &Arc<[ColumnSpec]> {
        &self.specs
    }

    /// `__time` in milliseconds, ascending.
    pub fn time(&self) -> Result<Int64Array> {
        let layout = &self.description.time.array;
        let array = match &self.cold {
            None => self.mapped(&self.time, TIME_COLUMN, layout)?,
            Some(cold) => cold.decoded.get((cold.serial, 0), || cold.columns.time(layout))?,
        };
        Ok(array.as_primitive::<Int64Type>().clone())
    }

    /// A column as it is stored; `None` if the segment has no such column, which reads as NULL. The array lies in
    /// the mapping, or in memory if the segment is cold.
    pub fn column(&self, name: &str) -> Result<Option<ArrayRef>> {
        let Some((at, ColumnEntry { spec, array: layout, .. })) = self.entry(name) else { return Ok(None) };
        let array = match &self.cold {
            None => self.mapped(&self.columns[at], name, layout)?,
            Some(cold) => cold.decoded.get((cold.serial, at + 1), || cold.columns.values(spec, layout))?,
        };
        Ok(Some(array))
    }

    fn mapped(&self, cached: &Cached, name: &str, layout: &ArrayLayout) -> Result<ArrayRef> {
        if let Some(array) = cached.array.get() {
            return Ok(ArrayRef::clone(array));
        }
        let array = arrays::read(&self.data, name, layout, self.description.rows)?;
        Ok(ArrayRef::clone(cached.array.get_or_init(|| array)))
    }

    /// The posting lists of a string column; `None` if it has none.
    pub fn postings(&self, name: &str) -> Result<Option<Postings>> {
        let Some((_, column)) = self.entry(name) else { return Ok(None) };
        let (Some(extent), Some(values)) = (column.postings, column.array.dictionary()) else {
            return Ok(None);
        };
        Postings::open(Arc::clone(&self.index), extent, values.len, self.description.rows).map(Some)
    }

    /// Statistics per [`BLOCK_ROWS`] rows of a column or of `__time`; `None` for text without a dictionary.
    pub fn blocks(&self, name: &str) -> Result<Option<&[BlockStats]>> {
        if name == TIME_COLUMN {
            let TimeEntry { blocks, .. } = self.description.time;
            return self.decoded_blocks(&self.time, blocks, ScalarKind::Long).map(Some);
        }
        let Some((at, column)) = self.entry(name) else { return Ok(None) };
        let (Some(blocks), Some(kind)) = (column.blocks, column.array.scalar_kind()) else { return Ok(None) };
        self.decoded_blocks(&self.columns[at], blocks, kind).map(Some)
    }

    /// Reads everything: every page of both files, every column, every posting list, and compares the lists with
    /// their columns.
    pub fn verify(&self) -> Result<()> {
        self.data.verify_all()?;
        self.index.verify_all()?;
        let time = self.time()?;
        let ends = (time.values().first().copied(), time.values().last().copied());
        let (min, max) = self.time_range();
        if !time.values().is_sorted() || ends != (Some(min), Some(max)) {
            return Err(self.data.damaged("its times are not in order or not those of its description"));
        }
        self.blocks(TIME_COLUMN)?;
        for spec in self.specs.iter() {
            let column = self.column(&spec.name)?;
            self.blocks(&spec.name)?;
            if let (Some(column), Some(postings)) = (column, self.postings(&spec.name)?) {
                postings.verify()?;
                if let Some(reason) = check::contradiction(&column, &postings)? {
                    return Err(self.index.damaged(format!("column {}: {reason}", spec.name)));
                }
            }
        }
        self.all_read()
    }

    fn all_read(&self) -> Result<()> {
        self.data.all_read()?;
        self.index.all_read()
    }

    fn entry(&self, name: &str) -> Option<(usize, &ColumnEntry)> {
        self.description.columns.iter().enumerate().find(|(_, column)| column.spec.name == name)
    }

    fn decoded_blocks<'a>(
        &self,
        cached: &'a Cached,
        extent: Extent,
        kind: ScalarKind,
    ) -> Result<&'a [BlockStats]> {
        if let Some(blocks) = cached.blocks.get() {
            return Ok(blocks);
        }
        let bytes = self.index.bytes(extent)?;
        if bytes.len() != self.rows().div_ceil(BLOCK_ROWS) * STATS_BYTES {
            return Err(self
                .index
                .damaged(format!("block statistics at offset {} have a wrong length", extent.0)));
        }
        Ok(cached.blocks.get_or_init(|| stats::decode(bytes, kind).into()))
    }
}

/// What in a description cannot be true, although its checksum is right.
fn contradiction(description: &Description) -> Option<String> {
    if description.rows == 0 || description.rows >= u64::from(u32::MAX) {
        return Some(format!("it has {} rows", description.rows));
    }
    let page_bytes = description.page_bytes;
    if !page_bytes.is_power_of_two() || !(4 << 10..=1 << 20).contains(&page_bytes) {
        return Some(format!("its pages have {page_bytes} bytes"));
    }
    if description.block_rows != BLOCK_ROWS as u64 {
        return Some(format!("its blocks have {} rows", description.block_rows));
    }
    let time = &description.time.array;
    if time.element != Element::Long || time.nulls > 0 {
        return Some("its __time is not a time".into());
    }
    let unfit = description.columns.iter().find(|column| !fits(&column.spec, &column.array))?;
    Some(format!("column {} is not stored as {:?}", unfit.spec.name, unfit.spec.column_type))
}

fn fits(spec: &ColumnSpec, array: &ArrayLayout) -> bool {
    let array = match (&array.items, spec.multi_value) {
        (Some(items), true) => items,
        (None, false) => array,
        _ => return false,
    };
    let element = array.values.as_ref().map_or(array.element, |values| values.element);
    let expected = match spec.column_type {
        ColumnType::String => Element::Utf8,
        ColumnType::Long => Element::Long,
        ColumnType::Float => Element::Float,
        ColumnType::Double => Element::Double,
    };
    element == expected
}
