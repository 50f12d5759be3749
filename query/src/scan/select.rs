//! Which rows of a part pass the filters.
//!
//! First the filters meet the part ([`Checks::new`]): predicates over dictionary columns become tables over codes,
//! selective ones a bitmap out of the posting lists, and what holds for all rows or none is settled. Then the rows
//! are narrowed block by block ([`Checks::narrow`]), cheapest check first, each looking only at what is left.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::common::Result;
use futures::future::BoxFuture;
use ovate_storage::{BLOCK_ROWS, BlockStats, Scalar};
use roaring::RoaringBitmap;

use super::column::{Coded, Codes, PartColumn, PartColumns, external};
use super::filter::{Leaf, Node};
use super::ranges::{Ranges, of_double};
use super::rows::Rows;
use super::truth::{TruthTable, Truths};

/// A posting list is used when it leaves at most one row in this many; otherwise scanning codes is as fast.
const SELECTIVE: u64 = 16;
/// Where rows are only counted, so many lists are used however long they are: their union knows its length.
const LISTS_COUNTED: usize = 16;
/// Posting lists looked at to estimate how many rows a predicate leaves.
const LISTS_ESTIMATED: usize = 256;
/// Parts with fewer rows are scanned: opening posting lists costs more.
const ROWS_WORTH_POSTINGS: usize = 4096;

/// When posting lists are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PostingsUse {
    /// When they promise to be faster than scanning codes.
    #[default]
    Auto,
    /// Wherever there are any.
    Always,
    /// Never.
    Never,
}

/// Filters as they apply to one stretch of one part.
#[derive(Debug)]
pub(crate) struct Checks {
    /// Rows outside do not pass; `None`: no such bitmap.
    candidates: Option<RoaringBitmap>,
    /// What the others have to pass, cheapest first.
    checks: Vec<Check>,
}

/// One filter as it applies to one part.
#[derive(Debug)]
enum Check {
    Time { time: ScalarBuffer<i64>, accepted: Ranges },
    Coded { column: Arc<PartColumn>, index: usize, table: Arc<TruthTable> },
    Bitmap(RoaringBitmap),
    Values(Arc<Leaf>),
    All(Vec<Check>),
    Any(Vec<Check>),
}

/// What a filter comes to on one part.
enum Outcome {
    Nothing,
    Everything,
    Check(Check),
}

/// What deciding between the ways needs to know.
pub(crate) struct Context<'a> {
    /// The part.
    pub(crate) columns: &'a PartColumns,
    /// Tables made so far.
    pub(crate) truths: &'a Truths,
    /// The rows that will be asked for.
    pub(crate) range: Range<usize>,
    /// When posting lists are used.
    pub(crate) postings: PostingsUse,
    /// Whether one filter decides, and only the number of rows matters.
    pub(crate) counts: bool,
}

impl Checks {
    /// `conjuncts` as they apply to a stretch of a part; `None` if no row can pass. With `time`, `__time` has to
    /// be inside as well.
    pub(crate) async fn new(
        conjuncts: &[Node],
        time: Option<&Ranges>,
        context: &Context<'_>,
    ) -> Result<Option<Self>> {
        let mut all = Self { candidates: None, checks: Vec::new() };
        if let Some(accepted) = time {
            all.checks.push(Check::time(accepted.clone(), context)?);
        }
        for conjunct in conjuncts {
            match Outcome::of(conjunct, context).await? {
                Outcome::Nothing => return Ok(None),
                Outcome::Everything => {}
                Outcome::Check(Check::Bitmap(bitmap)) => {
                    all.candidates = Some(match all.candidates.take() {
                        Some(candidates) => candidates & bitmap,
                        None => bitmap,
                    });
                }
                Outcome::Check(check) => all.checks.push(check),
            }
        }
        all.checks.sort_by_key(Check::cost);
        Ok(Some(all))
    }

    /// Whether every row passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.candidates.is_none() && self.checks.is_empty()
    }

    /// The number of rows of `range` that pass, if it is known without looking at them.
    pub(crate) fn count(&self, range: &Range<usize>) -> Option<usize> {
        if !self.checks.is_empty() {
            return None;
        }
        Some(match &self.candidates {
            None => range.len(),
            Some(bitmap) => bitmap.range_cardinality(range.start as u32..range.end as u32) as usize,
        })
    }

    /// The first row of `range` from which it is worth looking, or, with `backward`, the last.
    pub(crate) fn next_candidate(&self, range: &Range<usize>, backward: bool) -> Option<usize> {
        let Some(bitmap) = &self.candidates else {
            return if backward { range.end.checked_sub(1) } else { Some(range.start) }
                .filter(|_| !range.is_empty());
        };
        let mut rows = bitmap.range(range.start as u32..range.end as u32);
        if backward { rows.next_back() } else { rows.next() }.map(|row| row as usize)
    }

    /// The rows of `range`, which lies in one block, that pass. The flag tells whether statistics of the block
    /// alone ruled it out.
    pub(crate) fn narrow(&self, columns: &PartColumns, range: Range<usize>) -> Result<(Rows, bool)> {
        let block = range.start / BLOCK_ROWS;
        for check in &self.checks {
            if check.rules_out(columns, block)? {
                return Ok((Rows::none(), true));
            }
        }
        let mut rows = match &self.candidates {
            Some(bitmap) => Rows::of_bitmap(bitmap, range),
            None => Rows::Range(range),
        };
        for check in &self.checks {
            if rows.is_empty() {
                break;
            }
            rows = check.narrow(columns, block, rows)?;
        }
        Ok((rows, false))
    }
}

impl Outcome {
    fn of<'a>(node: &'a Node, context: &'a Context<'_>) -> BoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            match node {
                Node::Time(accepted) => Self::of_time(accepted, context),
                Node::Leaf(leaf) => Self::of_leaf(leaf, context).await,
                Node::All(nodes) => {
                    let mut checks = Vec::with_capacity(nodes.len());
                    for node in nodes {
                        match Self::of(node, context).await? {
                            Self::Nothing => return Ok(Self::Nothing),
                            Self::Everything => {}
                            Self::Check(check) => checks.push(check),
                        }
                    }
                    Ok(Self::of_all(checks))
                }
                Node::Any(nodes) => {
                    let mut checks = Vec::with_capacity(nodes.len());
                    for node in nodes {
                        match Self::of(node, context).await? {
                            Self::Nothing => {}
                            Self::Everything => return Ok(Self::Everything),
                            Self::Check(check) => checks.push(check),
                        }
                    }
                    Ok(Self::of_any(checks))
                }
            }
        })
    }

    fn of_time(accepted: &Ranges, context: &Context<'_>) -> Result<Self> {
        let (low, high) = context.columns.part().time_range();
        Ok(if accepted.covers(low, high) {
            Self::Everything
        } else if accepted.overlaps(low, high) {
            Self::Check(Check::time(accepted.clone(), context)?)
        } else {
            Self::Nothing
        })
    }

    async fn of_leaf(leaf: &Arc<Leaf>, context: &Context<'_>) -> Result<Self> {
        let [index] = leaf.columns.as_slice() else {
            return Ok(Self::Check(Check::Values(Arc::clone(leaf))));
        };
        let column = context.columns.column(*index)?;
        let PartColumn::Coded(coded) = &*column else { return Self::of_uncoded(leaf, &column) };
        // A search is always worth it; evaluating a large dictionary for the sake of a few rows is not.
        let searches = leaf.lookup.is_some() && coded.sorted;
        if !searches && coded.values.len() > 2 * context.range.len() + 1024 {
            return Ok(Self::Check(Check::Values(Arc::clone(leaf))));
        }
        let Some(table) = context.truths.of(leaf, coded).await? else {
            return Ok(Self::Check(Check::Values(Arc::clone(leaf))));
        };
        if table.selects_nothing() {
            return Ok(Self::Nothing);
        }
        if table.selects_everything(coded.codes.nulls().is_some()) {
            return Ok(Self::Everything);
        }
        if let Some(bitmap) = postings(*index, &table, context)? {
            return Ok(if bitmap.is_empty() { Self::Nothing } else { Self::Check(Check::Bitmap(bitmap)) });
        }
        let index = *index;
        Ok(Self::Check(Check::Coded { column, index, table }))
    }

    /// A column the part does not have is the same for all rows.
    fn of_uncoded(leaf: &Arc<Leaf>, column: &PartColumn) -> Result<Self> {
        if let (PartColumn::Missing, Some(data_type)) = (column, leaf.only_type()) {
            let null: ArrayRef = arrow::array::new_null_array(data_type, 1);
            let selected = !Rows::Range(0..1).keep(&leaf.evaluate(vec![null], 1)?, leaf.wanted).is_empty();
            return Ok(if selected { Self::Everything } else { Self::Nothing });
        }
        Ok(Self::Check(Check::Values(Arc::clone(leaf))))
    }

    fn of_all(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(Check::cost);
        if checks.iter().all(|check| matches!(check, Check::Bitmap(_))) {
            let bitmaps = checks.into_iter().filter_map(Check::into_bitmap);
            return bitmaps
                .reduce(|a, b| a & b)
                .map_or(Self::Everything, |bitmap| Self::Check(Check::Bitmap(bitmap)));
        }
        Self::Check(Check::All(checks))
    }

    fn of_any(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(Check::cost);
        if checks.iter().all(|check| matches!(check, Check::Bitmap(_))) {
            let bitmaps = checks.into_iter().filter_map(Check::into_bitmap);
            return bitmaps
                .reduce(|a, b| a | b)
                .map_or(Self::Nothing, |bitmap| Self::Check(Check::Bitmap(bitmap)));
        }
        Self::Check(Check::Any(checks))
    }
}

/// The rows of the codes that `table` selects, out of the posting lists, if that is the faster way.
fn postings(index: usize, table: &TruthTable, context: &Context<'_>) -> Result<Option<RoaringBitmap>> {
    let rows = context.range.len();
    let worth_it = match context.postings {
        PostingsUse::Never => false,
        PostingsUse::Always => true,
        PostingsUse::Auto => rows >= ROWS_WORTH_POSTINGS,
    };
    if !worth_it {
        return Ok(None);
    }
    let Some(postings) = context.columns.postings(index)? else { return Ok(None) };
    let mut expected = 0u64;
    let is_count = context.counts && table.count <= LISTS_COUNTED;
    if context.postings == PostingsUse::Auto && !is_count {
        if table.count > LISTS_ESTIMATED {
            expected = (context.columns.part().rows() as u64).saturating_mul(table.count as u64)
                / table.len() as u64;
        } else {
            for code in table.codes() {
                expected += postings.cardinality(code).map_err(external)?;
            }
        }
        if table.null_selected {
            expected += postings.null_cardinality().map_err(external)?;
        }
        if expected * SELECTIVE > rows as u64 {
            return Ok(None);
        }
    }
    let mut bitmap = postings.union(table.codes()).map_err(external)?;
    if table.null_selected {
        bitmap |= postings.nulls().map_err(external)?;
    }
    Ok(Some(bitmap))
}

impl Check {
    fn time(accepted: Ranges, context: &Context<'_>) -> Result<Self> {
        let time = context.columns.part().time().map_err(external)?.values().clone();
        Ok(Self::Time { time, accepted })
    }

    fn into_bitmap(self) -> Option<RoaringBitmap> {
        if let Self::Bitmap(bitmap) = self { Some(bitmap) } else { None }
    }

    /// Relative cost a row. Lookups in small tables first, expressions last.
    fn cost(&self) -> usize {
        match self {
            Self::Bitmap(_) => 1,
            Self::Coded { column, .. } => match &**column {
                PartColumn::Coded(coded) => 2 + coded.codes.width(),
                _ => 8,
            },
            Self::Time { .. } => 4,
            Self::Values(leaf) => 16 * leaf.columns.len().max(1),
            Self::All(checks) | Self::Any(checks) => 8 + checks.iter().map(Self::cost).sum::<usize>(),
        }
    }

    /// Whether the block's statistics show that no row of it can pass.
    fn rules_out(&self, columns: &PartColumns, block: usize) -> Result<bool> {
        Ok(match self {
            Self::Coded { index, table, .. } => columns.block(*index, block)?.is_some_and(|stats| {
                let values = match (&stats.min, &stats.max) {
                    (Scalar::Code(low), Scalar::Code(high)) => table.selects_any(*low, *high),
                    // NaN is in no bound.
                    (Scalar::Null, Scalar::Null) => stats.has_nan,
                    _ => true,
                };
                let nulls = table.null_selected && stats.nulls > 0;
                !(values || nulls)
            }),
            Self::Values(leaf) => block_of(leaf, columns, block)?.is_some_and(|block| block.fails(leaf)),
            Self::All(checks) => any(checks, |check| check.rules_out(columns, block))?,
            Self::Any(checks) => !any(checks, |check| Ok(!check.rules_out(columns, block)?))?,
            Self::Time { .. } | Self::Bitmap(_) => false,
        })
    }

    fn narrow(&self, columns: &PartColumns, block: usize, rows: Rows) -> Result<Rows> {
        match self {
            Self::Bitmap(bitmap) => Ok(rows.filter(|row| bitmap.contains(row as u32))),
            Self::Time { time, accepted } => Ok(rows.filter(|row| accepted.contains(time[row]))),
            Self::Coded { column, table, .. } => match &**column {
                PartColumn::Coded(coded) => Ok(by_code(coded, table, rows)),
                _ => Ok(rows),
            },
            Self::Values(leaf) => {
                if block_of(leaf, columns, block)?.is_some_and(|block| block.holds(leaf)) {
                    return Ok(rows);
                }
                by_value(leaf, columns, rows)
            }
            Self::All(checks) => checks.iter().try_fold(rows, |rows, check| {
                if rows.is_empty() { Ok(rows) } else { check.narrow(columns, block, rows) }
            }),
            Self::Any(checks) => {
                let span = rows.span();
                let mut passed = Rows::none();
                for check in checks {
                    if check.rules_out(columns, block)? {
                        continue;
                    }
                    passed = passed.union(&check.narrow(columns, block, rows.clone())?, &span);
                    if passed.len() == rows.len() {
                        break;
                    }
                }
                Ok(passed)
            }
        }
    }
}

fn any(checks: &[Check], test: impl Fn(&Check) -> Result<bool>) -> Result<bool> {
    for check in checks {
        if test(check)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn by_value(leaf: &Leaf, columns: &PartColumns, rows: Rows) -> Result<Rows> {
    let evaluate = |read: &Rows| {
        let values =
            leaf.columns.iter().map(|&index| columns.decode(index, read)).collect::<Result<Vec<_>>>()?;
        leaf.evaluate(values, read.len())
    };
    match evaluate(&rows.dense()) {
        Ok(verdicts) => Ok(rows.keep(&verdicts, leaf.wanted)),
        // Rows between those asked for were evaluated too; an error of theirs is nobody's.
        Err(_) if matches!(rows, Rows::Mask { .. }) => {
            let rows = Rows::Positions(rows.into_positions());
            Ok(rows.clone().keep(&evaluate(&rows)?, leaf.wanted))
        }
        Err(error) => Err(error),
    }
}

fn by_code(coded: &Coded, table: &TruthTable, rows: Rows) -> Rows {
    match &coded.codes {
        Codes::U8(codes) => by_code_of(codes, table, rows),
        Codes::U16(codes) => by_code_of(codes, table, rows),
        Codes::U32(codes) => by_code_of(codes, table, rows),
    }
}

fn by_code_of<K: ArrowPrimitiveType>(codes: &PrimitiveArray<K>, table: &TruthTable, rows: Rows) -> Rows {
    let values = codes.values();
    let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
    if let Some(nulls) = nulls {
        return rows.filter(|row| {
            if nulls.is_valid(row) { table.selects(values[row].as_usize()) } else { table.null_selected }
        });
    }
    // The commonest filters, one value out of many or a stretch of sorted values, are comparisons of whole vectors.
    if let Some((first, last)) = table.stretch()
        && let (Some(first), Some(last)) = (K::Native::from_usize(first), K::Native::from_usize(last))
    {
        if first == last {
            return rows.filter_by(values, |code| code == first);
        }
        return rows.filter_by(values, |code| (first..=last).contains(&code));
    }
    rows.filter_by(values, |code| table.selects(code.as_usize()))
}

/// A block of a numeric column as [`Ranges`] see it.
struct NumericBlock {
    low: i64,
    high: i64,
    has_nulls: bool,
    has_nan: bool,
}

/// The statistics of the leaf's only column, where it has numbers in the table and the same in the part.
fn block_of(leaf: &Leaf, columns: &PartColumns, block: usize) -> Result<Option<NumericBlock>> {
    let ([index], Some(_)) = (leaf.columns.as_slice(), &leaf.bounds) else { return Ok(None) };
    if !columns.keeps_numbers(*index) {
        return Ok(None);
    }
    let as_double = matches!(columns.sql_type(*index), DataType::Float32 | DataType::Float64);
    Ok(columns.block(*index, block)?.and_then(|stats| NumericBlock::of(stats, as_double)))
}

impl NumericBlock {
    fn of(stats: &BlockStats, as_double: bool) -> Option<Self> {
        let (low, high) = match (&stats.min, &stats.max) {
            (Scalar::Long(low), Scalar::Long(high)) if as_double => {
                (of_double(*low as f64), of_double(*high as f64))
            }
            (Scalar::Long(low), Scalar::Long(high)) => (*low, *high),
            (Scalar::Double(low), Scalar::Double(high)) => (of_double(*low), of_double(*high)),
            // Codes, or no value at all.
            _ => return None,
        };
        Some(Self { low, high, has_nulls: stats.nulls > 0, has_nan: stats.has_nan })
    }

    /// Whether the leaf selects none of the block's rows.
    fn fails(&self, leaf: &Leaf) -> bool {
        leaf.bounds.as_ref().is_some_and(|bounds| {
            let nulls = self.has_nulls && bounds.null_can_hold;
            !(bounds.can_hold.overlaps(self.low, self.high) || nulls || self.has_nan)
        })
    }

    /// Whether the leaf selects all of the block's rows.
    fn holds(&self, leaf: &Leaf) -> bool {
        leaf.bounds.as_ref().is_some_and(|bounds| {
            bounds.exact
                && bounds.can_hold.covers(self.low, self.high)
                && (!self.has_nulls || bounds.null_can_hold)
                && !self.has_nan
        })
    }
}
