//! Fail points: named places at which a test ends the process, as `kill -9` would, to see what the next one finds.
//!
//! ```text
//!  OVATE_FAIL_POINT=publish.committed:3 ─► arm ─► the third pass of fail_point!("publish.committed") aborts
//! ```
//!
//! Invariants: a place is compiled only if its name stands in [`NAMES`], so that the test that walks through all of
//! them cannot miss one; release builds compile the places to nothing. Left out: other failures than the end of the
//! process. Calls to the disk that fail are the business of [`crate::disk`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The places of all crates, in the order in which a life meets them. This crate knows nothing of the others' but
/// their names.
pub const NAMES: &[&str] = &[
    "catalog.written",
    "catalog.in_place",
    "catalog.before_commit",
    "catalog.committed",
    "spec.stopped",
    "spec.declared",
    "spec.stored",
    "spec.begun",
    "start.before_offsets",
    "start.offsets_stored",
    "append.before",
    "append.done",
    "handoff.due",
    "publish.begin",
    "publish.frozen",
    "publish.offsets_stored",
    "segment.begin",
    "segment.data_synced",
    "segment.synced",
    "segment.renamed",
    "segment.in_place",
    "publish.before_commit",
    "publish.committed",
    "handoff.shown",
    "handoff.ended",
    "suspend.stored",
    "suspend.published",
    "resume.stored",
    "reset.stopped",
    "reset.stored",
    "reset.cleared",
    "offsets.published",
    "offsets.stored",
    "task.stopped",
    "terminate.published",
    "terminate.removed",
    "terminate.forgotten",
    "unused.stored",
    "kill.forgotten",
    "kill.moved",
    "rules.stored",
    "retention.due",
    "retention.dropped",
    "compact.planned",
    "compact.thawed",
    "compact.written",
    "compact.placed",
    "compact.shown",
    "backup.linked",
    "backup.before_catalog",
    "backup.done",
    "shutdown.stopped",
];

/// Marks a place at which a test may end the process. Nothing in release builds.
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {{
        const { assert!($crate::fail_point::is_listed($name), "not in ovate_storage::fail_point::NAMES") };
        #[cfg(debug_assertions)]
        $crate::fail_point::pass($name);
    }};
}

#[derive(Debug)]
struct Armed {
    name: &'static str,
    passes_left: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Why a fail point could not be armed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailPointError {
    /// No place has this name.
    #[error("there is no fail point {0:?}")]
    Unknown(String),
    /// What follows the colon is not a number above 0.
    #[error("fail point {0:?}: expected NAME or NAME:PASS, with a number above 0")]
    NotANumber(String),
    /// One place of a process can be armed, once.
    #[error("a fail point is armed already")]
    ArmedAlready,
}

/// Has the process end at `NAME`, or at the n-th pass of it with `NAME:n`.
pub fn arm(place: &str) -> Result<(), FailPointError> {
    let (name, pass) = parse(place)?;
    let armed = Armed { name, passes_left: AtomicU32::new(pass) };
    ARMED.set(armed).map_err(|_| FailPointError::ArmedAlready)
}

fn parse(place: &str) -> Result<(&'static str, u32), FailPointError> {
    let (name, pass) = place.split_once(':').unwrap_or((place, "1"));
    let known = NAMES.iter().find(|known| **known == name);
    let known = known.ok_or_else(|| FailPointError::Unknown(name.to_owned()))?;
    let pass = pass.parse().ok().filter(|pass| *pass > 0);
    Ok((known, pass.ok_or_else(|| FailPointError::NotANumber(place.to_owned()))?))
}

/// A process comes by. Called by [`crate::fail_point!`].
#[doc(hidden)]
pub fn pass(name: &str) {
    let Some(armed) = ARMED.get().filter(|armed| armed.name == name) else { return };
    // No destructor runs, nothing is flushed.
    if armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

/// Whether a place of this name is listed. Asked by the compiler.
#[doc(hidden)]
pub const fn is_listed(name: &str) -> bool {
    let mut at = 0;
    while at < NAMES.len() {
        if are_equal(NAMES[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn are_equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_listed_whole_or_not_at_all() {
        assert!(is_listed("publish.committed"));
        assert!(!is_listed("publish.commit") && !is_listed("publish.committed2") && !is_listed(""));
    }

    #[test]
    fn a_place_is_a_known_name_and_the_number_of_a_pass() {
        assert_eq!(parse("kill.moved"), Ok(("kill.moved", 1)));
        assert_eq!(parse("kill.moved:7"), Ok(("kill.moved", 7)));
        assert_eq!(parse("kill.movd"), Err(FailPointError::Unknown("kill.movd".into())));
        for bad in ["kill.moved:0", "kill.moved:", "kill.moved:x"] {
            assert_eq!(parse(bad), Err(FailPointError::NotANumber(bad.into())));
        }
    }

    #[test]
    fn names_are_unique() {
        let unique: std::collections::BTreeSet<&&str> = NAMES.iter().collect();
        assert_eq!(unique.len(), NAMES.len());
    }
}
