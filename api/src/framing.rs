//! Requests that two readers could cut differently.
//!
//! Where a proxy stands in front, a request that it takes for one may be two here: what is hidden in the second then
//! comes in under the first one's name. Such requests are refused. Of a `Content-Length` beside a `Transfer-Encoding`
//! nothing is seen here, since hyper takes it away; so nothing that follows a request with an encoding is read from its
//! connection, whatever the proxy took for its end.

use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;

/// The layer that refuses them.
pub(crate) async fn refuse_ambiguous(request: Request, next: Next) -> Response {
    let is_encoded = request.headers().contains_key(TRANSFER_ENCODING);
    let mistake = mistake(request.headers());
    let is_wrong = mistake.is_some();
    let mut response = match mistake {
        Some(mistake) => Refusal::input(mistake).into_response(),
        None => next.run(request).await,
    };
    if is_wrong || is_encoded {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn mistake(headers: &HeaderMap) -> Option<&'static str> {
    if headers.get_all(HOST).iter().count() > 1 {
        return Some("the request has more than one Host");
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let encoding = encodings.next()?;
    let is_chunked = encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    (encodings.next().is_some() || !is_chunked)
        .then_some("the only Transfer-Encoding that requests can have is chunked")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn found(pairs: &[(HeaderName, &'static str)]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        mistake(&headers)
    }

    #[test]
    fn contradictions_are_mistakes_and_what_clients_send_is_not() {
        assert_eq!(found(&[(HOST, "a")]), None);
        assert_eq!(found(&[(HOST, "a"), (TRANSFER_ENCODING, "Chunked")]), None);
        assert!(found(&[(HOST, "a"), (HOST, "b")]).unwrap().contains("Host"));
        for encoding in ["gzip, chunked", "chunked, chunked", ",chunked"] {
            assert!(found(&[(TRANSFER_ENCODING, encoding)]).unwrap().contains("only"), "{encoding}");
        }
    }
}
