//! Which names datasources and columns may have.

use ovate_storage::TIME_COLUMN;
use ovate_storage::schema::COMPANION_PREFIX;

use crate::error::SpecError;

/// The most bytes that the name of a datasource may have: it is part of file names.
const DATASOURCE_BYTES_MAX: usize = 128;

/// Datasource names become folder names and parts of URLs: letters, digits, `_`, `-` and `.`, not `.` in front.
pub(super) fn check_datasource(path: &str, name: &str) -> Result<(), SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let reason = if name.is_empty() {
        "the name is empty".to_owned()
    } else if name.len() > DATASOURCE_BYTES_MAX {
        format!("the name has {} bytes; at most {DATASOURCE_BYTES_MAX} are allowed", name.len())
    } else if name.starts_with('.') {
        format!("{name:?} begins with a dot")
    } else if let Some(c) = name.chars().find(|c| !plain(*c)) {
        format!("{name:?} contains {c:?}; letters, digits, '_', '-' and '.' are allowed")
    } else {
        return Ok(());
    };
    Err(SpecError::invalid(path, reason))
}

/// Column names are free, but for the time column's, the store's own, and the empty one.
pub(super) fn check_column(path: &str, name: &str) -> Result<(), SpecError> {
    if name.is_empty() {
        return Err(SpecError::invalid(path, "the name is empty"));
    }
    if name == TIME_COLUMN {
        return Err(SpecError::invalid(path, "__time is always a column; it cannot be declared"));
    }
    if name.starts_with(COMPANION_PREFIX) {
        return Err(SpecError::invalid(
            path,
            format!("names that begin with {COMPANION_PREFIX:?} are the store's own"),
        ));
    }
    Ok(())
}
