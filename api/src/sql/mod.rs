//! `/druid/v2/sql`: a statement in, a streamed result out.
//!
//! ```text
//!  body ──► request::SqlBody ──► Engine::sql ──► first batch or error ──► status and headers
//!                                                        └──► stream::body, while the client reads
//! ```

pub(crate) mod request;
mod stream;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::{empty, once};
use ovate_query::{QueryError, SqlResult};

use self::request::SqlBody;
use self::stream::{Batches, Encoder};
use crate::body::{Payload, Sql};
use crate::formats::arrow_stream::{ArrowWriter, MEDIA_TYPE};
use crate::formats::{ResultStyle, ResultWriter};
use crate::refusal::Refusal;
use crate::state::AppState;

const QUERY_ID: HeaderName = HeaderName::from_static("x-druid-query-id");
const SQL_QUERY_ID: HeaderName = HeaderName::from_static("x-druid-sql-query-id");
const HEADER_INCLUDED: HeaderName = HeaderName::from_static("x-druid-sql-header-included");
const RESPONSE_CONTEXT: HeaderName = HeaderName::from_static("x-druid-response-context");

/// `POST /druid/v2/sql`
pub(crate) async fn post(
    State(state): State<AppState>,
    headers: HeaderMap,
    Payload(body, _): Payload<Sql>,
) -> Result<Response, Refusal> {
    let SqlBody { request, style } = SqlBody::parse(&body)?;
    let sql_query_id = request.sql_query_id.clone();
    let answered = match state.engine.sql(request).await {
        Ok(result) => {
            let bytes_max = state.options.result_bytes_max;
            answer(result, style, wants_arrow(&headers), bytes_max).await
        }
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(|error| Refusal::Query(error).into_response());
    name_query(response.headers_mut(), &sql_query_id);
    Ok(response)
}

/// `DELETE /druid/v2/sql/{id}`
pub(crate) async fn cancel(State(state): State<AppState>, Path(sql_query_id): Path<String>) -> Response {
    let status =
        if state.engine.cancel(&sql_query_id) { StatusCode::ACCEPTED } else { StatusCode::NOT_FOUND };
    (status, [(CONTENT_TYPE, "application/json")]).into_response()
}

/// `OPTIONS /druid/v2/sql`
pub(crate) async fn options() -> Response {
    [(ALLOW, "POST,OPTIONS")].into_response()
}

/// Any other method on `/druid/v2/sql`.
pub(crate) async fn other_method() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST,OPTIONS")]).into_response()
}

/// Waits for the first batch, so that what fails before it can still be told with a status.
async fn answer(
    result: SqlResult,
    style: ResultStyle,
    arrow: bool,
    bytes_max: u64,
) -> Result<Response, QueryError> {
    let SqlResult { sql_query_id, columns, zone, mut batches, .. } = result;
    let batches: Batches = match batches.next().await {
        Some(first) => once(std::future::ready(Ok(first?))).chain(batches).boxed(),
        None => empty().boxed(),
    };
    let (encoder, media_type) = if arrow {
        (Encoder::Arrow(Box::new(ArrowWriter::new(columns, zone))), MEDIA_TYPE)
    } else {
        (Encoder::Text(Box::new(ResultWriter::new(style, columns, zone))), "application/json")
    };
    let body: Body = stream::body(sql_query_id, batches, encoder, bytes_max);
    let mut response = ([(CONTENT_TYPE, media_type)], body).into_response();
    let headers = response.headers_mut();
    if style.header && !arrow {
        headers.insert(HEADER_INCLUDED, HeaderValue::from_static("yes"));
    }
    headers.insert(RESPONSE_CONTEXT, HeaderValue::from_static("{}"));
    Ok(response)
}

fn name_query(headers: &mut HeaderMap, sql_query_id: &str) {
    if let Ok(value) = HeaderValue::from_str(sql_query_id) {
        headers.insert(QUERY_ID, value.clone());
        headers.insert(SQL_QUERY_ID, value);
    }
}

fn wants_arrow(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|media| media.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(MEDIA_TYPE)))
}
