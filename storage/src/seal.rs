//! Sealing: frozen rows become segments, one or more per time chunk. Where the rows come from, the hot index or
//! smaller segments ([`crate::thaw`]), makes no difference to the bytes that are written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::dictionary::Dictionary;
use crate::disk::Disk;
use crate::error::Result;
use crate::hot::{Frozen, Run, RunColumn};
use crate::segment::{Form, InputColumn, SegmentInput, SegmentSummary, write_segment};
use crate::time::Interval;
use crate::timeline;

/// All rows of a frozen generation, joined and ready to be written.
#[derive(Debug)]
pub(crate) struct Sealing<'a> {
    frozen: &'a Frozen,
    run: Run,
    values: Vec<InputColumn>,
}

/// The rows of one segment to be.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) place: timeline::Chunk,
    /// Positions in the joined rows; `None` for all.
    rows: Option<Vec<u32>>,
}

impl<'a> Sealing<'a> {
    /// Joins the runs of `frozen` and rolls them up where the schema asks for it.
    pub(crate) fn new(frozen: &'a Frozen) -> Result<Self> {
        let mut run = Run::concat(&frozen.runs, &frozen.dictionaries)?;
        if frozen.schema.rollup {
            run = run.rolled_up(&frozen.schema.columns, &frozen.companions)?;
        }
        let values = (0..frozen.columns.len())
            .map(|at| input_column(run.columns.get(at), frozen.dictionaries.get(at)))
            .collect();
        Ok(Self { frozen, run, values })
    }

    /// The segments to be: one per time chunk, and more where a chunk has more than `segment_rows_max` rows.
    /// `chunk_of` gives the chunk of a time, and the stretch around it that belongs to the same.
    pub(crate) fn chunks(
        &self,
        segment_rows_max: usize,
        chunk_of: impl Fn(i64) -> (timeline::Chunk, Interval),
    ) -> Vec<Chunk> {
        cut(&self.run, segment_rows_max, chunk_of)
    }

    /// The rows of a chunk in two halves; `None` if there is only one row.
    pub(crate) fn halves(&self, chunk: &Chunk) -> Option<[Chunk; 2]> {
        let rows = chunk.rows.clone().unwrap_or_else(|| (0..self.run.rows() as u32).collect());
        let (first, second) = rows.split_at(rows.len() / 2);
        let half = |rows: &[u32]| Chunk { place: chunk.place.clone(), rows: Some(rows.to_vec()) };
        (!first.is_empty()).then(|| [half(first), half(second)])
    }

    /// Writes one chunk into `folder`, synced.
    pub(crate) fn write(
        &self,
        chunk: &Chunk,
        form: Form,
        disk: &dyn Disk,
        folder: &Path,
        datasource: &str,
    ) -> Result<SegmentSummary> {
        let input = SegmentInput {
            datasource,
            interval: chunk.place.interval,
            version: &chunk.place.version,
            columns: &self.frozen.columns,
            time: &self.run.time,
            values: &self.values,
            rows: chunk.rows.as_deref(),
        };
        write_segment(disk, folder, &input, form)
    }
}

/// A column of joined rows as a segment is written from it; `dictionary` has its strings.
pub(crate) fn input_column(column: Option<&RunColumn>, dictionary: Option<&Dictionary>) -> InputColumn {
    let strings =
        || Arc::new(dictionary.map_or_else(|| Dictionary::new().values_from(0), |d| d.values_from(0)));
    match column {
        Some(RunColumn::Codes(codes)) => InputColumn::Codes { codes: codes.clone(), values: strings() },
        Some(RunColumn::MultiCodes { ends, codes }) => {
            InputColumn::MultiCodes { ends: ends.clone(), codes: codes.clone(), values: strings() }
        }
        Some(RunColumn::Text(array)) => InputColumn::Text(array.clone()),
        Some(RunColumn::Long(array)) => InputColumn::Long(array.clone()),
        Some(RunColumn::Float(array)) => InputColumn::Float(array.clone()),
        Some(RunColumn::Double(array)) => InputColumn::Double(array.clone()),
        Some(RunColumn::Absent) | None => InputColumn::Absent,
    }
}

/// Which rows go into which segment: by time chunk, and within one by order of arrival.
fn cut(
    run: &Run,
    segment_rows_max: usize,
    chunk_of: impl Fn(i64) -> (timeline::Chunk, Interval),
) -> Vec<Chunk> {
    let (mut place, mut stretch) = chunk_of(run.time_range.0);
    if stretch.contains(run.time_range.1) && run.rows() <= segment_rows_max {
        return vec![Chunk { place, rows: None }];
    }
    let mut by_chunk: BTreeMap<timeline::Chunk, Vec<u32>> = BTreeMap::new();
    // Neighbours are mostly of one chunk, and there are few chunks: each stretch is asked for once.
    let mut known = BTreeMap::from([(stretch.start_ms, (stretch, place.clone()))]);
    let mut rows: Vec<u32> = Vec::new();
    for (row, &time) in run.time.iter().enumerate() {
        if !stretch.contains(time) {
            by_chunk.entry(place).or_default().append(&mut rows);
            let before = known.range(..=time).next_back().map(|(_, found)| found.clone());
            (stretch, place) = before.filter(|(stretch, _)| stretch.contains(time)).unwrap_or_else(|| {
                let (place, stretch) = chunk_of(time);
                known.insert(stretch.start_ms, (stretch, place.clone()));
                (stretch, place)
            });
        }
        rows.push(row as u32);
    }
    by_chunk.entry(place).or_default().append(&mut rows);
    by_chunk
        .into_iter()
        .flat_map(|(place, rows)| {
            rows.chunks(segment_rows_max)
                .map(|rows| Chunk { place: place.clone(), rows: Some(rows.to_vec()) })
                .collect::<Vec<_>>()
        })
        .collect()
}
