//! Groups remembered: what a GROUP BY found in rows that never change need not be computed again.
//!
//! ```text
//!  part ─ piece ─ piece ─ piece ┐   for each: (statement, part, piece) ─► tally, or read and remember
//!  part ─ piece                 ┘
//!  the live tail                 ─► read
//! ```
//!
//! A *piece* is a stretch of whole blocks of one part, at places that depend on nothing but the part, so that a
//! statement over a moving stretch of time finds all pieces but the first and the last. Its tally is right for ever: a
//! part with a [serial](ovate_storage::snapshot::Part::serial) never changes, and no other part ever has that serial.
//! Only time filters that a piece lies wholly within are left out of the comparison of statements.
//!
//! A statement is remembered when it comes for the second time, unless its groups are nearly as many as its rows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use ovate_storage::BLOCK_ROWS;

use super::partial::Tally;
use super::plan::AggregatePlan;
use crate::scan::filter::Node;
use crate::scan::layout::Unit;

/// Rows of a piece.
pub(super) const PIECE_ROWS: usize = 8 * BLOCK_ROWS;
/// Statements known at one time.
const STATEMENTS_MAX: usize = 256;

/// Remembered groups, shared by all statements.
#[derive(Debug)]
pub(crate) struct PartialCache {
    bytes_max: usize,
    /// Smaller pieces are as fast to read.
    piece_rows_min: usize,
    /// With fewer rows to a group a tally saves nothing.
    rows_per_group_min: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    statements: Vec<(Arc<Statement>, Use)>,
    tallies: HashMap<Place, (Arc<Tally>, Use)>,
    bytes: usize,
    /// Counts accesses: what was used later has a greater number.
    clock: Use,
    last_statement: u64,
}

type Use = u64;

/// A piece of a part, seen by a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    statement: u64,
    part: u64,
    piece: usize,
}

/// Everything that decides about the groups of a piece.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub(super) aggregates: Arc<AggregatePlan>,
    pub(super) table: SchemaRef,
    pub(super) conjuncts: Vec<Node>,
}

#[derive(Debug)]
struct Statement {
    question: Question,
    number: u64,
    /// Whether it proved to have too many groups.
    hopeless: AtomicBool,
}

/// What one running statement may read from the cache and add to it.
#[derive(Debug, Clone)]
pub(super) struct Recall {
    cache: Arc<PartialCache>,
    statement: Arc<Statement>,
    usage: CacheUse,
}

/// Druid's `useCache` and `populateCache`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheUse {
    /// Whether groups may be taken from the cache.
    pub(crate) read: bool,
    /// Whether groups may be remembered.
    pub(crate) write: bool,
}

impl Default for CacheUse {
    fn default() -> Self {
        Self { read: true, write: true }
    }
}

impl PartialCache {
    /// A cache of so many bytes; 0: `None`.
    pub(crate) fn new(bytes_max: usize) -> Option<Arc<Self>> {
        (bytes_max > 0).then(|| Arc::new(Self::with_bounds(bytes_max, BLOCK_ROWS, 16)))
    }

    pub(super) fn with_bounds(bytes_max: usize, piece_rows_min: usize, rows_per_group_min: usize) -> Self {
        Self { bytes_max, piece_rows_min, rows_per_group_min, known: Mutex::default() }
    }

    /// What is known of a statement; `None` if this is the first time, or it had better be read anew.
    pub(super) fn recall(self: &Arc<Self>, question: Question, usage: CacheUse) -> Option<Recall> {
        if !usage.read && !usage.write {
            return None;
        }
        let mut known = self.known();
        let now = known.tick();
        if let Some((statement, used)) = known.statements.iter_mut().find(|(s, _)| s.question == question) {
            *used = now;
            let statement = Arc::clone(statement);
            let hopeless = statement.hopeless.load(Ordering::Relaxed);
            return (!hopeless).then(|| Recall { cache: Arc::clone(self), statement, usage });
        }
        if known.statements.len() == STATEMENTS_MAX
            && let Some(oldest) = (0..STATEMENTS_MAX).min_by_key(|&at| known.statements[at].1)
        {
            known.statements.swap_remove(oldest);
        }
        known.last_statement += 1;
        let number = known.last_statement;
        let statement = Statement { question, number, hopeless: AtomicBool::new(false) };
        known.statements.push((Arc::new(statement), now));
        None
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in here can be left half done by a panic that would be worse than a forgotten tally.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recall {
    /// The place of a piece; `None` for rows that may change, or are too few.
    pub(super) fn place(&self, part: Option<u64>, part_rows: usize, unit: &Unit) -> Option<Place> {
        let rows = &unit.rows;
        let whole =
            rows.start.is_multiple_of(PIECE_ROWS) && rows.end == part_rows.min(rows.start + PIECE_ROWS);
        let wanted = whole && unit.accepted.is_none() && rows.len() >= self.cache.piece_rows_min;
        let place = |part| Place { statement: self.statement.number, part, piece: rows.start / PIECE_ROWS };
        part.filter(|_| wanted).map(place)
    }

    /// The groups of a piece, if they are remembered.
    pub(super) fn get(&self, place: Place) -> Option<Arc<Tally>> {
        if !self.usage.read {
            return None;
        }
        let mut known = self.cache.known();
        let now = known.tick();
        let (tally, used) = known.tallies.get_mut(&place)?;
        *used = now;
        Some(Arc::clone(tally))
    }

    /// Whether groups are to be remembered.
    pub(super) fn remembers(&self) -> bool {
        self.usage.write && !self.statement.hopeless.load(Ordering::Relaxed)
    }

    /// Remembers the groups of a piece of so many rows.
    pub(super) fn put(&self, place: Place, tally: Tally, rows: usize) {
        if tally.len() * self.cache.rows_per_group_min > rows {
            self.statement.hopeless.store(true, Ordering::Relaxed);
            return;
        }
        let bytes = tally.bytes();
        if bytes > self.cache.bytes_max / 8 {
            return;
        }
        let mut known = self.cache.known();
        let now = known.tick();
        if let Some((replaced, _)) = known.tallies.insert(place, (Arc::new(tally), now)) {
            known.bytes -= replaced.bytes();
        }
        known.bytes += bytes;
        if known.bytes > self.cache.bytes_max {
            known.forget_half();
        }
        metrics::gauge!("ovate_query_cache_bytes").set(known.bytes as f64);
    }
}

impl Known {
    /// The number of the next access.
    fn tick(&mut self) -> Use {
        self.clock += 1;
        self.clock
    }

    /// Lets go of the half that was not used for longest.
    fn forget_half(&mut self) {
        let mut uses: Vec<Use> = self.tallies.values().map(|(_, used)| *used).collect();
        uses.sort_unstable();
        let Some(&border) = uses.get(uses.len() / 2) else { return };
        self.tallies.retain(|_, (_, used)| *used > border);
        self.bytes = self.tallies.values().map(|(tally, _)| tally.bytes()).sum();
    }
}
