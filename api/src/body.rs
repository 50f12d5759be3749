//! Request bodies: read whole, up to a limit and within a time, and parsed as JSON with Druid's words for mistakes.

use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::refusal::Refusal;
use crate::state::{ApiOptions, AppState};

/// What a body is, and so how long it may be.
pub(crate) trait Kind {
    /// The setting.
    const SETTING: &'static str;

    /// Its value, in bytes.
    fn bytes_max(options: &ApiOptions) -> usize;
}

/// A statement, with its parameters and context; small requests in general.
#[derive(Debug)]
pub(crate) struct Sql;

impl Kind for Sql {
    const SETTING: &'static str = "request_bytes_max";

    fn bytes_max(options: &ApiOptions) -> usize {
        options.request_bytes_max
    }
}

/// A supervisor specification.
#[derive(Debug)]
pub(crate) struct Spec;

impl Kind for Spec {
    const SETTING: &'static str = "spec_bytes_max";

    fn bytes_max(options: &ApiOptions) -> usize {
        options.spec_bytes_max
    }
}

/// A request's whole body.
#[derive(Debug)]
pub(crate) struct Payload<K>(pub(crate) Bytes, pub(crate) PhantomData<K>);

impl<K: Kind> FromRequest<AppState> for Payload<K> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let options = &state.options;
        let limit = K::bytes_max(options);
        let whole = tokio::time::timeout(options.body_timeout, read::<K>(request, limit)).await;
        let late = |_| {
            let ms = options.body_timeout.as_millis();
            let text = format!("the request body did not arrive within body_timeout_ms ({ms})");
            Err(refused(StatusCode::REQUEST_TIMEOUT, text))
        };
        let whole = whole.unwrap_or_else(late);
        whole.map(|body| Self(body, PhantomData)).map_err(IntoResponse::into_response)
    }
}

async fn read<K: Kind>(request: Request, limit: usize) -> Result<Bytes, Refusal> {
    let mut stream = request.into_body().into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| {
            refused(StatusCode::BAD_REQUEST, format!("the request body could not be read: {e}"))
        })?;
        if whole.len() + chunk.len() > limit {
            let text = format!("the request body is longer than {limit} bytes ({})", K::SETTING);
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

fn refused(status: StatusCode, message: String) -> Refusal {
    Refusal::exception(status, "USER", "INVALID_INPUT", message)
}

/// A mistake in a body, in Jackson's terms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonMistake {
    /// Jackson's class.
    pub(crate) class: &'static str,
    /// What is wrong, without the place.
    pub(crate) text: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column, from 1.
    pub(crate) column: usize,
}

impl JsonMistake {
    /// The text with the place, as Druid's services report it.
    pub(crate) fn message(&self) -> String {
        format!("{}\n at {}", self.text, place(self.line, self.column))
    }
}

impl From<JsonMistake> for Refusal {
    fn from(mistake: JsonMistake) -> Self {
        Self::Malformed { class: mistake.class, message: mistake.message() }
    }
}

/// Where in a body, in Jackson's words. The class is the one that Druid's HTTP server reads bodies with: clients and
/// their tests compare these texts.
pub(crate) fn place(line: usize, column: usize) -> String {
    format!("[Source: (org.eclipse.jetty.server.HttpInputOverHTTP); line: {line}, column: {column}]")
}

/// Parses a body.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonMistake> {
    serde_json::from_slice(body).map_err(|error| mistake(body, &error))
}

fn mistake(body: &[u8], error: &serde_json::Error) -> JsonMistake {
    let (line, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(text, _)| text);
    let start = body.trim_ascii_start();
    let word: String =
        start.iter().take_while(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(*byte)).collect();
    match error.classify() {
        Category::Eof => JsonMistake {
            class: "com.fasterxml.jackson.core.io.JsonEOFException",
            text: "Unexpected end-of-input within/between Object entries".to_owned(),
            line,
            column: column + 1,
        },
        Category::Data => JsonMistake {
            class: "com.fasterxml.jackson.databind.exc.MismatchedInputException",
            text: reason.to_owned(),
            line,
            column,
        },
        _ if !word.is_empty() && line <= 1 && column <= body.len() - start.len() + word.len() => {
            JsonMistake {
                class: "com.fasterxml.jackson.core.JsonParseException",
                text: format!(
                    "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token \
                 'null', 'true' or 'false')"
                ),
                line,
                column: body.len() - start.len() + word.len() + 2,
            }
        }
        _ => JsonMistake {
            class: "com.fasterxml.jackson.core.JsonParseException",
            text: reason.to_owned(),
            line,
            column,
        },
    }
}

/// Line and column, from 1, of the last byte of the document: where Jackson stands when an object ends.
pub(crate) fn end_of(body: &[u8]) -> (usize, usize) {
    let document = body.trim_ascii_end();
    let line = document.split(|byte| *byte == b'\n').count();
    let column = document.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn told(body: &str) -> (String, &'static str) {
        let mistake = parse::<Value>(body.as_bytes()).unwrap_err();
        (mistake.message(), mistake.class)
    }

    #[test]
    fn a_body_that_breaks_off_is_reported_as_druid_reports_it() {
        let (message, class) = told(r#"{"query":"#);
        assert_eq!(
            message,
            "Unexpected end-of-input within/between Object entries\n at [Source: \
             (org.eclipse.jetty.server.HttpInputOverHTTP); line: 1, column: 10]"
        );
        assert_eq!(class, "com.fasterxml.jackson.core.io.JsonEOFException");
    }

    #[test]
    fn a_body_of_bare_sql_is_reported_as_druid_reports_it() {
        let (message, class) = told("SELECT COUNT(*) FROM DEVICES");
        assert_eq!(
            message,
            "Unrecognized token 'SELECT': was expecting (JSON String, Number, Array, Object or token 'null', \
             'true' or 'false')\n at [Source: (org.eclipse.jetty.server.HttpInputOverHTTP); line: 1, column: 8]"
        );
        assert_eq!(class, "com.fasterxml.jackson.core.JsonParseException");
        assert!(told("query=SELECT%201").0.ends_with("column: 7]"));
    }

    #[test]
    fn the_end_of_a_document_is_its_last_byte() {
        assert_eq!(end_of(b"{}"), (1, 2));
        assert_eq!(end_of(b"{\n  \"a\": 1\n}\n"), (3, 1));
    }
}
