//! Whether all that an answer is made of was there when it was read.
//!
//! Columns of a segment are read where they are mapped, by the scan and by every operator and format above it. A file
//! that is cut off meanwhile, or that the disk cannot give, reads as zeros there. So an answer is believed only if
//! nothing of its segments was lost by the time that its last row has been written out; see
//! [`ovate_storage::disk::losses`].

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use ovate_storage::disk::losses;
use ovate_storage::{Part, Snapshot};

use crate::error::QueryError;
use crate::scan::SegmentScanExec;

/// What a statement reads.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    parts: Vec<Part>,
    /// Losses before it was read: those are met by opening a segment.
    losses: u64,
}

impl Sources {
    /// Those of `plan`, of which nothing has been run.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut parts = Vec::new();
        // The closure never fails.
        let _ = plan.apply(|node| {
            if let Some(scan) = node.downcast_ref::<SegmentScanExec>() {
                parts.extend(scan.parts_read().cloned());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        Self { parts, losses: losses() }
    }

    /// Those of an answer that was kept: its columns may still lie where the segments of these snapshots are mapped.
    pub(crate) fn of_snapshots(snapshots: &[Arc<Snapshot>]) -> Self {
        let parts = snapshots.iter().flat_map(|snapshot| snapshot.parts.iter().cloned()).collect();
        Self { parts, losses: losses() }
    }

    /// An error if anything that was read since was not there.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if losses() == self.losses {
            return Ok(());
        }
        let mut parts = self.parts.iter();
        parts.try_for_each(Part::all_read).map_err(|error| QueryError::Runtime(error.to_string()))
    }
}
