//! A result as an Arrow IPC stream: for clients that want columns, not text.
//!
//! The fields carry the result's names and, as metadata, Druid's and SQL's types (`druid.type`, `sql.type`); the
//! schema carries the query's time zone (`druid.timeZone`). Names may repeat, as they may in SQL: columns are
//! positional. Timestamps are instants in milliseconds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use ovate_query::ResultColumn;
use ovate_storage::time::Zone;

/// The media type by which a client asks for this format.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.apache.arrow.stream";

/// Writes one result as an Arrow stream.
///
/// The stream's schema is fixed by the first batch; a result without any is given NULL columns of no rows.
pub(crate) struct ArrowWriter {
    columns: Vec<ResultColumn>,
    zone: Zone,
    stream: Option<(SchemaRef, StreamWriter<Vec<u8>>)>,
}

impl ArrowWriter {
    pub(crate) fn new(columns: Vec<ResultColumn>, zone: Zone) -> Self {
        Self { columns, zone, stream: None }
    }

    /// The bytes of one more batch, the schema before the first.
    pub(crate) fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let types = batch.columns().iter().map(|array| array.data_type().clone()).collect();
        let (schema, mut stream) = self.take_stream(types)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let named =
            RecordBatch::try_new_with_options(Arc::clone(&schema), batch.columns().to_vec(), &options)?;
        stream.write(&named)?;
        let bytes = std::mem::take(stream.get_mut());
        self.stream = Some((schema, stream));
        Ok(bytes)
    }

    /// The bytes that end the stream.
    pub(crate) fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        let (_, mut stream) = self.take_stream(vec![DataType::Null; self.columns.len()])?;
        stream.finish()?;
        Ok(std::mem::take(stream.get_mut()))
    }

    /// The open stream, or one that opens with columns of these types.
    fn take_stream(
        &mut self,
        types: Vec<DataType>,
    ) -> Result<(SchemaRef, StreamWriter<Vec<u8>>), ArrowError> {
        if let Some(open) = self.stream.take() {
            return Ok(open);
        }
        let schema = self.schema(&types);
        let stream = StreamWriter::try_new(Vec::new(), &schema)?;
        Ok((schema, stream))
    }

    fn schema(&self, types: &[DataType]) -> SchemaRef {
        let fields = self.columns.iter().zip(types).map(|(column, data_type)| {
            let metadata = [("druid.type", &column.druid_type), ("sql.type", &column.sql_type)];
            Field::new(&column.name, data_type.clone(), true)
                .with_metadata(metadata.map(|(key, value)| (key.to_owned(), value.clone())).into())
        });
        let zone = HashMap::from([("druid.timeZone".to_owned(), self.zone.to_string())]);
        Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::ipc::reader::StreamReader;

    fn columns() -> Vec<ResultColumn> {
        let column = |name: &str, druid: &str, sql: &str| ResultColumn {
            name: name.to_owned(),
            druid_type: druid.to_owned(),
            sql_type: sql.to_owned(),
        };
        vec![column("a", "LONG", "BIGINT"), column("a", "STRING", "VARCHAR")]
    }

    #[test]
    fn a_reader_gets_names_types_and_rows_back() {
        let arrays: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringViewArray::from(vec!["x", "y"]))];
        let fields =
            vec![Field::new("c0", DataType::Int64, true), Field::new("c1", DataType::Utf8View, true)];
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut writer = ArrowWriter::new(columns(), Zone::UTC);
        let mut bytes = writer.batch(&batch).unwrap();
        bytes.extend(writer.batch(&batch).unwrap());
        bytes.extend(writer.end().unwrap());

        let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        let schema = reader.schema();
        assert_eq!(schema.field(1).name(), "a");
        assert_eq!(schema.field(1).metadata()["sql.type"], "VARCHAR");
        assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
    }

    #[test]
    fn a_result_without_batches_is_still_a_stream_with_names() {
        let mut writer = ArrowWriter::new(columns(), Zone::UTC);
        let bytes = writer.end().unwrap();
        let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        assert_eq!(reader.schema().fields().len(), 2);
        assert_eq!(reader.count(), 0);
    }
}
