//! What is said at a path that nothing answers: the page that Druid's HTTP server writes.

use axum::http::{StatusCode, Uri, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// The answer to an unknown path.
pub(super) async fn page(uri: Uri) -> Response {
    let path = escaped(uri.path());
    let html = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=UTF-8\"/>\n\
         <title>Error 404 Not Found</title>\n</head>\n<body><h2>HTTP ERROR 404 Not Found</h2>\n<table>\n\
         <tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>STATUS:</th><td>404</td></tr>\n\
         <tr><th>MESSAGE:</th><td>Not Found</td></tr>\n</table>\n\n</body>\n</html>\n"
    );
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html;charset=utf-8")], html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_cannot_become_markup() {
        assert_eq!(super::escaped("/<b>&\"x"), "/&lt;b&gt;&amp;&quot;x");
    }
}
