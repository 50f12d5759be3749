//! Which segments to compact: a decision over the catalog's records alone, so that it can be tested alone.
//!
//! Segments of one chunk and one version are merged when there are many small ones of about one size: none is larger
//! than all smaller ones together, twice. So a row is in a segment half as large again each time it is rewritten, which is
//! a number of times logarithmic in the rows of its chunk, however often rows arrive. A chunk that takes no more rows is
//! merged down to as few segments as its size allows.
//!
//! A chunk that ended long ago is *cold*, if the options say when that is: its segments become Parquet, as large as a
//! step allows. Rows that come late all the same are published as ever, and become cold in their turn.
//!
//! Segments whose columns contradict each other (a name that is a string here and a number there) are not merged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::catalog::SegmentRecord;
use crate::schema::{COMPANION_PREFIX, ColumnRole, ColumnSpec, TableSchema};
use crate::segment::Form;
use crate::time::Interval;

/// When to compact, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionOptions {
    /// A segment of so many rows is not small any more, and stays as it is.
    pub small_rows_max: u64,
    /// So many small segments of about one size are worth compacting.
    pub segments_min: usize,
    /// A chunk that took no rows for so long is compacted whenever it has two small segments.
    pub quiet_ms: i64,
    /// The rows of one step, all of which are in memory at once.
    pub step_rows_max: u64,
    /// The bytes of the files that one step reads.
    pub step_bytes_max: u64,
    /// Chunks that ended before this are cold; `None`: none ever is.
    pub cold_before_ms: Option<i64>,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self {
            small_rows_max: 1_000_000,
            segments_min: 8,
            quiet_ms: 3_600_000,
            step_rows_max: 2_000_000,
            step_bytes_max: 512 << 20,
            cold_before_ms: None,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The segments to merge, in the order in which they were published.
    pub records: Vec<&'a SegmentRecord>,
    /// How the columns of the new segments are to lie on disk.
    pub form: Form,
}

/// The next step; `None` if there is nothing to do. `records` are those in use.
pub fn plan<'a>(
    records: impl Iterator<Item = &'a SegmentRecord>,
    options: &CompactionOptions,
    now_ms: i64,
) -> Option<Plan<'a>> {
    let mut chunks: BTreeMap<(Interval, &str), Vec<&SegmentRecord>> = BTreeMap::new();
    for record in records {
        chunks.entry((record.interval, &record.version)).or_default().push(record);
    }
    let plans = chunks.into_iter().filter_map(|((interval, _), chunk)| {
        let is_cold = options.cold_before_ms.is_some_and(|before_ms| interval.end_ms < before_ms);
        let form = if is_cold { Form::Parquet } else { Form::Arrow };
        let warm = if is_cold { warm(&chunk, options) } else { None };
        let mut records = warm.or_else(|| small(chunk, options, now_ms))?;
        records.sort_by_key(|record| record.partition_num);
        Some(Plan { records, form })
    });
    plans.max_by_key(|plan| plan.records.len())
}

/// The segments of a cold chunk that are not Parquet yet, as many as fit into a step and at least one.
fn warm<'a>(chunk: &[&'a SegmentRecord], options: &CompactionOptions) -> Option<Vec<&'a SegmentRecord>> {
    let warm = chunk.iter().copied().filter(|record| record.files.form == Form::Arrow).collect();
    let mut warm = compatible(warm);
    warm.sort_by_key(|record| (record.rows, record.partition_num));
    let count = step(&warm, true, options).len().max(1);
    warm.truncate(count);
    (!warm.is_empty()).then_some(warm)
}

/// The small segments of a chunk that are worth merging.
fn small<'a>(
    chunk: Vec<&'a SegmentRecord>,
    options: &CompactionOptions,
    now_ms: i64,
) -> Option<Vec<&'a SegmentRecord>> {
    let latest_ms = chunk.iter().map(|record| record.created_ms).max()?;
    let is_quiet = now_ms.saturating_sub(latest_ms) >= options.quiet_ms;
    let count_min = if is_quiet { 2 } else { options.segments_min.max(2) };
    let mut small = compatible(chunk);
    small.retain(|record| {
        record.rows < options.small_rows_max && record.size_bytes < options.step_bytes_max / 2
    });
    small.sort_by_key(|record| (record.rows, record.partition_num));
    // Of several that are equally long, the one with the smallest.
    let starts = (0..small.len()).rev();
    let taken =
        starts.map(|start| step(&small[start..], is_quiet, options)).max_by_key(|taken| taken.len())?;
    (taken.len() >= count_min).then(|| taken.to_vec())
}

/// As many of `small`, the smallest first, as fit into a step, and as are no larger than twice all before them
/// together. The second one is larger than the first wherever sizes differ: so it takes the factor.
fn step<'a, 'r>(
    small: &'r [&'a SegmentRecord],
    is_quiet: bool,
    options: &CompactionOptions,
) -> &'r [&'a SegmentRecord] {
    let (mut rows, mut bytes) = (0, 0);
    let beyond = small.iter().position(|record| {
        let pays = is_quiet || rows == 0 || record.rows <= 2 * rows;
        rows += record.rows;
        bytes += record.size_bytes;
        !pays || rows > options.step_rows_max || bytes > options.step_bytes_max
    });
    &small[..beyond.unwrap_or(small.len())]
}

/// The latest segment, and those before it whose columns do not contradict it or each other.
fn compatible(mut chunk: Vec<&SegmentRecord>) -> Vec<&SegmentRecord> {
    chunk.sort_by_key(|record| std::cmp::Reverse(record.partition_num));
    let mut known: HashMap<&str, &ColumnSpec> = HashMap::new();
    chunk.retain(|record| {
        let fits = record.columns.iter().all(|spec| {
            let other = known.get(spec.name.as_str());
            other.is_none_or(|other| other.column_type == spec.column_type && other.role == spec.role)
        });
        if fits {
            for spec in record.columns.iter() {
                known.entry(&spec.name).or_insert(spec);
            }
        }
        fits
    });
    chunk
}

/// The shape of the merged rows: the columns of the latest segment, with those that only earlier ones have after its
/// dimensions and after its metrics. Rows roll up where `current`, the datasource's schema, asks for it, and all of them
/// were published so: a specification that asks for it today says nothing about events of before.
pub(crate) fn merged_schema(records: &[&SegmentRecord], current: &TableSchema) -> Arc<TableSchema> {
    let mut columns: Vec<ColumnSpec> = Vec::new();
    for (age, record) in records.iter().rev().enumerate() {
        let is_latest = age == 0;
        for spec in record.columns.iter().filter(|spec| !spec.name.starts_with(COMPANION_PREFIX)) {
            match columns.iter_mut().find(|known| known.name == spec.name) {
                Some(known) => known.multi_value |= spec.multi_value,
                // The latest order stands: it is the order of sorting.
                None if is_latest || spec.role != ColumnRole::Dimension => columns.push(spec.clone()),
                None => {
                    let last = columns.iter().rposition(|known| known.role == ColumnRole::Dimension);
                    columns.insert(last.map_or(0, |last| last + 1), spec.clone());
                }
            }
        }
    }
    let rollup = current.rollup && records.iter().all(|record| record.rollup);
    Arc::new(TableSchema { columns, rollup, ..current.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnType;
    use crate::segment::SegmentFiles;

    const OPTIONS: CompactionOptions = CompactionOptions {
        small_rows_max: 1000,
        segments_min: 4,
        quiet_ms: 100,
        step_rows_max: 2000,
        step_bytes_max: 1 << 30,
        cold_before_ms: None,
    };

    fn record(partition_num: u32, rows: u64) -> SegmentRecord {
        SegmentRecord {
            id: format!("s{partition_num}"),
            datasource: "ds".to_owned(),
            interval: Interval::new(0, 10),
            version: "v".to_owned(),
            partition_num,
            rows,
            size_bytes: rows,
            min_time_ms: 0,
            max_time_ms: 9,
            columns: Arc::from([ColumnSpec::dimension("a", ColumnType::String)]),
            rollup: false,
            files: SegmentFiles { form: Form::Arrow, data_bytes: 1, index_bytes: 1, checksum: 1 },
            used: true,
            created_ms: 0,
        }
    }

    fn planned(records: &[SegmentRecord], now_ms: i64) -> Vec<u32> {
        let plan = plan(records.iter(), &OPTIONS, now_ms);
        plan.iter().flat_map(|plan| &plan.records).map(|record| record.partition_num).collect()
    }

    #[test]
    fn few_segments_of_a_chunk_that_still_takes_rows_are_left_alone() {
        let records = [record(0, 5), record(1, 5), record(2, 5)];
        assert_eq!(planned(&records, 99), [0; 0]);
        assert_eq!(planned(&records, 100), [0, 1, 2]);
        assert_eq!(planned(&records[..1], 100), [0; 0]);
    }

    #[test]
    fn a_large_segment_is_not_written_again_for_the_sake_of_small_ones() {
        let records: Vec<_> = [900, 5, 5, 5, 5].iter().zip(0..).map(|(&rows, n)| record(n, rows)).collect();
        assert_eq!(planned(&records, 0), [1, 2, 3, 4]);
        assert_eq!(planned(&records, 100), [0, 1, 2, 3, 4]);
        let records: Vec<_> = [1000, 1000, 5, 5].iter().zip(0..).map(|(&rows, n)| record(n, rows)).collect();
        assert_eq!(planned(&records, 100), [2, 3]);
    }

    #[test]
    fn segments_of_about_one_size_are_merged_although_no_two_are_equal() {
        let records: Vec<_> = (0..4).map(|n| record(n, 100 + 7 * u64::from(n))).collect();
        assert_eq!(planned(&records, 0), [0, 1, 2, 3]);
    }

    #[test]
    fn a_step_is_bounded() {
        let records: Vec<_> = (0..20).map(|n| record(n, 300)).collect();
        assert_eq!(planned(&records, 0).len(), 6);
    }

    #[test]
    fn segments_of_another_chunk_version_or_column_type_are_not_mixed_in() {
        let mut records: Vec<_> = (0..4).map(|n| record(n, 5)).collect();
        records[0].version = "w".to_owned();
        records[1].interval = Interval::new(10, 20);
        assert_eq!(planned(&records, 100), [2, 3]);
        records[2].columns = Arc::from([ColumnSpec::dimension("a", ColumnType::Long)]);
        assert_eq!(planned(&records, 100), [0; 0]);
    }

    #[test]
    fn segments_of_a_cold_chunk_become_parquet_once() {
        let options = CompactionOptions { cold_before_ms: Some(11), ..OPTIONS };
        let planned = |records: &[SegmentRecord], options: &CompactionOptions| {
            let plan = plan(records.iter(), options, 0)?;
            Some((plan.records.iter().map(|record| record.partition_num).collect::<Vec<_>>(), plan.form))
        };
        // Neither the number of segments nor their size matters; only a step is not made too large.
        let mut records: Vec<_> = [5000, 7, 5].iter().zip(0..).map(|(&rows, n)| record(n, rows)).collect();
        assert_eq!(planned(&records, &options), Some((vec![1, 2], Form::Parquet)));
        records[1].files.form = Form::Parquet;
        records[2].files.form = Form::Parquet;
        assert_eq!(planned(&records, &options), Some((vec![0], Form::Parquet)));
        records[0].files.form = Form::Parquet;
        assert_eq!(planned(&records, &options), None);
        // A chunk that ended just now is not cold.
        records[0].files.form = Form::Arrow;
        assert_eq!(planned(&records, &CompactionOptions { cold_before_ms: Some(10), ..OPTIONS }), None);
    }

    #[test]
    fn late_rows_of_a_cold_chunk_are_merged_with_what_is_there_as_parquet() {
        let options = CompactionOptions { cold_before_ms: Some(11), ..OPTIONS };
        let mut records: Vec<_> = (0..4).map(|n| record(n, 5)).collect();
        for record in &mut records {
            record.files.form = Form::Parquet;
        }
        let plan = plan(records.iter(), &options, 0).unwrap();
        assert_eq!((plan.records.len(), plan.form), (4, Form::Parquet));
    }

    #[test]
    fn rows_are_rewritten_a_logarithmic_number_of_times() {
        rewrite_as_they_arrive(&[1; 900]);
        let of_many_sizes: Vec<u64> = (0..450).map(|n| 1 + n * 7 % 4).collect();
        rewrite_as_they_arrive(&of_many_sizes);
    }

    fn rewrite_as_they_arrive(sizes: &[u64]) {
        let mut records: Vec<SegmentRecord> = Vec::new();
        let (mut next, mut written) = (0, 0);
        for &rows in sizes {
            records.push(record(next, rows));
            next += 1;
            while let Some(plan) = plan(records.iter(), &OPTIONS, 0) {
                let rows = plan.records.iter().map(|record| record.rows).sum();
                let merged: Vec<u32> = plan.records.iter().map(|record| record.partition_num).collect();
                written += rows;
                records.retain(|record| !merged.contains(&record.partition_num));
                records.push(record(next, rows));
                next += 1;
            }
        }
        let rows: u64 = sizes.iter().sum();
        assert_eq!(records.iter().map(|record| record.rows).sum::<u64>(), rows);
        assert!(records.len() < 24, "{} segments", records.len());
        assert!(written < rows * 10, "{written} of {rows} rows written");
    }
}
