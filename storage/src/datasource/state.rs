//! What snapshots are taken from: the parts of one moment, replaced as a whole, never changed.

use std::sync::Arc;

use crate::hot::HotPart;
use crate::schema::TableSchema;
use crate::snapshot::{Part, SnapshotSchema};

/// The parts of one moment.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) sealed: Arc<[Part]>,
    pub(crate) frozen: Arc<[HotPart]>,
    pub(crate) hot: Arc<[HotPart]>,
    pub(crate) current: Arc<TableSchema>,
    pub(crate) schema: Arc<SnapshotSchema>,
    pub(crate) generation: u64,
}

impl State {
    /// Segments and nothing else.
    pub(super) fn new(current: &Arc<TableSchema>, sealed: Arc<[Part]>) -> Self {
        Self {
            schema: schema_of(current, &sealed),
            sealed,
            frozen: Arc::from([]),
            hot: Arc::from([]),
            current: Arc::clone(current),
            generation: 0,
        }
    }

    /// The next state, with another timeline. Frozen rows go when segments have taken their place.
    pub(super) fn with_segments(&self, sealed: Arc<[Part]>, frozen_done: bool) -> Self {
        Self {
            schema: schema_of(&self.current, &sealed),
            sealed,
            frozen: if frozen_done { Arc::from([]) } else { Arc::clone(&self.frozen) },
            generation: self.generation + 1,
            ..self.clone()
        }
    }

    /// Recomputes the visible columns if `current` is another schema than before.
    pub(crate) fn refresh_schema(&mut self, current: &Arc<TableSchema>) {
        if !Arc::ptr_eq(&self.current, current) {
            self.current = Arc::clone(current);
            self.schema = schema_of(current, &self.sealed);
        }
    }
}

fn schema_of(current: &TableSchema, sealed: &[Part]) -> Arc<SnapshotSchema> {
    Arc::new(SnapshotSchema::union(Some(current), sealed.iter().map(Part::columns)))
}
