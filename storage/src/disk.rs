//! The disk as the publish protocol sees it: the few calls whose order decides what survives a crash.
//!
//! [`RealDisk`] is the operating system. Tests put another disk in its place that fails the n-th call or rebuilds
//! what a power cut would leave, so everything that writes durable data goes through [`Disk`].

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;

/// A file being written, before anyone may read it.
pub trait DiskFile: Write + Send {
    /// Returns when the bytes written so far are durable. After an error nothing may be assumed about the file.
    fn sync(&mut self) -> io::Result<()>;
}

/// The calls of the publish protocol.
pub trait Disk: Debug + Send + Sync {
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Creates a folder and its missing parents.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder; atomic within one file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file, or a folder with all it holds.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, sorted; empty if there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Maps a whole file for reading. The file must never be changed while the buffer lives.
    fn map(&self, path: &Path) -> io::Result<Buffer>;
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::options().write(true).create_new(true).open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    #[allow(unsafe_code)]
    fn map(&self, path: &Path) -> io::Result<Buffer> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Buffer::from(Vec::<u8>::new()));
        }
        // SAFETY: a published file is immutable: it is only ever unlinked, never truncated or rewritten, and the
        // data folder is locked against a second process. An unlinked file stays whole while it is mapped.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Buffer::from(bytes_of(map)))
    }
}

/// Hands a mapping to Arrow without copying; the mapping is released with the last slice of the buffer.
fn bytes_of(map: memmap2::Mmap) -> bytes::Bytes {
    bytes::Bytes::from_owner(map)
}
