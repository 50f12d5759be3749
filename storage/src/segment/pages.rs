//! Checksums page by page: computed while a file is written, verified when a page is first read.
//!
//! A page is [`PAGE_BYTES`] of a file (older formats have larger ones), the last one what is left; its checksum is
//! XXH3-64. A reader gets bytes only through [`CheckedFile::slice`] and [`CheckedFile::bytes`], which read every page
//! the bytes lie on and no other, and verify it, once per open segment. So opening costs nothing however large the
//! file is, and damage is found where it matters: a query that does not touch a damaged page is not disturbed by it
//! until another query has found it.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::buffer::Buffer;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::disk::{Disk, DiskFile, is_lost, read_ahead};
use crate::error::{Result, StorageError};

/// The bytes under one checksum, as files are written. Who reads a column reads whole pages, so they are small beside
/// one; and large beside their checksum, which opening the segment reads.
pub(super) const PAGE_BYTES: usize = 64 << 10;
/// Small writes are gathered into system calls of this size.
const WRITE_BYTES: usize = 256 << 10;

/// A stretch of a file: `[offset, bytes]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent(pub(super) u64, pub(super) u64);

impl Extent {
    /// The stretch as a range, if it lies within the first `len` bytes.
    fn within(self, len: usize) -> Option<Range<usize>> {
        let end = self.0.checked_add(self.1)?;
        (end <= len as u64).then_some(self.0 as usize..end as usize)
    }
}

/// A file being written, and the checksums of its pages so far.
pub(super) struct PagedFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    pending: Vec<u8>,
    len: u64,
    page: Xxh3,
    pages: Vec<u64>,
}

impl PagedFile {
    pub(super) fn create(disk: &dyn Disk, path: PathBuf) -> Result<Self> {
        let file = disk.create(&path).map_err(StorageError::io("create", &path))?;
        Ok(Self {
            path,
            file,
            pending: Vec::with_capacity(WRITE_BYTES),
            len: 0,
            page: Xxh3::new(),
            pages: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes written so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The checksums of all pages up to here, the last one usually short.
    pub(super) fn pages(&self) -> Vec<u64> {
        let mut pages = self.pages.clone();
        if !self.len.is_multiple_of(PAGE_BYTES as u64) {
            pages.push(self.page.digest());
        }
        pages
    }

    /// Writes all of `bytes` and gives the stretch they took, which begins at a multiple of eight.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<Extent> {
        let padding = self.len.next_multiple_of(8) - self.len;
        self.put(&[0; 8][..padding as usize])?;
        let extent = Extent(self.len, bytes.len() as u64);
        self.put(bytes)?;
        Ok(extent)
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(StorageError::io("write", &self.path))
    }

    /// Returns when everything written is durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.flush().map_err(StorageError::io("write", &self.path))?;
        self.file.sync().map_err(StorageError::io("sync", &self.path))
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = (self.len % PAGE_BYTES as u64) as usize;
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - used));
            self.page.update(now);
            self.len += now.len() as u64;
            if used + now.len() == PAGE_BYTES {
                self.pages.push(self.page.digest());
                self.page.reset();
            }
            bytes = later;
        }
    }

    fn flush_pending(&mut self) -> io::Result<()> {
        self.file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

impl Write for PagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() + bytes.len() > WRITE_BYTES {
            self.flush_pending()?;
        }
        if bytes.len() >= WRITE_BYTES {
            self.file.write_all(bytes)?;
        } else {
            self.pending.extend_from_slice(bytes);
        }
        self.hash(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_pending()?;
        self.file.flush()
    }
}

/// A mapped file whose first bytes, up to [`Self::len`], are under page checksums.
pub(super) struct CheckedFile {
    path: PathBuf,
    bytes: Buffer,
    page_bytes: usize,
    pages: Box<[u64]>,
    /// One bit per page that was verified.
    verified: Box<[AtomicU64]>,
    damage: Arc<Damage>,
}

/// The first thing that was found to be wrong with a segment. Shared by its files, and by what reads them later.
pub(super) type Damage = OnceLock<String>;

impl fmt::Debug for CheckedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: there may be gigabytes of them.
        f.debug_struct("CheckedFile")
            .field("path", &self.path)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl CheckedFile {
    /// `bytes` under the checksums of their pages of `page_bytes`, whose number must be right.
    pub(super) fn new(
        path: PathBuf,
        bytes: Buffer,
        (page_bytes, pages): (usize, Box<[u64]>),
        damage: Arc<Damage>,
    ) -> Result<Self> {
        let expected = bytes.len().div_ceil(page_bytes);
        if pages.len() != expected {
            let reason = format!("{} page checksums for {expected} pages", pages.len());
            return Err(StorageError::damaged(&path, reason));
        }
        let verified = (0..expected.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { path, bytes, page_bytes, pages, verified, damage })
    }

    /// The bytes under checksums.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A verified stretch, sharing the mapping.
    pub(super) fn slice(&self, extent: Extent) -> Result<Buffer> {
        let range = self.range(extent)?;
        self.verify(&range)?;
        Ok(self.bytes.slice_with_length(range.start, range.len()))
    }

    /// A verified stretch.
    pub(super) fn bytes(&self, extent: Extent) -> Result<&[u8]> {
        let range = self.range(extent)?;
        self.verify(&range)?;
        Ok(&self.bytes[range])
    }

    /// Verifies every page, even those that were verified before.
    pub(super) fn verify_all(&self) -> Result<()> {
        (0..self.pages.len()).try_for_each(|page| self.verify_page(page))
    }

    /// An error if bytes of the file could not be read, whoever it was that has met them: they were read as zeros.
    pub(super) fn all_read(&self) -> Result<()> {
        if is_lost(&self.bytes) {
            return Err(self
                .damaged("bytes of it are gone: it was cut off while in use, or the disk cannot give them"));
        }
        Ok(())
    }

    /// A damage report for this file, which is remembered.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> StorageError {
        let error = StorageError::damaged(&self.path, reason);
        self.damage.get_or_init(|| {
            tracing::error!(%error, "a segment is in quarantine: queries that need it fail");
            error.to_string()
        });
        error
    }

    fn range(&self, extent: Extent) -> Result<Range<usize>> {
        extent.within(self.len()).ok_or_else(|| {
            let Extent(offset, bytes) = extent;
            self.damaged(format!("{bytes} bytes at offset {offset} lie beyond its {} bytes", self.len()))
        })
    }

    fn verify(&self, range: &Range<usize>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let pages = range.start / self.page_bytes..=(range.end - 1) / self.page_bytes;
        let mut unread = pages.filter(|&page| !self.is_verified(page)).peekable();
        if let Some(&first) = unread.peek() {
            let end = range.end.next_multiple_of(self.page_bytes).min(self.len());
            read_ahead(&self.bytes[first * self.page_bytes..end]);
        }
        unread.try_for_each(|page| {
            self.verify_page(page)?;
            // Two threads may verify one page at once: both find the same, and neither publishes data to the other.
            self.verified[page / 64].fetch_or(1 << (page % 64), Ordering::Relaxed);
            Ok(())
        })
    }

    fn is_verified(&self, page: usize) -> bool {
        self.verified[page / 64].load(Ordering::Relaxed) & 1 << (page % 64) != 0
    }

    fn verify_page(&self, page: usize) -> Result<()> {
        let start = page * self.page_bytes;
        let end = self.len().min(start + self.page_bytes);
        if xxh3_64(&self.bytes[start..end]) == self.pages[page] {
            return Ok(());
        }
        Err(self.damaged(format!("bytes {start} to {end} do not match their checksum")))
    }
}

/// A little-endian number at `at`; 0 beyond the end, for callers that have checked the length.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes)
}

/// A little-endian number at `at`; 0 beyond the end, for callers that have checked the length.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u64::from_le_bytes)
}
