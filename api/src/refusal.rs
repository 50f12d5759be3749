//! What a request is told when it is not answered: Druid's bodies, as its services write them.
//!
//! Druid has several shapes, by the service that refuses:
//!
//! | shape | who | body |
//! |---|---|---|
//! | [`Refusal::Exception`] | queries | `{"error":"druidException","errorCode":…,"persona":…,"category":…,"errorMessage":…,"context":{}}` |
//! | [`Refusal::Query`] | SQL | the same, made by the engine |
//! | [`Refusal::Malformed`] | bodies that cannot be read | `{"error":"Unknown exception","errorMessage":…,"errorClass":…,"host":null}` |
//! | [`Refusal::Plain`] | coordinator, overlord | `{"error":…}` |
//! | [`Refusal::Unknown`] | overlord | plain text |

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ovate_query::QueryError;
use serde_json::{Map, Value, json};

/// A refusal, by its shape.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Druid's general error.
    Exception {
        /// The status.
        status: StatusCode,
        /// `USER`, `ADMIN`, `OPERATOR` or `DEVELOPER`: who can do something about it.
        persona: &'static str,
        /// Druid's category.
        category: &'static str,
        /// What went wrong.
        message: String,
    },
    /// A statement that failed before its first row.
    Query(QueryError),
    /// A body that is not what the route takes.
    Malformed {
        /// Jackson's class for the mistake; clients show it.
        class: &'static str,
        /// What is wrong, and where.
        message: String,
    },
    /// The short form of the coordinator and the overlord.
    Plain(StatusCode, String),
    /// There is no such `kind` (`supervisor`, `task`) of that id.
    Unknown(&'static str, String),
}

impl Refusal {
    /// A mistake of the caller.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::exception(StatusCode::BAD_REQUEST, "USER", "INVALID_INPUT", message)
    }

    /// A thing that Druid does and this server does not.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::exception(StatusCode::NOT_IMPLEMENTED, "USER", "UNSUPPORTED", message)
    }

    /// Something that should not have happened.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::exception(StatusCode::INTERNAL_SERVER_ERROR, "ADMIN", "DEFENSIVE", message)
    }

    pub(crate) fn exception(
        status: StatusCode,
        persona: &'static str,
        category: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Exception { status, persona, category, message: message.into() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Exception { status, .. } | Self::Plain(status, _) => *status,
            Self::Query(error) => {
                StatusCode::from_u16(error.kind().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Unknown(..) => StatusCode::NOT_FOUND,
        }
    }

    /// The body; `None` for the shape that is text.
    fn body(&self) -> Option<Value> {
        Some(match self {
            Self::Exception { persona, category, message, .. } => {
                let code = if *category == "INVALID_INPUT" { "invalidInput" } else { "general" };
                json!({
                    "error": "druidException",
                    "errorCode": code,
                    "persona": persona,
                    "category": category,
                    "errorMessage": message,
                    "context": Map::new(),
                })
            }
            Self::Query(error) => error.body(),
            Self::Malformed { class, message } => json!({
                "error": "Unknown exception",
                "errorMessage": message,
                "errorClass": class,
                "host": null,
            }),
            Self::Plain(_, message) => json!({ "error": message }),
            Self::Unknown(..) => return None,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Unknown(kind, id) = &self {
            let text = format!("Cannot find any {kind} with id: [{id}]");
            return (status, [(CONTENT_TYPE, "text/plain")], text).into_response();
        }
        let mut response = (status, Json(self.body())).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ovate_storage::StorageError> for Refusal {
    fn from(error: ovate_storage::StorageError) -> Self {
        Self::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_general_error_has_druids_fields_in_druids_order() {
        let body = Refusal::unsupported("no such thing").body().unwrap().to_string();
        assert_eq!(
            body,
            concat!(
                r#"{"error":"druidException","errorCode":"general","persona":"USER","category":"UNSUPPORTED","#,
                r#""errorMessage":"no such thing","context":{}}"#
            )
        );
    }

    #[test]
    fn a_malformed_body_is_reported_as_jackson_reports_it() {
        let refusal = Refusal::Malformed { class: "com.fasterxml.X", message: "bad".to_owned() };
        assert_eq!(
            refusal.body().unwrap().to_string(),
            r#"{"error":"Unknown exception","errorMessage":"bad","errorClass":"com.fasterxml.X","host":null}"#
        );
    }
}
