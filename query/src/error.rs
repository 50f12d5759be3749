//! Why a statement failed, in the terms Druid's clients know.
//!
//! Every error carries what the wire format needs: an [`ErrorKind`] (which of Druid's shapes it takes, and the HTTP
//! status), a text, and for mistakes in the statement the [`Position`] they were found at. The API crate turns this
//! into a body; the texts begin as Druid's do where a client could look at them.

use std::fmt;

use datafusion::error::DataFusionError;
use ovate_functions::sql::FunctionError;
use serde_json::{Map, Value, json};

/// Where in the statement, counted from 1, both ends inclusive. `0` in all fields: the statement is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Position {
    pub line: u64,
    pub column: u64,
    pub end_line: u64,
    pub end_column: u64,
}

impl Position {
    /// ` (line [1], column [8])`, as Druid appends it to messages.
    fn suffix(self) -> String {
        format!(" (line [{}], column [{}])", self.line, self.column)
    }
}

/// Druid's shape of an error: the fixed fields of the body and the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorKind {
    /// Field `error`: `druidException`, or one of the older codes.
    pub error: &'static str,
    /// Field `errorClass` of the older codes.
    pub error_class: Option<&'static str>,
    /// Field `errorCode`.
    pub error_code: &'static str,
    /// Field `persona`: who can do something about it.
    pub persona: &'static str,
    /// Field `category`.
    pub category: &'static str,
    /// The HTTP status.
    pub status: u16,
}

const fn modern(
    error_code: &'static str,
    persona: &'static str,
    category: &'static str,
    status: u16,
) -> ErrorKind {
    ErrorKind { error: "druidException", error_class: None, error_code, persona, category, status }
}

const fn legacy(error: &'static str, class: &'static str, category: &'static str, status: u16) -> ErrorKind {
    let error_code = "legacyQueryException";
    ErrorKind { error, error_class: Some(class), error_code, persona: "OPERATOR", category, status }
}

/// Why a statement was not answered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is not SQL: an unexpected token.
    #[error("Received an unexpected token [{token}]{}, acceptable options: [{expected}]", position.suffix())]
    UnexpectedToken {
        /// The token.
        token: String,
        /// Where it stands.
        position: Position,
        /// What would have been accepted there.
        expected: String,
    },
    /// The statement is understood and wrong: an unknown name, a wrong type, a limit exceeded.
    #[error("{message}{}", position.map(Position::suffix).unwrap_or_default())]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where.
        position: Option<Position>,
    },
    /// The statement is right and there is no way to run it.
    #[error("Query could not be planned. A possible reason is [{0}]")]
    Unplannable(String),
    /// `1/0` and the like, found while planning (`false`) or while running (`true`).
    #[error("/ by zero")]
    DivisionByZero {
        /// Whether rows were being read.
        running: bool,
    },
    /// The statement failed while it ran.
    #[error("{0}")]
    Runtime(String),
    /// The statement needed more memory or disk than it may have.
    #[error("{0}")]
    Resources(String),
    /// The statement ran for longer than it may.
    #[error(
        "Query[{sql_query_id}] timed out after {timeout_ms} ms (query_timeout_ms, context parameter timeout)"
    )]
    Timeout {
        /// The statement's id.
        sql_query_id: String,
        /// How long it was allowed to take.
        timeout_ms: u64,
    },
    /// Somebody cancelled the statement.
    #[error("Query[{0}] was cancelled")]
    Cancelled(String),
    /// Too many statements are running and waiting.
    #[error(
        "Too many concurrent queries, limit of [{running_max}] running (queries_running_max) and [{waiting_max}] waiting (queries_waiting_max) exceeded; retry later"
    )]
    Capacity {
        /// How many may run at once.
        running_max: usize,
        /// How many may wait for their turn.
        waiting_max: usize,
    },
    /// A bug, or a damaged store: not the caller's fault.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    /// An error of the statement as a whole.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), position: None }
    }

    /// An error at a place in the statement.
    pub(crate) fn invalid_at(message: impl Into<String>, position: Option<Position>) -> Self {
        Self::Invalid { message: message.into(), position }
    }

    /// The shape of the error on the wire.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnexpectedToken { .. } | Self::Invalid { .. } => {
                modern("invalidInput", "USER", "INVALID_INPUT", 400)
            }
            Self::Unplannable(_) => modern("general", "USER", "INVALID_INPUT", 400),
            Self::DivisionByZero { running: false } => modern("general", "ADMIN", "UNCATEGORIZED", 500),
            Self::DivisionByZero { running: true } => {
                legacy("Unknown exception", "java.lang.ArithmeticException", "RUNTIME_FAILURE", 500)
            }
            Self::Runtime(_) => {
                legacy("Unknown exception", "org.apache.druid.query.QueryException", "RUNTIME_FAILURE", 500)
            }
            Self::Resources(_) => legacy(
                "Resource limit exceeded",
                "org.apache.druid.query.ResourceLimitExceededException",
                "INVALID_INPUT",
                400,
            ),
            Self::Timeout { .. } => {
                legacy("Query timeout", "org.apache.druid.query.QueryTimeoutException", "TIMEOUT", 504)
            }
            Self::Cancelled(_) => {
                legacy("Query cancelled", "org.apache.druid.query.QueryInterruptedException", "CANCELED", 500)
            }
            Self::Capacity { .. } => legacy(
                "Query capacity exceeded",
                "org.apache.druid.query.QueryCapacityExceededException",
                "CAPACITY_EXCEEDED",
                429,
            ),
            Self::Internal(_) => modern("general", "ADMIN", "DEFENSIVE", 500),
        }
    }

    /// Where in the statement the error was found.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::UnexpectedToken { position, .. } => Some(*position),
            Self::Invalid { position, .. } => *position,
            _ => None,
        }
    }

    /// The field `context` of the body.
    pub fn context(&self) -> Map<String, Value> {
        let mut context = Map::new();
        let kind = self.kind();
        if let Some(class) = kind.error_class {
            context.insert("host".into(), Value::Null);
            context.insert("errorClass".into(), json!(class));
            context.insert("legacyErrorCode".into(), json!(kind.error));
            return context;
        }
        if matches!(self, Self::UnexpectedToken { .. } | Self::Invalid { .. }) {
            context.insert("sourceType".into(), json!("sql"));
        }
        if let Some(at) = self.position() {
            context.insert("line".into(), json!(at.line.to_string()));
            context.insert("column".into(), json!(at.column.to_string()));
            context.insert("endLine".into(), json!(at.end_line.to_string()));
            context.insert("endColumn".into(), json!(at.end_column.to_string()));
        }
        if let Self::UnexpectedToken { token, expected, .. } = self {
            context.insert("token".into(), json!(token));
            context.insert("expected".into(), json!(format!("[{expected}]")));
        }
        context
    }

    /// The whole body, its fields in Druid's order.
    pub fn body(&self) -> Value {
        let kind = self.kind();
        let mut body = Map::new();
        body.insert("error".into(), json!(kind.error));
        if let Some(class) = kind.error_class {
            body.insert("errorClass".into(), json!(class));
            body.insert("host".into(), Value::Null);
        }
        body.insert("errorCode".into(), json!(kind.error_code));
        body.insert("persona".into(), json!(kind.persona));
        body.insert("category".into(), json!(kind.category));
        body.insert("errorMessage".into(), json!(self.to_string()));
        body.insert("context".into(), Value::Object(self.context()));
        Value::Object(body)
    }

    /// What a failure of a running plan is to the caller.
    pub(crate) fn running(error: &DataFusionError, reads_rows: bool) -> Self {
        let root = error.find_root();
        // Writers of spilled batches wrap it, each in its own way.
        let text = root.to_string();
        if text.contains("used disk space during the spilling") {
            let text = format!("Query needs more disk space than query_spill_mib allows; narrow it ({text})");
            return Self::Resources(first_line(&text));
        }
        match root {
            DataFusionError::ResourcesExhausted(text) => Self::Resources(format!(
                "Query needs more memory than query_memory_mib allows; narrow it ({text})"
            )),
            DataFusionError::ArrowError(e, _) if matches!(**e, arrow::error::ArrowError::DivideByZero) => {
                Self::DivisionByZero { running: reads_rows }
            }
            DataFusionError::External(e) => {
                match (e.downcast_ref::<Self>(), e.downcast_ref::<FunctionError>()) {
                    (Some(own), _) => own.clone(),
                    (_, Some(FunctionError::DivisionByZero)) => Self::DivisionByZero { running: reads_rows },
                    // An argument that was seen only when it was there: of an aggregate, or from a row.
                    (_, Some(error)) => Self::invalid(error.to_string()),
                    _ => Self::Runtime(e.to_string()),
                }
            }
            DataFusionError::Internal(text) => Self::Internal(first_line(text)),
            other => Self::Runtime(first_line(&bare_text(other))),
        }
    }
}

/// The text of an error without the wrapper's prefix (`Error during planning: …`).
pub(crate) fn bare_text(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text) => first_line(text),
        other => first_line(&other.to_string()),
    }
}

/// Cuts what DataFusion appends for its own developers.
fn first_line(text: &str) -> String {
    let end = text.find("\n\nbacktrace").or_else(|| text.find(".\nThis issue was likely caused by a bug"));
    text[..end.unwrap_or(text.len())].trim().to_owned()
}

/// The name among `known` that is nearest to `name`, if any is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= 1 + wanted.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?` or nothing.
pub(crate) struct DidYouMean<'a>(pub(crate) Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; did you mean '{name}'?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("deviceid", ["deviceId", "deviceCity"]), Some("deviceId"));
        assert_eq!(nearest("EVENT_GEO", ["EVENTS_GEO"]), Some("EVENTS_GEO"));
        assert_eq!(nearest("nope", ["deviceId", "__time"]), None);
    }

    #[test]
    fn a_body_has_druids_fields_in_druids_order() {
        let at = Position { line: 1, column: 8, end_line: 1, end_column: 11 };
        let error = QueryError::invalid_at("Column 'nope' not found in any table", Some(at));
        assert_eq!(
            error.body().to_string(),
            r#"{"error":"druidException","errorCode":"invalidInput","persona":"USER","category":"INVALID_INPUT","errorMessage":"Column 'nope' not found in any table (line [1], column [8])","context":{"sourceType":"sql","line":"1","column":"8","endLine":"1","endColumn":"11"}}"#
        );
    }
}
