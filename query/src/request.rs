//! What a client asks and what it gets: the types at the engine's door.

use std::fmt;

use datafusion::arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use ovate_storage::time::Zone;
use serde_json::{Map, Value};

use crate::aggregate::CacheUse;
use crate::error::QueryError;

/// One statement to answer.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// The statement.
    pub query: String,
    /// Values for its `?`, in order.
    pub parameters: Vec<SqlParameter>,
    /// Druid's query context: `timeout`, `sqlTimeZone`, `sqlOuterLimit`, …; unknown keys are ignored, as Druid does.
    pub context: Map<String, Value>,
    /// The id under which the statement can be cancelled.
    pub sql_query_id: String,
}

/// A value for a `?`.
#[derive(Debug, Clone)]
pub struct SqlParameter {
    /// `VARCHAR`, `BIGINT`, `DOUBLE`, `TIMESTAMP`, …
    pub type_: String,
    /// The value, as it stood in the request.
    pub value: Value,
}

/// An answer that is being computed. Dropping it cancels the statement.
pub struct SqlResult {
    /// The id of the request.
    pub sql_query_id: String,
    /// What the columns are called and which types they have.
    pub columns: Vec<ResultColumn>,
    /// The zone that times are to be shown in.
    pub zone: Zone,
    /// The rows, column by column in the order of [`Self::columns`]. Types are `Utf8`, `Utf8View`, `Int64`,
    /// `Float32`, `Float64`, `Boolean`, `Timestamp(ms)` without zone, `Null` and lists of these. The stream ends
    /// after its first error.
    pub batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
}

impl fmt::Debug for SqlResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlResult")
            .field("sql_query_id", &self.sql_query_id)
            .field("columns", &self.columns)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// The name; names may repeat.
    pub name: String,
    /// Druid's type: `STRING`, `LONG`, `FLOAT`, `DOUBLE`, `ARRAY<…>`.
    pub druid_type: String,
    /// The SQL type: `VARCHAR`, `BIGINT`, `TIMESTAMP`, …
    pub sql_type: String,
}

/// The parts of Druid's query context that the engine acts on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) zone: Zone,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) outer_limit: Option<usize>,
    /// Druid's `sqlCurrentTimestamp`: what `CURRENT_TIMESTAMP` is.
    pub(crate) now_ms: Option<i64>,
    /// Druid's `useCache` and `populateCache`.
    pub(crate) cache: CacheUse,
}

impl Context {
    /// Reads a context. Numbers and booleans may be given as text, as everywhere in Druid.
    pub(crate) fn read(context: &Map<String, Value>) -> Result<Self, QueryError> {
        let zone = match text(context, "sqlTimeZone")? {
            Some(name) => Zone::parse(&name).map_err(|e| QueryError::invalid(format!("sqlTimeZone: {e}")))?,
            None => Zone::UTC,
        };
        let now = text(context, "sqlCurrentTimestamp")?;
        let now_ms = now.map(|text| {
            ovate_storage::time::parse::parse_iso(&text, zone).ok_or_else(|| {
                QueryError::invalid(format!("sqlCurrentTimestamp: '{text}' is not an ISO-8601 instant"))
            })
        });
        Ok(Self {
            zone,
            timeout_ms: count(context, "timeout")?,
            outer_limit: count(context, "sqlOuterLimit")?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            now_ms: now_ms.transpose()?,
            cache: CacheUse { read: flag(context, "useCache")?, write: flag(context, "populateCache")? },
        })
    }
}

fn wrong(key: &str, value: &Value, expected: &str) -> QueryError {
    QueryError::invalid(format!("Expected key [{key}] to be {expected}, but got [{value}]"))
}

fn text(context: &Map<String, Value>, key: &str) -> Result<Option<String>, QueryError> {
    match context.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(key, other, "a text")),
    }
}

/// A switch that is on unless it is turned off.
fn flag(context: &Map<String, Value>, key: &str) -> Result<bool, QueryError> {
    match context.get(key) {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(on)) => Ok(*on),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => Err(wrong(key, other, "true or false")),
    }
}

fn count(context: &Map<String, Value>, key: &str) -> Result<Option<u64>, QueryError> {
    match context.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
            number.map(Some).ok_or_else(|| wrong(key, value, "a number that is not negative"))
        }
    }
}
