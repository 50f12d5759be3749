//! Druid's paths, service by service. A handler fetches, shows and answers; it decides nothing.

mod backups;
mod broker;
mod coordinator;
mod datasources;
mod native;
mod not_found;
mod overlord;
mod page;
mod rules;
mod status;
mod supervisors;

use axum::Router;
use axum::http::Uri;
use axum::routing::MethodRouter;

use crate::percent;
use crate::refusal::Refusal;
use crate::state::AppState;

/// All routes there are.
pub(crate) fn all() -> Router<AppState> {
    let mut router = Router::new();
    for routes in [
        backups::routes(),
        broker::routes(),
        coordinator::routes(),
        datasources::routes(),
        native::routes(),
        overlord::routes(),
        page::routes(),
        rules::routes(),
        status::routes(),
        supervisors::routes(),
    ] {
        for (path, methods) in routes {
            // Druid takes every path with a slash at its end too.
            if path.len() > 1 && !path.ends_with('/') {
                router = router.route(&format!("{path}/"), methods.clone());
            }
            router = router.route(path, methods);
        }
    }
    router.fallback(not_found::page)
}

/// Paths and what answers there.
type Routes = Vec<(&'static str, MethodRouter<AppState>)>;

/// Runs a call that may wait for the disk where waiting is allowed.
async fn blocking<T, E>(call: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result.map_err(Into::into),
        Err(stopped) => Err(Refusal::internal(format!("the call did not end: {stopped}"))),
    }
}

/// The parameters of a query string. A parameter without a value (`?full`) is there, with an empty text.
#[derive(Debug, Default)]
struct Parameters(Vec<(String, String)>);

/// Undoes the escapes of a query string, where `+` is a space.
fn form(text: &str) -> String {
    percent::decoded(&text.replace('+', " "))
}

impl Parameters {
    fn of(uri: &Uri) -> Self {
        let decoded =
            uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (form(name), form(value))
            });
        Self(decoded.collect())
    }

    /// Whether the parameter is there, whatever its value.
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The value, unless it is empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// All values of a parameter that may be repeated.
    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the parameter says `true`.
    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_and_without_values() {
        let uri: Uri =
            "/x?full&state=TRUE&interval=a%2Fb+c&datasources=A&datasources=B&bad=%zz".parse().unwrap();
        let parameters = Parameters::of(&uri);
        assert!(parameters.has("full") && !parameters.has("simple"));
        assert!(parameters.is_true("state") && !parameters.is_true("full"));
        assert_eq!(parameters.get("interval"), Some("a/b c"));
        assert_eq!(parameters.all("datasources").collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(parameters.get("bad"), Some("%zz"));
        assert_eq!(parameters.get("full"), None);
    }
}
