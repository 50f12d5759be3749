//! What has happened to the offsets of datasources, kept with them: in the same transaction where it has moved them.
//!
//! The store does not read these events. They are what the reader of a stream has decided, as it wrote it down.

use redb::WriteTransaction;
use serde_json::Value;

use super::{Catalog, OFFSET_EVENTS, add_history, failed, history};
use crate::error::Result;

/// Events kept for a datasource; older ones go.
pub const OFFSET_EVENTS_KEPT: u64 = 100;

impl Catalog {
    /// What has happened, newest first; to one datasource or to all.
    pub fn offset_events(&self, datasource: Option<&str>) -> Result<Vec<Value>> {
        self.read("read offset events", |transaction| history(transaction, OFFSET_EVENTS, datasource))
    }

    /// Adds events that have moved no offset.
    pub fn add_offset_events(&self, datasource: &str, events: &[Value]) -> Result<()> {
        self.write("add offset events", |transaction| add(transaction, datasource, events))
    }
}

pub(super) fn add(transaction: &WriteTransaction, datasource: &str, events: &[Value]) -> Result<()> {
    let mut last = 0;
    for event in events {
        last = add_history(transaction, OFFSET_EVENTS, datasource, event)?;
    }
    let Some(gone) = last.checked_sub(OFFSET_EVENTS_KEPT) else { return Ok(()) };
    let action = "remove offset events";
    let mut table = transaction.open_table(OFFSET_EVENTS).map_err(failed(action))?;
    table.retain_in((datasource, 0)..=(datasource, gone), |_, _| false).map_err(failed(action))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::disk::{Disk, RealDisk};
    use crate::progress::Progress;

    #[test]
    fn events_are_kept_with_the_offsets_they_moved_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, path) = (Arc::new(RealDisk) as Arc<dyn Disk>, folder.path().join("catalog.redb"));
        let mut progress = Progress::default();
        progress.set("T", 0, 7);
        {
            let catalog = Catalog::open(&disk, &path).unwrap();
            catalog.set_progress("a", Some(&progress), &[json!(0)]).unwrap();
            catalog.add_offset_events("b", &[json!("other")]).unwrap();
            for number in 1..=150 {
                catalog.add_offset_events("a", &[json!(number)]).unwrap();
            }
        }
        let catalog = Catalog::open(&disk, &path).unwrap();
        assert_eq!(catalog.progress("a").unwrap(), Some(progress));
        assert_eq!(catalog.offset_events(Some("b")).unwrap(), [json!("other")]);
        let kept = catalog.offset_events(Some("a")).unwrap();
        assert_eq!(kept, (51..=150).rev().map(|number| json!(number)).collect::<Vec<_>>());
        assert_eq!(catalog.offset_events(None).unwrap().len(), 101);
    }
}
