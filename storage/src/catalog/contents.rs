//! All that a catalog holds, as values: what a backup is made from.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::{
    DATASOURCES, HISTORY, History, Json, META, OFFSET_EVENTS, PROGRESS, RULE_HISTORY, RULES, SEGMENTS,
    SUPERVISORS, SegmentRecord, all, failed, table,
};
use crate::error::Result;

/// Values as they are stored, and the segments, which say which files belong to them.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    tables: Vec<BTreeMap<String, String>>,
    histories: Vec<BTreeMap<(String, u64), String>>,
    pub(crate) segments: Vec<SegmentRecord>,
}

/// The tables of [`Contents::tables`], in this order.
const TABLES: [Json; 6] = [META, DATASOURCES, SEGMENTS, PROGRESS, SUPERVISORS, RULES];
/// The tables of [`Contents::histories`], in this order.
const HISTORIES: [History; 3] = [HISTORY, RULE_HISTORY, OFFSET_EVENTS];

impl Contents {
    pub(super) fn read(transaction: &ReadTransaction) -> Result<Self> {
        let mut tables = Vec::new();
        for definition in TABLES {
            let mut values = BTreeMap::new();
            if let Some(table) = table(transaction, definition)? {
                for entry in table.iter().map_err(failed("read"))? {
                    let (key, value) = entry.map_err(failed("read"))?;
                    values.insert(key.value().to_owned(), value.value().to_owned());
                }
            }
            tables.push(values);
        }
        let mut histories = Vec::new();
        for definition in HISTORIES {
            let mut values = BTreeMap::new();
            if let Some(table) = table(transaction, definition)? {
                for entry in table.iter().map_err(failed("read"))? {
                    let (key, value) = entry.map_err(failed("read"))?;
                    let (id, number) = key.value();
                    values.insert((id.to_owned(), number), value.value().to_owned());
                }
            }
            histories.push(values);
        }
        let segments = all(transaction, SEGMENTS)?.into_values().collect();
        Ok(Self { tables, histories, segments })
    }

    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<()> {
        for (definition, values) in TABLES.into_iter().zip(&self.tables) {
            let mut table = transaction.open_table(definition).map_err(failed("copy"))?;
            for (key, value) in values {
                table.insert(key.as_str(), value.as_str()).map_err(failed("copy"))?;
            }
        }
        for (definition, values) in HISTORIES.into_iter().zip(&self.histories) {
            let mut table = transaction.open_table(definition).map_err(failed("copy"))?;
            for ((id, number), value) in values {
                table.insert((id.as_str(), *number), value.as_str()).map_err(failed("copy"))?;
            }
        }
        Ok(())
    }
}
