//! Commands that work on a data folder which no process has open; and the backup of one that has.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ovate_storage::time::Period;
use ovate_storage::{
    BackupReport, CompactionOptions, ExportReport, Finding, Form, Part, SegmentRecord, Store, StoreOptions,
    WorkProgress,
};
use serde_json::{Value, json};

use crate::ask;
use crate::care::Compaction;

/// Prints a line. Whoever has stopped reading, as `head` does, wants no more of them; the work goes on.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(stdout(), $($text)*);
    }};
}

/// `ovate segments`: one line per segment.
pub(crate) fn list_segments(folder: &Path) -> Result<()> {
    let store = open(folder)?;
    let records = store.segment_records(None)?;
    say!("{:<24} {:>12} {:>14} {:<7} {:<7} segment", "datasource", "rows", "bytes", "state", "form");
    for record in &records {
        let SegmentRecord { datasource, rows, size_bytes, id, .. } = record;
        let (state, form) = (state(&store, record), form(record));
        say!("{datasource:<24} {rows:>12} {size_bytes:>14} {state:<7} {form:<7} {id}");
    }
    say!("{} segments, {} rows", records.len(), records.iter().map(|r| r.rows).sum::<u64>());
    Ok(())
}

fn form(record: &SegmentRecord) -> &'static str {
    match record.files.form {
        Form::Arrow => "arrow",
        Form::Parquet => "parquet",
    }
}

/// Whether queries need a segment, and whether its files are there and begin and end as they should. `ovate verify`
/// finds the rest.
fn state(store: &Store, record: &SegmentRecord) -> &'static str {
    let snapshot = store.datasource(&record.datasource).map(|datasource| datasource.snapshot());
    let mut parts =
        snapshot.iter().flat_map(|snapshot| &snapshot.parts).filter(|part| part.id() == record.id);
    match parts.next() {
        Some(Part::Segment(part)) if part.handle().open().is_err() => "damaged",
        Some(_) => "used",
        None if record.used => "covered",
        None => "unused",
    }
}

/// `ovate verify`: reads every byte of every segment, and everything in the catalog. Changes nothing.
pub(crate) fn verify(folder: &Path) -> Result<()> {
    check(&*open(folder)?)?;
    say!("nothing is damaged");
    Ok(())
}

/// Reads everything, and says what does not fit. An error if something is damaged.
fn check(store: &Store) -> Result<()> {
    let line = ProgressLine::default();
    let report = store.verify(|progress| line.show(progress))?;
    line.clear();
    for finding in &report.findings {
        say!("{finding}");
    }
    let damaged = report.findings.iter().filter(|finding| finding.is_damage()).count();
    let orphans = report.findings.iter().filter(|finding| matches!(finding, Finding::Orphan { .. })).count();
    say!("{} segments, {} rows, {} bytes checked", report.segments, report.rows, report.bytes);
    if orphans > 0 {
        say!("{orphans} orphans, which the next start removes");
    }
    if damaged > 0 {
        bail!("{damaged} things are damaged; queries that need them fail");
    }
    Ok(())
}

/// `ovate backup --data`: a second data folder with the same segments and offsets.
pub(crate) fn backup(folder: &Path, target: &Path) -> Result<()> {
    copy(&*open(folder)?, target).with_context(|| format!("no backup was made in {}", target.display()))
}

fn copy(store: &Store, target: &Path) -> Result<()> {
    let line = ProgressLine::default();
    let report = store.backup(target, |progress| line.show(progress))?;
    line.clear();
    let BackupReport { segments, rows, bytes } = report;
    say!("{segments} segments, {rows} rows, {bytes} bytes in {}", target.display());
    Ok(())
}

/// `ovate backup --url`: the server makes it, in its own folder for backups.
pub(crate) fn backup_running(url: &str, name: &str) -> Result<()> {
    let answer = ask::post(url, "/ovate/v1/backups", "application/json", &json!({ "name": name }))?;
    let report: Value = serde_json::from_slice(&answer).context("the answer is not JSON")?;
    let [segments, rows, bytes] = ["segments", "rows", "bytes"].map(|field| &report[field]);
    let path = report["path"].as_str().unwrap_or(name);
    say!("{segments} segments, {rows} rows, {bytes} bytes in {path} on the server");
    Ok(())
}

/// `ovate export`: published rows as Parquet files.
pub(crate) fn export(folder: &Path, datasource: Option<&str>, target: &Path) -> Result<()> {
    let store = open(folder)?;
    let names = datasource.map_or_else(|| store.datasources(), |name| vec![name.to_owned()]);
    let line = ProgressLine::default();
    let exported = store.export(&names, target, |progress| line.show(progress));
    line.clear();
    let ExportReport { files, rows } =
        exported.with_context(|| format!("not everything was exported to {}", target.display()))?;
    say!("{files} files, {rows} rows in {}", target.display());
    Ok(())
}

/// `ovate restore`: checks the backup, copies it into an empty folder, and checks the copy.
pub(crate) fn restore(backup: &Path, folder: &Path) -> Result<()> {
    let store = open(backup)?;
    say!("checking {}", backup.display());
    check(&store).with_context(|| format!("{} cannot be restored as it is", backup.display()))?;
    copy(&store, folder).with_context(|| format!("nothing was restored in {}", folder.display()))?;
    say!("checking {}", folder.display());
    check(&*open(folder)?).with_context(|| format!("{} is not sound; remove it", folder.display()))?;
    say!("restored; offsets came with the rows, so reading goes on where they end");
    Ok(())
}

/// `ovate compact`: merges small segments until there are none to merge, whether their chunks are quiet or not, and makes
/// cold ones Parquet.
pub(crate) fn compact(folder: &Path, cold_after: Option<Period>) -> Result<()> {
    let store = open(folder)?;
    let options = CompactionOptions { quiet_ms: 0, ..CompactionOptions::default() };
    let now_ms = chrono::Utc::now().timestamp_millis();
    let options = Compaction { options, cold_after }.at(now_ms);
    let all = store.segment_records(None)?.iter().filter(|record| record.used).count();
    let (line, mut merged, mut made) = (ProgressLine::default(), 0, 0);
    let (mut bytes_before, mut bytes_after) = (0, 0);
    for name in store.datasources() {
        let Some(datasource) = store.datasource(&name) else { continue };
        while let Some(done) = datasource.compact(&options, now_ms).with_context(|| format!("in {name}"))? {
            merged += done.merged.len();
            made += done.segments.len();
            bytes_before += done.bytes_before;
            bytes_after += done.bytes;
            let (segment, bytes_done, bytes) =
                (done.merged.first().map_or("", String::as_str), merged as u64, all as u64);
            line.show(&WorkProgress { segment, segments_done: merged, segments: all, bytes_done, bytes });
        }
    }
    line.clear();
    say!("{merged} of {all} segments became {made}, {bytes_before} bytes {bytes_after}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use ovate_storage::time::Granularity;
    use ovate_storage::{Progress, RowBatch, TableSchema};

    /// A data folder with three segments of one chunk: three publishes of two rows each.
    fn filled(folder: &Path) -> u64 {
        let store = Store::open(folder, StoreOptions::default()).unwrap();
        let (columns, segment_granularity) = (Vec::new(), Granularity::day());
        let query_granularity = Granularity::NONE;
        let schema = TableSchema { columns, segment_granularity, query_granularity, rollup: false };
        let datasource = store.ensure_datasource("doors", Arc::new(schema)).unwrap();
        for at in 1..=3 {
            let mut progress = Progress::default();
            progress.set("topic", 0, at * 2);
            let batch = RowBatch { time: vec![at, at + 10], ..RowBatch::default() };
            datasource.writer().append(batch, &progress, 0).unwrap();
            datasource.publish(at).unwrap();
        }
        rows(&store)
    }

    fn rows(store: &Store) -> u64 {
        store.datasource("doors").unwrap().snapshot().rows() as u64
    }

    #[test]
    fn a_restored_folder_has_the_rows_and_their_offsets() {
        let folder = tempfile::tempdir().unwrap();
        let [data, copy, restored] = ["data", "copy", "restored"].map(|name| folder.path().join(name));
        assert_eq!(filled(&data), 6);
        backup(&data, &copy).unwrap();
        restore(&copy, &restored).unwrap();
        {
            let store = open(&restored).unwrap();
            assert_eq!(rows(&store), 6);
            let progress = store.catalog().progress("doors").unwrap().unwrap();
            assert_eq!(progress.next_offset("topic", 0), Some(6));
        }
        assert!(restore(&copy, &restored).is_err(), "what is there is not overwritten");
        assert!(restore(&folder.path().join("nowhere"), &folder.path().join("x")).is_err());
    }

    #[test]
    fn a_damaged_backup_is_not_restored() {
        let folder = tempfile::tempdir().unwrap();
        let [data, restored] = ["data", "restored"].map(|name| folder.path().join(name));
        filled(&data);
        let segments = data.join("segments/doors");
        let segment = std::fs::read_dir(segments).unwrap().next().unwrap().unwrap().path();
        std::fs::write(segment.join("data.arrow"), "not these bytes").unwrap();
        assert!(restore(&data, &restored).unwrap_err().to_string().contains("cannot be restored"));
        assert!(!restored.exists());
    }

    #[test]
    fn an_export_is_a_file_for_each_segment() {
        let folder = tempfile::tempdir().unwrap();
        let [data, all, none] = ["data", "all", "none"].map(|name| folder.path().join(name));
        filled(&data);
        export(&data, None, &all).unwrap();
        let files = std::fs::read_dir(all.join("doors")).unwrap();
        assert!(files.map(|file| file.unwrap().path()).all(|path| path.extension().unwrap() == "parquet"));
        assert_eq!(std::fs::read_dir(all.join("doors")).unwrap().count(), 3);
        assert!(export(&data, Some("windows"), &none).unwrap_err().to_string().contains("not everything"));
        assert!(export(&data, None, &all).is_err(), "what is there is not overwritten");
    }

    #[test]
    fn a_compacted_folder_has_the_same_rows_in_fewer_segments() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        filled(&data);
        compact(&data, None).unwrap();
        let store = open(&data).unwrap();
        assert_eq!((rows(&store), store.segment_records(None).unwrap().len()), (6, 1));
        assert!(store.verify(|_| {}).unwrap().findings.is_empty());
        drop(store);
        compact(&data, Some(Period::of_days(1))).unwrap();
        let store = open(&data).unwrap();
        let records = store.segment_records(None).unwrap();
        assert_eq!(records.iter().map(|record| record.files.form).collect::<Vec<_>>(), [Form::Parquet]);
        assert_eq!(rows(&store), 6);
        assert!(store.verify(|_| {}).unwrap().findings.is_empty());
    }
}
