//! The store without Kafka and without HTTP.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, Schema, TimeUnit};
use futures::TryStreamExt;
use futures::executor::block_on;
use ovate_query::{Engine, EngineOptions, NoSystem, QueryError, ResultColumn, SqlRequest};
use ovate_storage::time::Granularity;
use ovate_storage::{
    BatchColumn, ColumnSpec, ColumnType, NULL_CODE, Progress, Published, RowBatch, StorageError, Store,
    StoreOptions, TIME_COLUMN, TableSchema, Writer,
};

/// What can go wrong when the store is embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The store refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The statement failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A batch cannot be stored.
    #[error("column {column}: {reason}")]
    Batch {
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The answer to a statement.
#[derive(Debug)]
pub struct Answer {
    /// Names and types of the columns.
    pub columns: Vec<ResultColumn>,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Answer {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// A store in this process. All calls block the calling thread; share it between threads in an [`Arc`].
#[derive(Debug)]
pub struct Database {
    store: Arc<Store>,
    engine: Arc<Engine>,
    /// Held from a look at the columns until the rows are in, so that nobody changes them in between.
    appending: Mutex<()>,
}

impl Database {
    /// Opens a data folder, or makes one.
    pub fn open(folder: &Path) -> Result<Self, DatabaseError> {
        let store = Store::open(folder, StoreOptions::default())?;
        let engine = Engine::new(Arc::clone(&store), Arc::new(NoSystem), EngineOptions::default())?;
        Ok(Self { store, engine, appending: Mutex::default() })
    }

    /// The store beneath, for whatever this type does not cover.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Adds rows, visible on return. `batch` needs a column `__time`: a timestamp, or milliseconds as an integer.
    /// Strings, integers and floats become dimensions. The first batch declares the datasource (segments of a day,
    /// no rollup); later ones may bring new columns, and lack columns, which then read as NULL.
    pub fn append(&self, datasource: &str, batch: &RecordBatch) -> Result<(), DatabaseError> {
        let _one_at_a_time = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.store.datasource(datasource);
        let before = known.as_ref().map_or_else(empty_schema, |known| Arc::clone(known.writer().schema()));
        let schema = extended(&before, batch.schema_ref())?;
        let datasource = match known {
            Some(known) if Arc::ptr_eq(&schema, &before) => known,
            _ => self.store.ensure_datasource(datasource, schema)?,
        };
        let mut writer = datasource.writer();
        let rows = to_rows(&mut writer, batch)?;
        writer.append(rows, &Progress::default(), now_ms())?;
        Ok(())
    }

    /// Runs one statement of Druid SQL.
    pub fn sql(&self, statement: &str) -> Result<Answer, DatabaseError> {
        let request = SqlRequest { query: statement.to_owned(), ..SqlRequest::default() };
        block_on(async {
            let result = self.engine.sql(request).await?;
            Ok(Answer { columns: result.columns, batches: result.batches.try_collect().await? })
        })
    }

    /// Makes all rows of a datasource durable: they move into segments.
    pub fn publish(&self, datasource: &str) -> Result<Published, DatabaseError> {
        let known = self
            .store
            .datasource(datasource)
            .ok_or_else(|| StorageError::UnknownDatasource(datasource.to_owned()))?;
        Ok(known.publish(now_ms())?)
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn empty_schema() -> Arc<TableSchema> {
    Arc::new(TableSchema {
        columns: Vec::new(),
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    })
}

/// `known` with the columns of `batch` that it lacks.
fn extended(known: &Arc<TableSchema>, batch: &Schema) -> Result<Arc<TableSchema>, DatabaseError> {
    let mut added = Vec::new();
    for field in batch.fields().iter().filter(|field| field.name() != TIME_COLUMN) {
        if known.index_of(field.name()).is_none() {
            added.push(ColumnSpec::dimension(field.name(), column_type(field.name(), field.data_type())?));
        }
    }
    Ok(if added.is_empty() { Arc::clone(known) } else { known.with_dimensions(added) })
}

fn column_type(column: &str, data_type: &DataType) -> Result<ColumnType, DatabaseError> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(ColumnType::String),
        DataType::Dictionary(_, values) => column_type(column, values),
        DataType::Boolean => Ok(ColumnType::Long),
        DataType::Float16 | DataType::Float32 => Ok(ColumnType::Float),
        DataType::Float64 => Ok(ColumnType::Double),
        other if other.is_integer() => Ok(ColumnType::Long),
        other => Err(DatabaseError::Batch {
            column: column.to_owned(),
            reason: format!("type {other} cannot be stored; cast it to a string, an integer or a float"),
        }),
    }
}

fn to_rows(writer: &mut Writer, batch: &RecordBatch) -> Result<RowBatch, DatabaseError> {
    let schema = Arc::clone(writer.schema());
    let time = time_of(batch)?;
    let floored = time.iter().map(|&t| schema.query_granularity.floor(t)).collect();
    let mut columns = Vec::with_capacity(schema.columns.len());
    for (at, spec) in schema.columns.iter().enumerate() {
        let array = match batch.column_by_name(&spec.name) {
            Some(array) => converted(&spec.name, array, &arrow_type(spec.column_type))?,
            None => arrow::array::new_null_array(&arrow_type(spec.column_type), batch.num_rows()),
        };
        columns.push(to_column(writer, at, spec, &array));
    }
    Ok(RowBatch { time: floored, raw_time: Some(time), columns })
}

fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::String => DataType::Utf8View,
        ColumnType::Long => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
    }
}

fn time_of(batch: &RecordBatch) -> Result<Vec<i64>, DatabaseError> {
    let refuse = |reason: &str| DatabaseError::Batch { column: TIME_COLUMN.into(), reason: reason.into() };
    let array = batch.column_by_name(TIME_COLUMN).ok_or_else(|| refuse("the batch has none"))?;
    if array.null_count() > 0 {
        return Err(refuse("it holds NULL"));
    }
    let array = match array.data_type() {
        DataType::Timestamp(_, _) => {
            converted(TIME_COLUMN, array, &DataType::Timestamp(TimeUnit::Millisecond, None))?
        }
        data_type if data_type.is_integer() => Arc::clone(array),
        _ => return Err(refuse("it is neither a timestamp nor an integer")),
    };
    Ok(converted(TIME_COLUMN, &array, &DataType::Int64)?.as_primitive::<Int64Type>().values().to_vec())
}

/// The same values in another type; an error if that has no place for one of them.
fn converted(column: &str, array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, DatabaseError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, data_type, &options)
        .map_err(|error| DatabaseError::Batch { column: column.to_owned(), reason: error.to_string() })
}

/// `array` has the type that [`arrow_type`] gives for the column.
fn to_column(writer: &mut Writer, at: usize, spec: &ColumnSpec, array: &ArrayRef) -> BatchColumn {
    match spec.column_type {
        ColumnType::String if writer.is_plain(at) => BatchColumn::Text(array.as_string_view().clone()),
        ColumnType::String => BatchColumn::Codes(codes_of(writer, at, array.as_string_view())),
        ColumnType::Long => BatchColumn::Long(array.as_primitive::<Int64Type>().clone()),
        ColumnType::Float => BatchColumn::Float(array.as_primitive::<Float32Type>().clone()),
        ColumnType::Double => BatchColumn::Double(array.as_primitive::<Float64Type>().clone()),
    }
}

fn codes_of(writer: &mut Writer, at: usize, values: &StringViewArray) -> Vec<u32> {
    let dictionary = writer.dictionary(at);
    values.iter().map(|value| value.map_or(NULL_CODE, |value| dictionary.intern(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray, UInt64Array};

    fn batch(time: Vec<i64>, door: Vec<Option<&str>>) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("__time", Arc::new(Int64Array::from(time)) as ArrayRef),
            ("door", Arc::new(StringArray::from(door)) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn rows_are_the_same_before_and_after_publishing_and_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let count = |database: &Database| {
            let answer =
                database.sql("SELECT COUNT(*), COUNT(door), COUNT(DISTINCT door) FROM doors").unwrap();
            let row: Vec<i64> = answer.batches[0]
                .columns()
                .iter()
                .map(|column| column.as_primitive::<Int64Type>().value(0))
                .collect();
            row
        };
        {
            let database = Database::open(folder.path()).unwrap();
            database.append("doors", &batch(vec![0, 86_400_000], vec![Some("a"), None])).unwrap();
            database.append("doors", &batch(vec![5], vec![Some("b")])).unwrap();
            assert_eq!(count(&database), [3, 2, 2]);
            let published = database.publish("doors").unwrap();
            assert_eq!((published.segments.len(), published.rows), (2, 3));
            assert_eq!(count(&database), [3, 2, 2]);
        }
        assert_eq!(count(&Database::open(folder.path()).unwrap()), [3, 2, 2]);
    }

    #[test]
    fn what_has_no_place_in_a_column_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let batch = |time: ArrayRef, level: ArrayRef| {
            RecordBatch::try_from_iter([("__time", time), ("level", level)]).unwrap()
        };
        let zero: ArrayRef = Arc::new(Int64Array::from(vec![0]));
        database.append("doors", &batch(Arc::clone(&zero), Arc::new(Float64Array::from(vec![0.5])))).unwrap();
        let refused = |batch: &RecordBatch| database.append("doors", batch).unwrap_err().to_string();
        let text = refused(&batch(zero, Arc::new(StringArray::from(vec!["n/a"]))));
        assert!(text.starts_with("column level: ") && text.contains("n/a"), "{text}");
        let late: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let text = refused(&batch(late, Arc::new(Float64Array::from(vec![0.5]))));
        assert!(text.starts_with("column __time: "), "{text}");
    }

    #[test]
    fn threads_that_bring_columns_lose_none() {
        const THREADS: i64 = 8;
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let database = &database;
                scope.spawn(move || {
                    for round in 0..20 {
                        let columns: [(String, ArrayRef); 2] = [
                            ("__time".to_owned(), Arc::new(Int64Array::from(vec![round]))),
                            (format!("c{thread}_{}", round % 5), Arc::new(Int64Array::from(vec![1]))),
                        ];
                        database.append("doors", &RecordBatch::try_from_iter(columns).unwrap()).unwrap();
                        if round % 7 == thread % 7 {
                            database.publish("doors").unwrap();
                        }
                    }
                });
            }
        });
        for thread in 0..THREADS {
            for column in 0..5 {
                let sql = format!("SELECT COUNT(c{thread}_{column}) FROM doors");
                let answer = database.sql(&sql).unwrap();
                assert_eq!(answer.batches[0].column(0).as_primitive::<Int64Type>().value(0), 4, "{sql}");
            }
        }
    }

    #[test]
    fn a_batch_without_time_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let batch = batch(vec![0], vec![Some("a")]).project(&[1]).unwrap();
        assert_eq!(
            database.append("doors", &batch).unwrap_err().to_string(),
            "column __time: the batch has none"
        );
    }
}
