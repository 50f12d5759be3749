//! Against web pages that use their visitor's browser to reach this server.
//!
//! A browser sends a page's requests to any address it can reach, this machine's loopback included, and with the
//! user's remembered password. Two checks stop that without any state:
//!
//! * A request that carries `Origin` must carry this server's: pages of other sites are refused. Programs send none.
//! * While there are no users, `Host` must name this machine: a foreign name that was made to resolve to the
//!   loopback address is refused.

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;
use crate::state::AppState;

/// The layer that refuses what another site's page asks for.
pub(crate) async fn refuse_foreign_pages(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match foreign(request.headers(), state.authenticator.is_open()) {
        None => next.run(request).await,
        Some(reason) => {
            Refusal::exception(StatusCode::FORBIDDEN, "USER", "FORBIDDEN", reason).into_response()
        }
    }
}

fn foreign(headers: &HeaderMap, open: bool) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST);
    if let Some(origin) = text(ORIGIN) {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if authority.is_none() || !authority.zip(host).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)) {
            return Some(format!("requests from pages of {origin} are refused"));
        }
    }
    // Programs that speak HTTP/1.0 send none; a page's browser always does.
    let named = headers.get(HOST).filter(|_| open)?;
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    (!authority.is_some_and(|authority| is_this_machine(authority.host()))).then(|| {
        format!("without users the server answers only to the names of this machine, not to {named:?}")
    })
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
        || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn pages_of_other_sites_are_refused_and_programs_are_not() {
        assert_eq!(foreign(&headers("127.0.0.1:8888", None), true), None);
        assert_eq!(foreign(&headers("localhost:8888", Some("http://localhost:8888")), true), None);
        assert!(foreign(&headers("localhost:8888", Some("https://example.com")), true).is_some());
        assert!(foreign(&headers("localhost:8888", Some("null")), false).is_some());
        assert!(foreign(&headers("store.example:8888", Some("http://example.com")), false).is_some());
    }

    #[test]
    fn foreign_names_reach_an_open_server_never_and_a_closed_one_always() {
        assert!(foreign(&headers("rebound.example:8888", None), true).is_some());
        assert_eq!(foreign(&headers("rebound.example:8888", None), false), None);
        assert_eq!(foreign(&headers("[::1]:8888", None), true), None);
        for odd in ["127.0.0.1, rebound.example", "127.0.0.1 rebound.example", "[::1", ""] {
            assert!(foreign(&headers(odd, None), true).is_some(), "{odd}");
        }
        assert_eq!(foreign(&HeaderMap::new(), true), None);
    }
}
