//! `/ovate/v1/backups`: a second copy of the store as one commit left it, while it goes on. Not Druid's.
//!
//! The caller gives a name, never a path: a backup is a new folder of that name in the folder that the server was
//! started with.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use ovate_storage::StorageError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Routes, blocking};
use crate::body::{Payload, Sql, parse};
use crate::refusal::Refusal;
use crate::state::AppState;

const NAME_BYTES_MAX: usize = 100;

pub(super) fn routes() -> Routes {
    vec![("/ovate/v1/backups", post(make))]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
}

async fn make(State(state): State<AppState>, Payload(body, _): Payload<Sql>) -> Result<Json<Value>, Refusal> {
    let Wanted { name } = parse(&body)?;
    if !is_name(&name) {
        return Err(Refusal::input(format!(
            "backup name [{name}] is not 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.', the first no '.'"
        )));
    }
    let folder = state.options.backup_folder.clone();
    let target = folder.unwrap_or_else(|| state.store.folder().join("backups")).join(&name);
    let made = blocking(move || Ok::<_, Refusal>((state.store.backup(&target, |_| {}), target))).await?;
    match made {
        (Ok(report), target) => Ok(Json(json!({
            "name": name,
            "path": target,
            "segments": report.segments,
            "rows": report.rows,
            "bytes": report.bytes,
        }))),
        (Err(StorageError::NotEmpty { .. }), _) => {
            let reason = format!("there is a backup [{name}] already, or what is left of one");
            Err(Refusal::exception(StatusCode::CONFLICT, "USER", "INVALID_INPUT", reason))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Whether a text is one path component that stays in its folder and is not hidden.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert!(is_name("monday") && is_name("2026-11-24_10.30"));
        for name in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0", "ü", &"x".repeat(101)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
