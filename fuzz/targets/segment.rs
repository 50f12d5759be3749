//! The files of a segment: refused, or read to their end.
//!
//! An input is a byte and a file. The byte's lowest bit says which of the two files it is, the next whether the footer's
//! checksum is made right again, so that what lies behind the checksums is reached as well.

#![allow(unreachable_pub)] // Shared with tests.

use std::path::{Path, PathBuf};

use ovate_storage::disk::RealDisk;
use ovate_storage::segment::Segment;
use xxhash_rust::xxh3::xxh3_64;

use crate::fuzz::Target;

const DATA: &[u8] = include_bytes!("../../storage/tests/golden/v1/data.arrow");
const INDEX: &[u8] = include_bytes!("../../storage/tests/golden/v1/index.ovate");
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
    fn write(&self, data: &[u8], index: &[u8]) -> PathBuf {
        // New files: what is mapped must not change.
        for (name, bytes) in [("data.arrow", data), ("index.ovate", index)] {
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
        [(0, DATA), (1, INDEX), (3, INDEX)].map(|(kind, file)| [&[kind], file].concat()).to_vec()
    }

    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), opened: 0 }
    }

    fn run(&mut self, input: &[u8]) {
        let Some((kind, file)) = input.split_first() else { return };
        let mut file = file.to_vec();
        let folder = if kind & 1 == 0 {
            self.write(&file, INDEX)
        } else {
            if kind & 2 != 0 {
                seal(&mut file);
            }
            self.write(DATA, &file)
        };
        self.opened += usize::from(read(&folder));
    }
}

/// Makes the checksum of a footer right, if there is one.
fn seal(file: &mut [u8]) {
    let Some(tail) = file.len().checked_sub(32) else { return };
    let footer_bytes = u64::from_le_bytes(file[tail..tail + 8].try_into().unwrap());
    let start = usize::try_from(footer_bytes).ok().and_then(|bytes| tail.checked_sub(bytes));
    if let Some(start) = start {
        let checksum = xxh3_64(&file[start..tail + 16]);
        file[tail + 16..tail + 24].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Asks for everything. Whether it is a segment at all.
fn read(folder: &Path) -> bool {
    let Ok(segment) = Segment::open(&RealDisk, folder, None) else { return false };
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
