//! Taking segments out of use and back, and removing for good what is out of use.

use super::Datasource;
use crate::catalog::SegmentRecord;
use crate::error::Result;
use crate::time::Interval;

/// Which segments of a datasource are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those that lie inside an interval.
    Inside(Interval),
    /// Those with these ids. Unknown ids are passed over.
    Ids(Vec<String>),
}

impl Selection {
    fn selects(&self, record: &SegmentRecord) -> bool {
        match self {
            Self::All => true,
            Self::Inside(interval) => interval.covers(record.interval),
            Self::Ids(ids) => ids.contains(&record.id),
        }
    }
}

impl Datasource {
    /// Takes segments out of use. Returns how many.
    pub(crate) fn mark_unused(&self, selection: &Selection) -> Result<usize> {
        let mut segments = self.segments()?;
        let records = segments.used.values().map(|handle| handle.record());
        let ids: Vec<String> =
            records.filter(|record| selection.selects(record)).map(|record| record.id.clone()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.shared.catalog.set_used(&ids, false)?;
        crate::fail_point!("unused.stored");
        for id in &ids {
            segments.withdraw(id);
        }
        self.show(&segments, false);
        Ok(ids.len())
    }

    /// Puts unused segments back into use. Returns how many.
    pub(crate) fn mark_used(&self, selection: &Selection) -> Result<usize> {
        let mut segments = self.segments()?;
        let mut records = self.unused()?;
        records.retain(|record| selection.selects(record));
        let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.shared.catalog.set_used(&ids, true)?;
        for record in records {
            segments.insert(&self.shared, SegmentRecord { used: true, ..record });
        }
        self.show(&segments, false);
        Ok(ids.len())
    }

    /// Removes unused segments inside `interval` for good, first from the catalog, then from disk. Returns how
    /// many. Files that a query still needs, or that cannot be removed now, are removed later.
    pub(crate) fn kill(&self, interval: Interval) -> Result<usize> {
        // Held until the files are gone, so that no publish takes an id whose files are about to be removed.
        let mut segments = self.segments()?;
        let mut records = self.unused()?;
        records.retain(|record| interval.covers(record.interval));
        let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.shared.catalog.remove_segments(&ids)?;
        crate::fail_point!("kill.forgotten");
        if ids.iter().any(|id| segments.used.contains_key(id)) {
            // They were marked by a call that failed for want of space, and had taken effect all the same.
            for id in &ids {
                segments.withdraw(id);
            }
            self.show(&segments, false);
        }
        for record in records {
            segments.doom(record);
        }
        self.remove_doomed(&mut segments);
        Ok(ids.len())
    }

    fn unused(&self) -> Result<Vec<SegmentRecord>> {
        let mut records = self.shared.catalog.segments()?;
        records.retain(|record| record.datasource == *self.name && !record.used);
        Ok(records)
    }
}
