//! A table with a column of every kind, and the dice that fill it: for the scan's own tests and for the oracles.

use std::sync::Arc;

use ovate_storage::time::Granularity;
use ovate_storage::{BatchColumn, ColumnSpec, ColumnType, NULL_CODE, Rollup, RowBatch, TableSchema, Writer};

/// 2026-03-01T00:00:00Z.
pub(crate) const START_MS: i64 = 1_772_323_200_000;

/// Numbers that look random, the same for the same seed (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }

    /// Something in seven of eight cases.
    pub(crate) fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(8) > 0).then(|| value(self))
    }
}

/// One row, as a model of every column type.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) time: i64,
    pub(crate) city: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) level: Option<i64>,
    pub(crate) serial: Option<i64>,
    pub(crate) ratio: Option<f32>,
    pub(crate) value: Option<f64>,
}

pub(crate) fn schema() -> Arc<TableSchema> {
    let tags = ColumnSpec { multi_value: true, ..ColumnSpec::dimension("tags", ColumnType::String) };
    Arc::new(TableSchema {
        columns: vec![
            ColumnSpec::dimension("city", ColumnType::String),
            ColumnSpec::dimension("device", ColumnType::String),
            ColumnSpec { bitmap_index: false, ..ColumnSpec::dimension("note", ColumnType::String) },
            tags,
            ColumnSpec::dimension("level", ColumnType::Long),
            ColumnSpec::dimension("serial", ColumnType::Long),
            ColumnSpec::metric("ratio", ColumnType::Float, Rollup::Sum),
            ColumnSpec::metric("value", ColumnType::Double, Rollup::Sum),
        ],
        segment_granularity: Granularity::day(),
        query_granularity: Granularity::NONE,
        rollup: false,
    })
}

/// The rows as a writer takes them.
pub(crate) fn batch(writer: &mut Writer, rows: &[Row]) -> RowBatch {
    let mut text = |at: usize, of: fn(&Row) -> &Option<String>| {
        if writer.is_plain(at) {
            return BatchColumn::Text(rows.iter().map(|row| of(row).as_deref()).collect());
        }
        let dictionary = writer.dictionary(at);
        let codes =
            rows.iter().map(|row| of(row).as_ref().map_or(NULL_CODE, |value| dictionary.intern(value)));
        BatchColumn::Codes(codes.collect())
    };
    let texts = [text(0, |row| &row.city), text(1, |row| &row.device), text(2, |row| &row.note)];
    let mut codes = Vec::new();
    let ends = rows.iter().map(|row| {
        codes.extend(row.tags.iter().map(|tag| writer.dictionary(3).intern(tag)));
        codes.len() as u32
    });
    let ends = ends.collect();
    let others = [
        BatchColumn::MultiCodes { ends, codes },
        BatchColumn::Long(rows.iter().map(|row| row.level).collect()),
        BatchColumn::Long(rows.iter().map(|row| row.serial).collect()),
        BatchColumn::Float(rows.iter().map(|row| row.ratio).collect()),
        BatchColumn::Double(rows.iter().map(|row| row.value).collect()),
    ];
    RowBatch {
        time: rows.iter().map(|row| row.time).collect(),
        raw_time: None,
        columns: texts.into_iter().chain(others).collect(),
    }
}
