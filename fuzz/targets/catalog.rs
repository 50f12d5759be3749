//! The catalog's file: refused, or read to its end.

#![allow(unreachable_pub)] // Shared with tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovate_storage::disk::{Disk, RealDisk};
use ovate_storage::{Catalog, Progress};
use serde_json::json;

use crate::fuzz::Target;

/// See the module.
#[derive(Debug)]
pub struct Catalogs {
    folder: tempfile::TempDir,
    /// Those that were opened.
    pub opened: usize,
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("catalog.redb")
}

impl Target for Catalogs {
    const NAME: &'static str = "catalog";
    const WORDS: &'static [&'static str] = &["redb", "meta", "format_version", "null", "{\"id\":1}"];

    fn kept() -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(folder.path());
        {
            let catalog = Catalog::open(&disk(), &path).unwrap();
            let mut progress = Progress::default();
            progress.set("topic", 0, 7);
            catalog.set_progress("ds", Some(&progress), &[json!({"partition": 0})]).unwrap();
            catalog.put_supervisor("ds", &json!({"type": "kafka"}), false, 1).unwrap();
        }
        vec![std::fs::read(path).unwrap()]
    }

    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), opened: 0 }
    }

    fn run(&mut self, input: &[u8]) {
        let path = path_in(self.folder.path());
        std::fs::write(&path, input).unwrap();
        let Ok(catalog) = Catalog::open(&disk(), &path) else { return };
        self.opened += 1;
        let _ = (catalog.datasources(), catalog.segments(), catalog.all_progress());
        let _ = (catalog.supervisors(), catalog.supervisor_history(None), catalog.offset_events(None));
        let _ = (catalog.rules(), catalog.rule_history(None));
        // What can be read can be written to, or says why not.
        let _ = catalog.add_offset_events("ds", &[json!(1)]);
    }
}
