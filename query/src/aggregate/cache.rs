//! Groups remembered: what a GROUP BY found in rows that never change need not be computed again.
//!
//! ```text
//!  part ─ piece ─ piece ─ piece ┐   for each: (statement, part, piece) ─► tally, or read and remember
//!  part ─ piece                 ┘
//!  the live tail                 ─► read
//! ```
//!
//! A *piece* is a stretch of one part, at places that depend on nothing but the part, so that a
//! statement over a moving stretch of time finds all pieces but the first and the last. Once all pieces of a part are
//! remembered, so is the whole part, which then is one tally to add instead of many. A tally is right for ever: a
//! part with a [serial](ovate_storage::snapshot::Part::serial) never changes, and no other part ever has that serial.
//! Only time filters that a piece lies wholly within are left out of the comparison of statements.
//!
//! A statement is remembered when it comes for the second time, unless it has few rows to a group.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use ovate_storage::BLOCK_ROWS;
use ovate_storage::snapshot::Part;

use super::partial::Tally;
use super::plan::AggregatePlan;
use crate::scan::filter::Node;
use crate::scan::layout::{ROWS_PER_PARTITION, Unit};

/// What one group of a tally costs, in rows read.
const ROWS_PER_GROUP: usize = 4;
/// Statements known at one time.
const STATEMENTS_MAX: usize = 256;

/// Remembered groups, shared by all statements.
#[derive(Debug)]
pub(crate) struct PartialCache {
    bounds: Bounds,
    known: Mutex<Known>,
}

/// How much is remembered, and of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Memory for all tallies.
    pub(super) bytes_max: usize,
    /// Rows of a piece, but that the last of a part has up to half as many more, or fewer.
    pub(super) piece_rows: usize,
    /// Smaller pieces are as fast to read.
    pub(super) piece_rows_min: usize,
    /// With fewer rows to a group a tally saves nothing.
    pub(super) rows_per_group_min: usize,
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

/// A piece of a part, or all of it, seen by a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    statement: u64,
    part: u64,
    /// `None`: all of several.
    piece: Option<usize>,
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
        let bounds = Bounds {
            bytes_max,
            piece_rows: 8 * BLOCK_ROWS,
            piece_rows_min: BLOCK_ROWS,
            rows_per_group_min: 16,
        };
        (bytes_max > 0).then(|| Arc::new(Self::with_bounds(bounds)))
    }

    pub(super) fn with_bounds(bounds: Bounds) -> Self {
        Self { bounds, known: Mutex::default() }
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
    /// The rows of all units, by piece, or by part where all pieces of a part are remembered; dealt out to as many readers
    /// as are worth it, of at most `readers_max`.
    pub(super) fn pieces<'a>(
        &self,
        parts: &[Part],
        units: impl Iterator<Item = &'a Unit>,
        readers_max: usize,
    ) -> Vec<Vec<Unit>> {
        let mut pieces = Vec::new();
        for unit in &joined(units) {
            let part = &parts[unit.part];
            let mut add = |unit: Unit, tallies: &[Arc<Tally>]| {
                let groups: usize = tallies.iter().map(|tally| tally.len()).sum();
                let cost_rows = if tallies.is_empty() { unit.rows.len() } else { groups * ROWS_PER_GROUP };
                pieces.push((cost_rows, unit));
            };
            let tallies = self.get(part, unit);
            if !tallies.is_empty() {
                add(unit.clone(), &tallies);
                continue;
            }
            for rows in self.cache.bounds.pieces_of(part.rows(), unit.rows.clone()) {
                let piece = Unit { rows, ..unit.clone() };
                let tallies = self.get(part, &piece);
                add(piece, &tallies);
            }
        }
        let total: usize = pieces.iter().map(|(cost_rows, _)| cost_rows).sum();
        let readers = total.div_ceil(ROWS_PER_PARTITION).clamp(1, readers_max.max(1));
        let mut dealt = vec![Vec::new(); readers];
        let mut before = 0;
        for (cost_rows, unit) in pieces {
            dealt[(before * readers / total.max(1)).min(readers - 1)].push(unit);
            before += cost_rows;
        }
        dealt
    }

    /// The place of a piece or of all of a part; `None` for rows that may change, or are others, or too few.
    pub(super) fn place(&self, part: &Part, unit: &Unit) -> Option<Place> {
        let rows = &unit.rows;
        let piece = self.cache.bounds.piece_of(part.rows(), rows.start);
        let piece = match rows {
            rows if *rows == piece => Some(rows.start / self.cache.bounds.piece_rows),
            rows if *rows == (0..part.rows()) => None,
            _ => return None,
        };
        let wanted = unit.accepted.is_none() && rows.len() >= self.cache.bounds.piece_rows_min;
        let place = |part| Place { statement: self.statement.number, part, piece };
        part.serial().filter(|_| wanted).map(place)
    }

    /// The groups of a unit, if they are remembered: in one tally; or one for each piece, if they may become one.
    pub(super) fn get(&self, part: &Part, unit: &Unit) -> Vec<Arc<Tally>> {
        let Some(place) = self.place(part, unit).filter(|_| self.usage.read) else { return Vec::new() };
        let mut known = self.cache.known();
        if let Some(tally) = known.get(place) {
            return vec![tally];
        }
        if place.piece.is_some() {
            return Vec::new();
        }
        let pieces = self.cache.bounds.pieces_of(part.rows(), unit.rows.clone());
        let tallies = pieces
            .map(|rows| known.get(Place { piece: Some(rows.start / self.cache.bounds.piece_rows), ..place }));
        let tallies: Vec<_> = tallies.collect::<Option<_>>().unwrap_or_default();
        let bytes: usize = tallies.iter().map(|tally| tally.bytes()).sum();
        if bytes > self.cache.bounds.tally_bytes_max() { Vec::new() } else { tallies }
    }

    /// Whether groups are to be remembered.
    pub(super) fn remembers(&self) -> bool {
        self.usage.write && !self.statement.hopeless.load(Ordering::Relaxed)
    }

    /// Remembers the groups of so many rows.
    pub(super) fn put(&self, place: Place, tally: Tally, rows: usize) {
        if tally.len() * self.cache.bounds.rows_per_group_min > rows {
            self.statement.hopeless.store(true, Ordering::Relaxed);
            return;
        }
        let bytes = tally.bytes();
        if bytes > self.cache.bounds.tally_bytes_max() {
            return;
        }
        let mut known = self.cache.known();
        let now = known.tick();
        if let Some((replaced, _)) = known.tallies.insert(place, (Arc::new(tally), now)) {
            known.bytes -= replaced.bytes();
        }
        known.bytes += bytes;
        if known.bytes > self.cache.bounds.bytes_max {
            known.forget_half();
        }
        metrics::gauge!("ovate_query_cache_bytes").set(known.bytes as f64);
    }
}

/// The same rows, where what was cut is whole.
fn joined<'a>(units: impl Iterator<Item = &'a Unit>) -> Vec<Unit> {
    let mut joined: Vec<Unit> = Vec::new();
    for unit in units {
        match joined.last_mut() {
            Some(last)
                if last.part == unit.part
                    && last.rows.end == unit.rows.start
                    && last.accepted == unit.accepted =>
            {
                last.rows.end = unit.rows.end;
                let ((low, high), (other_low, other_high)) = (last.time_range, unit.time_range);
                last.time_range = (low.min(other_low), high.max(other_high));
            }
            _ => joined.push(unit.clone()),
        }
    }
    joined
}

impl Bounds {
    /// A larger tally is not remembered.
    fn tally_bytes_max(self) -> usize {
        self.bytes_max / 8
    }

    /// The piece that a row of a part of so many rows is in.
    fn piece_of(self, part_rows: usize, row: usize) -> Range<usize> {
        let pieces = ((part_rows + self.piece_rows / 2) / self.piece_rows).max(1);
        let piece = (row / self.piece_rows).min(pieces - 1);
        let end = if piece + 1 == pieces { part_rows } else { (piece + 1) * self.piece_rows };
        piece * self.piece_rows..end
    }

    /// The rows of each piece of a part of so many rows, as far as they are among `rows`.
    fn pieces_of(self, part_rows: usize, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut left = rows;
        std::iter::from_fn(move || {
            let start = left.start;
            left.start = self.piece_of(part_rows, start).end.min(left.end);
            (start < left.start).then_some(start..left.start)
        })
    }
}

impl Known {
    /// The number of the next access.
    fn tick(&mut self) -> Use {
        self.clock += 1;
        self.clock
    }

    fn get(&mut self, place: Place) -> Option<Arc<Tally>> {
        let now = self.tick();
        let (tally, used) = self.tallies.get_mut(&place)?;
        *used = now;
        Some(Arc::clone(tally))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_and_the_last_takes_a_short_rest() {
        let bounds = Bounds { bytes_max: 1, piece_rows: 100, piece_rows_min: 1, rows_per_group_min: 1 };
        let pieces = |part_rows, rows| bounds.pieces_of(part_rows, rows).collect::<Vec<_>>();
        assert_eq!(pieces(1, 0..1), std::slice::from_ref(&(0..1)));
        assert_eq!(pieces(149, 0..149), std::slice::from_ref(&(0..149)));
        assert_eq!(pieces(150, 0..150), [0..100, 100..150]);
        assert_eq!(pieces(249, 0..249), [0..100, 100..249]);
        assert_eq!(pieces(249, 99..248), [99..100, 100..248]);
        for row in 100..249 {
            assert_eq!(bounds.piece_of(249, row), 100..249);
        }
    }
}
