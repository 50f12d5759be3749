//! `/druid/v2`: Druid's native JSON queries. They are recognised and refused by name; SQL is the way to ask.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use serde_json::Value;

use super::Routes;
use crate::body::{Payload, Sql, end_of, parse, place};
use crate::refusal::Refusal;

/// Every type that Druid knows.
const KNOWN: [&str; 11] = [
    "dataSourceMetadata",
    "groupBy",
    "scan",
    "search",
    "segmentMetadata",
    "select",
    "timeBoundary",
    "timeseries",
    "topN",
    "union",
    "windowOperator",
];

pub(super) fn routes() -> Routes {
    vec![("/druid/v2", post(refuse)), ("/druid/v2/{id}", delete(cancel))]
}

async fn refuse(Payload(body, _): Payload<Sql>) -> Refusal {
    match parse::<Value>(&body) {
        Ok(query) => refusal(&body, query["queryType"].as_str()),
        Err(mistake) => mistake.into(),
    }
}

fn refusal(body: &[u8], kind: Option<&str>) -> Refusal {
    let (line, column) = end_of(body);
    match kind {
        Some(kind) if KNOWN.contains(&kind) => Refusal::unsupported(format!(
            "native queries of type [{kind}] are not supported; ask the same in SQL at /druid/v2/sql"
        )),
        Some(kind) => Refusal::Malformed {
            class: "com.fasterxml.jackson.databind.exc.InvalidTypeIdException",
            message: format!(
                "Could not resolve type id '{kind}' as a subtype of `org.apache.druid.query.Query` known type ids = \
                 [{}]\n at {}",
                KNOWN.join(", "),
                place(line, column)
            ),
        },
        None => Refusal::Malformed {
            class: "com.fasterxml.jackson.databind.exc.InvalidTypeIdException",
            message: format!(
                "Could not resolve subtype of `org.apache.druid.query.Query`: missing type id property 'queryType'\n \
                 at {}",
                place(line, column)
            ),
        },
    }
}

/// Druid takes the cancellation of any native query, whether there is one or not.
async fn cancel(Path(_id): Path<String>) -> Response {
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")]).into_response()
}
