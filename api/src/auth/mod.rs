//! Who may ask: HTTP Basic, with users and argon2 hashes from the configuration.
//!
//! ```text
//!  Authorization ──► recent (a keyed tag of each accepted pair) ──► accepted at once
//!                       └─ unknown ─► password::verify, on a blocking thread, few at a time
//! ```
//!
//! Without users everybody may do everything; that is allowed only on a loopback listener
//! ([`AuthOptions::check_listener`]), and only for requests that a web page of another origin did not make
//! ([`guard`]).
//!
//! Left out: roles. A user may do everything.

pub(crate) mod guard;
mod password;
mod recent;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use self::password::StoredPassword;
pub use self::password::hash_password;
use self::recent::Recent;
use crate::error::ApiError;
use crate::percent;
use crate::refusal::Refusal;
use crate::state::AppState;

/// Password checks that may run at once: each takes tens of milliseconds of a core and 19 MiB.
const CHECKS_MAX: usize = 2;

/// Paths that need no user: health checks carry no credentials. They hear no more than whether all is well.
const OPEN_PATHS: [&str; 2] = ["/status/health", "/readiness"];

/// Who may use the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthOptions {
    /// The users. None: everybody may do everything, and only a loopback listener is served.
    pub users: Vec<User>,
}

impl AuthOptions {
    /// Refuses to serve strangers: [`ApiError::OpenListener`] if there are no users and other machines can reach
    /// `address`. `serve` asks this too; whoever asks first need not have opened anything.
    pub fn check_listener(&self, address: SocketAddr) -> Result<(), ApiError> {
        if self.users.is_empty() && !address.ip().to_canonical().is_loopback() {
            return Err(ApiError::OpenListener(address));
        }
        Ok(())
    }
}

/// A user and the hash of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// An argon2 hash in the PHC string format, as [`hash_password`] makes it.
    pub password_hash: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Checks credentials.
#[derive(Debug)]
pub(crate) struct Authenticator {
    users: HashMap<String, Arc<StoredPassword>>,
    /// Checked for names that do not exist, so that they take as long as those that do. `None` while
    /// there are no users.
    nobody: Option<Arc<StoredPassword>>,
    recent: Recent,
    checks: Semaphore,
}

impl Authenticator {
    pub(crate) fn new(options: &AuthOptions) -> Result<Self, ApiError> {
        let mut users = HashMap::new();
        for User { name, password_hash } in &options.users {
            let bad = |reason: String| ApiError::BadUser { name: name.clone(), reason };
            if name.is_empty() || name.contains(':') {
                return Err(bad("a name is at least one character, and no colon".to_owned()));
            }
            let password = StoredPassword::parse(password_hash).map_err(bad)?;
            if users.insert(name.clone(), Arc::new(password)).is_some() {
                return Err(bad("configured twice".to_owned()));
            }
        }
        Ok(Self {
            nobody: if users.is_empty() { None } else { Some(Arc::new(StoredPassword::unknowable()?)) },
            users,
            recent: Recent::new()?,
            checks: Semaphore::new(CHECKS_MAX),
        })
    }

    /// Whether nobody needs a password.
    pub(crate) fn is_open(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether the headers carry a user's name and password.
    pub(crate) async fn accepts(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let Some((name, password)) = credentials(headers) else { return false };
        if password.is_empty() {
            return false;
        }
        let tag = self.recent.tag(&name, &password);
        if tag.as_ref().is_some_and(|tag| self.recent.contains(tag)) {
            return true;
        }
        let known = self.users.get(&name);
        let Some(stored) = known.or(self.nobody.as_ref()).cloned() else { return false };
        let Ok(_turn) = self.checks.acquire().await else { return false };
        let right = tokio::task::spawn_blocking(move || stored.matches(&password)).await.unwrap_or(false);
        let accepted = right && known.is_some();
        if let (true, Some(tag)) = (accepted, tag) {
            self.recent.insert(tag);
        }
        accepted
    }
}

/// The layer that lets nobody else in.
pub(crate) async fn require_user(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let open = OPEN_PATHS.contains(&request.uri().path());
    if open || state.authenticator.accepts(request.headers()).await {
        return next.run(request).await;
    }
    metrics::counter!("ovate_http_unauthorized_total").increment(1);
    let text = "credentials are missing or wrong";
    let mut response =
        Refusal::exception(StatusCode::UNAUTHORIZED, "USER", "UNAUTHORIZED", text).into_response();
    let challenge = HeaderValue::from_static("Basic realm=\"ovate\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// The credentials of a URL, `user:password`, as the `Authorization` header carries them after `Basic `.
pub fn basic_credentials(user_info: &str) -> String {
    STANDARD.encode(percent::decoded(user_info))
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AuthOptions {
        let password_hash = password::quick_hash("password2");
        AuthOptions { users: vec![User { name: "druid_system".to_owned(), password_hash }] }
    }

    fn headers(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(pair));
        [(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())].into_iter().collect()
    }

    #[tokio::test]
    async fn only_the_right_pair_is_let_in_and_stays_right_when_repeated() {
        let authenticator = Authenticator::new(&options()).unwrap();
        for _ in 0..2 {
            assert!(authenticator.accepts(&headers("druid_system:password2")).await);
            for wrong in ["druid_system:password1", "druid_system:", "admin:password2", "druid_system", ":"] {
                assert!(!authenticator.accepts(&headers(wrong)).await, "{wrong}");
            }
            assert!(!authenticator.accepts(&HeaderMap::new()).await);
        }
    }

    #[test]
    fn without_users_only_this_machine_is_served() {
        let open = AuthOptions::default();
        assert!(open.check_listener("127.0.0.1:8888".parse().unwrap()).is_ok());
        assert!(open.check_listener("[::1]:8888".parse().unwrap()).is_ok());
        assert!(open.check_listener("0.0.0.0:8888".parse().unwrap()).is_err());
        assert!(options().check_listener("0.0.0.0:8888".parse().unwrap()).is_ok());
    }

    #[test]
    fn users_that_cannot_be_are_refused_by_name() {
        let with = |name: &str, hash: &str| {
            let user = User { name: name.to_owned(), password_hash: hash.to_owned() };
            Authenticator::new(&AuthOptions { users: vec![user] }).unwrap_err().to_string()
        };
        assert!(with("a", "secret").starts_with("user \"a\": the password hash"));
        assert!(with("", &password::quick_hash("x")).contains("at least one character"));
        assert!(with("a", &password::quick_hash("")).contains("empty password"));
    }

    #[test]
    fn a_hash_is_never_shown() {
        assert!(!format!("{:?}", options()).contains("argon2"));
    }
}
