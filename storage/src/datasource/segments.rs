//! The segments of a datasource, and every change of them: one commit of the catalog, then one swap of what
//! snapshots see, then the files of what is gone.
//!
//! ```text
//!  Change { added, removed } ─► catalog commit ─► swap ─► files of removed segments, once no query holds them
//!                                  └─ no room: in doubt, looked up by whoever comes next
//! ```
//!
//! A query opens the segments of its snapshot when it gets to them, so files stay until the last snapshot that
//! sees them is gone. A crash before that leaves them to the next start, which removes what the catalog does not
//! name.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, TryLockError, Weak};

use super::publishing::Published;
use super::{Datasource, Shared, lock};
use crate::catalog::SegmentRecord;
use crate::disk::remove_if_there;
use crate::error::Result;
use crate::names::{folder_name, segment_folder};
use crate::progress::Progress;
use crate::snapshot::{Part, SegmentHandle, SegmentPart};
use crate::time::Interval;
use crate::timeline::visible_stretches;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Those in use, by id. Which of them answer is for the timeline to say.
    pub(super) used: BTreeMap<String, Arc<SegmentHandle>>,
    /// Those that left [`Self::used`] and that some query may still hold.
    withdrawn: Vec<Weak<SegmentHandle>>,
    /// Those that the catalog does not name any more and whose files are still there.
    doomed: Vec<SegmentRecord>,
    /// A change whose commit failed, and may have taken effect all the same.
    in_doubt: Option<Change>,
    /// What a publish that was in doubt proved to have done, for the next one to report.
    pub(super) settled: Option<Published>,
}

/// Segments that come and segments that go, at once.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) added: Vec<SegmentRecord>,
    pub(super) removed: Vec<String>,
    /// Whether the segments added hold the frozen rows.
    pub(super) of_frozen: bool,
}

impl Segments {
    pub(super) fn new(shared: &Shared, records: Vec<SegmentRecord>) -> Self {
        let mut segments = Self::default();
        for record in records {
            segments.insert(shared, record);
        }
        segments
    }

    pub(super) fn insert(&mut self, shared: &Shared, record: SegmentRecord) {
        self.used.insert(record.id.clone(), Arc::new(SegmentHandle::new(record, shared)));
    }

    /// Takes a segment out of use. Its files stay.
    pub(super) fn withdraw(&mut self, id: &str) {
        if let Some(handle) = self.used.remove(id) {
            self.withdrawn.push(Arc::downgrade(&handle));
        }
    }

    /// Says that the catalog does not name a segment any more, so that its files can go.
    pub(super) fn doom(&mut self, record: SegmentRecord) {
        self.doomed.push(record);
    }

    /// Segments whose ids are not free yet though the catalog does not name them.
    pub(super) fn doomed(&self) -> &[SegmentRecord] {
        &self.doomed
    }

    /// The visible stretches of all used segments, in order of time.
    pub(super) fn timeline(&self) -> Arc<[Part]> {
        let handles: Vec<&Arc<SegmentHandle>> = self.used.values().collect();
        let keys: Vec<(Interval, &str)> = handles
            .iter()
            .map(|handle| (handle.record().interval, handle.record().version.as_str()))
            .collect();
        let mut parts: Vec<SegmentPart> = visible_stretches(&keys)
            .into_iter()
            .zip(&handles)
            .flat_map(|(stretches, handle)| {
                stretches.into_iter().map(|stretch| SegmentPart::new(Arc::clone(handle), stretch))
            })
            .collect();
        parts.sort_by_key(|part| (part.handle().record().min_time_ms, part.handle().record().partition_num));
        parts.into_iter().map(Part::Segment).collect()
    }

    /// Whether a query may still open the files of a segment.
    fn is_held(&self, id: &str) -> bool {
        self.withdrawn.iter().filter_map(Weak::upgrade).any(|handle| handle.record().id == id)
    }
}

impl Datasource {
    /// The segments, locked. A change that was in doubt is settled first: nothing is built on what is not known.
    pub(super) fn segments(&self) -> Result<MutexGuard<'_, Segments>> {
        let mut segments = lock(&self.segments);
        let Some(change) = &segments.in_doubt else { return Ok(segments) };
        let stored = self.shared.catalog.segments()?;
        let committed = change.added.iter().all(|record| stored.contains(record));
        let Some(change) = segments.in_doubt.take() else { return Ok(segments) };
        if committed {
            let of_frozen = change.of_frozen;
            let published = self.take_effect(change, &mut segments);
            if of_frozen {
                segments.settled = Some(published);
            }
        } else {
            self.discard(&change.added);
        }
        Ok(segments)
    }

    /// Commits a change, together with the offsets that its rows cover, and shows it.
    pub(super) fn commit(
        &self,
        change: Change,
        progress: Option<&Progress>,
        segments: &mut Segments,
    ) -> Result<Published> {
        crate::fail_point!("publish.before_commit");
        let offsets = progress.map(|progress| (&*self.name, progress));
        if let Err(error) = self.shared.catalog.publish(&change.added, &change.removed, offsets) {
            segments.in_doubt = Some(change);
            return Err(error);
        }
        crate::fail_point!("publish.committed");
        Ok(self.take_effect(change, segments))
    }

    /// Shows a change that is committed.
    fn take_effect(&self, change: Change, segments: &mut Segments) -> Published {
        let published = Published::of(&change.added);
        for id in &change.removed {
            if let Some(handle) = segments.used.get(id) {
                let record = handle.record().clone();
                segments.doom(record);
            }
            segments.withdraw(id);
        }
        for record in change.added {
            segments.insert(&self.shared, record);
        }
        self.show(segments, change.of_frozen);
        crate::fail_point!("handoff.shown");
        self.remove_doomed(segments);
        published
    }

    /// Swaps in the timeline of `segments`.
    pub(super) fn show(&self, segments: &Segments, frozen_done: bool) {
        let sealed = segments.timeline();
        // The writer's lock orders this swap with the writer's own.
        let _writer = self.writer();
        let state = self.state.load_full();
        self.state.store(Arc::new(state.with_segments(sealed, frozen_done)));
    }

    /// Removes the files of segments that the catalog does not name any more, as far as no query holds them and no
    /// backup reads them. Called now and then, it keeps the disk free of what is gone.
    pub fn remove_leftovers(&self) -> Result<()> {
        let mut segments = self.segments()?;
        self.remove_doomed(&mut segments);
        Ok(())
    }

    pub(super) fn remove_doomed(&self, segments: &mut Segments) {
        segments.withdrawn.retain(|handle| handle.strong_count() > 0);
        if segments.doomed.is_empty() {
            return;
        }
        let _removing = match self.shared.removals.try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // A backup is reading them; the next call removes them.
            Err(TryLockError::WouldBlock) => return,
        };
        let doomed = std::mem::take(&mut segments.doomed);
        for record in doomed {
            if segments.is_held(&record.id) {
                segments.doomed.push(record);
            } else if let Err(error) = self.remove_files(&record.id) {
                tracing::warn!(segment = record.id, %error, "cannot remove the files of a segment; the next start will");
            }
        }
    }

    /// Takes a segment's files away at once, then removes them one by one.
    fn remove_files(&self, id: &str) -> std::io::Result<()> {
        let disk = &*self.shared.disk;
        let doomed = self.shared.folder.join("tmp").join(folder_name(id));
        remove_if_there(disk, &doomed)?;
        match disk.rename(&segment_folder(&self.shared.folder, &self.name, id), &doomed) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            renamed => renamed.and_then(|()| {
                crate::fail_point!("kill.moved");
                disk.remove(&doomed)
            }),
        }
    }
}
