//! `data.parquet`: the columns of a cold segment. Takes a fraction of the room of `data.arrow`, and has to be decoded.
//!
//! ```text
//!  arrays ─► Parquet, zstd ─► any Parquet reader
//!                └─► one column of all row groups ─► prepare ─► encode ─► the very array that was written
//! ```
//!
//! Parquet does not keep the order of dictionaries nor the width of keys. Both follow from the values alone, so a
//! column that was read is given its form by the code that gave it the first time: codes mean the same however the
//! columns lie, and posting lists and block statistics are the same.

use std::io::{self, Read, Write};
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder as ReaderBuilder,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, PageIndexPolicy, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

use super::encode;
use super::footer::{ArrayLayout, ColumnEntry, Description, Element};
use super::pages::{CheckedFile, Extent};
use super::prepare::{Bounds, numbers, prepare};
use crate::dictionary::Dictionary;
use crate::error::{Result, StorageError};
use crate::schema::{ColumnSpec, ColumnType, TIME_COLUMN};
use crate::seal::input_column;
use crate::thaw::run_column;

/// Readers with several threads share row groups out among them.
pub(super) const ROW_GROUP_ROWS: usize = 1 << 17;
/// Above this, zstd takes much longer and saves little more.
const ZSTD_LEVEL: i32 = 3;

/// Writes `columns`, of which the first is `__time`, in ascending order. Readers in a hurry find times in the statistics
/// of row groups and pages. `path` is where `out` leads to.
pub(crate) fn write(
    out: impl Write + Send,
    path: &Path,
    schema: &SchemaRef,
    columns: &[ArrayRef],
) -> Result<()> {
    let columns = columns.iter().map(without_coded_numbers).collect::<Result<Vec<_>>>()?;
    let fields = schema.fields().iter().zip(&columns);
    let fields: Vec<Field> = fields
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
        .collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let written = properties(&schema).and_then(|properties| {
        let mut writer = ArrowWriter::try_new(out, schema, Some(properties))?;
        writer.write(&batch)?;
        writer.close()
    });
    written.map(drop).map_err(|error| match error {
        ParquetError::External(source) => match source.downcast() {
            Ok(source) => StorageError::io("write", path)(*source),
            Err(source) => ParquetError::External(source).into(),
        },
        other => other.into(),
    })
}

fn properties(schema: &Schema) -> Result<WriterProperties, ParquetError> {
    let mut metadata: Vec<KeyValue> =
        schema.metadata().iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    metadata.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let time = ColumnPath::from(TIME_COLUMN);
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("ovate {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(Some(metadata))
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: true,
        }]))
        .set_column_encoding(time.clone(), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(time, false);
    for field in schema.fields().iter().filter(|field| *field.data_type() == DataType::Utf8) {
        // Nearly unique text: a dictionary would be tried in vain, and neighbours often begin alike.
        let path = ColumnPath::new(vec![field.name().clone()]);
        builder = builder
            .set_column_encoding(path.clone(), Encoding::DELTA_BYTE_ARRAY)
            .set_column_dictionary_enabled(path, false);
    }
    Ok(builder.build())
}

/// Parquet has dictionaries of its own for numbers, which Arrow's reader does not show.
fn without_coded_numbers(column: &ArrayRef) -> Result<ArrayRef> {
    match column.as_any_dictionary_opt() {
        Some(coded) if *coded.values().data_type() != DataType::Utf8 => {
            Ok(take(coded.values(), coded.keys(), None)?)
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

/// The columns of an open `data.parquet`.
#[derive(Debug)]
pub(super) struct ParquetColumns {
    file: Arc<CheckedFile>,
    /// Those of the segment.
    rows: u64,
    /// In which types columns are read. The Arrow schema in the file is for other readers, as in `data.arrow`.
    schema: SchemaRef,
    /// Parquet's own, read by the first who asks for a column.
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl ParquetColumns {
    pub(super) fn new(file: Arc<CheckedFile>, description: &Description) -> Self {
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        let columns = description.columns.iter();
        let columns =
            columns.map(|ColumnEntry { spec, array, .. }| Field::new(&spec.name, read_as(array), true));
        let fields: Vec<Field> = iter::once(Field::new(TIME_COLUMN, time, false)).chain(columns).collect();
        Self {
            file,
            rows: description.rows,
            schema: Arc::new(Schema::new(fields)),
            metadata: OnceLock::new(),
        }
    }

    /// `__time`, in the type in which segments hold it.
    pub(super) fn time(&self, layout: &ArrayLayout) -> Result<ArrayRef> {
        let time = self.column(TIME_COLUMN, |array| Ok(cast(array, &DataType::Int64)?))?;
        self.as_described(TIME_COLUMN, time, layout)
    }

    /// A column in the form that it had before it was written as Parquet, which `layout` describes.
    pub(super) fn values(&self, spec: &ColumnSpec, layout: &ArrayLayout) -> Result<ArrayRef> {
        let column = self.column(&spec.name, |array| formed(spec, array, layout))?;
        self.as_described(&spec.name, column, layout)
    }

    /// Reads the column `name` of all row groups and gives it to `then`. A malformed file fails one query and not the
    /// process, although Parquet's reader and Arrow have assertions.
    fn column<T>(&self, name: &str, then: impl FnOnce(&ArrayRef) -> Result<T>) -> Result<T> {
        let outcome = catch_unwind(AssertUnwindSafe(|| then(&self.read(name)?)));
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(damaged @ StorageError::Damaged { .. })) => Err(damaged),
            Ok(Err(error)) => Err(self.file.damaged(format!("column {name} cannot be read: {error}"))),
            Err(_) => Err(self.file.damaged(format!("column {name} cannot be read"))),
        }
    }

    fn read(&self, name: &str) -> Result<ArrayRef> {
        let metadata = self.metadata()?;
        let Some((at, _)) = metadata.schema().column_with_name(name) else {
            return Err(self.file.damaged(format!("it has no column {name}")));
        };
        let groups = metadata.metadata().row_groups();
        // Before memory is asked for so many.
        let rows =
            groups.iter().try_fold(0, |sum: u64, group| sum.checked_add(group.num_rows().try_into().ok()?));
        if rows != Some(self.rows) {
            return Err(self
                .file
                .damaged(format!("its row groups have {rows:?} rows, the segment {}", self.rows)));
        }
        let mut arrays = Vec::with_capacity(groups.len());
        for (group, described) in groups.iter().enumerate() {
            // A batch for each row group: its dictionary is used as it is.
            let rows = usize::try_from(described.num_rows()).unwrap_or_default();
            let reader = ReaderBuilder::new_with_metadata(self.source(), metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(ProjectionMask::roots(metadata.parquet_schema(), [at]))
                .with_batch_size(rows)
                .build()?;
            for batch in reader {
                arrays.push(ArrayRef::clone(batch?.column(0)));
            }
        }
        Ok(match arrays.as_slice() {
            [only] => ArrayRef::clone(only),
            several => concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        })
    }

    fn metadata(&self) -> Result<&ArrowReaderMetadata> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_schema(Arc::clone(&self.schema))
            .with_page_index_policy(PageIndexPolicy::Skip);
        let metadata = ArrowReaderMetadata::load(&self.source(), options)?;
        Ok(self.metadata.get_or_init(|| metadata))
    }

    fn source(&self) -> Source {
        Source(Arc::clone(&self.file))
    }

    /// `array`, if it is what the description says.
    fn as_described(&self, name: &str, array: ArrayRef, layout: &ArrayLayout) -> Result<ArrayRef> {
        if ArrayLayout::of(&array).as_ref() == Some(layout) {
            return Ok(array);
        }
        let (found, rows) = (array.data_type(), array.len());
        Err(self.file.damaged(format!("column {name} is not as described: {rows} rows of {found}")))
    }
}

/// The type to read a column in: strings with the dictionaries that Parquet has for them.
fn read_as(layout: &ArrayLayout) -> DataType {
    let plain = |element| match element {
        Element::Float => DataType::Float32,
        Element::Double => DataType::Float64,
        Element::Utf8 => DataType::Utf8,
        _ => DataType::Int64,
    };
    let coded = || DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    match (layout.element, layout.dictionary().map(|values| values.element)) {
        (Element::List, _) => DataType::List(Arc::new(Field::new("item", coded(), true))),
        (_, Some(Element::Utf8)) => coded(),
        (element, values) => plain(values.unwrap_or(element)),
    }
}

/// Gives `array`, whose values are all there, the form of `layout`. Not the one that the values would be given today: what
/// decides about that may change from release to release.
fn formed(spec: &ColumnSpec, array: &ArrayRef, layout: &ArrayLayout) -> Result<ArrayRef> {
    let Some(dictionary) = layout.dictionary() else { return Ok(ArrayRef::clone(array)) };
    let bounds = Bounds::STRINGS_CODED;
    let distinct = Some(dictionary.len as usize);
    let prepared = match spec.column_type {
        ColumnType::String => {
            let mut dictionary = Dictionary::new();
            let run = run_column(array, spec, &mut dictionary)?;
            prepare(spec, input_column(Some(&run), Some(&dictionary)), bounds)?
        }
        ColumnType::Long => numbers(array.as_primitive::<Int64Type>(), distinct),
        ColumnType::Float => numbers(array.as_primitive::<Float32Type>(), distinct),
        ColumnType::Double => numbers(array.as_primitive::<Float64Type>(), distinct),
    };
    // Without a dictionary after all, it is not as described.
    let Some(prepared) = prepared else { return Ok(ArrayRef::clone(array)) };
    Ok(encode::encode(&spec.name, &prepared, None, bounds)?.array)
}

/// The file as Parquet's reader asks for it. Whatever it gets was verified, and nothing else has to be sound.
#[derive(Clone)]
struct Source(Arc<CheckedFile>);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ChunkReader for Source {
    type T = Reader;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Reader { file: Arc::clone(&self.0), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let slice = self.0.slice(Extent(start, length as u64));
        Ok(Bytes::from_owner(Slice(slice.map_err(|error| ParquetError::External(error.into()))?)))
    }
}

/// A stretch of the mapping.
struct Slice(Buffer);

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The file from some offset on.
struct Reader {
    file: Arc<CheckedFile>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = (self.file.len() as u64).saturating_sub(self.at);
        let count = left.min(bytes.len() as u64);
        let read = self.file.bytes(Extent(self.at, count)).map_err(io::Error::other)?;
        bytes[..read.len()].copy_from_slice(read);
        self.at += count;
        Ok(read.len())
    }
}
