//! What happens to every request and response, whatever the route.
//!
//! ```text
//!  request ─► counted ─► unambiguous ─► guarded against foreign pages ─► user required ─► panics caught ─► route
//!  response ◄── security headers ◄── gzip, where asked for ◄──────────────────────────────────┘
//! ```

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::auth::{guard, require_user};
use crate::framing;
use crate::refusal::Refusal;
use crate::state::AppState;

/// The page may load its own files and ask its own server; nothing may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Puts the layers around the routes.
pub(crate) fn around(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    routes
        .layer(CatchPanicLayer::custom(caught))
        .layer(from_fn_with_state(state.clone(), require_user))
        .layer(from_fn_with_state(state.clone(), guard::refuse_foreign_pages))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn(framing::refuse_ambiguous))
        .layer(from_fn(secured))
        .layer(from_fn(counted))
}

/// A panic is a bug; its caller is told so in Druid's shape, and everybody else is served on.
fn caught(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    metrics::counter!("ovate_http_panics_total").increment(1);
    Refusal::internal("internal error; the server's log says more").into_response()
}

async fn secured(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    if reads && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, max-age=0"));
    }
    response
}

async fn counted(request: Request, next: Next) -> Response {
    let service = service_of(request.uri().path());
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!("ovate_http_requests_total", "service" => service, "status" => status).increment(1);
    metrics::histogram!("ovate_http_first_byte_seconds", "service" => service).record(begun.elapsed());
    response
}

/// A label with few values, for whatever path.
fn service_of(path: &str) -> &'static str {
    const SERVICES: [(&str, &str); 5] = [
        ("/druid/v2/sql", "sql"),
        ("/druid/v2", "native"),
        ("/druid/indexer", "overlord"),
        ("/druid/coordinator", "coordinator"),
        ("/status", "status"),
    ];
    SERVICES.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or("other", |(_, service)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_grow_with_paths() {
        assert_eq!(service_of("/druid/v2/sql/some-id"), "sql");
        assert_eq!(service_of("/druid/indexer/v1/supervisor/X"), "overlord");
        assert_eq!(service_of("/druid/nope"), "other");
    }

    #[test]
    fn a_panic_is_told_in_druids_shape_without_its_text() {
        let response = caught(Box::new("secret".to_owned()));
        assert_eq!(response.status(), 500);
    }
}
