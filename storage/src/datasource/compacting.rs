//! Compacting: small segments of one chunk become few, and those of a cold chunk become Parquet, while queries run and
//! rows arrive.
//!
//! ```text
//!  plan ─► thaw ─► write + sync          (no lock: takes as long as it takes)
//!       ─► place ─► commit (new in, old out) ─► swap      (under the lock on segments: quick)
//! ```
//!
//! The new segments stand beside those of their chunk that were not merged, in the same version, so rows that were
//! published meanwhile stay visible. That is why the old ones leave the catalog with the same commit instead of
//! being marked unused: marked used again, they would show their rows twice.
//!
//! A step that finds its segments changed by others when it is about to commit gives up and leaves nothing.

use std::sync::Arc;

use super::segments::Change;
use super::{Datasource, lock};
use crate::catalog::SegmentRecord;
use crate::compaction::{CompactionOptions, Plan, merged_schema, plan};
use crate::error::Result;
use crate::seal::Sealing;
use crate::segment::Form;
use crate::snapshot::SegmentHandle;
use crate::thaw::thaw;
use crate::time::Interval;
use crate::timeline::Chunk;

/// What a step of compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The time chunk.
    pub interval: Interval,
    /// The ids of the segments that were merged.
    pub merged: Vec<String>,
    /// The ids of those that took their place.
    pub segments: Vec<String>,
    /// How their columns lie on disk.
    pub form: Form,
    /// The rows before.
    pub rows_before: u64,
    /// The rows after: fewer where rows roll up.
    pub rows: u64,
    /// The bytes of the files before.
    pub bytes_before: u64,
    /// The bytes of the files after.
    pub bytes: u64,
}

impl Datasource {
    /// One step of compaction: the small or cold segments of one chunk, as far as `options` allows. `None` if there is
    /// nothing to do, or if someone else changed the segments meanwhile. Blocks while files are read, written and
    /// synced; appends, publishes and queries go on.
    ///
    /// # Errors
    /// As [`Self::publish`]; nothing has changed then. A damaged segment is in quarantine afterwards, and the next
    /// step leaves it out.
    pub fn compact(&self, options: &CompactionOptions, now_ms: i64) -> Result<Option<Compacted>> {
        let _one_at_a_time = lock(&self.compacting);
        self.refuse_if_poisoned()?;
        let Some((handles, form)) = self.plan(options, now_ms)? else { return Ok(None) };
        crate::fail_point!("compact.planned");
        let compacted = self.noted(self.merge(&handles, form, now_ms))?;
        // Held until here, the old files could not go with the commit.
        drop(handles);
        self.remove_leftovers()?;
        Ok(compacted)
    }

    fn plan(
        &self,
        options: &CompactionOptions,
        now_ms: i64,
    ) -> Result<Option<(Vec<Arc<SegmentHandle>>, Form)>> {
        let step_rows_max = options.step_rows_max.min(self.shared.segment_rows_max as u64);
        let options = CompactionOptions { step_rows_max, ..*options };
        let segments = self.segments()?;
        let sound = segments.used.values().filter(|handle| handle.damage().is_none());
        let Some(Plan { records, form }) = plan(sound.map(|handle| handle.record()), &options, now_ms) else {
            return Ok(None);
        };
        let handles = records.iter().filter_map(|record| segments.used.get(&record.id)).map(Arc::clone);
        Ok(Some((handles.collect(), form)))
    }

    fn merge(&self, handles: &[Arc<SegmentHandle>], form: Form, now_ms: i64) -> Result<Option<Compacted>> {
        let records: Vec<&SegmentRecord> = handles.iter().map(|handle| handle.record()).collect();
        let Some(first) = records.first() else { return Ok(None) };
        let schema = merged_schema(&records, &self.state.load().current);
        let frozen = thaw(handles, schema)?;
        crate::fail_point!("compact.thawed");
        let sealing = Sealing::new(&frozen)?;
        let chunk = Chunk { interval: first.interval, version: first.version.clone() };
        let chunks = sealing
            .chunks(self.shared.segment_rows_max, |_| (chunk.clone(), Interval::new(i64::MIN, i64::MAX)));
        let unplaced = self.write(&sealing, chunks, form, "compaction")?;
        if let Err(error) = handles.iter().try_for_each(|handle| handle.all_read()) {
            self.discard_unplaced(&unplaced);
            return Err(error);
        }
        crate::fail_point!("compact.written");

        let mut segments = self.segments()?;
        let still_there = |handle: &Arc<SegmentHandle>| {
            segments.used.get(&handle.record().id).is_some_and(|used| Arc::ptr_eq(used, handle))
        };
        if !handles.iter().all(still_there) {
            self.discard_unplaced(&unplaced);
            return Ok(None);
        }
        // Whether a chunk is quiet is told by its rows, not by when they were compacted.
        let created_ms = records.iter().map(|record| record.created_ms).max().unwrap_or(now_ms);
        let added = self.place(&unplaced, &frozen, &segments, created_ms)?;
        crate::fail_point!("compact.placed");
        let merged: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        let change = Change { added, removed: merged.clone(), of_frozen: false };
        let published = self.commit(change, None, &mut segments)?;
        crate::fail_point!("compact.shown");
        Ok(Some(Compacted {
            interval: chunk.interval,
            merged,
            segments: published.segments,
            form,
            rows_before: records.iter().map(|record| record.rows).sum(),
            rows: published.rows,
            bytes_before: records.iter().map(|record| record.size_bytes).sum(),
            bytes: published.size_bytes,
        }))
    }
}
