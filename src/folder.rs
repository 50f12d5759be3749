//! Commands that look into a data folder which no process has open.

use std::path::Path;

use anyhow::{Result, bail};
use ovate_storage::snapshot::SegmentPart;
use ovate_storage::{Part, SegmentRecord, Store, StoreOptions};

/// `ovate segments`: one line per segment.
pub(crate) fn list_segments(folder: &Path) -> Result<()> {
    let store = open(folder)?;
    let records = store.segment_records(None)?;
    println!("{:<24} {:>12} {:>14} {:<6} segment", "datasource", "rows", "bytes", "used");
    for record in &records {
        let SegmentRecord { datasource, rows, size_bytes, used, id, .. } = record;
        println!("{datasource:<24} {rows:>12} {size_bytes:>14} {used:<6} {id}");
    }
    println!("{} segments, {} rows", records.len(), records.iter().map(|r| r.rows).sum::<u64>());
    Ok(())
}

/// `ovate verify`: reads every byte of every used segment.
pub(crate) fn verify(folder: &Path) -> Result<()> {
    let store = open(folder)?;
    let (mut checked, mut damaged) = (0u64, 0u64);
    for name in store.datasources() {
        let Some(datasource) = store.datasource(&name) else { continue };
        for part in &datasource.snapshot().parts {
            let Part::Segment(segment) = part else { continue };
            checked += 1;
            if let Err(error) = verify_segment(segment) {
                damaged += 1;
                println!("damaged  {}: {error}", part.id());
            }
        }
    }
    println!("{checked} segments checked, {damaged} damaged");
    if damaged > 0 {
        bail!("{damaged} of {checked} segments are damaged");
    }
    Ok(())
}

fn verify_segment(segment: &SegmentPart) -> ovate_storage::Result<()> {
    segment.handle().open()?.verify()
}

fn open(folder: &Path) -> Result<std::sync::Arc<Store>> {
    if !folder.join("catalog.redb").exists() {
        bail!("{} is not a data folder: it has no catalog.redb", folder.display());
    }
    Ok(Store::open(folder, StoreOptions::default())?)
}
