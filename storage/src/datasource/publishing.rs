//! Publishing: hot rows become segments, committed together with the offsets that they cover.
//!
//! ```text
//!  freeze hot rows ─► write + sync segments ─► place them ─► catalog commit (segments + offsets)
//!                  ─► swap the state: segments in, frozen rows out
//! ```
//!
//! A crash before the commit leaves files that the catalog does not name (removed at the next start) and offsets
//! that lead back to the same rows; a crash after it leaves everything in place. A call to the disk that fails
//! leaves the rows frozen and visible; see [`super`] for what happens then.

use std::sync::Arc;

use serde_json::Value;

use super::segments::{Change, Segments};
use super::{Datasource, State, lock};
use crate::catalog::SegmentRecord;
use crate::error::Result;
use crate::hot::Frozen;
use crate::progress::Progress;
use crate::seal::Sealing;
use crate::segment::Form;
use crate::time::Interval;
use crate::timeline::{Chunk, chunk_of};

/// What a publish did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The ids of the new segments.
    pub segments: Vec<String>,
    /// The rows in them.
    pub rows: u64,
    /// The bytes of their files.
    pub size_bytes: u64,
}

impl Published {
    pub(super) fn of(records: &[SegmentRecord]) -> Self {
        Self {
            segments: records.iter().map(|record| record.id.clone()).collect(),
            rows: records.iter().map(|record| record.rows).sum(),
            size_bytes: records.iter().map(|record| record.size_bytes).sum(),
        }
    }

    fn add(&mut self, other: Self) {
        self.segments.extend(other.segments);
        self.rows += other.rows;
        self.size_bytes += other.size_bytes;
    }
}

/// Rows on their way into segments.
#[derive(Debug)]
pub(super) struct Pending(Frozen);

impl Datasource {
    /// Moves all rows that are not in segments yet into segments, those that an earlier publish left behind
    /// included, and commits them together with the offsets they cover. Blocks while files are written and synced;
    /// appends go on meanwhile. With nothing hot, commits the offsets alone.
    ///
    /// # Errors
    /// A write that failed for want of space leaves the rows visible and is tried again by the next call. A failed
    /// sync or commit poisons the datasource: what is on disk is not known any more, so it takes no further rows.
    pub fn publish(&self, now_ms: i64) -> Result<Published> {
        let mut pending = lock(&self.pending);
        self.refuse_if_poisoned()?;
        crate::fail_point!("publish.begin");
        let mut published = Published::default();
        if pending.is_some() {
            published.add(self.publish_pending(&mut pending, now_ms)?);
        }
        *pending = Some(Pending(self.writer().freeze()));
        crate::fail_point!("publish.frozen");
        published.add(self.publish_pending(&mut pending, now_ms)?);
        Ok(published)
    }

    fn publish_pending(&self, pending: &mut Option<Pending>, now_ms: i64) -> Result<Published> {
        // Taken out only when it is done: rows are not lost even if this panics.
        let Some(Pending(frozen)) = pending.as_ref() else { return Ok(Published::default()) };
        let published = self.noted(self.publish_frozen(frozen, now_ms))?;
        *pending = None;
        self.writer().frozen_gone();
        Ok(published)
    }

    fn publish_frozen(&self, frozen: &Frozen, now_ms: i64) -> Result<Published> {
        let mut segments = self.segments()?;
        if let Some(published) = segments.settled.take() {
            return Ok(published);
        }
        if frozen.rows() == 0 {
            self.commit_offsets(&frozen.progress)?;
            return Ok(Published::default());
        }
        let sealing = Sealing::new(frozen)?;
        let chunks = sealing
            .chunks(self.shared.segment_rows_max, |time_ms| place_of(time_ms, frozen, &segments, now_ms));
        let unplaced = self.write(&sealing, chunks, Form::Arrow, "publish")?;
        let added = self.place(&unplaced, frozen, &segments, now_ms)?;
        let change = Change { added, of_frozen: true, ..Change::default() };
        self.commit(change, Some(&frozen.progress), &mut segments)
    }

    fn commit_offsets(&self, progress: &Progress) -> Result<()> {
        let catalog = &self.shared.catalog;
        if progress.partitions.is_empty() || catalog.progress(&self.name)?.as_ref() == Some(progress) {
            return Ok(());
        }
        catalog.publish(&[], &[], Some((&self.name, progress)))?;
        crate::fail_point!("publish.offsets_stored");
        Ok(())
    }

    /// Keeps what has happened to the datasource's offsets and has moved none.
    pub fn add_offset_events(&self, events: &[Value]) -> Result<()> {
        self.shared.catalog.add_offset_events(&self.name, events)
    }

    /// Drops all unpublished rows and replaces the committed offsets: reading goes on from `progress`, or from
    /// wherever the caller decides when that is `None`. `events` say why; they are kept in the same commit, see
    /// [`crate::Catalog::offset_events`].
    pub fn reset(&self, progress: Option<&Progress>, events: &[Value]) -> Result<()> {
        let mut pending = lock(&self.pending);
        // What was in doubt is decided now: either it is in segments, or it is dropped.
        self.segments()?.settled = None;
        self.shared.catalog.set_progress(&self.name, progress, events)?;
        crate::fail_point!("reset.stored");
        let mut writer = self.writer();
        *pending = None;
        writer.frozen_gone();
        writer.clear_hot(progress.cloned().unwrap_or_default());
        let state = self.state.load_full();
        self.state.store(Arc::new(State {
            frozen: Arc::from([]),
            generation: state.generation + 1,
            ..State::clone(&state)
        }));
        crate::fail_point!("reset.cleared");
        Ok(())
    }
}

/// Rows join the chunk and the version that are there already; the first rows of a chunk begin one.
fn place_of(time_ms: i64, frozen: &Frozen, segments: &Segments, now_ms: i64) -> (Chunk, Interval) {
    let bucket = frozen.schema.segment_granularity.bucket(time_ms);
    let used = segments.used.values().map(|handle| handle.record());
    chunk_of(time_ms, bucket, used.map(|record| (record.interval, record.version.as_str())), now_ms)
}
