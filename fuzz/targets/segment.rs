//! The files of a segment: refused, or read to their end.
//!
//! An input is a byte and a file. The byte's lowest bit says which of the two files it is, the next whether checksums are
//! made right again, so that what lies behind them is reached as well, and the third whether the segment is cold.

#![allow(unreachable_pub)] // Shared with tests.

use std::path::{Path, PathBuf};

use ovate_storage::disk::RealDisk;
use ovate_storage::segment::{DecodedColumns, Segment};
use xxhash_rust::xxh3::xxh3_64;

use crate::fuzz::Target;

/// The name of the file with the columns, that file, and the index.
type Files = (&'static str, &'static [u8], &'static [u8]);

const WARM: Files = (
    "data.arrow",
    include_bytes!("../../storage/tests/golden/v1/data.arrow"),
    include_bytes!("../../storage/tests/golden/v1/index.ovate"),
);
const COLD: Files = (
    "data.parquet",
    include_bytes!("../../storage/tests/golden/v2/data.parquet"),
    include_bytes!("../../storage/tests/golden/v2/index.ovate"),
);
/// The codes of a dictionary whose lists are read: a forged table may claim any number of them.
const CODES: u32 = 50;

/// See the module.
#[derive(Debug)]
pub struct Segments {
    folder: tempfile::TempDir,
    /// Those that were opened.
    pub opened: usize,
}

impl Segments {
    fn write(&self, name: &str, data: &[u8], index: &[u8]) -> PathBuf {
        // New files: what is mapped must not change.
        for (name, bytes) in [(name, data), ("index.ovate", index)] {
            let path = self.folder.path().join(name);
            let _ = std::fs::remove_file(&path);
            std::fs::write(path, bytes).unwrap();
        }
        self.folder.path().to_owned()
    }
}

impl Target for Segments {
    const NAME: &'static str = "segment";
    const WORDS: &'static [&'static str] = &[
        "OVATEIDX",
        "[0,0]",
        "\"rows\":0",
        "\"len\":18446744073709551615",
        "\"nulls\":1",
        "\"utf8\"",
        "\"u8\"",
    ];

    fn kept() -> Vec<Vec<u8>> {
        let [(_, warm, warm_index), (_, cold, cold_index)] = [WARM, COLD];
        let files = [(0, warm), (1, warm_index), (3, warm_index), (4, cold), (6, cold), (7, cold_index)];
        files.map(|(kind, file)| [&[kind], file].concat()).to_vec()
    }

    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), opened: 0 }
    }

    fn run(&mut self, input: &[u8]) {
        let Some((kind, file)) = input.split_first() else { return };
        let (name, data, index) = if kind & 4 == 0 { WARM } else { COLD };
        let (mut data, mut index) = (data.to_vec(), index.to_vec());
        if kind & 1 == 0 {
            data = file.to_vec();
        } else {
            index = file.to_vec();
        }
        if kind & 2 != 0 {
            seal(&data, &mut index);
        }
        self.opened += usize::from(read(&self.write(name, &data, &index)));
    }
}

/// Makes the checksums of the data and of the footer right, if there are any.
fn seal(data: &[u8], index: &mut [u8]) {
    let Some(tail) = index.len().checked_sub(32) else { return };
    let footer_bytes = u64::from_le_bytes(index[tail..tail + 8].try_into().unwrap());
    let start = usize::try_from(footer_bytes).ok().and_then(|bytes| tail.checked_sub(bytes));
    let Some(start) = start else { return };
    // Inputs have one page.
    if let Some(page) = index[start..tail].get_mut(8..16) {
        page.copy_from_slice(&xxh3_64(data).to_le_bytes());
    }
    let checksum = xxh3_64(&index[start..tail + 16]);
    index[tail + 16..tail + 24].copy_from_slice(&checksum.to_le_bytes());
}

/// Asks for everything. Whether it is a segment at all.
fn read(folder: &Path) -> bool {
    let Ok(segment) = Segment::open(&RealDisk, folder, None, &DecodedColumns::new(0)) else { return false };
    let _ = segment.time();
    let _ = segment.blocks("__time");
    for spec in segment.columns().iter() {
        let _ = segment.column(&spec.name);
        let _ = segment.blocks(&spec.name);
        let Ok(Some(postings)) = segment.postings(&spec.name) else { continue };
        let codes = 0..CODES.min(postings.len() as u32);
        for code in codes.clone() {
            let _ = postings.get(code);
        }
        let _ = (postings.nulls(), postings.union(codes));
    }
    let _ = segment.verify();
    true
}
