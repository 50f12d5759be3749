//! The body of a SQL request.
//!
//! `{"query": …, "resultFormat": …, "header": …, "typesHeader": …, "sqlTypesHeader": …, "parameters": […],
//! "context": {…}}`; only `query` has to be there, and unknown fields are passed over, as Druid does. The content
//! type is not looked at: whatever it says, the body is JSON.

use axum::http::HeaderValue;
use ovate_query::{SqlParameter, SqlRequest};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::body::{JsonMistake, end_of, parse, place};
use crate::formats::{ResultFormat, ResultStyle};
use crate::refusal::Refusal;

const INSTANTIATION: &str = "com.fasterxml.jackson.databind.exc.ValueInstantiationException";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    query: Option<String>,
    result_format: Option<String>,
    header: Option<bool>,
    types_header: Option<bool>,
    sql_types_header: Option<bool>,
    parameters: Option<Vec<WireParameter>>,
    context: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `type` and `value`")]
struct WireParameter {
    #[serde(rename = "type")]
    type_: String,
    #[serde(default)]
    value: Value,
}

/// A statement and how its result is to be written.
#[derive(Debug)]
pub(crate) struct SqlBody {
    pub(crate) request: SqlRequest,
    pub(crate) style: ResultStyle,
}

impl SqlBody {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = parse(body)?;
        let query = wire.query.ok_or_else(|| missing_query(body))?;
        let context = wire.context.unwrap_or_default();
        let style = ResultStyle {
            format: wire.result_format.map_or(Ok(ResultFormat::default()), |name| format(&name, body))?,
            header: wire.header.unwrap_or_default(),
            types_header: wire.types_header.unwrap_or_default(),
            sql_types_header: wire.sql_types_header.unwrap_or_default(),
            real_arrays: flag(&context, "sqlStringifyArrays") == Some(false),
        };
        let sql_query_id = query_id(&context)?;
        let parameter = |wire: WireParameter| SqlParameter { type_: wire.type_, value: wire.value };
        let parameters = wire.parameters.unwrap_or_default().into_iter().map(parameter).collect();
        Ok(Self { request: SqlRequest { query, parameters, context, sql_query_id }, style })
    }
}

fn missing_query(body: &[u8]) -> Refusal {
    let (line, column) = end_of(body);
    let text = "Cannot construct instance of `org.apache.druid.sql.http.SqlQuery`, problem: query".to_owned();
    JsonMistake { class: INSTANTIATION, text, line, column }.into()
}

fn format(name: &str, body: &[u8]) -> Result<ResultFormat, Refusal> {
    ResultFormat::parse(name).ok_or_else(|| {
        let (line, column) = place_of_format(name, body);
        let message = format!(
            "Cannot construct instance of `org.apache.druid.sql.http.ResultFormat`, problem: No enum constant \
             org.apache.druid.sql.http.ResultFormat.{}\n at {} (through reference chain: \
             org.apache.druid.sql.http.SqlQuery[\"resultFormat\"]); the formats are {}",
            name.to_uppercase(),
            place(line, column),
            ResultFormat::NAMES.join(", ")
        );
        Refusal::Malformed { class: INSTANTIATION, message }
    })
}

/// Where the name of the format stands. The body has been parsed, so that the key is there; if it is written with
/// escapes, the place is the end of the document.
fn place_of_format(name: &str, body: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(body);
    let value = text.rfind("\"resultFormat\"").and_then(|key| {
        let quoted = serde_json::to_string(name).ok()?;
        Some(key + text[key..].find(&quoted)?)
    });
    value.map_or_else(|| end_of(body), |at| end_of(&text.as_bytes()[..=at]))
}

/// The statement's id: the caller's, if it can stand in a header.
fn query_id(context: &Map<String, Value>) -> Result<String, Refusal> {
    match context.get("sqlQueryId") {
        None | Some(Value::Null) => Ok(Uuid::new_v4().to_string()),
        Some(Value::String(id)) if !id.is_empty() && HeaderValue::from_str(id).is_ok() => Ok(id.clone()),
        Some(other) => Err(Refusal::input(format!(
            "context parameter [sqlQueryId] must be a non-empty string of printable characters, got [{other}]"
        ))),
    }
}

/// A context parameter that is a boolean, or a boolean's name.
fn flag(context: &Map<String, Value>, key: &str) -> Option<bool> {
    match context.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        match SqlBody::parse(body.as_bytes()).unwrap_err() {
            Refusal::Malformed { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_alone_is_enough_and_unknown_fields_do_no_harm() {
        let body = SqlBody::parse(br#"{"query": "SELECT 1", "foo": 1, "parameters": null, "header": null}"#)
            .unwrap();
        assert_eq!(body.request.query, "SELECT 1");
        assert_eq!(body.style.format, ResultFormat::Object);
        assert!(!body.style.header);
        assert_eq!(Uuid::parse_str(&body.request.sql_query_id).unwrap().get_version_num(), 4);
    }

    #[test]
    fn every_field_arrives() {
        let body = SqlBody::parse(
            br#"{"query":"SELECT ?","resultFormat":"CSV","header":true,"typesHeader":true,"sqlTypesHeader":true,
                "parameters":[{"type":"VARCHAR","value":"x"}],"context":{"sqlQueryId":"abc-1","sqlStringifyArrays":"false"}}"#,
        )
        .unwrap();
        assert_eq!(body.request.sql_query_id, "abc-1");
        assert_eq!(body.request.parameters[0].value, "x");
        assert_eq!(body.style.format, ResultFormat::Csv);
        assert!(body.style.header && body.style.types_header && body.style.sql_types_header);
        assert!(body.style.real_arrays);
    }

    #[test]
    fn a_body_without_a_query_is_refused_as_druid_refuses_it() {
        let text = |column| {
            format!(
                "Cannot construct instance of `org.apache.druid.sql.http.SqlQuery`, problem: query\n at [Source: \
                 (org.eclipse.jetty.server.HttpInputOverHTTP); line: 1, column: {column}]"
            )
        };
        assert_eq!(message("{}"), text(2));
        assert_eq!(message(r#"{"query": null}"#), text(15));
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_known_ones() {
        let statement = "SELECT __time, deviceId, deviceLatitude, eventNotificationName FROM EVENTS_GEO ORDER BY __time LIMIT 3";
        let told = message(&format!(r#"{{"query": "{statement}", "resultFormat": "nope"}}"#));
        let druid = "Cannot construct instance of `org.apache.druid.sql.http.ResultFormat`, problem: No enum \
                     constant org.apache.druid.sql.http.ResultFormat.NOPE\n at [Source: \
                     (org.eclipse.jetty.server.HttpInputOverHTTP); line: 1, column: 133] (through reference chain: \
                     org.apache.druid.sql.http.SqlQuery[\"resultFormat\"])";
        assert!(told.starts_with(druid), "{told}");
        assert!(told.ends_with("object, array, objectLines, arrayLines, csv"));
    }

    #[test]
    fn an_id_that_cannot_be_a_header_is_refused() {
        for id in [r#""""#, r#""a\nb""#, "5"] {
            let body = format!(r#"{{"query":"SELECT 1","context":{{"sqlQueryId":{id}}}}}"#);
            assert!(matches!(SqlBody::parse(body.as_bytes()), Err(Refusal::Exception { .. })), "{id}");
        }
    }
}
