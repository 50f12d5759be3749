//! Asking the engine, and reading its rows as JSON values that compare with what Druid was recorded to send.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use futures::StreamExt;
use ovate_query::{Engine, QueryError, ResultColumn, SqlParameter, SqlRequest, SqlResult};
use ovate_storage::time::{Zone, format_instant_in};
use serde_json::{Map, Value, json};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub columns: Vec<ResultColumn>,
    pub rows: Vec<Vec<Value>>,
}

impl Answer {
    pub(crate) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

/// A request without parameters and context.
pub(crate) fn request(sql: &str) -> SqlRequest {
    SqlRequest { query: sql.to_owned(), sql_query_id: format!("test-{sql}"), ..SqlRequest::default() }
}

/// A request as a recording holds it.
pub(crate) fn recorded_request(case: &Value) -> SqlRequest {
    let parameters = case["parameters"].as_array().cloned().unwrap_or_default();
    let parameter =
        |p: &Value| SqlParameter { type_: p["type"].as_str().unwrap().to_owned(), value: p["value"].clone() };
    let context: Map<String, Value> = case["context"].as_object().cloned().unwrap_or_default();
    SqlRequest {
        parameters: parameters.iter().map(parameter).collect(),
        context,
        ..request(case["query"].as_str().unwrap_or_default())
    }
}

/// Runs a statement to its end.
pub(crate) async fn run(engine: &Arc<Engine>, request: SqlRequest) -> Result<Answer, QueryError> {
    let SqlResult { columns, zone, mut batches, .. } = engine.sql(request).await?;
    let mut rows = Vec::new();
    while let Some(batch) = batches.next().await {
        rows.extend(rows_of(&batch?, zone));
    }
    Ok(Answer { columns, rows })
}

/// The rows of one statement.
pub(crate) async fn rows(engine: &Arc<Engine>, sql: &str) -> Vec<Vec<Value>> {
    run(engine, request(sql)).await.unwrap_or_else(|e| panic!("{sql}: {e}")).rows
}

/// The only value of one statement.
pub(crate) async fn value(engine: &Arc<Engine>, sql: &str) -> Value {
    rows(engine, sql).await[0][0].clone()
}

fn rows_of(batch: &RecordBatch, zone: Zone) -> Vec<Vec<Value>> {
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|c| cell(c, row, zone)).collect()).collect()
}

fn cell(array: &ArrayRef, row: usize, zone: Zone) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Utf8View => json!(array.as_string_view().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => json!(array.as_boolean().value(row)),
        // The shortest text of a float, as Druid prints it.
        DataType::Float32 => {
            let text = format!("{:?}", array.as_primitive::<Float32Type>().value(row));
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            json!(format_instant_in(array.as_primitive::<TimestampMillisecondType>().value(row), zone))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items: Vec<Value> = (0..items.len()).map(|i| cell(&items, i, zone)).collect();
            json!(Value::Array(items).to_string())
        }
        other => panic!("clients do not get {other}"),
    }
}
