//! Commands that look into a data folder which no process has open.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ovate_storage::{Finding, SegmentRecord, Store, StoreOptions, WorkProgress};

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

/// `ovate verify`: reads every byte of every segment, and everything in the catalog. Changes nothing.
pub(crate) fn verify(folder: &Path) -> Result<()> {
    let store = open(folder)?;
    let line = ProgressLine::default();
    let report = store.verify(|progress| line.show(progress))?;
    line.clear();
    for finding in &report.findings {
        println!("{finding}");
    }
    let damaged = report.findings.iter().filter(|finding| finding.is_damage()).count();
    let orphans = report.findings.iter().filter(|finding| matches!(finding, Finding::Orphan { .. })).count();
    println!("{} segments, {} rows, {} bytes checked", report.segments, report.rows, report.bytes);
    if orphans > 0 {
        println!("{orphans} orphans, which the next start removes");
    }
    if damaged > 0 {
        bail!("{damaged} things are damaged; queries that need them fail");
    }
    println!("nothing is damaged");
    Ok(())
}

/// `ovate backup`: a second data folder with the same segments and offsets.
pub(crate) fn backup(folder: &Path, target: &Path) -> Result<()> {
    let store = open(folder)?;
    let line = ProgressLine::default();
    let report = store
        .backup(target, |progress| line.show(progress))
        .with_context(|| format!("no backup was made in {}", target.display()))?;
    line.clear();
    println!(
        "{} segments, {} rows, {} bytes in {}",
        report.segments,
        report.rows,
        report.bytes,
        target.display()
    );
    Ok(())
}

/// Opens a folder to look at it: what a crash left behind stays.
fn open(folder: &Path) -> Result<Arc<Store>> {
    if !folder.join("catalog.redb").exists() {
        bail!("{} is not a data folder: it has no catalog.redb", folder.display());
    }
    Ok(Store::open(folder, StoreOptions { remove_orphans: false, ..StoreOptions::default() })?)
}

/// One line on a terminal that is written over and over; nothing elsewhere.
#[derive(Default)]
struct ProgressLine {
    percent: Cell<Option<u64>>,
}

impl ProgressLine {
    fn show(&self, progress: &WorkProgress<'_>) {
        let percent = progress.bytes_done * 100 / progress.bytes.max(1);
        if self.percent.replace(Some(percent)) != Some(percent) && stderr().is_terminal() {
            let WorkProgress { segments_done, segments, .. } = progress;
            eprint!("\r{percent:>3} %, {segments_done} of {segments} segments ");
            let _ = stderr().flush();
        }
    }

    fn clear(&self) {
        if self.percent.take().is_some() && stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}
