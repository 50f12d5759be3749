//! The page at `/`: a few files that are part of the binary and ask no other address for anything.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::Routes;

pub(super) fn routes() -> Routes {
    vec![
        ("/", get(index)),
        ("/page/app.js", get(script)),
        ("/page/zurich.js", get(outline)),
        ("/page/style.css", get(style)),
        ("/unified-console.html", get(|| async { Redirect::permanent("/") })),
        ("/favicon.ico", get(icon)),
    ]
}

async fn index() -> Response {
    file("text/html; charset=utf-8", include_str!("../../page/index.html"))
}

async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../../page/app.js"))
}

async fn outline() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../../page/zurich.js"))
}

async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../../page/style.css"))
}

async fn icon() -> Response {
    file("image/svg+xml", include_str!("../../page/icon.svg"))
}

/// Asked for again each time: a new binary brings a new page.
fn file(media_type: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-cache")], text).into_response()
}
