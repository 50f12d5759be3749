//! Writes a segment: the only place where its two files are made.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::footer::{
    self, ArrayLayout, ColumnEntry, Description, FORMAT_VERSION, Form, SegmentFiles, TimeEntry,
};
use super::input::SegmentInput;
use super::order::sorted_order;
use super::pages::{Extent, PAGE_BYTES, PagedFile};
use super::prepare::{Bounds, prepare};
use super::stats::BLOCK_ROWS;
use super::{INDEX_FILE, arrow_file, encode, parquet_file, postings, stats};
use crate::disk::Disk;
use crate::error::{Result, StorageError};
use crate::schema::{ColumnRole, ColumnSpec, TIME_COLUMN};
use crate::time::Interval;

/// What was written, for the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSummary {
    /// Rows.
    pub rows: u64,
    /// Bytes of both files.
    pub size_bytes: u64,
    /// Least `__time`.
    pub min_time_ms: i64,
    /// Greatest `__time`.
    pub max_time_ms: i64,
    /// Lengths and checksum, to open the segment with.
    pub files: SegmentFiles,
}

/// Writes `input` as a segment of `form` into `folder`, which is made if it does not exist and must not hold a segment
/// yet. When this returns, both files and the folder's entries are durable. Rows may come in any order.
///
/// After an error the folder may hold unfinished files; they are not a segment and may be removed.
pub fn write_segment(
    disk: &dyn Disk,
    folder: &Path,
    input: &SegmentInput<'_>,
    form: Form,
) -> Result<SegmentSummary> {
    write_within(disk, folder, input, form, Bounds::default())
}

pub(super) fn write_within(
    disk: &dyn Disk,
    folder: &Path,
    input: &SegmentInput<'_>,
    form: Form,
    bounds: Bounds,
) -> Result<SegmentSummary> {
    input.check()?;
    let selected = input.select()?;
    let rows = selected.time.len();
    let (min_time_ms, max_time_ms) = time_range(&selected.time);
    if !(input.interval.contains(min_time_ms) && input.interval.contains(max_time_ms)) {
        let reason =
            format!("rows from {min_time_ms} ms to {max_time_ms} ms are not within {}", input.interval);
        return Err(input.mismatch(reason));
    }

    let mut columns = Vec::with_capacity(input.columns.len());
    for (spec, values) in input.columns.iter().zip(selected.values) {
        if let Some(prepared) = prepare(spec, values, bounds)? {
            columns.push((spec, prepared));
        }
    }
    let dimensions: Vec<_> = columns
        .iter()
        .filter(|(spec, _)| spec.role == ColumnRole::Dimension)
        .map(|(_, column)| column)
        .collect();
    let order = sorted_order(&selected.time, &dimensions).map(UInt32Array::from);

    disk.create_folder(folder).map_err(StorageError::io("create", folder))?;
    let mut index = PagedFile::create(disk, folder.join(INDEX_FILE))?;
    index.put(&footer::head())?;
    let mut arrays = Vec::with_capacity(columns.len() + 1);
    let mut parts = Vec::with_capacity(columns.len());
    let time = encode::Encoded { array: encode::time_array(&selected.time, order.as_ref())?, codes: None };
    let time_blocks = append(&mut index, stats::encode(&time))?.unwrap_or(Extent(0, 0));
    arrays.push(time.array);
    for (spec, column) in columns {
        let encoded = encode::encode(&spec.name, &column, order.as_ref(), bounds)?;
        drop(column);
        let blocks = append(&mut index, stats::encode(&encoded))?;
        let indexed = encoded.codes.as_ref().filter(|_| spec.bitmap_index);
        let lists = indexed.map(|codes| postings::encode(&spec.name, codes)).transpose()?;
        parts.push((spec, blocks, append(&mut index, lists)?));
        arrays.push(encoded.array);
    }

    let mut data = PagedFile::create(disk, folder.join(form.data_file()))?;
    let specs: Vec<&ColumnSpec> = parts.iter().map(|(spec, ..)| *spec).collect();
    let SegmentInput { datasource, interval, version, .. } = *input;
    let schema = arrow_schema((datasource, interval, version), &specs, &arrays)?;
    let path = data.path().to_path_buf();
    match form {
        Form::Arrow => arrow_file::write(&mut data, schema, arrays.clone())?,
        Form::Parquet => parquet_file::write(&mut data, &path, &schema, &arrays)?,
    }
    data.sync()?;
    crate::fail_point!("segment.data_synced");
    let layouts = match form {
        Form::Arrow => {
            let written = disk.map(&path).map_err(StorageError::io("map", &path))?;
            arrow_file::locate(&path, &written, &arrays)?
        }
        Form::Parquet => arrays.iter().filter_map(|array| ArrayLayout::of(array)).collect(),
    };
    let mut layouts = layouts.into_iter();
    let Some(time_layout) = layouts.next() else {
        return Err(StorageError::damaged(&path, "the file just written has no columns"));
    };
    let description = Description {
        datasource: input.datasource.to_owned(),
        interval: input.interval,
        version: input.version.to_owned(),
        form,
        rows: rows as u64,
        min_time_ms,
        max_time_ms,
        data_bytes: data.len(),
        page_bytes: PAGE_BYTES as u64,
        block_rows: BLOCK_ROWS as u64,
        time: TimeEntry { array: time_layout, blocks: time_blocks },
        columns: parts
            .into_iter()
            .zip(layouts)
            .map(|((spec, blocks, postings), array)| ColumnEntry {
                spec: spec.clone(),
                array,
                blocks,
                postings,
            })
            .collect(),
    };
    let (footer, checksum) = footer::encode(&description, &data.pages(), &index.pages())?;
    index.put(&footer)?;
    index.sync()?;
    disk.sync_folder(folder).map_err(StorageError::io("sync", folder))?;

    let files = SegmentFiles { form, data_bytes: data.len(), index_bytes: index.len(), checksum };
    let size_bytes = files.data_bytes + files.index_bytes;
    Ok(SegmentSummary { rows: rows as u64, size_bytes, min_time_ms, max_time_ms, files })
}

/// Least and greatest; `time` is not empty.
fn time_range(time: &[i64]) -> (i64, i64) {
    time.iter().fold((i64::MAX, i64::MIN), |(low, high), &t| (low.min(t), high.max(t)))
}

fn append(index: &mut PagedFile, blob: Option<Vec<u8>>) -> Result<Option<Extent>> {
    blob.map(|blob| index.append(&blob)).transpose()
}

/// The schema that other readers see, of rows of a datasource, an interval and a version. With its metadata the file
/// explains itself, and the index could be made again from it.
pub(crate) fn arrow_schema(
    (datasource, interval, version): (&str, Interval, &str),
    columns: &[&ColumnSpec],
    arrays: &[ArrayRef],
) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(arrays.len());
    for (at, array) in arrays.iter().enumerate() {
        let data_type = array.data_type().clone();
        fields.push(match at.checked_sub(1).map(|at| columns[at]) {
            None => Field::new(TIME_COLUMN, data_type, false),
            Some(spec) => {
                let json = serde_json::to_string(spec).map_err(|e| StorageError::SchemaMismatch {
                    datasource: datasource.to_owned(),
                    reason: format!("the description of column {} is not JSON: {e}", spec.name),
                })?;
                Field::new(&spec.name, data_type, true)
                    .with_metadata(HashMap::from([("ovate.column".to_owned(), json)]))
            }
        });
    }
    let metadata = [
        ("ovate.format_version", FORMAT_VERSION.to_string()),
        ("ovate.datasource", datasource.to_owned()),
        ("ovate.interval", interval.to_string()),
        ("ovate.version", version.to_owned()),
    ];
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}
